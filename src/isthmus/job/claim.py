"""Claiming jobs: one UPDATE in a short transaction of its own, and rescuing those of dead workers."""

import threading
import time
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, Engine, exists, literal_column, select, update

from isthmus.job.claimed import COLUMNS, Claimed, claimed_from
from isthmus.job.moves import Times, in_state, move
from isthmus.job.outcome import Outcomes
from isthmus.job.state import State
from isthmus.job.table import JOBS
from isthmus.store.sql import Owner

_DUE_AT_ONCE: Final = 100
"""Jobs whose time has come that one claim takes into the line."""
_RESCUE_EVERY_S: Final = 1.0
"""Seconds between two looks for dead workers while there is work."""


class Claimer:
    """Claims jobs for one process; its threads share it.

    Args:
        engine: The hub's engine.
        times: Whose time counts.
        owner: This process.
        outcomes: Where rescued jobs go.
        lease: How long a claim holds without a sign of life.
    """

    def __init__(
        self, engine: Engine, times: Times, owner: Owner, outcomes: Outcomes, lease: timedelta
    ) -> None:
        self._engine = engine
        self._times = times
        self._owner = owner
        self._outcomes = outcomes
        self._lease = lease
        # Held from the claim until the job counts as running: in between it looks like a lost one.
        self._lock = threading.Lock()
        self._running: dict[int, Claimed] = {}
        self._looked_at = -_RESCUE_EVERY_S

    @property
    def running(self) -> list[Claimed]:
        """The jobs that this process runs now."""
        return list(self._running.values())

    def claim(self) -> Claimed | None:
        """Claim the next job that is due; None when there is none."""
        with self._lock:
            rescued = self._rescue() if time.monotonic() - self._looked_at >= _RESCUE_EVERY_S else 0
            claimed = self._claim()
            if claimed is None and not rescued and self._rescue():
                claimed = self._claim()
            if claimed is not None:
                self._running[claimed.id] = claimed
            return claimed

    def release(self, claimed: Claimed) -> None:
        """Count a job as not running any more."""
        # One that was cancelled and retried by hand may run again here already.
        if self._running.get(claimed.id) is claimed:
            del self._running[claimed.id]

    def _claim(self) -> Claimed | None:
        if self._engine.dialect.name == "sqlite" and not self._any_due():
            return None
        with self._engine.begin() as connection:
            self._line_up(connection)
            first = (
                select(JOBS.c.id)
                .where(in_state(State.PENDING), JOBS.c.eta.is_(None))
                .order_by(JOBS.c.priority, JOBS.c.id)
                .limit(literal_column("1"))
                .with_for_update(skip_locked=True)  # says nothing on SQLite: one writer
            )
            statement = (
                move(State.PENDING, State.STARTED, JOBS.c.id == first.scalar_subquery())
                .values(
                    attempt=JOBS.c.attempt + 1,
                    owner=str(self._owner),
                    lease_until=self._times.after(self._lease),
                    started_at=self._times.now(),
                )
                .returning(*COLUMNS)
            )
            row = connection.execute(statement).one_or_none()
        return None if row is None else claimed_from(row)

    def _line_up(self, connection: Connection) -> None:
        """Let jobs whose time has come stand in line by priority, as all others."""
        due = (
            select(JOBS.c.id)
            .where(in_state(State.PENDING), JOBS.c.eta.is_not(None), self._times.past(JOBS.c.eta))
            .order_by(JOBS.c.eta)
            .limit(_DUE_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        ids = list(connection.scalars(due))
        if ids:
            connection.execute(update(JOBS).where(JOBS.c.id.in_(ids)).values(eta=None))

    def _any_due(self) -> bool:
        """Look without taking SQLite's only write lock: an idle worker is in nobody's way."""
        ready = exists().where(in_state(State.PENDING), JOBS.c.eta.is_(None))
        future = exists().where(
            in_state(State.PENDING), JOBS.c.eta.is_not(None), self._times.past(JOBS.c.eta)
        )
        with self._outcomes.reading() as connection:
            return bool(connection.scalar(select(ready | future)))

    # -- dead workers ------------------------------------------------------------------

    def _rescue(self) -> int:
        """Take back jobs whose worker is gone; tells how many."""
        self._looked_at = time.monotonic()
        with self._outcomes.reading() as connection:
            overdue = self._times.past(JOBS.c.lease_until).label("overdue")
            rows = connection.execute(select(JOBS.c.owner, overdue, *COLUMNS).where(in_state(State.STARTED)))
            started = [(row[0], bool(row[1]), claimed_from(row[2:])) for row in rows]
        gone = {owner: self._owner.is_gone(owner) for owner in {owner for owner, *_ in started}}
        count = 0
        for owner, late, job in started:
            if gone[owner] or self._is_lost(owner, late, job):
                only_overdue = not gone[owner] and owner != str(self._owner)
                count += self._outcomes.rescue(job, overdue=only_overdue)
        return count

    def _is_lost(self, owner: str, overdue: bool, job: Claimed) -> bool:
        if owner == str(self._owner):
            # Ours, and no thread of ours has it: its end could not be written.
            running = self._running.get(job.id)
            return running is None or running.attempt != job.attempt
        if self._engine.dialect.name == "sqlite" and _host(owner) == _host(str(self._owner)):
            return False  # it lives, and cannot prolong while a transaction of ours is open
        return overdue

    # -- signs of life -----------------------------------------------------------------

    def prolong(self) -> None:
        """Give a sign of life for the running jobs; one whose row is locked gives it itself."""
        ids = list(self._running)
        if not ids or self._engine.dialect.name == "sqlite":
            return
        free = (
            select(JOBS.c.id)
            .where(JOBS.c.id.in_(ids), in_state(State.STARTED), JOBS.c.owner == str(self._owner))
            .with_for_update(skip_locked=True)
        )
        with self._engine.begin() as connection:
            connection.execute(
                update(JOBS)
                .where(JOBS.c.id.in_(free.scalar_subquery()))
                .values(lease_until=self._times.after(self._lease))
            )


def _host(owner: str) -> str:
    return owner.partition(":")[0]
