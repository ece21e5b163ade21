"""Looking after running jobs: those that take too long, were cancelled, or stand behind a slow one."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import select

from isthmus.errors import IsthmusError, JobCancelledError, JobTimeoutError
from isthmus.job.claim import Claimer
from isthmus.job.deaf import Deaf
from isthmus.job.failure import Failure
from isthmus.job.line import Line
from isthmus.job.outcome import Outcomes
from isthmus.job.run import Execution, Runner
from isthmus.job.state import State
from isthmus.job.table import JOBS
from isthmus.store.sql.cut import shut

logger = logging.getLogger("isthmus.job")

_LOOK_EVERY_S: Final = 1.0
"""Seconds between two questions to the database."""
_ANSWER_S: Final = 15.0


class Watch:
    """Looks after the running jobs of one process.

    Args:
        line: The queue's connections.
        claimer: What is claimed.
        runner: What is running.
        outcomes: Where jobs go that do not end by themselves.
        force_s: Seconds after which a job that was told to stop, and has not, is ended by force.

    Attributes:
        answer_s: Seconds in which the database answers a statement of the queue, unless its wire is dead.
        on_stuck: Called when a job can only be ended with its process; None where it cannot.
    """

    def __init__(
        self, line: Line, claimer: Claimer, runner: Runner, outcomes: Outcomes, force_s: float
    ) -> None:
        self._line = line
        self._claimer = claimer
        self._runner = runner
        self._outcomes = outcomes
        self._force_s = force_s
        self._looked_at = 0.0
        self._given_up: set[Execution] = set()
        self._deaf = Deaf(line)
        self.answer_s = _ANSWER_S
        self.on_stuck: Callable[[], object] | None = None

    @property
    def _running(self) -> list[Execution]:
        return list(self._runner.executions.values())

    @property
    def others_run(self) -> bool:
        """True while a job runs that was not given up."""
        return any(e not in self._given_up for e in self._running)

    def look(self) -> None:
        """Look once; to be called some times a second."""
        self._claimer.give_back_behind_slow_jobs()
        for execution in self._running:
            if execution.is_late:
                seconds = execution.limit_s or 0
                label = execution.jobs[0].label
                execution.stop(JobTimeoutError(f"{label} took longer than its timeout of {seconds:g} s"))
        is_due = time.monotonic() - self._looked_at >= _LOOK_EVERY_S
        if is_due or self._claimer.is_busy:
            # Each of its parts knows when it is due. An idle worker's own claims look for jobs that are.
            self._claimer.tend()
        if is_due:
            self._looked_at = time.monotonic()
            self._stop_cancelled()
            self._deaf.look([e.env.transaction for e in self._running if e.env is not None], self.answer_s)
        self._force()

    def _stop_cancelled(self) -> None:
        running = {job.id: (job, e) for e in self._running for job in e.jobs}
        if not running:
            return
        ours = select(JOBS.c.id, JOBS.c.attempt, JOBS.c.state).where(JOBS.c.id.in_(running))
        with self._line.connection() as connection:
            found = {row.id: row for row in connection.execute(ours)}
        for job_id, (job, execution) in running.items():
            row = found.get(job_id)
            if row is None or row.attempt != job.attempt or row.state not in {State.STARTED, State.DONE}:
                execution.stop(JobCancelledError(f"job {job_id} was cancelled or taken over while it ran"))

    def _force(self) -> None:
        """Give up the jobs that have not stopped when they were told to."""
        now = time.monotonic()
        for execution in self._running:
            if execution.stopped is None or execution in self._given_up:
                continue
            if now - execution.stopped_at > self._force_s:
                self._given_up.add(execution)
                self._give_up(execution, execution.stopped)

    def _give_up(self, execution: Execution, reason: IsthmusError) -> None:
        # What it holds would keep its end from being written, on SQLite all that others write.
        execution.cut()
        for job in execution.jobs:
            # Those that share its transaction run again, each alone; the one is found that way.
            if len(execution.jobs) > 1:
                self._outcomes.suspect(job, overdue=False)
            elif isinstance(reason, JobTimeoutError):
                # In a thread of its own: what is called when a job has failed is a connector's code, too.
                fail = threading.Thread(
                    target=self._outcomes.fail, args=(job, Failure.of(reason)), daemon=True
                )
                fail.start()
                fail.join(self._force_s)
        label = execution.jobs[0].label
        if self.on_stuck is None:
            logger.error("%s does not stop (%s); its thread is lost until this process ends", label, reason)
            return
        logger.error("%s does not stop (%s); its process is ended and replaced", label, reason)
        self.on_stuck()

    def cut_dead_connections(self) -> None:
        """Shut connections on which a statement gets no answer: their other end vanished without a word.

        To be called some times by a thread that does nothing else: every other one may wait for an answer.
        """
        for driver in self._line.stuck(self.answer_s):
            self._deaf.leave(driver)
            logger.warning("a statement of the queue got no answer for %s s; connecting anew", self.answer_s)
            shut(driver)
            self._line.distrust()
