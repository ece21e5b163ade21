"""``isthmus worker``: run jobs and poll the backends until told to stop."""

import logging
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import uuid4

import typer

from isthmus.cli import log
from isthmus.cli.command import command
from isthmus.cli.job_log import JobLog
from isthmus.cli.session import Session
from isthmus.errors import IsthmusError

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.hub import Hub

logger = logging.getLogger("isthmus.worker")

_GRACE: Final = timedelta(seconds=30)
"""How long running jobs may go on after the first signal."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "worker",
        examples=("isthmus worker", "isthmus worker --threads 8 -v", "isthmus worker --no-poll"),
    )(worker)


def worker(
    session: Session,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Jobs at a time; the settings say 4.")
    ] = None,
    poll: Annotated[
        bool, typer.Option("--poll/--no-poll", help="Look at each active backend again and again.")
    ] = True,
) -> int:
    """Run jobs, and look at each active backend once a minute (setting poll_s), until Ctrl-C.

    The first signal (Ctrl-C, SIGTERM) lets running jobs end, the second gives them back at once.
    Any number of workers may run; on SQLite all on one machine.
    """
    from isthmus.cli.presence import Presence
    from isthmus.job import Worker

    session.log_level = "INFO"
    hub = session.hub
    poller = Poller(hub)
    presence = Presence(hub)
    timers: list[tuple[timedelta, Callable[[], object]]] = [(presence.period, presence.show)]
    if poll:
        timers.append((hub.settings.poll_every, poller.look))
    made = Worker(hub.queue, threads, timers=timers)
    jobs = JobLog(hub)
    made.on_claimed, made.on_finished = jobs.claimed, jobs.finished
    signals = _Signals()
    with signals:
        made.start()
        logger.info(
            "worker started",
            extra={"isthmus_threads": threads or hub.settings.job.threads, "isthmus_owner": str(hub.owner)},
        )
        signals.first.wait()
        made.stop()
        logger.info("worker stops: running jobs may end, another signal gives them back at once")
        ended = _wait(made, signals.second)
    given_back = 0 if ended else hub.queue.hand_back()
    presence.leave()
    logger.info("worker stopped", extra={"isthmus_jobs": dict(jobs.ended), "isthmus_given_back": given_back})
    session.out.document({
        "jobs": dict(jobs.ended),
        "given_back": given_back,
        "run": session.run_id,
    })
    return 0


def _wait(made: Any, again: threading.Event) -> bool:
    """Let running jobs end, until the grace is over or a second signal comes."""
    slice_ = timedelta(seconds=0.1)
    for _ in range(int(_GRACE / slice_)):
        if made.join(slice_):
            return True
        if again.is_set():
            return False
    return False


class _Signals:
    """Turns SIGTERM and SIGINT into events, for the time of a ``with`` block."""

    def __init__(self) -> None:
        self.first = threading.Event()
        self.second = threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._come)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _come(self, _number: int, _frame: FrameType | None) -> None:
        (self.second if self.first.is_set() else self.first).set()


class Poller:
    """Looks at every active backend for changes, each in a thread of its own: a slow one delays no other.

    Args:
        hub: The hub.
    """

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._busy: set[str] = set()

    def look(self) -> None:
        """Begin to look at each backend that is not being looked at still."""
        with self._hub.env(readonly=True) as env:
            names = [b["name"] for b in env["connector.backend"].search([("active", "=", True)], order="id")]
        with self._lock:
            waiting = [name for name in names if name not in self._busy]
            self._busy.update(waiting)
        for name in waiting:
            # A daemon: an import that is cut off is continued by the next one.
            threading.Thread(
                target=self._poll, args=(name,), name=f"isthmus-poll-{name}", daemon=True
            ).start()

    def _poll(self, name: str) -> None:
        from isthmus.sync.service import poll

        run_id = uuid4().hex[:12]
        log.bind(**{log.RUN: run_id, "isthmus_backend": name})
        try:
            report = poll(self._hub, name, run_id=run_id)
            level = logging.INFO if report.changed else logging.DEBUG
            logger.log(level, "poll: %s", report.sentence())
        except IsthmusError as exc:
            logger.warning("poll failed and is repeated: %s", exc)
        except Exception:
            logger.exception("poll failed and is repeated")
        finally:
            log.unbind()
            with self._lock:
                self._busy.discard(name)
