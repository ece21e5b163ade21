"""How a claimed job ends: each ending is one statement that only the claim's own attempt can make."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, Update, select, text, update
from sqlalchemy.exc import IntegrityError

from isthmus.clock import Clock
from isthmus.errors import DatabaseBusyError, MaxRetriesError
from isthmus.job.claimed import Claimed
from isthmus.job.failure import Failure
from isthmus.job.moves import Times, in_state, move
from isthmus.job.state import State
from isthmus.job.table import JOBS, KEY_HELD
from isthmus.store.sql.engine import READONLY

logger = logging.getLogger("isthmus.job")

MOST_RESCUES: Final = 5
"""How often a job without a limit of retries is run again after it took its worker with it."""

_ROUNDS: Final = 20
_TRIES: Final = 30
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of running a job once.

    Attributes:
        job_id: The job.
        state: The state it has now; None when this attempt had lost it, so that nothing was written.
        message: Why, for people; empty when it simply went well.
    """

    job_id: int
    state: State | None
    message: str = ""


class Outcomes:
    """Writes the endings of claimed jobs, from transactions of their own.

    Args:
        engine: The hub's engine.
        clock: Waits while the database is away.
        times: Whose time counts.
    """

    def __init__(self, engine: Engine, clock: Clock, times: Times) -> None:
        self._engine = engine
        self._clock = clock
        self._times = times

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection that only reads; on SQLite it waits for no writer."""
        with self._engine.connect() as plain:
            connection = plain.execution_options(**{READONLY: True})
            with connection.begin():
                yield connection

    # -- statements --------------------------------------------------------------------

    def holding(self, job: Claimed, lease: timedelta) -> Update:
        """Make the statement that checks that the claim still holds, and prolongs it."""
        held = update(JOBS).where(in_state(State.STARTED), *_fence(job))
        return held.values(lease_until=self._times.after(lease))

    def ending(self, job: Claimed, target: State, **values: Any) -> Update:
        """Make the statement that ends a claim."""
        ended: dict[str, Any] = {"owner": None, "lease_until": None}
        if target is not State.PENDING:
            ended |= {"finished_at": self._times.now(), "eta": None}
        return move(State.STARTED, target, *_fence(job)).values(**values | ended)

    def done_statement(self, job: Claimed, result: str | None) -> Update:
        """Make the statement that marks a job done."""
        return self.ending(
            job, State.DONE, result=result, error_type=None, error=None, traceback=None, deferrals=0
        )

    # -- endings -----------------------------------------------------------------------

    def done(self, job: Claimed, result: str | None) -> bool:
        """Mark a job done that has changed nothing in its last transaction."""
        return self._insist(lambda: self._execute(self.done_statement(job, result)))

    def fail(self, job: Claimed, failure: Failure) -> State | None:
        """Give a job up."""
        statement = self.ending(job, State.FAILED, **_told(failure), deferrals=0)
        return State.FAILED if self._insist(lambda: self._execute(statement)) else None

    def retry(self, job: Claimed, failure: Failure, wait: timedelta) -> State | None:
        """Try a job again later; the last try of those it has makes it fail."""
        number = job.retry + 1
        if job.max_retries and number >= job.max_retries:
            message = f"tried {number} times of {job.max_retries}; the last failure: {failure.message}"
            return self.fail(job, Failure(_name(MaxRetriesError), message, failure.traceback))
        return self._insist(
            lambda: self._back(job, eta=self._times.after(wait), retry=number, deferrals=0, **_told(failure))
        )

    def defer(self, job: Claimed, failure: Failure, wait: timedelta) -> State | None:
        """Try a job again later at no cost."""
        return self._insist(
            lambda: self._back(
                job, eta=self._times.after(wait), deferrals=job.deferrals + 1, **_told(failure)
            )
        )

    def hand_back(self, job: Claimed) -> State | None:
        """Give a job back as it was claimed: this process ends."""
        return self._back(job)

    def rescue(self, job: Claimed, *, overdue: bool) -> bool:
        """Take back a job whose worker is gone.

        Args:
            job: The claim that is lost.
            overdue: True when only its lease says so; a lease that was prolonged meanwhile holds.
        """
        conditions = [self._times.past(JOBS.c.lease_until)] if overdue else []
        rescues, number = job.rescues + 1, job.retry + 1
        message = f"its worker ended, or gave no sign, while running it ({rescues} times)"
        values: dict[str, Any] = {
            "retry": number,
            "rescues": rescues,
            "error_type": _name(MaxRetriesError),
            "error": message,
            "traceback": None,
        }
        logger.warning("job %s (%s) is taken back: %s", job.id, job.label, message)
        if number >= job.max_retries if job.max_retries else rescues > MOST_RESCUES:
            return self._execute(self.ending(job, State.FAILED, **values).where(*conditions))
        values["error_type"] = None
        return self._back(job, *conditions, eta=None, **values) is not None

    # -- ways --------------------------------------------------------------------------

    def _execute(self, statement: Update) -> bool:
        with self._engine.begin() as connection:
            return connection.execute(statement).rowcount == 1

    def _back(self, job: Claimed, *conditions: Any, **values: Any) -> State | None:
        """Return a job to the line, or let it give way to an equal one that waits there by now.

        Raises:
            DatabaseBusyError: When equal jobs keep coming and going.
            IntegrityError: When it is not about equal jobs, which cannot be.
        """
        statement = self.ending(job, State.PENDING, **values).where(*conditions)
        for _ in range(_ROUNDS):
            try:
                return State.PENDING if self._execute(statement) else None
            except IntegrityError:
                if job.identity_key is None:
                    raise
            with self._engine.begin() as connection:
                winner = connection.scalar(
                    select(JOBS.c.id).where(JOBS.c.identity_key == job.identity_key, text(KEY_HELD))
                )
                if winner is not None:
                    gone = self.ending(job, State.CANCELLED, **values, superseded_by=winner)
                    changed = connection.execute(gone.where(*conditions)).rowcount
                    return State.CANCELLED if changed else None
        raise DatabaseBusyError(f"jobs equal to job {job.id} come and go too fast")

    def _insist(self, write: Callable[[], _T]) -> _T:
        """Write although the database is busy or away for a while: the ending is not to be lost."""
        for number in range(_TRIES):
            try:
                return write()
            except DatabaseBusyError as exc:
                logger.warning("the end of a job cannot be written yet: %s", exc)
                self._clock.sleep(min(0.1 * 2**number, 5.0))
        return write()


def _fence(job: Claimed) -> tuple[Any, Any]:
    return (JOBS.c.id == job.id, JOBS.c.attempt == job.attempt)


def _told(failure: Failure) -> dict[str, Any]:
    return {"error_type": failure.type, "error": failure.message, "traceback": failure.traceback}


def _name(error: type[Exception]) -> str:
    return f"{error.__module__}.{error.__qualname__}"
