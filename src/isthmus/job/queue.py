"""The queue: delays calls, runs them, and lets people look and intervene."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy import Engine

from isthmus.clock import Clock
from isthmus.errors import SkipRecord
from isthmus.job.call import Call, JobRef
from isthmus.job.claim import Claimer
from isthmus.job.claimed import Claimed
from isthmus.job.delay import Delayable, DelayProxy
from isthmus.job.desk import Desk
from isthmus.job.enqueue import Enqueuer
from isthmus.job.heartbeat import Heartbeat
from isthmus.job.moves import Times
from isthmus.job.outcome import Outcome, Outcomes
from isthmus.job.payload import load_arguments
from isthmus.job.run import MakeEnv, Runner
from isthmus.job.state import State
from isthmus.job.table import Job
from isthmus.settings import JobSettings
from isthmus.store.sql import Owner

NO_DELAY = "job_no_delay"
"""Context key under which delayed calls are run at once."""


class Observers(Protocol):
    """What is told of the jobs that a process runs (`isthmus.job.Worker`)."""

    def claimed(self, job_id: int) -> None:
        """Hear that a job is about to run."""
        ...

    def finished(self, outcome: Outcome) -> None:
        """Hear how it ended."""
        ...


class Queue:
    """The jobs of one installation: the `Delayer` of its envs.

    Args:
        engine: The hub's engine.
        clock: Whose time counts where the database's own does not.
        owner: This process.
        settings: The settings of the queue.
        make_env: Opens a unit of work (``Hub.env``).
    """

    def __init__(
        self, engine: Engine, clock: Clock, owner: Owner, settings: JobSettings, make_env: MakeEnv
    ) -> None:
        lease = timedelta(seconds=settings.lease_s)
        times = Times(engine, clock)
        outcomes = Outcomes(engine, clock, times)
        self.settings = settings
        self._enqueuer = Enqueuer(times)
        self._outcomes = outcomes
        self._claimer = Claimer(engine, times, owner, outcomes, lease)
        self._runner = Runner(make_env, outcomes, lease)
        self._desk = Desk(engine, times)

    # -- delaying ----------------------------------------------------------------------

    def with_delay(self, target: Any, **options: Any) -> DelayProxy:
        """Give a proxy of a model or record whose method calls become jobs at once.

        Args:
            target: The model or record.
            **options: ``priority`` (0 is most urgent, 10 by default), ``eta`` (instant, timedelta or
                seconds), ``max_retries``, ``description``, ``channel``, ``identity_key``.

        Raises:
            JobArgumentError: When an option is unknown or does not fit.
        """  # noqa: DOC502 - raised by what is called
        return DelayProxy(self.put, target, **options)

    def delayable(self, target: Any, **options: Any) -> Delayable:
        """Give a proxy of a model or record on which a call is prepared; its ``delay()`` makes the job.

        Args:
            target: The model or record.
            **options: Those of `with_delay`.

        Raises:
            JobArgumentError: When an option is unknown or does not fit.
        """  # noqa: DOC502 - raised by what is called
        return Delayable(self.put, target, **options)

    def put(self, call: Call) -> JobRef:
        """Make a call a job in its env's transaction, or run it at once under ``no_delay``."""
        if self.settings.no_delay or call.env.ctx.get(NO_DELAY):
            return self._run_at_once(call)
        return self._enqueuer.put(call)

    @staticmethod
    def _run_at_once(call: Call) -> JobRef:
        # Through the stored form and back, so that the call is the one that a worker would make.
        args, kwargs = load_arguments(call.payload, call.env)
        try:
            result = getattr(call.target, call.method)(*args, **kwargs)
        except SkipRecord as skip:
            result = str(skip)
        return JobRef(None, call.description, result=result)

    # -- running -----------------------------------------------------------------------

    def claim(self) -> Claimed | None:
        """Claim the next job that is due, after taking back those of dead workers; None for none."""
        return self._claimer.claim()

    def run(self, claimed: Claimed) -> Outcome:
        """Run a claimed job, whatever it does, and write how it ended."""
        try:
            return self._runner.run(claimed)
        finally:
            self._claimer.release(claimed)

    def run_one(self, worker: Observers | None = None) -> bool:
        """Claim and run one job in this thread.

        Args:
            worker: Is told of it.

        Returns:
            False when no job is due.
        """
        claimed = self.claim()
        if claimed is None:
            return False
        if worker is not None:
            worker.claimed(claimed.id)
        outcome = self.run(claimed)
        if worker is not None:
            worker.finished(outcome)
        return True

    def run_pending(self, limit: int | None = None, worker: Observers | None = None) -> int:
        """Run the jobs that are due, and those they create, in this thread.

        Args:
            limit: At most so many; None for all.
            worker: Is told of each.

        Returns:
            How many were run.
        """
        count = 0
        with self.heartbeat():
            while (limit is None or count < limit) and self.run_one(worker):
                count += 1
        return count

    def heartbeat(self) -> Heartbeat:
        """Make the signs of life of this process; they are given inside its ``with`` block."""
        return Heartbeat(self._claimer.prolong, timedelta(seconds=self.settings.lease_s) / 3)

    def hand_back(self) -> int:
        """Give the running jobs back, uncounted, because this process ends; tells how many."""
        return sum(self._outcomes.hand_back(job) is not None for job in self._claimer.running)

    # -- looking and intervening -------------------------------------------------------

    def list(
        self, *, state: State | str | None = None, model: str | None = None, method: str | None = None,
        channel: str | None = None, limit: int = 100, offset: int = 0,
    ) -> Sequence[Job]:  # fmt: skip
        """List jobs, newest first.

        Args:
            state: Only those in it.
            model: Only those on this model.
            method: Only those that call it.
            channel: Only those in this lane or one below it.
            limit: At most so many.
            offset: Leave out so many first.
        """
        return self._desk.list(
            state=state, model=model, method=method, channel=channel, limit=limit, offset=offset
        )

    def show(self, job_id: int) -> Job:
        """Give one job.

        Raises:
            JobStateError: When there is none with this number.
        """  # noqa: DOC502 - raised by what is called
        return self._desk.show(job_id)

    def counts(self) -> Mapping[State, int]:
        """Count the jobs in each state."""
        return self._desk.counts()

    def retry(self, ids: Iterable[int]) -> int:
        """Let jobs run again, or now instead of later, with all their retries; all of them or none.

        Raises:
            JobStateError: When one does not exist, its state does not allow it, or an equal job waits.
        """  # noqa: DOC502 - raised by what is called
        return self._desk.retry(ids)

    def cancel(self, ids: Iterable[int], by: str = "") -> int:
        """Give jobs up; a running one cannot commit any more. All of them or none.

        Raises:
            JobStateError: When one does not exist, or its state does not allow it.
        """  # noqa: DOC502 - raised by what is called
        return self._desk.cancel(ids, by)

    def done(self, ids: Iterable[int], by: str = "") -> int:
        """Say that jobs need not run; all of them or none.

        Raises:
            JobStateError: When one does not exist, or its state does not allow it.
        """  # noqa: DOC502 - raised by what is called
        return self._desk.done(ids, by)
