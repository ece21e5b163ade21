"""A worker: threads that claim and run jobs until they are told to stop."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, Self

from isthmus.errors import DatabaseBusyError
from isthmus.job.heartbeat import Heartbeat
from isthmus.job.outcome import Outcome
from isthmus.job.queue import Queue

logger = logging.getLogger("isthmus.job")

Timer = tuple[timedelta, Callable[[], object]]
"""Something to be done at the start and then again and again, and the time between."""

WAIT: Final = timedelta(seconds=0.5)
"""Time between two looks for work when there was none."""


class Worker:
    """Runs jobs in threads of this process.

    ``with Worker(hub.queue) as worker: worker.join()``

    Args:
        queue: Whose jobs.
        threads: How many jobs at a time; None takes the settings'.
        wait: Time between two looks for work when there was none.
        timers: What else a worker does, such as polling backends; each has a thread of its own, is
            done at the start and then after each period.

    Attributes:
        on_claimed: Told the number of each job that is about to run.
        on_finished: Told the `Outcome` of each job.
    """

    def __init__(
        self,
        queue: Queue,
        threads: int | None = None,
        *,
        wait: timedelta = WAIT,
        timers: Sequence[Timer] = (),
    ) -> None:
        self._queue = queue
        self._wait = wait
        self.on_claimed: Callable[[int], object] | None = None
        self.on_finished: Callable[[Outcome], object] | None = None
        self._stop = threading.Event()
        # Of idle threads one looks for work, the others stand in line behind it.
        self._turn = threading.Lock()
        self._heartbeat: Heartbeat | None = None
        count = queue.settings.threads if threads is None else threads
        self._threads = [self._thread(self._work, f"isthmus-worker-{n + 1}") for n in range(count)]
        self._threads += [
            self._thread(self._repeat, f"isthmus-timer-{n + 1}", timer) for n, timer in enumerate(timers)
        ]

    @staticmethod
    def _thread(target: Callable[..., None], name: str, *args: Any) -> threading.Thread:
        # Daemons: a job that does not end must not keep a program from ending that was told to.
        return threading.Thread(target=target, name=name, args=args, daemon=True)

    # -- life --------------------------------------------------------------------------

    def start(self) -> Self:
        """Begin to work."""
        self._heartbeat = self._queue.heartbeat().__enter__()
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Claim nothing more; returns at once, running jobs go on."""
        self._stop.set()

    def join(self, timeout: timedelta | None = None) -> bool:
        """Wait until the worker has stopped.

        Args:
            timeout: At most so long; None waits until running jobs have ended.

        Returns:
            True when every thread has ended. When not, `Queue.hand_back` gives the jobs back.
        """
        end = None if timeout is None else time.monotonic() + timeout.total_seconds()
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            return False
        if self._heartbeat is not None:
            self._heartbeat.__exit__()
            self._heartbeat = None
        return True

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.join()

    # -- work --------------------------------------------------------------------------

    def claimed(self, job_id: int) -> None:
        """Tell the observer that a job is about to run."""
        if self.on_claimed is not None:
            self.on_claimed(job_id)

    def finished(self, outcome: Outcome) -> None:
        """Tell the observer how a job ended."""
        if self.on_finished is not None:
            self.on_finished(outcome)

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self._work_once()
            except Exception:
                logger.exception("a worker's thread had an error outside a job and goes on")
                self._stop.wait(self._wait.total_seconds())

    def _work_once(self) -> None:
        with self._turn:
            if self._stop.is_set():
                return
            try:
                claimed = self._queue.claim()
            except DatabaseBusyError as exc:
                logger.info("no job can be claimed now: %s", exc)
                claimed = None
            if claimed is None:
                self._stop.wait(self._wait.total_seconds())
                return
        self.claimed(claimed.id)
        self.finished(self._queue.run(claimed))

    def _repeat(self, timer: Timer) -> None:
        period, action = timer
        while not self._stop.is_set():
            try:
                action()
            except Exception:
                logger.exception("what a worker does every %s failed and is done again then", period)
            self._stop.wait(period.total_seconds())
