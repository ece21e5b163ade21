"""Claiming jobs: some of one lane with one statement in a short transaction of its own."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Select, Update, bindparam, case, extract, func, literal_column, select, update

from isthmus.errors import DatabaseBusyError
from isthmus.job.claimed import COLUMNS, Claimed, Group
from isthmus.job.lane.lanes import Closed, Entry, Lanes
from isthmus.job.lane.name import is_within
from isthmus.job.line import Line
from isthmus.job.members import Members
from isthmus.job.moves import Times, in_state, move
from isthmus.job.outcome import Outcomes
from isthmus.job.rows import wake_idle
from isthmus.job.state import State
from isthmus.job.table import JOBS, WORKERS

logger = logging.getLogger("isthmus.job")

_SIZES: Final = (1, 10, 100, 1_000)
"""How many jobs a claim takes: more while they are short. Written out, since a database that does not know
the limit when it plans may read the table."""
_SHORT_S: Final = 0.015
"""A claim's jobs that took less in all let the next claim take ten times as many."""
_LONG_S: Final = 0.15
"""Those that took longer let it take one."""
_DUE_AT_ONCE: Final = 100
"""Jobs whose time has come that one look takes into the line."""
_LINE_UP_EVERY_S: Final = 0.25
"""Seconds between two looks for jobs whose time has come, while there is other work."""
_FULL_S: Final = 0.1
"""Seconds in which a full lane is not tried again, unless it is called."""
_SHUT_S: Final = 1.0
"""The same for a paused or blocked one; when a lane's rules change all are tried."""


class Claimer:
    """Claims jobs for one process; its threads share it.

    Lanes that have jobs take turns, so that a long one delays no other; in a lane the more urgent job
    goes first, then the older one.

    Args:
        line: The queue's connections.
        times: Whose time counts.
        members: This process among the others.
        outcomes: Where jobs go that are given back.
        lanes: What limits the lanes.
        lease: How long a slot is held without a sign of life.
        dialect: Name of the database.
    """

    def __init__(
        self, line: Line, times: Times, members: Members, outcomes: Outcomes, lanes: Lanes, lease: timedelta,
        dialect: str,
    ) -> None:  # fmt: skip
        self._line = line
        self._times = times
        self._members = members
        self._outcomes = outcomes
        self._lanes = lanes
        self._lease = lease
        # Held from the claim until its jobs count as ours: in between they look like lost ones.
        self._lock = threading.Lock()
        self._groups: set[Group] = set()
        self._returning: dict[int, Claimed] = {}
        self._leaving: deque[Entry] = deque()
        self._number = 0
        self._size = 0
        self._lane = ""
        self._following: str | None = None
        self._closed: dict[str, float] = {}
        self._line_up_at = 0.0
        self._next_due_s: float | None = None
        self._on_postgresql = dialect == "postgresql"
        self._claims = [_claim(times, size, postgresql=self._on_postgresql) for size in _SIZES]
        self._probe = select(_next_lane(after="after_"))
        self._look = _next_due(times, postgresql=self._on_postgresql)
        self._line_up = _line_up(times, postgresql=self._on_postgresql)
        self.only: Sequence[str] = ()
        """Take jobs of these lanes and those below them; empty for all."""
        self.tended = False
        """True while another thread calls `tend` again and again."""

    # -- what is held ------------------------------------------------------------------

    @property
    def running(self) -> list[Claimed]:
        """The jobs that this process has claimed and not ended."""
        return [job for group in list(self._groups) for job in group.all]

    @property
    def is_busy(self) -> bool:
        """True while this process has jobs that it has claimed."""
        return bool(self._groups)

    def held(self) -> set[tuple[int, int]]:
        """Give the jobs that this process is at, by id and attempt; to be called where nobody claims."""
        # In this order: what is given back leaves its claim for the others, and then is not started any more.
        jobs = self.running
        return {(job.id, job.attempt) for job in (*jobs, *self._returning.copy().values())}

    def release(self, group: Group, took_s: float | None = None) -> None:
        """Count a claim as ended.

        Args:
            group: Its jobs.
            took_s: How long they took; None when they were not run to the end.
        """
        try:
            self.give_back(group)
        finally:
            # What could not be given back is found by the next look: nobody is at it any more.
            self._groups.discard(group)
            if group.entry is not None:
                self._leave(group.entry)
        if took_s is not None:
            if took_s > _LONG_S:
                self._size = 0
            elif took_s < _SHORT_S and group.was_full:
                self._size = min(self._size + 1, len(_SIZES) - 1)

    def _leave(self, entry: Entry) -> None:
        """Free the slots of an ended claim; when the database is away, later."""
        try:
            with self._line.transaction() as connection:
                self._lanes.leave(connection, entry)
                wake_idle(connection, entry.lane)
        except DatabaseBusyError as exc:
            logger.info("slots in %s are freed later: %s", entry.lane, exc)
            self._leaving.append(entry)
        self._closed.pop(entry.lane, None)

    def _leave_late(self) -> None:
        """Free what could not be freed before; to be called where nobody claims."""
        held = {slot for group in self._groups if group.entry is not None for slot in group.entry.slots}
        for _ in range(len(self._leaving)):
            entry = self._leaving.popleft()
            # Only the answer was lost, when it has been taken again.
            if held.isdisjoint(entry.slots):
                self._leave(entry)

    def give_back(self, group: Group) -> int:
        """Give back, uncounted, what of a claim is not begun; tells how many jobs that were."""
        rest = group.strip(self._returning)
        try:
            return sum(self._outcomes.unclaim(job) for job in rest)
        finally:
            for job in rest:
                del self._returning[job.id]

    def give_back_behind_slow_jobs(self) -> None:
        """Let others have what stands in a claim behind a job that turned out slow."""
        for group in list(self._groups):
            if len(group) and group.waiting_s > _LONG_S:
                self._size = 0
                self.give_back(group)

    # -- claiming ----------------------------------------------------------------------

    def claim(self, *, one: bool = False, hint: str | None = None) -> Group | None:
        """Claim jobs that are due; None when there is none that may be begun now.

        Args:
            one: Claim a single job, even when jobs are short.
            hint: A lane that has just got a job; None when that is not known.
        """
        with self._lock:
            size = 0 if one else self._size
            if not self.tended:
                self._tend()
            group = self._claim_some(size, hint)
            if group is None and self._take_due():
                group = self._claim_some(size)
            if group is None and (not self.tended or self._members.look_is_due):
                self._lanes_may_have_changed()
                known = self._members.is_registered
                if self._members.look(self.held()) or self._members.is_registered != known:
                    group = self._claim_some(size)
            if group is not None:
                self._groups.add(group)
            return group

    def tend(self) -> None:
        """Do what is to be done now and then: take back jobs of dead workers, line up those that are due."""
        with self._lock:
            self._tend()

    def _tend(self) -> None:
        if self._leaving:
            self._leave_late()
        if self._members.look_is_due:
            self._members.look(self.held())
            self._lanes_may_have_changed()
        if time.monotonic() >= self._line_up_at:
            self._take_due()

    def _lanes_may_have_changed(self) -> None:
        with self._line.connection() as connection:
            if self._lanes.refresh(connection):
                self._closed.clear()

    @property
    def next_due_s(self) -> float | None:
        """Seconds until the next job that waits for its time, or for its lane, as of the last claim."""
        waits = [until - time.monotonic() for until in self._closed.values()]
        if self._next_due_s is not None:
            waits.append(self._next_due_s)
        return max(0.0, min(waits)) if waits else None

    def _claim_some(self, size: int, hint: str | None = None) -> Group | None:
        """Claim in the lane that has the next turn, or in the first after it that can be entered."""
        lane = hint or self._following
        if hint is not None:
            self._closed.pop(hint, None)
        tried: set[str] = set()
        while True:
            if lane is None:
                lane = self._lane_after(self._lane)
            if lane is None or lane in tried:
                return None
            tried.add(lane)
            self._lane, self._following = lane, None
            group = self._claim_in(lane, size) if self._is_open(lane) else None
            if group is not None:
                return group
            lane = None

    def _lane_after(self, name: str) -> str | None:
        with self._line.connection() as connection:
            lane: str | None = connection.execute(self._probe, {"after_": name}).scalar()
            return lane

    def _is_open(self, lane: str) -> bool:
        if self.only and not any(is_within(lane, top) for top in self.only):
            return False
        until = self._closed.get(lane)
        if until is None:
            return True
        if time.monotonic() < until:
            return False
        del self._closed[lane]
        return True

    def _claim_in(self, lane: str, size: int) -> Group | None:
        if self._lanes.is_plain(lane):
            with self._line.connection() as connection:
                return self._take(connection.execute, lane, size, None)
        worker_id = self._members.id  # before the transaction: it may sign in, on a connection of its own
        with self._line.transaction() as connection:
            entry = self._lanes.enter(connection, lane, worker_id, self._lease)
            if isinstance(entry, Closed):
                self._closed[lane] = time.monotonic() + _wait(entry)
            else:
                size = 0 if entry.most is not None else size
                group = self._take(connection.execute, lane, size, entry)
                if group is not None:
                    return group
            connection.rollback()
        return None

    def _take(self, execute: Callable[..., Any], lane: str, size: int, entry: Entry | None) -> Group | None:
        number = self._number = self._number + 1
        parameters = {"lane_": lane, "worker_": self._members.id, "claim_": number}
        rows = execute(self._claims[size], parameters | self._times.parameters()).all()
        if not rows:
            return None
        if self._on_postgresql:
            self._following = rows[0][-1]
            jobs = [Claimed._make(row[:-1]) for row in rows]
        else:
            jobs = [Claimed._make(row) for row in rows]
        jobs.sort(key=lambda job: (job.priority, job.id))
        return Group(jobs, entry, was_full=len(jobs) == _SIZES[size])

    def _take_due(self) -> bool:
        """Let jobs whose time has come stand in line by priority, as all others."""
        parameters = self._times.parameters()
        with self._line.connection() as connection:
            seconds = connection.execute(self._look, parameters).scalar()
            self._next_due_s = None if seconds is None else float(seconds)
            self._line_up_at = time.monotonic() + _LINE_UP_EVERY_S
            if self._next_due_s is None or self._next_due_s > 0:
                return False
            moved = int(connection.execute(self._line_up, parameters).rowcount)
        self._line_up_at = 0.0 if moved == _DUE_AT_ONCE else self._line_up_at
        self._next_due_s = 0.0 if moved == _DUE_AT_ONCE else None
        self._following = None
        return moved > 0


def _wait(closed: Closed) -> float:
    """Tell for how many seconds a lane that could not be entered is left alone."""
    if closed.retry_in is not None:
        return closed.retry_in.total_seconds()
    return _FULL_S if closed.reason == "full" else _SHUT_S


def _ready() -> list[Any]:
    return [in_state(State.PENDING), JOBS.c.eta.is_(None)]


def _next_lane(after: str) -> Any:
    """Give the SQL for the first lane with jobs behind the parameter's, or else the first of all."""
    lanes = select(JOBS.c.channel).where(*_ready()).order_by(JOBS.c.channel).limit(literal_column("1"))
    beyond = lanes.where(JOBS.c.channel > bindparam(after))
    return func.coalesce(beyond.scalar_subquery(), lanes.scalar_subquery())


def _claim(times: Times, size: int, *, postgresql: bool) -> Update:
    first = (
        select(JOBS.c.id)
        .where(*_ready(), JOBS.c.channel == bindparam("lane_"))
        .order_by(JOBS.c.priority, JOBS.c.id)
        .limit(literal_column(str(size)))
        .with_for_update(skip_locked=True)  # says nothing on SQLite: one writer
    )
    # A worker that was taken for dead claims nothing: nobody would find its jobs if it died now.
    registered = select(WORKERS.c.id).where(WORKERS.c.id == bindparam("worker_"))
    returned: list[Any] = list(COLUMNS)
    if postgresql:
        # An array: whatever the statistics say, each is found by its number. Which lane has the next
        # turn comes with it.
        which = JOBS.c.id == func.any(func.array(first.scalar_subquery()))
        registered = registered.with_for_update(key_share=True, read=True)
        returned.append(_next_lane(after="lane_"))
    else:
        which = JOBS.c.id.in_(first)
    return (
        move(State.PENDING, State.STARTED, which, registered.scalar_subquery() == bindparam("worker_"))
        .values(
            attempt=JOBS.c.attempt + 1,
            worker_id=bindparam("worker_"),
            claim_no=bindparam("claim_"),
            started_at=times.moment,
        )
        .returning(*returned)
    )


def _next_due(times: Times, *, postgresql: bool) -> Select[Any]:
    """Make the query for the seconds until the first job is due; at most 0 when one is."""
    future = [in_state(State.PENDING), JOBS.c.eta.is_not(None)]
    now = times.moment
    wait: Any
    if postgresql:
        wait = extract("epoch", JOBS.c.eta - now)
    else:
        # SQLite's own arithmetic of dates ends at milliseconds: what is due is asked exactly.
        seconds = (func.julianday(JOBS.c.eta) - func.julianday(now)) * 86_400
        wait = case((JOBS.c.eta <= now, 0), else_=func.max(seconds, 0.001))
    return select(wait).where(*future).order_by(JOBS.c.eta).limit(literal_column("1"))


def _line_up(times: Times, *, postgresql: bool) -> Update:
    due = (
        select(JOBS.c.id)
        .where(in_state(State.PENDING), JOBS.c.eta.is_not(None), times.past(JOBS.c.eta, times.moment))
        .order_by(JOBS.c.eta)
        .limit(literal_column(str(_DUE_AT_ONCE)))
        .with_for_update(skip_locked=True)
    )
    which = JOBS.c.id == func.any(func.array(due.scalar_subquery())) if postgresql else JOBS.c.id.in_(due)
    return update(JOBS).where(in_state(State.PENDING), which).values(eta=None)
