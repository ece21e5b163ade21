"""``isthmus import``, ``export`` and ``sync``: whole runs on a backend, and what came of them."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.command import command
from isthmus.cli.progress import progress
from isthmus.cli.session import Session
from isthmus.errors import ConfigurationError, IsthmusError

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.job import Outcome
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
        return Run(session, name).once()
    pause = every or session.settings.poll_s
    stopped = threading.Event()
    try:
        while True:
            try:
                Run(session, name).once()
            except ConfigurationError:
                raise  # it will not go away by itself
            except IsthmusError as exc:
                session.out.error(f"{exc}; tried again in {pause:g} s")
            stopped.wait(pause)
    except KeyboardInterrupt:
        session.out.tell("stopped")
        return 0


@dataclass(slots=True)
class Run:
    """One run of ``sync``.

    Attributes:
        session: The session.
        name: The backend.
        jobs: The jobs that were run, by how they ended.
        failures: Why jobs failed.
    """

    session: Session
    name: str
    jobs: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def claimed(self, job_id: int) -> None:
        """Hear that a job is about to run."""

    def finished(self, outcome: "Outcome") -> None:
        """Hear how it ended."""
        self.jobs[str(outcome.state) if outcome.state is not None else "lost"] += 1
        if outcome.state == "failed":
            self.failures.append(f"job {outcome.job_id} failed: {outcome.message}")

    def once(self) -> int:
        """Do it and say what came of it."""
        from isthmus.sync.service import export_backend, get_backend, poll

        session = self.session
        hub = session.hub
        with progress() as report:
            here = poll(hub, self.name, run_id=session.run_id, progress=report)
            self._run_jobs(report)
            with session.env() as env:
                there = export_backend(env, get_backend(env, self.name), progress=report)
            self._run_jobs(report)
        changed = bool(here.changed or there.changed or sum(self.jobs.values()))
        parts = []
        if here.changed or here.done["conflict"] or here.done["parked"] or here.done["delayed"]:
            parts.append(f"here: {here.sentence()}")
        if self.jobs:
            parts.append("jobs: " + ", ".join(f"{n} {_ended(state)}" for state, n in self.jobs.items()))
        if there.changed or there.done["conflict"] or there.done["parked"] or there.done["delayed"]:
            parts.append(f"there: {there.sentence()}")
        why = "; ".join(dict.fromkeys([*_reasons(here), *_reasons(there)]))
        sentence = "; ".join(parts) if parts else f"nothing changed: {why}"
        reports = {"import": here, "export": there}
        _finish(
            session,
            self.name,
            reports,
            sentence,
            jobs=dict(self.jobs),
            failures=self.failures,
            changed=changed,
        )
        for failure in self.failures:
            session.out.error(failure)
        return 1 if self.failures else 0

    def _run_jobs(self, report: Callable[[str, int, int | None], None]) -> None:
        queue = self.session.hub.queue
        due = queue.counts()["pending"]  # type: ignore[index]  # a StrEnum's key
        with queue.heartbeat():
            while queue.run_one(self):
                count = sum(self.jobs.values())
                report("jobs", count, max(due, count))


def _ended(state: str) -> str:
    return {"done": "done", "pending": "come back later"}.get(state, state)


def _reasons(report: "Report") -> list[str]:
    """Give a report's reasons why nothing happened."""
    sentence = report.sentence()
    _, colon, why = sentence.partition("nothing changed: ")
    return [why] if colon else []


def _finish(
    session: Session,
    name: str,
    reports: "dict[str, Report]",
    sentence: str,
    **more: Any,
) -> None:
    """Print the result, and what it leaves for people and workers."""
    from isthmus.cli.presence import workers
    from isthmus.sync.service import get_backend

    with session.env(readonly=True) as env:
        backend_id = get_backend(env, name).id
        items = env["isthmus.checkpoint"].search_count([
            ("state", "=", "open"),
            ("backend_id", "=", backend_id),
        ])
    counts = session.hub.queue.counts()
    waiting = sum(n for state, n in counts.items() if str(state) in {"pending", "wait_dependencies"})
    running = len(workers(session.hub))
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
