"""Slots of lanes: rows that are held while a job runs, so that a capacity holds across all processes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    and_,
    exists,
    or_,
    select,
    text,
    true,
    update,
)

from isthmus.job.moves import Times
from isthmus.job.table import SLOTS, WORKERS

SOON: Final = timedelta(milliseconds=10)
"""When to look again at what another's short transaction decides."""
_GATE: Final = 0
"""Number of the row that serialises entries while more slots are held than a lowered capacity has."""
_NOBODY: Final = 0
"""Number of no worker."""
_PROVIDE: Final = text("INSERT INTO isthmus_slot (channel, n) VALUES (:channel, :n) ON CONFLICT DO NOTHING")


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
        none_above = ~exists().where(self._in(above := SLOTS.alias(), lane), above.c.n > capacity,
                                     self._held(above, worker_id))  # fmt: skip
        for _ in range(2):
            number = self._take(connection, lane, capacity, worker_id, lease, none_above)
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
        return self._take_below(connection, lane, capacity, worker_id, lease)

    def _take_below(
        self, connection: Connection, lane: str, capacity: int, worker_id: int, lease: timedelta
    ) -> int | Full:
        """Take one although slots above a lowered capacity are held; one after the other may."""
        gate = select(SLOTS.c.n).where(self._in(SLOTS, lane), SLOTS.c.n == _GATE)
        if connection.scalar(gate.with_for_update(skip_locked=True)) is None:
            return Full(SOON)
        if sum(self._look(connection, lane, worker_id).values()) >= capacity:
            return Full(None)
        number = self._take(connection, lane, capacity, worker_id, lease, true())
        return Full(SOON) if number is None else number

    def _take(
        self,
        connection: Connection,
        lane: str,
        capacity: int,
        worker_id: int,
        lease: timedelta,
        condition: ColumnElement[bool],
    ) -> int | None:
        number = SLOTS.c.n
        free = (
            select(number)
            .where(self._in(SLOTS, lane), number > _GATE, number <= capacity)
            .where(or_(SLOTS.c.worker_id.is_(None), ~self._held(SLOTS, worker_id)), condition)
            .limit(1)
            .with_for_update(skip_locked=True)  # says nothing on SQLite: one writer
        )
        statement = (
            update(SLOTS)
            .where(self._in(SLOTS, lane), number == free.scalar_subquery())
            .values(worker_id=worker_id, until=self._times.after(lease))
            .returning(number)
        )
        taken: int | None = connection.scalar(statement)
        return taken

    @staticmethod
    def _in(slots: FromClause, lane: str) -> ColumnElement[bool]:
        return slots.c.channel == lane

    def _held(self, slots: FromClause, worker_id: int) -> ColumnElement[bool]:
        """Give the condition that a slot is held; one's own is until one leaves it, however late."""
        until: Any = slots.c.until
        alive = [~self._times.past(until), slots.c.worker_id == worker_id]
        if self._sqlite:
            alive.append(exists().where(WORKERS.c.id == slots.c.worker_id))
        return and_(slots.c.worker_id.is_not(None), until.is_not(None), or_(*alive))

    def _look(self, connection: Connection, lane: str, worker_id: int) -> dict[int, bool]:
        """Tell of each slot whether it is held."""
        held = self._held(SLOTS, worker_id).label("held")
        rows = connection.execute(select(SLOTS.c.n, held).where(self._in(SLOTS, lane)))
        return {n: bool(is_held) for n, is_held in rows}

    def held(self, connection: Connection, lane: str) -> int:
        """Count the slots of a lane that are held."""
        return sum(self._look(connection, lane, _NOBODY).values())

    def _provide(self, connection: Connection, lane: str, numbers: Iterable[int]) -> None:
        rows = [{"channel": lane, "n": n} for n in sorted(numbers)]
        if self._sqlite:
            connection.execute(_PROVIDE, rows)
            return
        # Committed at once: a row that an open transaction has inserted makes others wait.
        with self._engine.begin() as own:
            own.execute(_PROVIDE, rows)

    def leave(self, connection: Connection, slots: Iterable[tuple[str, int]], worker_id: int) -> None:
        """Give slots back, unless another has taken them since."""
        these = or_(*(and_(SLOTS.c.channel == lane, SLOTS.c.n == n) for lane, n in slots))
        connection.execute(
            update(SLOTS).where(these, SLOTS.c.worker_id == worker_id).values(worker_id=None, until=None)
        )

    def prolong(self, connection: Connection, worker_id: int, lease: timedelta) -> None:
        """Give a sign of life for all slots of a worker; those being taken or left need none."""
        self._change(connection, worker_id, {"until": self._times.after(lease)})

    def free(self, connection: Connection, worker_id: int) -> None:
        """Give back all slots of a worker that is gone."""
        self._change(connection, worker_id, {"worker_id": None, "until": None})

    @staticmethod
    def _change(connection: Connection, worker_id: int, values: Mapping[str, Any]) -> None:
        mine = select(SLOTS.c.channel, SLOTS.c.n).where(SLOTS.c.worker_id == worker_id)
        locked = mine.with_for_update(skip_locked=True).subquery()
        this = and_(SLOTS.c.channel == locked.c.channel, SLOTS.c.n == locked.c.n)
        connection.execute(update(SLOTS).where(this).values(**values))
