"""Why jobs that wait are not run, in words, each with its remedy."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, select

from isthmus.job.desk.overview import LaneLoad, Overview, SlotUse, WorkerSeen
from isthmus.job.graph.join import JOIN_METHOD, JOIN_MODEL
from isthmus.job.lane.lanes import Lanes
from isthmus.job.lane.turn import find_blocker
from isthmus.job.moves import Times, in_state
from isthmus.job.state import State
from isthmus.job.table import CHANNELS, EDGES, JOBS
from isthmus.store.sql.engine import READONLY

_WORTH_TELLING: Final = timedelta(seconds=5)
"""A shorter wait is over before anybody has read of it."""
_PARENTS: Final = 5
"""Failed jobs that others wait for, of which each is told; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that keeps jobs from being run.

    Attributes:
        code: ``no_worker``, ``leaving``, ``silent_worker``, ``paused``, ``blocked``, ``returning``,
            ``full``, ``throttled``, ``not_taken`` or ``failed_parent``.
        message: What it is, for people.
        remedy: What to do; empty when it passes by itself.
        lane: The lane that it is about.
        jobs: How many jobs it keeps waiting.
    """

    code: str
    message: str
    remedy: str = ""
    lane: str | None = None
    jobs: int = 0

    def __str__(self) -> str:
        """Give both in one sentence."""
        return f"{self.message}: {self.remedy}" if self.remedy else self.message


class Diagnosis:
    """Looks for what keeps jobs from being run.

    Args:
        engine: The hub's engine.
        times: Whose time counts.
        lanes: The rules of lanes.
        lease: How long a worker is believed to live without a sign.
    """

    def __init__(self, engine: Engine, times: Times, lanes: Lanes, lease: timedelta) -> None:
        self._engine = engine
        self._overview = Overview(engine, times)
        self._lanes = lanes
        self._lease = lease

    def problems(self) -> list[Problem]:
        """Tell what keeps jobs from being run, the widest first."""
        loads = self._overview.lanes()
        workers = self._overview.workers()
        slots = self._overview.slots()
        now = self._overview.now()
        with self._engine.execution_options(**{READONLY: True}).begin() as connection:
            self._lanes.refresh(connection)
            return [
                *_of_workers(loads, workers, self._lease),
                *self._of_lanes(connection, loads, workers, slots, now),
                *_of_parents(connection),
            ]

    # -- lanes -------------------------------------------------------------------------

    def _of_lanes(
        self,
        connection: Connection,
        loads: Sequence[LaneLoad],
        workers: Sequence[WorkerSeen],
        slots: dict[str, SlotUse],
        now: datetime,
    ) -> Iterator[Problem]:
        """Find the first thing that a lane's jobs do not pass; lanes with the same one are told together."""
        found: dict[tuple[str, str], Problem] = {}
        jobs: dict[tuple[str, str], int] = defaultdict(int)
        for load in loads:
            waiting = load.ready + load.later
            problem = self._of_lane(connection, load, workers, slots, now) if waiting else None
            if problem is not None:
                key = (problem.code, problem.lane or "")
                found.setdefault(key, problem)
                jobs[key] += waiting
        for key, problem in found.items():
            yield Problem(
                code=problem.code,
                message=f"{problem.message}, {_wait(jobs[key])}",
                remedy=problem.remedy,
                lane=problem.lane,
                jobs=jobs[key],
            )

    def _of_lane(
        self,
        connection: Connection,
        load: LaneLoad,
        workers: Sequence[WorkerSeen],
        slots: dict[str, SlotUse],
        now: datetime,
    ) -> Problem | None:
        bounds = self._lanes.rules.bounds(load.lane)
        if bounds.paused is not None:
            return Problem(
                code="paused",
                message=f"lane {bounds.paused} is paused",
                remedy=f"isthmus channel set {bounds.paused} --no-paused",
                lane=bounds.paused,
            )
        there = [worker for worker in workers if worker.alive and not worker.leaving]
        if there and not any(worker.takes(load.lane) for worker in there):
            taken = sorted({lane for worker in there for lane in worker.channels})
            return Problem(
                code="not_taken",
                message=f"no worker takes lane {load.lane}, they take only {', '.join(taken)}",
                remedy=f"isthmus worker --channels {load.lane}",
                lane=load.lane,
            )
        for above in bounds.sequential:
            blocker = find_blocker(connection, above, load.lane)
            if blocker is not None and blocker.how == "failed":
                return Problem(
                    code="blocked",
                    message=f"lane {above} is sequential and its job {blocker.job_id} has failed",
                    remedy=f"isthmus jobs retry {blocker.job_id}, or cancel or done in place of retry",
                    lane=above,
                )
            if blocker is not None and blocker.how == "returning":
                eta = connection.scalar(select(JOBS.c.eta).where(JOBS.c.id == blocker.job_id))
                if eta is not None and eta - now > _WORTH_TELLING:
                    return Problem(
                        code="returning",
                        message=f"lane {above} is sequential and its job {blocker.job_id} is tried again "
                        f"first, in {spell(eta - now)}",
                        remedy=f"isthmus jobs retry {blocker.job_id} tries it now",
                        lane=above,
                    )
        for lane, capacity in bounds.slots:
            problem = _full(lane, capacity, slots.get(lane), workers)
            if problem is not None:
                return problem
        for lane, throttle in bounds.throttles:
            next_at = connection.scalar(select(CHANNELS.c.next_start_at).where(CHANNELS.c.name == lane))
            if next_at is not None and _WORTH_TELLING < next_at - now <= throttle:
                return Problem(
                    code="throttled",
                    message=f"lane {lane} begins one job in {spell(throttle)}, "
                    f"the next in {spell(next_at - now)}",
                    remedy=f"isthmus channel set {lane} --throttle 0 if that is too slow",
                    lane=lane,
                )
        return None


def _full(lane: str, capacity: int, use: SlotUse | None, workers: Sequence[WorkerSeen]) -> Problem | None:
    """Tell of a lane that is full of jobs of workers that are gone; one that is full of live ones works."""
    if use is None or len(use.holders) < capacity:
        return None
    alive = {worker.id for worker in workers if worker.alive}
    gone = [holder for holder in use.holders if holder not in alive]
    if not gone:
        return None
    names = {worker.id: worker.name for worker in workers}
    who = ", ".join(sorted({names.get(holder, "an unknown one") for holder in gone}))
    return Problem(
        code="full",
        message=f"lane {lane} is full: {len(gone)} of its {capacity} places are held for a worker that is "
        f"gone ({who}), until its lease runs out in {spell(use.until)} at the latest",
        lane=lane,
    )


# -- workers ---------------------------------------------------------------------------


def _of_workers(
    loads: Sequence[LaneLoad], workers: Sequence[WorkerSeen], lease: timedelta
) -> Iterator[Problem]:
    waiting = sum(load.waiting for load in loads)
    alive = [worker for worker in workers if worker.alive]
    gone = [worker for worker in workers if not worker.alive]
    if waiting and not alive:
        last = max(gone, key=lambda worker: worker.id, default=None)
        seen = f" (the last, {last.name}, gave its last sign {spell(last.silent)} ago)" if last else ""
        yield Problem(
            code="no_worker",
            message=f"no worker is running{seen}, {_wait(waiting)}",
            remedy="isthmus worker",
            jobs=waiting,
        )
    elif waiting and all(worker.leaving for worker in alive):
        names = ", ".join(worker.name for worker in alive)
        yield Problem(
            code="leaving",
            message=f"every worker is about to stop ({names}), {_wait(waiting)}",
            remedy="isthmus worker",
            jobs=waiting,
        )
    for worker in workers:
        # A live one gives three signs in the time of a lease.
        if worker.running and (not worker.alive or worker.left < lease / 3):
            when = f"in {spell(worker.left)} at the latest" if alive else "when a worker runs"
            yield Problem(
                code="silent_worker",
                message=f"worker {worker.name} has given no sign for {spell(worker.silent)}; "
                f"what it was running ({worker.running}) is taken back {when}",
                remedy="" if alive else "isthmus worker",
                jobs=worker.running,
            )


# -- jobs that wait for others ---------------------------------------------------------


def _of_parents(connection: Connection) -> Iterator[Problem]:
    child = JOBS.alias("child")
    blocking = (
        select(JOBS.c.id)
        .where(in_state(State.FAILED), JOBS.c.graph_id.is_not(None))
        .where(
            select(EDGES.c.child_id)
            .join(child, child.c.id == EDGES.c.child_id)
            .where(EDGES.c.parent_id == JOBS.c.id, EDGES.c.on_state == "done")
            .where(child.c.state == "wait_dependencies")
            .exists()
        )
    )
    parents = connection.scalars(blocking.order_by(JOBS.c.id).limit(_PARENTS)).all()
    for parent in parents:
        count = connection.scalar(_count_behind(parent)) or 0
        yield Problem(
            code="failed_parent",
            message=f"{count:,} job{'s wait' if count != 1 else ' waits'} for job {parent}, which has failed",
            remedy=f"isthmus jobs retry {parent}, or done or cancel in place of retry",
            jobs=count,
        )
    if len(parents) == _PARENTS:
        total = connection.scalar(select(func.count()).select_from(blocking.subquery())) or 0
        if total > _PARENTS:
            yield Problem(
                code="failed_parent",
                message=f"jobs wait for {total - _PARENTS:,} more that have failed",
                remedy="isthmus jobs list --state failed",
            )


def _count_behind(parent: int) -> Any:
    """Count the waiting jobs behind one: also those that wait for what waits for it."""
    behind = select(EDGES.c.child_id).where(EDGES.c.parent_id == parent, EDGES.c.on_state == "done")
    found = behind.cte("behind", recursive=True)
    found = found.union(
        select(EDGES.c.child_id).where(EDGES.c.parent_id == found.c.child_id, EDGES.c.on_state == "done")
    )
    waiting = select(func.count()).select_from(found.join(JOBS, JOBS.c.id == found.c.child_id))
    # A join is no job of anybody's.
    return waiting.where(
        in_state(State.WAIT_DEPENDENCIES), (JOBS.c.model != JOIN_MODEL) | (JOBS.c.method != JOIN_METHOD)
    )


def _wait(count: int) -> str:
    return f"{count:,} job{'s wait' if count != 1 else ' waits'}"


def spell(time: timedelta) -> str:
    """Write a duration for people.

    >>> spell(timedelta(seconds=7)), spell(timedelta(minutes=2, seconds=5)), spell(timedelta(hours=30))
    ('7 s', '2 min', '30 h')
    """
    seconds = max(time.total_seconds(), 0)
    for unit, name, until in ((1, "s", 120), (60, "min", 7_200), (3_600, "h", 172_800)):
        if seconds < until:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:.0f} days"
