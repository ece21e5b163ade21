"""What people do with jobs: look at them, run them again, give them up."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from isthmus.errors import JobStateError, near
from isthmus.job.channel import full_name
from isthmus.job.moves import Times, in_state, move
from isthmus.job.state import State, require
from isthmus.job.table import JOBS, KEY_HELD, Job
from isthmus.store.sql.engine import READONLY

_ROUNDS: Final = 20
_BY_HAND: Final[Mapping[State, frozenset[State]]] = {
    State.PENDING: frozenset({State.FAILED, State.DONE, State.CANCELLED}),
    State.DONE: frozenset({State.WAIT_DEPENDENCIES, State.PENDING, State.FAILED}),
    State.CANCELLED: frozenset({State.WAIT_DEPENDENCIES, State.PENDING, State.STARTED, State.FAILED}),
}
"""What a person may do, of the steps that there are."""


class Desk:
    """Reads and changes jobs for people, each call in a transaction of its own.

    Args:
        engine: The hub's engine.
        times: Whose time counts.
    """

    def __init__(self, engine: Engine, times: Times) -> None:
        self._engine = engine
        self._times = times

    def list(
        self, *, state: State | str | None, model: str | None, method: str | None, channel: str | None,
        limit: int, offset: int,
    ) -> Sequence[Job]:  # fmt: skip
        """List jobs, newest first; see `isthmus.job.Queue.list`."""
        statement = select(Job).order_by(Job.id.desc()).limit(limit).offset(offset)
        if state is not None:
            statement = statement.where(in_state(_state(state)))
        if model is not None:
            statement = statement.where(Job.model == model)
        if method is not None:
            statement = statement.where(Job.method == method)
        if channel is not None:
            name = full_name(channel, "the list of jobs")
            statement = statement.where(
                or_(Job.channel == name, Job.channel.startswith(f"{name}.", autoescape=True))
            )
        with self._reading() as session:
            return session.scalars(statement).all()

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

    def counts(self) -> Mapping[State, int]:
        """Count the jobs in each state; a state without jobs has 0."""
        with self._reading() as session:
            rows = session.execute(select(JOBS.c.state, func.count()).group_by(JOBS.c.state))
            found = {State(state): int(count) for state, count in rows}
        return {state: found.get(state, 0) for state in State}

    def _reading(self) -> Session:
        # Rows are read whole and stay readable after the session.
        return Session(self._engine.execution_options(**{READONLY: True}), expire_on_commit=False)

    # -- changing ----------------------------------------------------------------------

    def retry(self, ids: Iterable[int]) -> int:
        """Let jobs run again; see `isthmus.job.Queue.retry`."""
        fresh = {
            "eta": None, "retry": 0, "rescues": 0, "deferrals": 0, "finished_at": None, "superseded_by": None,
        }  # fmt: skip

        def again(connection: Connection, job_id: int, state: State) -> bool:
            if state is State.PENDING:
                now = update(JOBS).where(JOBS.c.id == job_id, in_state(State.PENDING)).values(eta=None)
                return connection.execute(now).rowcount == 1
            key = connection.scalar(select(JOBS.c.identity_key).where(JOBS.c.id == job_id))
            winner = key and connection.scalar(
                select(JOBS.c.id).where(JOBS.c.identity_key == key, text(KEY_HELD))
            )
            if winner:
                raise JobStateError(
                    f"job {job_id} cannot run again: the equal job {winner} is waiting to be run"
                )
            step = move(state, State.PENDING, JOBS.c.id == job_id).values(**fresh)
            return connection.execute(step).rowcount == 1

        return self._change(ids, State.PENDING, again, also=State.PENDING)

    def cancel(self, ids: Iterable[int], by: str) -> int:
        """Give jobs up; see `isthmus.job.Queue.cancel`."""
        return self._change(ids, State.CANCELLED, self._ends(State.CANCELLED, "cancelled", by))

    def done(self, ids: Iterable[int], by: str) -> int:
        """Say that jobs need not run; see `isthmus.job.Queue.done`."""
        return self._change(ids, State.DONE, self._ends(State.DONE, "set to done", by))

    def _ends(self, target: State, word: str, by: str) -> Callable[[Connection, int, State], bool]:
        note = f"{word} by {by}" if by else f"{word} by hand"

        def end(connection: Connection, job_id: int, state: State) -> bool:
            step = move(state, target, JOBS.c.id == job_id).values(
                finished_at=self._times.now(), owner=None, lease_until=None, eta=None, error=note
            )
            return connection.execute(step).rowcount == 1

        return end

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
                        return len(wanted)
                    connection.rollback()
            except IntegrityError:
                pass  # an equal job came in between; the next look names it
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


def _state(name: State | str) -> State:
    try:
        return State(name)
    except ValueError:
        raise JobStateError(
            f"{name!r} is no state of a job{near(str(name), [s.value for s in State])}"
        ) from None
