"""``isthmus worker``: run jobs and poll the backends until told to stop."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from isthmus.cli.child import Child
from isthmus.cli.command import command
from isthmus.cli.metrics import serve
from isthmus.cli.processes import Supervisor
from isthmus.cli.session import Session

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.hub import Hub

logger = logging.getLogger("isthmus.worker")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "worker",
        examples=(
            "isthmus worker",
            "isthmus worker --processes 2 --threads 8 -v",
            "isthmus worker --channels root.trello,root.mail --no-poll",
            "isthmus worker --webhooks 8100   # paths: isthmus webhook url NAME",
        ),
    )(worker)


def worker(
    session: Session,
    processes: Annotated[
        int, typer.Option("--processes", min=1, help="Processes; one that dies is replaced.")
    ] = 1,
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, help="Jobs at a time in each process; the settings say 4."),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(
            "--channels", metavar="NAMES", help="Only jobs in these lanes and below, with commas between."
        ),
    ] = None,
    poll: Annotated[
        bool, typer.Option("--poll/--no-poll", help="Look at each active backend again and again.")
    ] = True,
    metrics: Annotated[
        str | None,
        typer.Option("--metrics", metavar="[HOST:]PORT", help="Serve metrics for Prometheus there."),
    ] = None,
    webhooks: Annotated[
        str | None,
        typer.Option("--webhooks", metavar="[HOST:]PORT", help="Let other systems tell of changes there."),
    ] = None,
    child: Annotated[str | None, typer.Option("--child", hidden=True)] = None,
    sheets: Annotated[Path | None, typer.Option("--sheets", hidden=True)] = None,
) -> int:
    """Run jobs, and look at each active backend once a minute (setting poll_s), until Ctrl-C.

    The first signal (Ctrl-C, SIGTERM) lets running jobs end (setting job.grace_s), the second gives
    them back at once. Any number of workers may run; on SQLite all on one machine.
    """
    session.log_level = "INFO"
    session.log_keys |= {"isthmus_pid": os.getpid()}
    if child is not None:
        return _work(session, child, threads, channels, poll=poll, sheets=sheets)
    settings = session.settings
    # What the children are given beside their place and their lifeline.
    options = _options(session, threads, channels)

    def command_line(_place: int, lifeline: int) -> Sequence[str]:
        polling = "--poll" if poll else "--no-poll"
        return [*_program(), "worker", *options, polling, "--child", f"{lifeline}:{session.run_id}"]

    with ExitStack() as during:
        if metrics is not None:
            options += ["--sheets", str(during.enter_context(serve(session, metrics)))]
        if webhooks is not None:
            from isthmus.cli.webhooks import serve as serve_webhooks

            during.enter_context(serve_webhooks(session, webhooks))
        grace = timedelta(seconds=settings.job.grace_s)
        supervisor = during.enter_context(closing(Supervisor(command_line, processes, grace=grace)))
        during.enter_context(_Signals(supervisor))
        found = supervisor.run()
    if found.failure is not None:
        return session.fail(found.failure.type, found.failure.message, found.failure.exit_code)
    jobs = dict(found.jobs)
    logger.info("worker stopped", extra={"isthmus_jobs": jobs, "isthmus_given_back": found.given_back})
    session.out.document({
        "jobs": jobs,
        "given_back": found.given_back,
        "replaced": found.replaced,
        "run": session.run_id,
    })
    return 0


def _options(session: Session, threads: int | None, channels: str | None) -> list[str]:
    shared = session.shared
    options = ["-v"] * shared.verbose
    if shared.debug:
        options.append("--debug")
    if shared.settings is not None:
        options += ["--settings", str(shared.settings)]
    if threads is not None:
        options += ["--threads", str(threads)]
    if channels is not None:
        options += ["--channels", channels]
    return options


def _program() -> list[str]:
    """Give the program's beginning of a command line: this interpreter, with this one's search path."""
    # ``-m`` alone would find a stray module of the working directory first.
    here = {"", str(Path.cwd())} & set(sys.path)
    return [sys.executable, *([] if here else ["-P"]), "-m", "isthmus.cli"]


def _work(
    session: Session,
    child: str,
    threads: int | None,
    channels: str | None,
    *,
    poll: bool,
    sheets: Path | None,
) -> int:
    """Be one of the processes."""
    lifeline, _, session.run_id = child.partition(":")

    def timers(hub: "Hub") -> list[tuple[timedelta, Callable[[], object]]]:
        from isthmus.sync.polling import LANE

        schedules = hub.queue.schedules
        tick = partial(schedules.tick, without=() if poll else (LANE,))
        return [(schedules.tick_every, tick)]

    return Child(
        session, int(lifeline), threads=threads, channels=channels, timers=timers, sheets=sheets
    ).run()


class _Signals:
    """Lets signals reach a supervisor, for the time of a ``with`` block.

    SIGTERM and SIGINT are steps towards the end. SIGHUP is one where there is a terminal, which has been
    closed then; elsewhere somebody asks for settings to be read again, and lanes are looked up all the
    time.

    Args:
        supervisor: Whom they are for.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        signal.set_wakeup_fd(self._supervisor.bell, warn_on_full_buffer=False)
        handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = {
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGCHLD: self._ignore,  # the byte that it leaves is enough
        }
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            handlers[signal.SIGHUP] = self._stop if sys.stderr.isatty() else self._ignore
        for number, handler in handlers.items():
            self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._supervisor.stop()

    def _ignore(self, _number: int, _frame: FrameType | None) -> None:
        pass
