"""The statements that every job costs: made once, executed with parameters only."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Final, cast

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ClauseElement,
    Connection,
    Dialect,
    Executable,
    Update,
    bindparam,
    func,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects import sqlite

from isthmus.job.driver import execute
from isthmus.job.moves import Times
from isthmus.job.state import State, require
from isthmus.job.table import JOBS

_IS_STARTED: Final = JOBS.c.state.concat(literal_column("''")) == literal_column("'started'")
"""The condition that a job is started, in a form that hides it from the index of started jobs.

Those are few, as statistics know them, so that to walk over them all looks cheaper than to find one by its
number; but with claims of a hundred there are hundreds.
"""


class Prepared:
    """A statement that is compiled once and given to the database's driver as it is.

    What SQLAlchemy does for each execution takes two thirds of the time of a statement that is this
    small. On PostgreSQL with a clock of ours it is executed by SQLAlchemy all the same.

    Args:
        statement: The statement; nothing but the time is to be converted in its parameters.
        times: Whose time counts.
        dialect: The database's.
    """

    def __init__(self, statement: Executable, times: Times, dialect: Dialect) -> None:
        self._statement = statement
        self._times = times
        self._text: str | None = None
        self._fixed: Mapping[str, Any] = {}
        if dialect.name == "sqlite" or times.by_database:
            form = sqlite.dialect(paramstyle="named") if dialect.name == "sqlite" else dialect
            compiled = cast("ClauseElement", statement).compile(dialect=form)
            self._text = str(compiled)
            self._fixed = {
                n: value for n, value in compiled.params.items() if not n.endswith("_") and n != "now"
            }

    def first(self, connection: Connection, parameters: Mapping[str, Any]) -> Sequence[Any] | None:
        """Execute it and give its first row; None for none.

        Args:
            connection: Where.
            parameters: Those whose names end with an underscore.
        """
        if self._text is None:
            return connection.execute(self._statement, {**parameters, **self._times.parameters()}).first()
        given = {**self._fixed, **parameters}
        for name, moment in self._times.parameters().items():
            given[name] = moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        row: Sequence[Any] | None = execute(connection, self._text, given).fetchone()
        return row


class Statements:
    """The statements that end a job which went well.

    The parameters' names end with an underscore: without it they would be columns to set.

    Args:
        times: Whose time counts.
        dialect: The database's.

    Attributes:
        hold: Locks the row of a claim that still holds and gives its number.
        done: Marks a claimed job done and gives its graph.
        done_single: The same for a job of no graph only.
        done_all: Marks jobs of one claim done and gives their numbers and graphs.
        keep_result: Stores a result.
    """

    def __init__(self, times: Times, dialect: Dialect) -> None:
        ours = (JOBS.c.id == bindparam("id_"), JOBS.c.attempt == bindparam("attempt_"))
        hold = select(JOBS.c.id).where(_IS_STARTED, *ours).with_for_update(key_share=True)
        done = _done(times, *ours).values(result=bindparam("result_"))
        single = done.where(JOBS.c.graph_id.is_(None))
        self.hold = Prepared(hold, times, dialect)
        self.done = Prepared(done.returning(JOBS.c.graph_id), times, dialect)
        self.done_single = Prepared(single.returning(JOBS.c.id), times, dialect)
        one_claim = (JOBS.c.worker_id == bindparam("worker_"), JOBS.c.claim_no == bindparam("claim_"))
        self.done_all = (
            _done(times, one_of(dialect.name), *one_claim)
            .values(result=null())
            .returning(JOBS.c.id, JOBS.c.graph_id)
        )
        self.keep_result = (
            update(JOBS).where(JOBS.c.id == bindparam("id_")).values(result=bindparam("result_"))
        )


def one_of(dialect: str) -> Any:
    """Give the condition that a job is one of the parameter ``ids_``; the same text for any number."""
    if dialect == "postgresql":
        return JOBS.c.id == func.any(bindparam("ids_", type_=ARRAY(BigInteger)))
    return JOBS.c.id.in_(bindparam("ids_", expanding=True))


def _done(times: Times, *conditions: Any) -> Update:
    require(State.STARTED, State.DONE)
    # Written out, not given: each parameter takes the driver's time.
    return (
        update(JOBS)
        .where(_IS_STARTED, *conditions)
        .values(
            state=literal_column("'done'"),
            worker_id=null(),
            claim_no=null(),
            finished_at=times.moment,
            error_type=null(),
            error=null(),
            traceback=null(),
            deferrals=literal_column("0"),
        )
    )
