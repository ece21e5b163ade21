"""Lanes of the queue: may a job of one begin now, anywhere?"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import Connection, Engine, Update, bindparam, or_, select, text, update

from isthmus.job.lane.rules import WISHES, Bounds, Rule, Rules, Wishes
from isthmus.job.lane.slots import SOON, Full, Slots, later, span
from isthmus.job.lane.turn import find_blocker
from isthmus.job.moves import Times
from isthmus.job.table import CHANNELS
from isthmus.settings import JobSettings

__all__ = ["Closed", "Entry", "Lanes", "Rule"]

_NAME_IT: Final = text("INSERT INTO isthmus_channel (name) VALUES (:name) ON CONFLICT DO NOTHING")


@dataclass(frozen=True, slots=True)
class Entry:
    """The right to run one job of a lane at a time, until it is left.

    Attributes:
        lane: The lane.
        slots: What is held for it: lane and number of the slot.
        most: At most so many jobs may be claimed with it; None for any number.
        worker_id: Who holds it.
    """

    lane: str
    slots: tuple[tuple[str, int], ...]
    most: int | None
    worker_id: int


@dataclass(frozen=True, slots=True)
class Closed:
    """No job of a lane may begin now.

    Attributes:
        lane: The lane.
        reason: ``paused``, ``full``, ``throttled`` or ``blocked``.
        retry_in: When that changes by itself; None when somebody must do something first.
        because: The same for people, with the lane (this or one above it) and the job that it is about.
    """

    lane: str
    reason: str
    retry_in: timedelta | None
    because: str = ""


class Lanes:
    """Says which lanes may begin a job, across all processes of one database.

    Threads may share it. Nothing here waits for a lock.

    Args:
        engine: The hub's engine.
        times: Whose time counts.
        settings: The settings of the queue.
    """

    def __init__(self, engine: Engine, times: Times, settings: JobSettings) -> None:
        self._engine = engine
        self._times = times
        self._settings = settings
        self._slots = Slots(engine, times)
        self._rules = Rules(settings, {})
        self._begin_one = _beginning(times)

    # -- rules -------------------------------------------------------------------------

    def refresh(self, connection: Connection) -> bool:
        """Take over what was set at run time since the last time; tells whether there was anything."""
        found = set_now(connection)
        if found == self._rules.set_now:
            return False
        self._rules = Rules(self._settings, found)
        return True

    @property
    def rules(self) -> Rules:
        """The rules as of the last `refresh`."""
        return self._rules

    def rule(self, lane: str) -> Rule:
        """Tell what holds for a lane itself."""
        return self._rules.rule(lane)

    def is_plain(self, lane: str) -> bool:
        """Tell whether a lane's jobs may always begin: no rule on it or above it; memory only."""
        return self._rules.bounds(lane).plain

    # -- entering ----------------------------------------------------------------------

    def enter(self, connection: Connection, lane: str, worker_id: int, lease: timedelta) -> Entry | Closed:
        """Take what one job of a lane needs to begin, or nothing.

        Args:
            connection: With the transaction of the claim; its rollback undoes the entry.
            lane: The lane.
            worker_id: Who enters.
            lease: How long the slots hold without a sign of life.
        """
        bounds = self._rules.bounds(lane)
        if bounds.paused is not None:
            return Closed(lane, "paused", None, f"{bounds.paused} is paused")
        for above in bounds.sequential:
            blocker = find_blocker(connection, above, lane)
            if blocker is not None:
                return Closed(lane, blocker.reason, blocker.retry_in, blocker.told)
        slots: list[tuple[str, int]] = []
        closed = self._take(connection, lane, bounds, worker_id, lease, slots)
        if closed is None:
            closed = self._begin_all(connection, lane, bounds)
        if closed is not None:
            self._slots.leave(connection, slots, worker_id)
            return closed
        one = bounds.sequential or bounds.throttles
        return Entry(lane, tuple(slots), 1 if one else None, worker_id)

    def _take(
        self,
        connection: Connection,
        lane: str,
        bounds: Bounds,
        worker_id: int,
        lease: timedelta,
        slots: list[tuple[str, int]],
    ) -> Closed | None:
        """Take a slot in each lane that has a capacity, and note it, as long as there are any."""
        for name, capacity in bounds.slots:
            number = self._slots.take(connection, name, capacity, worker_id, lease)
            if isinstance(number, Full):
                because = f"{name} runs {capacity} at a time"
                return Closed(lane, "full", number.retry_in, because)
            slots.append((name, number))
        return None

    def _begin_all(self, connection: Connection, lane: str, bounds: Bounds) -> Closed | None:
        """Note in all throttled lanes that a job begins, or in none."""
        many = len(bounds.throttles) > 1
        savepoint = connection.begin_nested() if many else None
        closed = None
        for name, throttle in bounds.throttles:
            wait = self._begin(connection, name, throttle)
            if wait is not None:
                because = f"{name} begins one job in {throttle.total_seconds():g} s"
                closed = Closed(lane, "throttled", wait, because)
                break
        if savepoint is not None:
            (savepoint.commit if closed is None else savepoint.rollback)()
        return closed

    def _begin(self, connection: Connection, lane: str, throttle: timedelta) -> timedelta | None:
        """Note that a throttled lane begins a job; gives the time to wait instead when it may not."""
        for _ in range(2):
            values = {"lane_": lane} | self._times.parameters() | span(self._times, throttle)
            if connection.execute(self._begin_one, values).rowcount == 1:
                return None
            row = self._next(connection, lane)
            if row is not None:
                break
            self._name(connection, lane)
        if row is None or row[0] is None:
            return SOON
        return max(SOON, cast(datetime, row[0]) - cast(datetime, row[1]))

    def _next(self, connection: Connection, lane: str) -> Any:
        """Read when a lane may begin its next job, and what time it is."""
        statement = select(CHANNELS.c.next_start_at, self._times.now()).where(CHANNELS.c.name == lane)
        return connection.execute(statement).one_or_none()

    def _name(self, connection: Connection, lane: str) -> None:
        """Give a lane the row that its throttle needs."""
        if self._engine.dialect.name == "sqlite":
            connection.execute(_NAME_IT, {"name": lane})
            return
        # Committed at once: a row that an open transaction has inserted makes others wait.
        with self._engine.begin() as own:
            own.execute(_NAME_IT, {"name": lane})

    def held(self, connection: Connection, lane: str) -> int:
        """Count the slots of a lane that are held; 0 for one without capacity."""
        return 0 if self.rule(lane).capacity is None else self._slots.held(connection, lane)

    def look(self, connection: Connection, lane: str) -> Closed | None:
        """Tell why no job of a lane could begin now, without entering it; None when one could."""
        bounds = self._rules.bounds(lane)
        if bounds.paused is not None:
            return Closed(lane, "paused", None, f"{bounds.paused} is paused")
        for above in bounds.sequential:
            blocker = find_blocker(connection, above, lane)
            if blocker is not None and blocker.how != "ready":
                return Closed(lane, blocker.reason, None, blocker.told)
        for name, capacity in bounds.slots:
            if self._slots.held(connection, name) >= capacity:
                return Closed(lane, "full", None, f"{name} runs {capacity} at a time")
        waits = [(self._wait(connection, name, throttle), name) for name, throttle in bounds.throttles]
        wait, name = max(waits, default=(timedelta(0), lane))
        if wait > timedelta(0):
            return Closed(
                lane, "throttled", wait, f"{name} begins its next job in {wait.total_seconds():.3g} s"
            )
        return None

    def _wait(self, connection: Connection, lane: str, throttle: timedelta) -> timedelta:
        row = self._next(connection, lane)
        wait = row[0] - row[1] if row is not None and row[0] is not None else timedelta(0)
        return wait if wait <= throttle else timedelta(0)

    # -- leaving -----------------------------------------------------------------------

    def leave(self, connection: Connection, entry: Entry) -> None:
        """Give back what an entry holds."""
        if entry.slots:
            self._slots.leave(connection, entry.slots, entry.worker_id)

    def prolong(self, connection: Connection, worker_id: int, lease: timedelta) -> None:
        """Give a sign of life for everything that a worker holds."""
        self._slots.prolong(connection, worker_id, lease)

    def free(self, connection: Connection, worker_id: int) -> None:
        """Give back everything that a dead or leaving worker holds."""
        self._slots.free(connection, worker_id)


def _beginning(times: Times) -> Update:
    """Make the note that a throttled lane begins a job, if it is time."""
    column = CHANNELS.c.next_start_at
    # What lies further ahead was written under a longer throttle, or by a clock that ran ahead.
    due = or_(column.is_(None), times.past(column, times.moment), column > later(times))
    lane = CHANNELS.c.name == bindparam("lane_")
    free = select(CHANNELS.c.name).where(lane, due).with_for_update(skip_locked=True)
    return (
        update(CHANNELS).where(CHANNELS.c.name == free.scalar_subquery()).values(next_start_at=later(times))
    )


def set_now(connection: Connection) -> dict[str, Wishes]:
    """Read what is set at run time, by lane."""
    nothing = Wishes()
    rows = connection.execute(select(CHANNELS.c.name, *(CHANNELS.c[name] for name in WISHES)))
    found = {row[0]: Wishes(**dict(zip(WISHES, row[1:], strict=True))) for row in rows}
    return {lane: wishes for lane, wishes in found.items() if wishes != nothing}
