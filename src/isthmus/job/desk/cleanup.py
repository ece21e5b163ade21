"""Removing jobs that have ended, some time after their end."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, and_, delete, exists, literal_column, not_, or_, select

from isthmus.clock import Clock
from isthmus.job.desk.overview import Overview
from isthmus.job.desk.selection import Selection, ago
from isthmus.job.graph.join import JOIN_METHOD, JOIN_MODEL
from isthmus.job.moves import Times
from isthmus.job.state import State
from isthmus.job.table import EDGES, JOBS
from isthmus.store.sql.engine import READONLY

BATCH: Final = 1_000
"""Jobs that one transaction removes."""
ENDED: Final = (State.DONE, State.CANCELLED)
"""The states whose jobs go by themselves; failed ones only when a person says so."""

_BREATH_S: Final = 0.02
"""Seconds between two batches, in which others may write: SQLite lets nobody else in by itself."""
# Written out: the partial index is found by it.
_IN_INDEX: Final = JOBS.c.state.in_([literal_column("'done'"), literal_column("'cancelled'")])
_CHILD: Final = JOBS.alias("child")
_JOIN: Final = and_(_CHILD.c.model == JOIN_MODEL, _CHILD.c.method == JOIN_METHOD)
_NEEDED: Final = and_(
    JOBS.c.graph_id.is_not(None),
    exists(
        select(literal_column("1"))
        .select_from(EDGES.join(_CHILD, _CHILD.c.id == EDGES.c.child_id))
        .where(
            EDGES.c.parent_id == JOBS.c.id,
            or_(not_(_CHILD.c.state.in_(["done", "cancelled"])), _JOIN),
        )
    ),
)
"""True while a job's result may be read: a job that waits for it has not ended. One that only joins others
stands for those that wait for it, so it goes before those that it joins."""


class Cleaner:
    """Removes ended jobs, 1,000 in a transaction; no claim waits for it.

    A job that is being changed is passed over, and so is one whose result may still be read by a job
    that waits for it. Any number of cleaners may sweep at a time.

    Args:
        engine: The hub's engine.
        times: Whose time counts.
        clock: Lets others in between two batches.
        keep: Tells how long the ended jobs of a lane are kept.
    """

    def __init__(self, engine: Engine, times: Times, clock: Clock, keep: Callable[[str], timedelta]) -> None:
        self._engine = engine
        self._overview = Overview(engine, times)
        self._times = times
        self._clock = clock
        self._keep = keep

    def sweep(self, goes_on: Callable[[], bool] = lambda: True) -> int:
        """Remove the ended jobs of each lane that are older than is kept there.

        Args:
            goes_on: Is asked before each batch; a worker that stops says no.

        Returns:
            How many were removed.
        """
        removed = 0
        for lane in self._overview.ended_lanes():
            limit = ago(self._times, self._keep(lane))
            old = [_IN_INDEX, JOBS.c.channel == lane, JOBS.c.finished_at <= limit]
            if self._any(old):
                removed += self._remove_all(old, goes_on)
        return removed

    def prune(self, selection: Selection, report: Callable[[int], object] | None = None) -> int:
        """Remove selected jobs that have ended or failed, however short ago.

        Args:
            selection: Which; those that may still run are left out.
            report: Is told how many have been removed.

        Returns:
            How many were removed.
        """
        states = Selection(states=(*ENDED, State.FAILED)).conditions(self._times)
        conditions = [*selection.conditions(self._times), *states]
        removed = 0
        # Again, until none is found: what joined others is gone then, and those that it joined may go.
        while (more := self._prune_once(conditions, removed, report)) > 0:
            removed += more
        return removed

    def _prune_once(
        self, conditions: Sequence[Any], before: int, report: Callable[[int], object] | None
    ) -> int:
        removed = last = 0
        while True:
            some = select(JOBS.c.id).where(*conditions, not_(_NEEDED), JOBS.c.id > last)
            with self._reading() as connection:
                ids = connection.scalars(some.order_by(JOBS.c.id).limit(BATCH)).all()
            if not ids:
                return removed
            last = ids[-1]
            with self._engine.begin() as connection:
                removed += _remove(connection, [JOBS.c.id.in_(ids), *conditions], JOBS.c.id)
            if report is not None:
                report(before + removed)
            self._clock.sleep(_BREATH_S)

    # -- steps -------------------------------------------------------------------------

    def _any(self, conditions: Sequence[Any]) -> bool:
        """Look first: an idle installation's cleaner takes no lock of SQLite's only writer."""
        with self._reading() as connection:
            return bool(connection.scalar(select(exists().where(*conditions))))

    def _reading(self) -> Any:
        return self._engine.execution_options(**{READONLY: True}).begin()

    def _remove_all(self, conditions: Sequence[Any], goes_on: Callable[[], bool]) -> int:
        removed = 0
        while goes_on():
            with self._engine.begin() as connection:
                count = _remove(connection, conditions, JOBS.c.finished_at)
            removed += count
            if count == 0:
                # Not "fewer than a batch": with the jobs that join others gone, those that they join may go.
                break
            self._clock.sleep(_BREATH_S)
        return removed


def _remove(connection: Connection, conditions: Sequence[Any], order: Any) -> int:
    chosen = (
        select(JOBS.c.id, JOBS.c.graph_id)
        .where(*conditions, not_(_NEEDED))
        .order_by(order)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(chosen).all()
    if not rows:
        return 0
    connection.execute(delete(JOBS).where(JOBS.c.id.in_([row.id for row in rows])))
    related = [row.id for row in rows if row.graph_id is not None]
    if related:
        # Two statements: each finds its edges by its own index.
        connection.execute(delete(EDGES).where(EDGES.c.parent_id.in_(related)))
        connection.execute(delete(EDGES).where(EDGES.c.child_id.in_(related)))
    return len(rows)
