"""What people do with jobs: look at them, run them again, give them up."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg.errors import DeadlockDetected
from sqlalchemy import Connection, Engine, Update, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from isthmus.errors import DatabaseBusyError, JobStateError
from isthmus.job.desk.overview import Counts, Overview
from isthmus.job.desk.selection import Selection, state_named
from isthmus.job.graph import dependents
from isthmus.job.graph.view import GraphView, graph_of
from isthmus.job.moves import Times, in_state, move
from isthmus.job.rows import wake_idle
from isthmus.job.schedule.table import ScheduleRow
from isthmus.job.state import State, require
from isthmus.job.table import JOBS, KEY_HELD, Job, WorkerRow
from isthmus.store.sql.engine import READONLY

AT_ONCE: Final = 500
"""Jobs that are changed in one transaction, when many are."""
_ROUNDS: Final = 20
_BY_HAND: Final[Mapping[State, frozenset[State]]] = {
    State.PENDING: frozenset({State.FAILED, State.DONE, State.CANCELLED}),
    State.DONE: frozenset({State.WAIT_DEPENDENCIES, State.PENDING, State.FAILED}),
    State.CANCELLED: frozenset({State.WAIT_DEPENDENCIES, State.PENDING, State.STARTED, State.FAILED}),
}
"""What a person may do, of the steps that there are."""
_FRESH: Final[Mapping[str, Any]] = {
    "eta": None, "retry": 0, "rescues": 0, "deferrals": 0, "finished_at": None, "superseded_by": None,
    "waits": 0,
}  # fmt: skip
"""What a job that is run again begins with."""

Report = Callable[[int, int], object]
"""Is told how many jobs have been looked at, and of how many."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What came of changing many jobs.

    Attributes:
        count: How many were changed.
        skipped: How many were not, because another changed them meanwhile, or an equal job waits.
    """

    count: int
    skipped: int


class Desk:
    """Reads and changes jobs for people.

    Jobs that are named by number are changed all or none, in one transaction. Selected ones are changed
    500 at a time, in the order of their numbers; one that is not as it was selected any more stays as it is.

    Args:
        engine: The hub's engine.
        times: Whose time counts.

    Attributes:
        overview: Counts.
    """

    def __init__(self, engine: Engine, times: Times) -> None:
        self._engine = engine
        self._times = times
        self.overview = Overview(engine, times)
        self._key_held = text(KEY_HELD[engine.dialect.name])

    # -- looking -----------------------------------------------------------------------

    # A class body's `list` means this method from here on: `Sequence` is used for the type.
    def list(
        self, *, state: State | str | None, model: str | None, method: str | None, channel: str | None,
        limit: int, offset: int,
    ) -> Sequence[Job]:  # fmt: skip
        """List jobs, newest first; see `isthmus.job.Queue.list`."""
        states = () if state is None else (state_named(state),)
        return self.find(
            Selection(states=states, model=model, method=method, channel=channel), limit=limit, offset=offset
        )

    def find(self, selection: Selection, *, limit: int = 100, offset: int = 0) -> Sequence[Job]:
        """List selected jobs, newest first.

        Args:
            selection: Which.
            limit: At most so many.
            offset: Leave out so many first.
        """
        statement = select(Job).where(*selection.conditions(self._times))
        with self._reading() as session:
            return session.scalars(statement.order_by(Job.id.desc()).limit(limit).offset(offset)).all()

    def count(self, selection: Selection) -> int:
        """Count selected jobs."""
        statement = select(func.count()).select_from(JOBS).where(*selection.conditions(self._times))
        with self._reading() as session:
            return session.scalar(statement) or 0

    def scheduled(self, model: str, record_id: str) -> Sequence[Job]:
        """List the last job of each schedule on a record; found by keys, however many jobs there are.

        Args:
            model: Name of the record's model.
            record_id: Text form of its key.
        """
        mine = (ScheduleRow.model == model, ScheduleRow.record_id == record_id)
        statement = select(Job).join(ScheduleRow, ScheduleRow.last_job_id == Job.id).where(*mine)
        with self._reading() as session:
            return session.scalars(statement.order_by(Job.id)).all()

    def show(self, job_id: int) -> Job:
        """Give one job.

        Raises:
            JobStateError: When there is none with this number.
        """
        with self._reading() as session:
            found = session.get(Job, job_id)
        if found is None:
            raise JobStateError(f"there is no job {job_id}")
        return found

    def counts(self) -> Counts:
        """Count the jobs in each state; see `isthmus.job.Queue.counts`."""
        return self.overview.counts()

    def graph_of(self, job: Job) -> GraphView | None:
        """Look at the graph that a job belongs to; None when it belongs to none."""
        with self._reading() as session:
            return graph_of(session.connection(), job.id)

    def worker_of(self, job: Job) -> WorkerRow | None:
        """Give the worker that runs a job; None when none does."""
        if job.worker_id is None:
            return None
        with self._reading() as session:
            return session.get(WorkerRow, job.worker_id)

    def _reading(self) -> Session:
        # Rows are read whole and stay readable after the session.
        return Session(self._engine.execution_options(**{READONLY: True}), expire_on_commit=False)

    # -- changing jobs by their numbers ------------------------------------------------

    def retry(self, ids: Iterable[int]) -> int:
        """Let jobs run again; see `isthmus.job.Queue.retry`."""

        def again(connection: Connection, job_id: int, state: State) -> bool:
            if state is State.PENDING:
                return connection.execute(_at_once([job_id])).rowcount == 1
            own = select(JOBS.c.identity_key, JOBS.c.key_states).where(JOBS.c.id == job_id)
            key, holds = connection.execute(own).one()
            if key is not None and State.PENDING in holds.split(","):
                winner = connection.scalar(
                    select(JOBS.c.id).where(JOBS.c.identity_key == key, JOBS.c.id != job_id, self._key_held)
                )
                if winner:
                    raise JobStateError(
                        f"job {job_id} cannot run again: the equal job {winner} is waiting to be run"
                    )
            return bool(self._step(connection, state, State.PENDING, [job_id], _FRESH))

        return self._change(ids, State.PENDING, again, also=State.PENDING)

    def cancel(self, ids: Iterable[int], by: str) -> int:
        """Give jobs up; see `isthmus.job.Queue.cancel`."""
        return self._change(ids, State.CANCELLED, self._ends(State.CANCELLED, by))

    def done(self, ids: Iterable[int], by: str) -> int:
        """Say that jobs need not run; see `isthmus.job.Queue.done`."""
        return self._change(ids, State.DONE, self._ends(State.DONE, by))

    def _ends(self, target: State, by: str) -> Callable[[Connection, int, State], bool]:
        values = self._ending(target, by)

        def end(connection: Connection, job_id: int, state: State) -> bool:
            return bool(self._step(connection, state, target, [job_id], values))

        return end

    def _ending(self, target: State, by: str) -> Mapping[str, Any]:
        word = "cancelled" if target is State.CANCELLED else "set to done"
        return {
            "finished_at": self._times.now(), "worker_id": None, "claim_no": None, "eta": None,
            "error": f"{word} by {by}" if by else f"{word} by hand",
        }  # fmt: skip

    def _change(
        self,
        ids: Iterable[int],
        target: State,
        change: Callable[[Connection, int, State], bool],
        *,
        also: State | None = None,
    ) -> int:
        wanted = sorted(set(ids))
        for _ in range(_ROUNDS):
            try:
                with self._engine.begin() as connection:
                    if self._change_all(connection, wanted, target, change, also):
                        wake_idle(connection)
                        return len(wanted)
                    connection.rollback()
            except IntegrityError:
                pass  # an equal job came in between; the next look names it
            except DatabaseBusyError as exc:
                _refuse_but_deadlocks(exc)
        raise JobStateError(f"jobs {wanted} change too fast; try again")

    def _change_all(
        self, connection: Connection, wanted: Sequence[int], target: State, change: Any, also: State | None
    ) -> bool:
        for job_id in wanted:
            found = connection.scalar(select(JOBS.c.state).where(JOBS.c.id == job_id))
            if found is None:
                raise JobStateError(f"there is no job {job_id}")
            state = State(found)
            if state is not also:
                require(state, target, job_id=job_id)
                if state not in _BY_HAND[target]:
                    raise JobStateError(f"job {job_id} is {state} and cannot be made {target} by hand")
            if not change(connection, job_id, state):
                return False
        return True

    def _step(
        self,
        connection: Connection,
        source: State,
        target: State,
        ids: Sequence[int],
        values: Mapping[str, Any],
    ) -> int:
        """Take jobs from one state to another, with what that means to those that wait for them."""
        step = move(source, target, JOBS.c.id.in_(ids)).values(**values)
        moved = connection.execute(step.returning(JOBS.c.id, JOBS.c.graph_id)).all()
        related = sorted(row.id for row in moved if row.graph_id is not None)
        if related and target is not State.PENDING:
            dependents.settle(connection.execute, related, target, self._times)
        return len(moved)

    # -- changing many -----------------------------------------------------------------

    def retry_selected(self, selection: Selection, report: Report | None = None) -> Changed:
        """Let selected jobs run again, or now instead of later; of equal ones the first.

        Args:
            selection: Which; those that are running or wait for others are left out.
            report: Is told of the progress.
        """
        sources = [*_BY_HAND[State.PENDING], State.PENDING]
        return self._in_bulk(selection, sources, State.PENDING, _FRESH, report)

    def cancel_selected(self, selection: Selection, by: str = "", report: Report | None = None) -> Changed:
        """Give selected jobs up.

        Args:
            selection: Which; those that have ended are left out.
            by: Who does.
            report: Is told of the progress.
        """
        target = State.CANCELLED
        return self._in_bulk(selection, _BY_HAND[target], target, self._ending(target, by), report)

    def done_selected(self, selection: Selection, by: str = "", report: Report | None = None) -> Changed:
        """Say that selected jobs need not run.

        Args:
            selection: Which; those that have ended or are running are left out.
            by: Who does.
            report: Is told of the progress.
        """
        target = State.DONE
        return self._in_bulk(selection, _BY_HAND[target], target, self._ending(target, by), report)

    def chunks(
        self, selection: Selection, sources: Iterable[State], most: int = AT_ONCE
    ) -> Iterator[Sequence[int]]:
        """Find selected jobs that are there now, so many at a time, by number.

        Args:
            selection: Which.
            sources: Of those, the ones in these states.
            most: How many at a time.
        """
        states = Selection(states=sorted(sources)).conditions(self._times)
        conditions = [*selection.conditions(self._times), *states]
        last = 0
        with self._reading() as session:
            end = session.scalar(select(func.max(JOBS.c.id))) or 0
        while True:
            some = select(JOBS.c.id).where(*conditions, JOBS.c.id > last, JOBS.c.id <= end)
            with self._reading() as session:
                ids = session.scalars(some.order_by(JOBS.c.id).limit(most)).all()
            if not ids:
                return
            last = ids[-1]
            yield ids

    def _in_bulk(
        self,
        selection: Selection,
        sources: Iterable[State],
        target: State,
        values: Mapping[str, Any],
        report: Report | None,
    ) -> Changed:
        sources = frozenset(sources)
        total = self.count(selection) if report is not None else 0
        count = seen = 0
        for ids in self.chunks(selection, sources):
            seen += len(ids)
            try:
                with self._engine.begin() as connection:
                    count += self._change_some(connection, selection, ids, sources, target, values)
            except (IntegrityError, DatabaseBusyError) as exc:  # an equal job came in between, for one
                _refuse_but_deadlocks(exc)
                count += sum(self._change_one(selection, job_id, sources, target, values) for job_id in ids)
            if report is not None:
                report(seen, max(total, seen))
        return Changed(count, seen - count)

    def _change_one(self, selection: Selection, job_id: int, *how: Any) -> int:
        try:
            with self._engine.begin() as connection:
                return self._change_some(connection, selection, [job_id], *how)
        except IntegrityError:
            return 0

    def _change_some(
        self,
        connection: Connection,
        selection: Selection,
        ids: Sequence[int],
        sources: frozenset[State],
        target: State,
        values: Mapping[str, Any],
    ) -> int:
        # One that another changes just now is left alone, and its lock not waited for.
        statement = (
            select(JOBS.c.id, JOBS.c.state, JOBS.c.identity_key, JOBS.c.key_states)
            .where(JOBS.c.id.in_(ids), *selection.conditions(self._times))
            .order_by(JOBS.c.id)
            .with_for_update(skip_locked=True)
        )
        rows: Sequence[Any] = [row for row in connection.execute(statement) if row.state in sources]
        if target is State.PENDING:
            rows = self._without_equals(connection, rows)
        groups: dict[State, list[int]] = defaultdict(list)
        for row in rows:
            groups[State(row.state)].append(row.id)
        count = 0
        for state, group in groups.items():
            if state is target:  # pending already: now instead of later
                count += connection.execute(_at_once(group)).rowcount
            else:
                count += self._step(connection, state, target, group, values)
        if count:
            wake_idle(connection)
        return count

    def _without_equals(self, connection: Connection, rows: Sequence[Any]) -> Sequence[Any]:
        """Leave out jobs whose identity key another one holds; of equal ones the first stays."""
        keys: dict[str, int] = {}
        for row in rows:
            holds = row.identity_key is not None and State.PENDING in row.key_states.split(",")
            if holds and row.state != State.PENDING:
                keys.setdefault(row.identity_key, row.id)
        held = select(JOBS.c.identity_key, JOBS.c.id).where(JOBS.c.identity_key.in_(keys), self._key_held)
        others = connection.execute(held).all() if keys else []
        # One that holds its key while it has failed meets nobody but itself.
        taken = {row.identity_key for row in others if row.id != keys[row.identity_key]}
        return [
            row
            for row in rows
            if row.identity_key not in keys
            or row.state == State.PENDING
            or (row.identity_key not in taken and keys[row.identity_key] == row.id)
        ]


def _at_once(ids: Sequence[int]) -> Update:
    return update(JOBS).where(JOBS.c.id.in_(ids), in_state(State.PENDING)).values(eta=None)


def _refuse_but_deadlocks(error: Exception) -> None:
    """Go on after a deadlock with jobs that were ending, which the database has undone for us."""
    if isinstance(error, DatabaseBusyError) and not isinstance(error.__cause__, DeadlockDetected):
        raise error
