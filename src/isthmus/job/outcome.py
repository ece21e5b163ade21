"""How a claimed job ends: each ending is one statement that only the claim's own attempt can make."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Dialect, Update, select, text
from sqlalchemy.exc import IntegrityError

from isthmus.clock import Clock
from isthmus.errors import DatabaseBusyError, MaxRetriesError
from isthmus.job.claimed import Claimed
from isthmus.job.failure import Failure
from isthmus.job.graph.dependents import settle
from isthmus.job.line import Line
from isthmus.job.moves import Times, move
from isthmus.job.rows import wake_idle
from isthmus.job.state import State
from isthmus.job.statements import Statements
from isthmus.job.table import JOBS, KEY_HELD, WORKERS

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
        error_type: Full name of the error's class; empty without one.
    """

    job_id: int
    state: State | None
    message: str = ""
    error_type: str = ""


class Outcomes:
    """Writes the endings of claimed jobs, from transactions of their own.

    Args:
        line: The queue's connections.
        clock: Waits while the database is away.
        times: Whose time counts.
        dialect: The database's.

    Attributes:
        on_failed: Told of each job that has failed for good, after that is stored.
    """

    def __init__(self, line: Line, clock: Clock, times: Times, dialect: Dialect) -> None:
        self._line = line
        self._clock = clock
        self._times = times
        self._held = text(KEY_HELD[dialect.name])
        self._statements = Statements(times, dialect)
        self.on_failed: Callable[[Claimed, Failure], object] | None = None

    # -- in the job's own transaction --------------------------------------------------

    def check(self, connection: Connection, job: Claimed) -> bool:
        """Tell whether the claim still holds, and let it hold until the end of the transaction."""
        return self._statements.hold.first(connection, _claim(job)) is not None

    def finish(self, connection: Connection, job: Claimed, result: str | None) -> bool:
        """Mark a job done in the transaction of its effects; False when it was lost."""
        found = self._statements.done.first(connection, _claim(job) | {"result_": result})
        if found is not None and found[0] is not None:
            self._settle(connection, [job.id], State.DONE)
        return found is not None

    def finish_all(self, connection: Connection, results: Mapping[int, str | None], first: Claimed) -> bool:
        """Mark jobs of one claim done, all or none.

        Args:
            connection: Where; on one that commits by itself only when no result is to be stored.
            results: The results by job.
            first: One of them.
        """
        parameters = {"worker_": first.worker_id, "claim_": first.claim_no} | self._times.parameters()
        found = connection.execute(self._statements.done_all, parameters | {"ids_": list(results)}).all()
        if len(found) != len(results):
            return False
        kept = [
            {"id_": job_id, "result_": result} for job_id, result in results.items() if result is not None
        ]
        if kept:
            connection.execute(self._statements.keep_result, kept)
        ended = [int(job_id) for job_id, graph_id in found if graph_id is not None]
        if ended:
            self._settle(connection, ended, State.DONE)
        return True

    # -- endings -----------------------------------------------------------------------

    def done(self, job: Claimed, result: str | None) -> bool:
        """Mark a job done that has changed nothing in its last transaction."""
        parameters = _claim(job) | {"result_": result}

        def write() -> bool:
            with self._line.connection() as connection:
                return self._statements.done_single.first(connection, parameters) is not None

        # In a graph, whose next jobs go with it; or lost.
        return self._insist(write) or self._insist(lambda: self._finish(job, result))

    def _finish(self, job: Claimed, result: str | None) -> bool:
        with self._line.transaction() as connection:
            return self.finish(connection, job, result)

    def done_all(self, results: Mapping[int, str | None], first: Claimed) -> bool:
        """Mark jobs of one claim done, all or none, that have changed nothing."""

        def write() -> bool:
            with self._line.transaction() as connection:
                if self.finish_all(connection, results, first):
                    return True
                connection.rollback()
                return False

        return self._insist(write)

    def fail(self, job: Claimed, failure: Failure, because: Failure | None = None) -> State | None:
        """Give a job up.

        Args:
            job: The claim.
            failure: Why, as it is stored.
            because: The error itself, when *failure* says only that it was one too many.
        """
        statement = self._ending(job, State.FAILED, **_told(failure), deferrals=0)
        if not self._insist(lambda: self._end(job, statement, State.FAILED)):
            return None
        self._tell(job, because or failure)
        return State.FAILED

    def _tell(self, job: Claimed, failure: Failure) -> None:
        if self.on_failed is not None:
            self.on_failed(job, failure)

    def retry(self, job: Claimed, failure: Failure, wait: timedelta) -> State | None:
        """Try a job again later; the last try of those it has makes it fail."""
        number = job.retry + 1
        if job.max_retries and number >= job.max_retries:
            message = f"tried {number} times of {job.max_retries}; the last failure: {failure.message}"
            return self.fail(job, Failure(_name(MaxRetriesError), message, failure.traceback), failure)
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

    def unclaim(self, job: Claimed, *, overdue: bool = False) -> bool:
        """Give a job back as it was claimed: it is not run after all.

        Args:
            job: The claim.
            overdue: True when only the lease of its worker says so.
        """
        return self._back(job, *self._if_overdue(job, overdue)) is not None

    def suspect(self, job: Claimed, *, overdue: bool) -> bool:
        """Give a job back whose worker died while running a batch it was in: next time it runs alone."""
        return self._back(job, *self._if_overdue(job, overdue), alone=True) is not None

    def rescue(self, job: Claimed, *, overdue: bool) -> bool:
        """Take back a job whose worker is gone.

        Args:
            job: The claim that is lost.
            overdue: True when only its lease says so; a lease that was prolonged meanwhile holds.
        """
        conditions = self._if_overdue(job, overdue)
        rescues, number = job.rescues + 1, job.retry + 1
        message = f"its worker ended, or gave no sign, while running it ({rescues} times)"
        values: dict[str, Any] = {
            "retry": number,
            "rescues": rescues,
            "error_type": _name(MaxRetriesError),
            "error": message,
            "traceback": None,
        }
        if number >= job.max_retries if job.max_retries else rescues > MOST_RESCUES:
            failed = self._ending(job, State.FAILED, **values).where(*conditions)
            if not self._end(job, failed, State.FAILED):
                return False
            self._tell(job, Failure(_name(MaxRetriesError), message))
            return True
        values["error_type"] = None
        if self._back(job, *conditions, eta=None, **values) is None:
            return False
        logger.warning("job %s (%s) is taken back: %s", job.id, job.label, message)
        return True

    # -- ways --------------------------------------------------------------------------

    def _if_overdue(self, job: Claimed, overdue: bool) -> list[Any]:
        if not overdue:
            return []
        late = select(WORKERS.c.id).where(
            WORKERS.c.id == job.worker_id, self._times.past(WORKERS.c.lease_until)
        )
        return [late.exists()]

    def _ending(self, job: Claimed, target: State, **values: Any) -> Update:
        """Make the statement that ends a claim."""
        ended: dict[str, Any] = {"worker_id": None, "claim_no": None}
        if target is not State.PENDING:
            ended |= {"finished_at": self._times.now(), "eta": None}
        held = (JOBS.c.id == job.id, JOBS.c.attempt == job.attempt)
        return move(State.STARTED, target, *held).values(**ended | values).returning(JOBS.c.graph_id)

    def _end(self, job: Claimed, statement: Update, state: State) -> bool:
        with self._line.transaction() as connection:
            return self._end_in(connection, job, statement, state)

    def _end_in(self, connection: Connection, job: Claimed, statement: Update, state: State) -> bool:
        if not self._is_free(connection, job):
            return False
        found = connection.execute(statement).first()
        if found is not None and found[0] is not None:
            self._settle(connection, [job.id], state)
        return found is not None

    def _settle(self, connection: Connection, ended: Sequence[int], state: State) -> None:
        """Tell the jobs that wait for these; what is released wakes idle workers with the commit."""
        if settle(connection.execute, ended, state, self._times).released:
            wake_idle(connection)

    def _is_free(self, connection: Connection, job: Claimed) -> bool:
        """Take the job's row; False when another transaction is about to end the job: nobody waits for it."""
        mine = select(JOBS.c.id).where(JOBS.c.id == job.id).with_for_update(skip_locked=True)
        return connection.execute(mine).first() is not None

    def _back(self, job: Claimed, *conditions: Any, **values: Any) -> State | None:
        """Return a job to the line, or let it give way to an equal one that waits there by now.

        Raises:
            DatabaseBusyError: When equal jobs keep coming and going.
            IntegrityError: When it is not about equal jobs, which cannot be.
        """
        statement = self._ending(job, State.PENDING, **values).where(*conditions)
        for _ in range(_ROUNDS):
            try:
                with self._line.transaction() as connection:
                    if not self._is_free(connection, job):
                        return None
                    return State.PENDING if connection.execute(statement).first() is not None else None
            except IntegrityError:
                if job.identity_key is None:
                    raise
            with self._line.transaction() as connection:
                winner = connection.scalar(
                    select(JOBS.c.id).where(JOBS.c.identity_key == job.identity_key, self._held)
                )
                if winner is not None:
                    gone = self._ending(job, State.CANCELLED, **values, superseded_by=winner)
                    changed = self._end_in(connection, job, gone.where(*conditions), State.CANCELLED)
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


def _claim(job: Claimed) -> dict[str, Any]:
    return {"id_": job.id, "attempt_": job.attempt}


def _told(failure: Failure) -> dict[str, Any]:
    return {"error_type": failure.type, "error": failure.message, "traceback": failure.traceback}


def _name(error: type[Exception]) -> str:
    return f"{error.__module__}.{error.__qualname__}"
