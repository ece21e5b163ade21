"""How the queue stands, in numbers: by state, by lane, by worker.

However many jobs have ended, it reads little: active ones stand in partial indexes, and of ended ones so
many are counted and no more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, literal_column, select

from isthmus.job.desk.selection import ago
from isthmus.job.moves import Times, in_state
from isthmus.job.state import State
from isthmus.job.table import JOBS, SLOTS, WORKERS
from isthmus.store.sql import Owner
from isthmus.store.sql.engine import READONLY

MOST_COUNTED: Final = 20_000
"""Ended jobs that are counted one by one."""

_READY: Final = (in_state(State.PENDING), JOBS.c.eta.is_(None))
_LATER: Final = (in_state(State.PENDING), JOBS.c.eta.is_not(None))
# Only jobs of a graph wait for others: theirs is the index.
_HELD: Final = (in_state(State.WAIT_DEPENDENCIES), JOBS.c.graph_id.is_not(None))
_ENDED: Final = JOBS.c.state.in_([literal_column("'done'"), literal_column("'cancelled'")])


class Counts(dict[State, int]):
    """How many jobs are in each state; a state without jobs has 0.

    Attributes:
        at_least: The states in which there may be more than that: ended jobs are not all counted.
    """

    def __init__(self, found: dict[State, int], at_least: frozenset[State] = frozenset()) -> None:
        super().__init__(found)
        self.at_least = at_least

    def spelled(self) -> str:
        """Write the numbers in words.

        >>> Counts({State.PENDING: 3, State.FAILED: 0, State.DONE: 20000}, frozenset({State.DONE})).spelled()
        '3 pending, more than 20,000 done'
        """
        return ", ".join(
            f"{'more than ' if state in self.at_least else ''}{count:,} {state.replace('_', ' ')}"
            for state, count in self.items()
            if count
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLoad:
    """What there is to do in one lane, those below it not included.

    Attributes:
        lane: Its full name.
        ready: Jobs that could be run now.
        later: Jobs whose time has not come.
        held: Jobs that wait for others.
        running: Jobs that are being run.
        failed: Jobs that have failed.
        oldest: When the first of the ready ones was delayed; None when there is none.
    """

    lane: str
    ready: int = 0
    later: int = 0
    held: int = 0
    running: int = 0
    failed: int = 0
    oldest: datetime | None = None

    @property
    def waiting(self) -> int:
        """How many are yet to be run."""
        return self.ready + self.later + self.held


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen:
    """One process that claims jobs, as the database knows it.

    Attributes:
        id: Its number.
        host: Name of its machine.
        pid: Its number there.
        threads: How many jobs it runs at a time.
        channels: The lanes it takes jobs from; empty for all.
        started_at: When it came.
        silent: How long ago it gave its last sign of life.
        leaving: True when it claims nothing more.
        alive: False when its process is known to be gone, or its lease has run out.
        left: How long its lease lasts still; jobs and slots of a dead one are free after that at the latest.
        running: How many jobs it runs.
    """

    id: int
    host: str
    pid: int
    threads: int
    channels: tuple[str, ...]
    started_at: datetime
    silent: timedelta
    leaving: bool
    alive: bool
    left: timedelta
    running: int = 0

    @property
    def name(self) -> str:
        """Where it is: ``host:pid``."""
        return f"{self.host}:{self.pid}"

    def takes(self, lane: str) -> bool:
        """Tell whether it claims jobs of a lane."""
        return not self.channels or any(lane == own or lane.startswith(f"{own}.") for own in self.channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotUse:
    """Who holds the places of one lane with a capacity.

    Attributes:
        lane: Its full name.
        holders: The worker of each place that is held now.
        until: When the first of them is free at the latest.
    """

    lane: str
    holders: tuple[int, ...] = ()
    until: timedelta = timedelta(0)


class Overview:
    """Counts.

    Args:
        engine: The hub's engine.
        times: Whose time counts.
    """

    def __init__(self, engine: Engine, times: Times) -> None:
        self._engine = engine
        self._times = times
        self._is_sqlite = engine.dialect.name == "sqlite"

    def _reading(self) -> Any:
        return self._engine.execution_options(**{READONLY: True}).begin()

    # -- by state ----------------------------------------------------------------------

    def counts(self) -> Counts:
        """Count the jobs in each state; of ended ones 20,000 at most."""
        with self._reading() as connection:
            found = dict.fromkeys(State, 0)
            for state, conditions in (
                (State.WAIT_DEPENDENCIES, _HELD),
                (State.PENDING, _READY),
                (State.PENDING, _LATER),
                (State.STARTED, (in_state(State.STARTED),)),
                (State.FAILED, (in_state(State.FAILED),)),
            ):
                number = connection.scalar(select(func.count()).select_from(JOBS).where(*conditions))
                found[state] += number or 0
            some = select(JOBS.c.state).where(_ENDED).limit(MOST_COUNTED + 1).subquery()
            ended = select(some.c.state, func.count()).group_by(some.c.state)
            found |= {State(state): int(count) for state, count in connection.execute(ended)}
        both = frozenset({State.DONE, State.CANCELLED})
        if sum(found[state] for state in both) <= MOST_COUNTED:
            return Counts(found)
        return Counts(found, both)

    # -- by lane -----------------------------------------------------------------------

    def lanes(self) -> list[LaneLoad]:
        """Tell what there is to do in each lane that has anything, by name."""
        with self._reading() as connection:
            found: dict[str, dict[str, Any]] = {}
            for name, conditions in (
                ("later", _LATER),
                ("held", _HELD),
                ("running", (in_state(State.STARTED),)),
                ("failed", (in_state(State.FAILED),)),
            ):
                rows = select(JOBS.c.channel, func.count()).where(*conditions).group_by(JOBS.c.channel)
                for lane, count in connection.execute(rows):
                    found.setdefault(lane, {})[name] = int(count)
            # The smallest number is the job that was delayed first, give or take an open transaction.
            ready = (
                select(JOBS.c.channel, func.count(), func.min(JOBS.c.id))
                .where(*_READY)
                .group_by(JOBS.c.channel)
            )
            for lane, count, first in connection.execute(ready).all():
                delayed = connection.scalar(select(JOBS.c.created_at).where(JOBS.c.id == first))
                found.setdefault(lane, {}).update(ready=int(count), oldest=delayed)
        return [LaneLoad(lane=lane, **found[lane]) for lane in sorted(found)]

    def now(self) -> datetime:
        """Tell the time that counts."""
        with self._reading() as connection:
            return self._now(connection)

    def ended_lanes(self) -> Iterator[str]:
        """Find the lanes with ended jobs: one look into the index for each, however many jobs there are."""
        last = ""
        while True:
            following = select(func.min(JOBS.c.channel)).where(_ENDED, JOBS.c.channel > last)
            with self._reading() as connection:
                lane = connection.scalar(following)
            if lane is None:
                return
            yield lane
            last = lane

    def rates(self, within: timedelta) -> dict[str, float]:
        """Tell how many jobs a second were done or given up, by lane.

        Args:
            within: In this time until now.
        """
        recent = JOBS.c.finished_at > ago(self._times, within)
        found: dict[str, float] = {}
        for lane in self.ended_lanes():
            counted = select(func.count()).select_from(JOBS).where(_ENDED, JOBS.c.channel == lane, recent)
            with self._reading() as connection:
                count = connection.scalar(counted) or 0
            found[lane] = count / within.total_seconds()
        return found

    # -- by worker ---------------------------------------------------------------------

    def workers(self) -> list[WorkerSeen]:
        """List the workers that have signed in, and whether they live."""
        with self._reading() as connection:
            now = self._now(connection)
            rows = connection.execute(select(WORKERS).order_by(WORKERS.c.id)).all()
            busy = select(JOBS.c.worker_id, func.count()).where(in_state(State.STARTED))
            running = {row[0]: int(row[1]) for row in connection.execute(busy.group_by(JOBS.c.worker_id))}
        ours = Owner()
        return [
            WorkerSeen(
                id=row.id,
                host=row.host,
                pid=row.pid,
                threads=row.threads,
                channels=tuple(part for part in row.channels.split(",") if part),
                started_at=row.started_at,
                silent=max(now - row.seen_at, timedelta(0)),
                leaving=row.leaving,
                alive=row.lease_until > now and not ours.is_gone(row.owner),
                left=max(row.lease_until - now, timedelta(0)),
                running=running.get(row.id, 0),
            )
            for row in rows
        ]

    def slots(self) -> dict[str, SlotUse]:
        """Tell which places of lanes with a capacity are held, by lane."""
        with self._reading() as connection:
            now = self._now(connection)
            held = (
                select(SLOTS.c.channel, SLOTS.c.worker_id, SLOTS.c.until)
                .where(SLOTS.c.worker_id.is_not(None))
                .order_by(SLOTS.c.channel, SLOTS.c.until)
            )
            rows: Sequence[Any] = connection.execute(held).all()
            # SQLite's only writer may keep a live worker from prolonging: there its row must be gone too.
            there = set(connection.scalars(select(WORKERS.c.id))) if self._is_sqlite else set()
        found: dict[str, SlotUse] = {}
        for lane, worker, until in rows:
            if until is None or (until <= now and worker not in there):
                continue
            before = found.get(lane)
            left = max(until - now, timedelta(0))
            found[lane] = SlotUse(
                lane=lane,
                holders=(*(before.holders if before else ()), worker),
                until=before.until if before else left,
            )
        return found

    def _now(self, connection: Connection) -> datetime:
        told: datetime = connection.execute(select(self._times.now())).scalar_one()
        return told
