"""One worker process: runs jobs in threads until its supervisor, or a signal, tells it to stop."""

import gc
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from isthmus.cli.job_log import JobLog
from isthmus.cli.lifeline import Lifeline
from isthmus.cli.processes import STUCK
from isthmus.cli.session import Session
from isthmus.errors import IsthmusError, JobDefinitionError, RetryableJobError, UsageError

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.hub import Hub
    from isthmus.job import Worker
    from isthmus.job.desk.tally import Sheet, Tally

logger = logging.getLogger("isthmus.worker")

_TELL_EVERY: Final = timedelta(seconds=1)
_LOOK_EVERY: Final = timedelta(seconds=0.1)

Timers = Sequence[tuple[timedelta, Callable[[], object]]]


class Child:
    """Runs jobs for a supervisor.

    Args:
        session: The command's.
        lifeline: The number of the socket that leads to the supervisor.
        threads: Jobs at a time; None takes the settings'.
        channels: Names of the lanes from which jobs are taken, with commas; None for all.
        timers: Makes what is to be done again and again beside the jobs.
        sheets: The folder for what is counted for the metrics; None when nobody reads them.
    """

    def __init__(
        self,
        session: Session,
        lifeline: int,
        *,
        threads: int | None,
        channels: str | None,
        timers: "Callable[[Hub], Timers]",
        sheets: Path | None = None,
    ) -> None:
        self._session = session
        self._line = Lifeline(lifeline)
        self._threads = threads
        self._channels = channels
        self._timers = timers
        self._sheets = sheets
        self._sheet: Sheet | None = None
        self._told: dict[str, int] = {}
        # The supervisor says when; a service manager sends its signal to every process of the service.
        self._line.heed(signal.SIGTERM)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> int:
        """Work until told to stop, and tell the exit code."""
        try:
            hub = self._session.hub
            worker = self._make(hub)
        except IsthmusError as exc:
            return self._refuse(exc)
        # What is loaded by now stays: to look through it again and again would take a tenth of an import.
        gc.freeze()
        jobs = JobLog(hub, self._tally())
        worker.on_claimed, worker.on_finished = jobs.claimed, jobs.finished
        worker.on_stuck = lambda: self._break_off(jobs)
        worker.start()
        logger.info(
            "worker started",
            extra={
                "isthmus_threads": self._threads or hub.settings.job.threads,
                "isthmus_owner": str(hub.owner),
                **({"isthmus_channels": self._channels} if self._channels else {}),
            },
        )
        while not self._line.stop.wait(_TELL_EVERY.total_seconds()):
            self._tell(jobs)
        worker.stop()
        ended = self._wait(worker)
        given_back = 0 if ended else _hand_back(hub)
        self._tell(jobs, given_back)
        if not ended:
            self._end(0)
        return 0

    def _make(self, hub: "Hub") -> "Worker":
        from isthmus.job import Worker

        return Worker(hub.queue, self._threads, timers=self._timers(hub), channels=self._lanes())

    def _lanes(self) -> list[str]:
        """Give the full names of the lanes.

        Raises:
            UsageError: When one is malformed.
        """
        from isthmus.job.lane.name import full_name

        try:
            return [
                full_name(name.strip(), "--channels")
                for name in (self._channels or "").split(",")
                if name.strip()
            ]
        except JobDefinitionError as exc:
            raise UsageError(str(exc)) from None

    def _tally(self) -> "Tally | None":
        if self._sheets is None:
            return None
        from isthmus.job.desk.tally import Sheet, Tally

        tally = Tally()
        self._sheet = Sheet(self._sheets, tally)
        return tally

    def _refuse(self, error: IsthmusError) -> int:
        """Leave it to the supervisor to say why: all its processes have the same reason."""
        if self._session.shared.debug:
            traceback.print_exception(error, file=sys.stderr)
        if isinstance(error, RetryableJobError):
            self._line.tell(trouble=str(error))
        else:
            what = {"type": type(error).__name__, "message": str(error), "exit_code": error.exit_code}
            self._line.tell(failure=what)
        return error.exit_code

    def _tell(self, jobs: JobLog, given_back: int = 0) -> None:
        """Tell the totals, when they have changed."""
        if self._sheet is not None:
            # The folder goes with the supervisor.
            with suppress(OSError):
                self._sheet.write()
        totals = dict(jobs.ended)
        if totals != self._told or given_back:
            self._told = totals
            self._line.tell(jobs=totals, given_back=given_back)

    def _wait(self, worker: "Worker") -> bool:
        """Let running jobs end, until the grace is over or all is to end at once."""
        grace = timedelta(seconds=self._session.settings.job.grace_s)
        for _ in range(int(grace / _LOOK_EVERY)):
            if worker.join(_LOOK_EVERY):
                return True
            if self._line.now.is_set():
                return False
        return worker.join(timedelta(0))

    def _break_off(self, jobs: JobLog) -> None:
        self._tell(jobs)
        self._end(STUCK)

    @staticmethod
    def _end(code: int) -> None:
        """End although jobs still run: a thread that one has started would be waited for otherwise."""
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)


def _hand_back(hub: "Hub") -> int:
    try:
        count = hub.queue.hand_back()
        hub.queue.leave()
    except IsthmusError as exc:
        logger.warning("running jobs could not be handed back, others will find them: %s", exc)
        return 0
    return count
