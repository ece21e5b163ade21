"""One run of ``sync``: look at both sides, run the jobs that are due, export what differs."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from isthmus.cli.progress import Report as Tell
from isthmus.cli.user import user_name

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.hub import Hub
    from isthmus.job import Outcome
    from isthmus.sync import Report


@dataclass(slots=True)
class Run:
    """One run on one backend.

    Attributes:
        hub: The hub.
        name: The backend.
        run_id: Names the run in log, jobs and journal.
        here: What the import did; None before the run.
        there: What the export did; None before the run.
        jobs: The jobs that were run, by how they ended.
        failures: Why jobs failed, a sentence for each.
    """

    hub: "Hub"
    name: str
    run_id: str
    here: "Report | None" = None
    there: "Report | None" = None
    jobs: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def go(self, tell: Tell) -> None:
        """Do it.

        Args:
            tell: Is told how far it is.
        """
        from isthmus.sync.service import export_backend, get_backend, poll

        self.here = poll(self.hub, self.name, run_id=self.run_id, progress=tell)
        self._run_jobs(tell)
        with self.hub.env(user=user_name(), run_id=self.run_id) as env:
            self.there = export_backend(env, get_backend(env, self.name), progress=tell)
        # What the export made may have caused jobs in its turn.
        self._run_jobs(tell)

    def _run_jobs(self, tell: Tell) -> None:
        queue = self.hub.queue
        due = sum(n for state, n in queue.counts().items() if state == "pending")
        with queue.heartbeat():
            while queue.run_one(self):
                count = sum(self.jobs.values())
                tell("jobs", count, max(due, count))

    def claimed(self, job_id: int) -> None:
        """Hear that a job is about to run."""

    def finished(self, outcome: "Outcome") -> None:
        """Hear how it ended."""
        self.jobs[str(outcome.state) if outcome.state is not None else "lost"] += 1
        if outcome.state == "failed":
            self.failures.append(f"job {outcome.job_id} failed: {outcome.message}")

    def sentence(self) -> str:
        """Say what came of it, or why nothing did."""
        parts = [f"here: {self.here.sentence()}"] if self.here and _tells(self.here) else []
        if self.jobs:
            parts.append(
                "jobs: " + ", ".join(f"{count} {_ended(state)}" for state, count in self.jobs.items())
            )
        if self.there and _tells(self.there):
            parts.append(f"there: {self.there.sentence()}")
        if parts:
            return "; ".join(parts)
        reports = [report for report in (self.here, self.there) if report is not None]
        why = dict.fromkeys(report.sentence().removeprefix("nothing changed: ") for report in reports)
        return f"nothing changed: {'; '.join(why)}"


def _tells(report: "Report") -> bool:
    """Tell whether something happened that is worth a word."""
    return bool(report.changed or any(report.done[kind] for kind in ("conflict", "parked", "delayed")))


def _ended(state: str) -> str:
    return "to come back later" if state == "pending" else state
