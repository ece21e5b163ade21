"""Slots of lanes: rows that are held while a job runs, so that a capacity holds across all processes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Integer,
    Interval,
    Text,
    Update,
    and_,
    bindparam,
    exists,
    literal_column,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from isthmus.job.moves import Times
from isthmus.job.table import SLOTS, WORKERS
from isthmus.store.sql import UtcDateTime

SOON: Final = timedelta(milliseconds=10)
"""When to look again at what another's short transaction decides."""
_GATE: Final = 0
"""Number of the row that serialises entries while more slots are held than a lowered capacity has."""
_NOBODY: Final = 0
"""Number of no worker."""
_LANE: Final = bindparam("lane_", type_=Text())
_CAPACITY: Final = bindparam("capacity_", type_=Integer())
_WORKER: Final = bindparam("worker_", type_=BigInteger())
_PROVIDE: Final = text("INSERT INTO isthmus_slot (channel, n) VALUES (:channel, :n) ON CONFLICT DO NOTHING")
_LEAVE: Final = (
    update(SLOTS)
    .where(SLOTS.c.channel == _LANE, SLOTS.c.n == bindparam("n_"), SLOTS.c.worker_id == _WORKER)
    .values(worker_id=None, until=None)
)


@dataclass(frozen=True, slots=True)
class Full:
    """There is no slot.

    Attributes:
        retry_in: When that may change; None when somebody must leave first.
    """

    retry_in: timedelta | None


class Slots:
    """Takes slots and gives them back; never waits for a lock.

    On PostgreSQL a slot is free again when its lease is over. SQLite has one writer, so that a process
    that lives may be kept from prolonging: there the worker's row must be gone as well.

    Args:
        engine: The hub's engine.
        times: Whose time counts.
    """

    def __init__(self, engine: Engine, times: Times) -> None:
        self._engine = engine
        self._times = times
        self._sqlite = engine.dialect.name == "sqlite"
        # Made once: a claim executes them, which costs a tenth of making them.
        above = SLOTS.alias()
        is_above = (above.c.channel == _LANE, above.c.n > _CAPACITY, self._is_held(above))
        self._take_one = self._taking(~exists().where(*is_above))
        self._take_below = self._taking(true())
        self._look_at = select(SLOTS.c.n, self._is_held(SLOTS).label("held")).where(SLOTS.c.channel == _LANE)
        gate = select(SLOTS.c.n).where(SLOTS.c.channel == _LANE, SLOTS.c.n == _GATE)
        self._lock_gate = gate.with_for_update(skip_locked=True)
        self._prolong = self._changing({"until": later(times)})
        self._free = self._changing({"worker_id": None, "until": None})

    def _is_held(self, slots: FromClause) -> ColumnElement[bool]:
        """Give the condition that a slot is held; one's own is until one leaves it, however late."""
        until: Any = slots.c.until
        alive = [~self._times.past(until, self._times.moment), slots.c.worker_id == _WORKER]
        if self._sqlite:
            alive.append(exists().where(WORKERS.c.id == slots.c.worker_id))
        return and_(slots.c.worker_id.is_not(None), until.is_not(None), or_(*alive))

    def _taking(self, condition: ColumnElement[bool]) -> ReturningUpdate[int]:
        number = SLOTS.c.n
        free = (
            select(number)
            .where(SLOTS.c.channel == _LANE, number > literal_column(str(_GATE)), number <= _CAPACITY)
            .where(or_(SLOTS.c.worker_id.is_(None), ~self._is_held(SLOTS)), condition)
            .limit(literal_column("1"))
            .with_for_update(skip_locked=True)  # says nothing on SQLite: one writer
        )
        return (
            update(SLOTS)
            .where(SLOTS.c.channel == _LANE, number == free.scalar_subquery())
            .values(worker_id=_WORKER, until=later(self._times))
            .returning(number)
        )

    @staticmethod
    def _changing(values: Mapping[str, Any]) -> Update:
        """Make the change of all slots of a worker, except those that are being taken or left."""
        mine = select(SLOTS.c.channel, SLOTS.c.n).where(SLOTS.c.worker_id == _WORKER)
        free = mine.with_for_update(skip_locked=True).subquery()
        this = and_(SLOTS.c.channel == free.c.channel, SLOTS.c.n == free.c.n)
        return update(SLOTS).where(this).values(**values)

    # -- taking ------------------------------------------------------------------------

    def take(
        self, connection: Connection, lane: str, capacity: int, worker_id: int, lease: timedelta
    ) -> int | Full:
        """Take one slot of a lane for a worker.

        Args:
            connection: With a transaction; a rollback gives the slot back.
            lane: The lane.
            capacity: Its capacity now.
            worker_id: Who takes it.
            lease: How long it holds without a sign of life.

        Returns:
            Its number.
        """
        values = {"lane_": lane, "capacity_": capacity, "worker_": worker_id}
        values |= self._times.parameters() | span(self._times, lease)
        for _ in range(2):
            number: int | None = connection.scalar(self._take_one, values)
            if number is not None:
                return number
            found = self._look(connection, lane, worker_id)
            missing = set(range(capacity + 1)) - set(found)
            if not missing:
                break
            self._provide(connection, lane, missing)
        if sum(found.values()) >= capacity:
            return Full(None)
        if not any(held for n, held in found.items() if n > capacity):
            return Full(SOON)  # another transaction has a free one
        # Slots above a lowered capacity are held: one after the other may count and take.
        if connection.scalar(self._lock_gate, {"lane_": lane}) is None:
            return Full(SOON)
        if sum(self._look(connection, lane, worker_id).values()) >= capacity:
            return Full(None)
        number = connection.scalar(self._take_below, values)
        return Full(SOON) if number is None else number

    def held(self, connection: Connection, lane: str) -> int:
        """Count the slots of a lane that are held."""
        return sum(self._look(connection, lane, _NOBODY).values())

    def _look(self, connection: Connection, lane: str, worker_id: int) -> dict[int, bool]:
        """Tell of each slot whether it is held."""
        values = {"lane_": lane, "worker_": worker_id} | self._times.parameters()
        return {n: bool(is_held) for n, is_held in connection.execute(self._look_at, values)}

    def _provide(self, connection: Connection, lane: str, numbers: Iterable[int]) -> None:
        rows = [{"channel": lane, "n": n} for n in sorted(numbers)]
        if self._sqlite:
            connection.execute(_PROVIDE, rows)
            return
        # Committed at once: a row that an open transaction has inserted makes others wait.
        with self._engine.begin() as own:
            own.execute(_PROVIDE, rows)

    # -- holding and giving back -------------------------------------------------------

    @staticmethod
    def leave(connection: Connection, slots: Iterable[tuple[str, int]], worker_id: int) -> None:
        """Give slots back, unless another has taken them since."""
        for lane, n in slots:
            connection.execute(_LEAVE, {"lane_": lane, "n_": n, "worker_": worker_id})

    def prolong(self, connection: Connection, worker_id: int, lease: timedelta) -> None:
        """Give a sign of life for all slots of a worker; those being taken or left need none."""
        connection.execute(self._prolong, {"worker_": worker_id} | span(self._times, lease))

    def free(self, connection: Connection, worker_id: int) -> None:
        """Give back all slots of a worker that is gone."""
        connection.execute(self._free, {"worker_": worker_id})


def later(times: Times) -> Any:
    """Give the SQL for an instant from now on, in a statement that is executed with `span`."""
    if times.by_database:
        return times.moment + bindparam("span_", type_=Interval())
    return bindparam("until_", type_=UtcDateTime())


def span(times: Times, wait: timedelta) -> dict[str, Any]:
    """Give the parameter that a statement with `later` needs."""
    return {"span_": wait} if times.by_database else {"until_": times.parameters()["now"] + wait}
