"""The queue: delays calls, runs them, and lets people look and intervene."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any, Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from isthmus.clock import Clock
from isthmus.env import Env
from isthmus.errors import IsthmusError
from isthmus.job.call import Call, JobRef
from isthmus.job.claim import Claimer
from isthmus.job.claimed import Claimed, Group
from isthmus.job.definition import Marks
from isthmus.job.delay import Delayable, DelayProxy
from isthmus.job.desk.cleanup import Cleaner
from isthmus.job.desk.desk import Desk
from isthmus.job.desk.diagnosis import Diagnosis
from isthmus.job.enqueue import Enqueuer
from isthmus.job.graph.inline import run_at_once
from isthmus.job.graph.layout import Edge
from isthmus.job.heartbeat import Heartbeat
from isthmus.job.lane.lanes import Lanes
from isthmus.job.line import Line
from isthmus.job.members import Members
from isthmus.job.moves import Times
from isthmus.job.numbers import Numbers
from isthmus.job.outcome import Outcome, Outcomes
from isthmus.job.run import MakeEnv, Runner
from isthmus.job.schedule.schedules import Schedules
from isthmus.job.state import State
from isthmus.job.table import Job, WorkerRow
from isthmus.job.wake import Wake
from isthmus.job.watch import Watch
from isthmus.settings import JobSettings
from isthmus.store.sql import Owner

logger = logging.getLogger("isthmus.job")

NO_DELAY = "job_no_delay"
"""Context key under which delayed calls are run at once."""


class Observers(Protocol):
    """What is told of the jobs that a process runs (`isthmus.job.Worker`)."""

    def claimed(self, job: Claimed) -> None:
        """Hear that a job is about to run; of those that share a transaction only the first."""
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
        marks: Finds what ``@job`` says of a model's method.

    Attributes:
        line: Its own connections.
        wake: Wakes an idle worker.
        lanes: What limits the lanes.
        members: The processes that run jobs, and this one among them.
        claimer: What this process has claimed.
        runner: What it is running.
        watch: Looks after that.
        schedules: The methods that are run by the clock.
        desk: What people do with jobs, many at a time too.
        diagnosis: Why jobs are not run.
        cleaner: Removes ended jobs.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        owner: Owner,
        settings: JobSettings,
        make_env: MakeEnv,
        marks: Marks,
    ) -> None:
        lease = timedelta(seconds=settings.lease_s)
        dialect = engine.dialect.name
        times = Times(engine, clock)
        self.settings = settings
        self.line = Line(engine)
        self.wake = Wake(engine, self.line)
        self.lanes = Lanes(engine, times, settings)
        self._outcomes = Outcomes(self.line, clock, times, engine.dialect)
        self.members = Members(
            self.line, times, owner, self._outcomes, self.lanes, lease, dialect,
            lambda model, method: marks.of(model, method).batch,
        )  # fmt: skip
        self.claimer = Claimer(self.line, times, self.members, self._outcomes, self.lanes, lease, dialect)
        self.runner = Runner(make_env, self._outcomes, marks)
        self.watch = Watch(self.line, self.claimer, self.runner, self._outcomes, settings.force_s)
        self._enqueuer = Enqueuer(
            engine, self.line, Numbers(engine, self.line, times, clock), self.wake.nudge
        )
        self.desk = Desk(engine, times)
        self.diagnosis = Diagnosis(engine, times, self.lanes, lease)
        self.cleaner = Cleaner(engine, times, clock, lambda lane: self.lanes.rule(lane).keep_done)
        self.schedules = Schedules(engine, times, make_env, self._enqueuer.put)

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
        return DelayProxy(self, target, **options)

    def delayable(self, target: Any, **options: Any) -> Delayable:
        """Give a proxy of a model or record on which a call is prepared; its ``delay()`` makes the job.

        Args:
            target: The model or record.
            **options: Those of `with_delay`.

        Raises:
            JobArgumentError: When an option is unknown or does not fit.
        """  # noqa: DOC502 - raised by what is called
        return Delayable(self, target, **options)

    def put(self, call: Call) -> JobRef:
        """Make a call a job in its env's transaction, or run it at once under ``no_delay``."""
        if self.settings.no_delay or call.env.ctx.get(NO_DELAY):
            return run_at_once([call])[0]
        return self._enqueuer.put(call)

    def put_many(self, calls: Sequence[Call]) -> Sequence[JobRef]:
        """Make many calls jobs, or run them one after the other under ``no_delay``."""
        return [self.put(call) for call in calls]

    def put_graph(self, env: Env, calls: Sequence[Call], edges: Sequence[Edge]) -> Sequence[JobRef]:
        """Make calls jobs that wait for each other, or run them in order under ``no_delay``.

        Args:
            env: The unit of work.
            calls: What waits comes after what it waits for.
            edges: Positions in *calls*: who is waited for, who waits, and for which end.
        """
        if self.settings.no_delay or env.ctx.get(NO_DELAY):
            return run_at_once(calls, edges)
        return self._enqueuer.put_graph(env, calls, edges)

    def put_block(self, call: Call, payloads: Sequence[str]) -> Sequence[JobRef]:
        """Make calls jobs that differ in their arguments only.

        Args:
            call: What they have in common; it has no identity key.
            payloads: The arguments of each.
        """
        if self.settings.no_delay or call.env.ctx.get(NO_DELAY):
            return [run_at_once([replace(call, payload=payload)])[0] for payload in payloads]
        return self._enqueuer.put_block(call, payloads)

    # -- running -----------------------------------------------------------------------

    def claim(self, *, one: bool = False) -> Group | None:
        """Claim jobs that are due, after taking back those of dead workers; None for none.

        Args:
            one: Claim a single job, even when jobs are short.
        """
        return self.claimer.claim(one=one)

    def run(self, group: Group, worker: Observers | None = None, until: Event | None = None) -> list[Outcome]:
        """Run claimed jobs, whatever they do, and write how they ended.

        Args:
            group: The jobs.
            worker: Is told of each.
            until: When it is set, jobs that were not begun are given back.
        """
        outcomes: list[Outcome] = []
        took: float | None = None
        began = time.monotonic()
        try:
            while until is None or not until.is_set():
                if worker is not None and (following := group.following) is not None:
                    worker.claimed(following)
                some = self.runner.run_next(group)
                if not some:
                    took = time.monotonic() - began
                    break
                outcomes += some
                if worker is not None:
                    for outcome in some:
                        worker.finished(outcome)
        finally:
            self.claimer.release(group, took)
        return outcomes

    def run_one(self, worker: Observers | None = None) -> bool:
        """Claim and run one job in this thread.

        Args:
            worker: Is told of it.

        Returns:
            False when no job is due.
        """
        group = self.claim(one=True)
        if group is None:
            return False
        self.run(group, worker)
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
            while limit is None or count < limit:
                group = self.claim(one=limit is not None)
                if group is None:
                    break
                count += len(self.run(group, worker))
        return count

    def heartbeat(self) -> Heartbeat:
        """Make the signs of life of this process; they are given inside its ``with`` block."""
        every = timedelta(seconds=self.settings.lease_s) / 3
        return Heartbeat(self.members.sign, every, guard=self.watch.cut_dead_connections)

    @property
    def is_busy(self) -> bool:
        """True while this process has jobs that it has claimed."""
        return self.claimer.is_busy

    def hand_back(self) -> int:
        """Give the running jobs back, uncounted, because this process ends; tells how many.

        They lose their transactions: on SQLite that of one would let none be given back.
        """
        self.runner.break_off()
        return sum(self._outcomes.unclaim(job) for job in self.claimer.running)

    def leave(self) -> None:
        """Say that this process runs no jobs any more."""
        self.members.leave()
        self.wake.close()

    def close(self) -> None:
        """Give the queue's connections back."""
        try:
            self.members.leave()
        except (IsthmusError, SQLAlchemyError) as exc:  # the others will find that this process is gone
            logger.debug("this process stays a member for a while: %s", type(exc).__name__)
        self.wake.close()
        self.line.close_all()

    def workers(self) -> Sequence[WorkerRow]:
        """List the processes that run jobs and live, as far as is known, the oldest first."""
        return self.members.listed()

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
        return self.desk.list(
            state=state, model=model, method=method, channel=channel, limit=limit, offset=offset
        )

    def show(self, job_id: int) -> Job:
        """Give one job.

        Raises:
            JobStateError: When there is none with this number.
        """  # noqa: DOC502 - raised by what is called
        return self.desk.show(job_id)

    def counts(self) -> Mapping[State, int]:
        """Count the jobs in each state; done and cancelled ones up to 20,000 together (`Desk.overview`)."""
        return self.desk.counts()

    def retry(self, ids: Iterable[int]) -> int:
        """Let jobs run again, or now instead of later, with all their retries; all of them or none.

        Raises:
            JobStateError: When one does not exist, its state does not allow it, or an equal job waits.
        """  # noqa: DOC502 - raised by what is called
        return self.desk.retry(ids)

    def cancel(self, ids: Iterable[int], by: str = "") -> int:
        """Give jobs up; a running one cannot commit any more. All of them or none.

        Raises:
            JobStateError: When one does not exist, or its state does not allow it.
        """  # noqa: DOC502 - raised by what is called
        return self.desk.cancel(ids, by)

    def done(self, ids: Iterable[int], by: str = "") -> int:
        """Say that jobs need not run; all of them or none.

        Raises:
            JobStateError: When one does not exist, or its state does not allow it.
        """  # noqa: DOC502 - raised by what is called
        return self.desk.done(ids, by)
