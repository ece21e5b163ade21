"""One run of ``sync``: look at both sides, run the jobs that are due, export what differs."""

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from isthmus.cli.job_log import JobLog
from isthmus.cli.progress import Report as Tell
from isthmus.cli.user import user_name

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.hub import Hub
    from isthmus.sync import Report

logger = logging.getLogger("isthmus.sync")


@dataclass(slots=True)
class Run:
    """One run on one backend.

    Attributes:
        hub: The hub.
        name: The backend.
        run_id: Names the run in log, jobs and journal.
        here: What the import did; None before the run.
        there: What the export did; None before the run.
        jobs: What became of the jobs that were run.
    """

    hub: "Hub"
    name: str
    run_id: str
    here: "Report | None" = None
    there: "Report | None" = None
    jobs: JobLog = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = JobLog(self.hub)

    def go(self, tell: Tell) -> None:
        """Do it.

        Args:
            tell: Is told how far it is.
        """
        from isthmus.sync.service import export_backend, get_backend, poll

        self.here = poll(self.hub, self.name, run_id=self.run_id, progress=tell)
        logger.info("looked at both sides: %s", self.here.sentence())
        self._run_jobs(tell)
        with self.hub.env(user=user_name(), run_id=self.run_id) as env:
            self.there = export_backend(env, get_backend(env, self.name), progress=tell)
        logger.info("exported: %s", self.there.sentence())
        # What the export made may have caused jobs in its turn.
        self._run_jobs(tell)

    def _run_jobs(self, tell: Tell) -> None:
        queue = self.hub.queue
        due = sum(n for state, n in queue.counts().items() if state == "pending")
        with queue.heartbeat():
            while queue.run_one(self.jobs):
                count = sum(self.jobs.ended.values())
                tell("jobs", count, max(due, count))

    def sentence(self) -> str:
        """Say what came of it, or why nothing did."""
        parts = [f"here: {self.here.sentence()}"] if self.here and _tells(self.here) else []
        if self.jobs.ended:
            ends = [f"{count} {_ended(state)}" for state, count in self.jobs.ended.items()]
            parts.append(f"jobs: {', '.join(ends)}")
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
