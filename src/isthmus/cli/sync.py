"""``isthmus import``, ``export`` and ``sync``: whole runs on a backend, and what came of them."""

import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.command import command
from isthmus.cli.progress import progress
from isthmus.cli.run import Run
from isthmus.cli.session import Session
from isthmus.errors import ConfigurationError, IsthmusError

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.sync import Report

Name = Annotated[str, typer.Argument(metavar="BACKEND", help="What it is called here.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    command(
        app,
        "sync",
        examples=(
            "isthmus sync trello",
            "isthmus sync trello --watch             # again every minute, until Ctrl-C",
            "isthmus sync trello --watch --every 10",
        ),
    )(sync)
    command(app, "import", examples=("isthmus import trello", "isthmus import trello --full"))(import_)
    command(app, "export", examples=("isthmus export trello",))(export)


def import_(
    session: Session,
    name: Name,
    full: Annotated[
        bool, typer.Option("--full", help="Look at everything, not only at what changed.")
    ] = False,
) -> None:
    """Bring here what changed there since the last time; at first, everything.

    A record that cannot be imported, or was changed on both sides, goes into the inbox while
    the rest goes on: that is told, and is no failure.
    """
    from isthmus.sync.service import get_backend, import_backend

    with session.env() as env, progress() as report:
        found = import_backend(env, get_backend(env, name), full=full, progress=report)
    _finish(session, name, {"import": found}, found.sentence())


def export(session: Session, name: Name) -> None:
    """Send there what changed here and is not there yet."""
    from isthmus.sync.service import export_backend, get_backend

    with session.env() as env, progress() as report:
        found = export_backend(env, get_backend(env, name), progress=report)
    _finish(session, name, {"export": found}, found.sentence())


def sync(
    session: Session,
    name: Name,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    every: Annotated[
        float | None, typer.Option("--every", min=0.1, metavar="SECONDS", help="Between two runs of --watch.")
    ] = None,
) -> int:
    """Bring both sides together: import what changed there, run the jobs that are due, export what differs.

    With --watch --json there is one document per run, each on a line.

    Raises:
        ConfigurationError: When a person must change something; the watch ends, too.
    """
    if not watch:
        return _sync_once(session, name)
    pause = every or session.settings.poll_s
    stopped = threading.Event()
    try:
        while True:
            try:
                _sync_once(session, name)
            except ConfigurationError:
                raise  # it will not go away by itself
            except IsthmusError as exc:
                session.out.error(f"{exc}; tried again in {pause:g} s")
            stopped.wait(pause)
            session.begin_run()
    except KeyboardInterrupt:
        session.out.tell("stopped")
        return 0


def _sync_once(session: Session, name: str) -> int:
    with progress() as report:
        run = Run(session.hub, name, session.run_id)
        run.go(report)
    assert run.here is not None  # noqa: S101 - a run that has gone has its reports
    assert run.there is not None  # noqa: S101
    reports = {"import": run.here, "export": run.there}
    _finish(session, name, reports, run.sentence(), jobs=dict(run.jobs.ended), failures=run.jobs.failures)
    for failure in run.jobs.failures:
        session.out.error(failure)
    return 1 if run.jobs.failures else 0


def _finish(
    session: Session,
    name: str,
    reports: "dict[str, Report]",
    sentence: str,
    **more: Any,
) -> None:
    """Print the result, and what it leaves for people and workers."""
    from isthmus.sync.service import get_backend

    with session.env(readonly=True) as env:
        backend_id = get_backend(env, name).id
        items = env["isthmus.checkpoint"].search_count([
            ("state", "=", "open"),
            ("backend_id", "=", backend_id),
        ])
    counts = session.hub.queue.counts()
    waiting = sum(n for state, n in counts.items() if str(state) in {"pending", "wait_dependencies"})
    running = sum(worker.owner != str(session.hub.owner) for worker in session.hub.queue.workers())
    session.out.document({
        "backend": name,
        **{side: report.as_json() for side, report in reports.items()},
        "changed": any(report.changed for report in reports.values()),
        "sentence": sentence,
        **more,
        "inbox_open": items,
        "jobs_waiting": waiting,
        "workers": running,
        "run": session.run_id,
    })
    session.out.say(f"{name}: {sentence}")
    if items:
        session.out.say(f"{items} item{'s wait' if items > 1 else ' waits'} for a person: isthmus inbox list")
    if waiting and not running:
        session.out.say(
            f"{waiting} job{'s wait' if waiting > 1 else ' waits'} and no worker is running: "
            f"isthmus worker (or isthmus sync {name})"
        )
