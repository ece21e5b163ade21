"""Steps between states as SQL, each checked against the table of transitions."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Engine, Update, bindparam, literal, literal_column, select, update

from isthmus.clock import Clock
from isthmus.job.state import State, require
from isthmus.job.table import JOBS
from isthmus.store.sql import UtcDateTime, database_now


class Times:
    """Instants as SQL: of the database's clock on PostgreSQL, so that skewed workers agree.

    Args:
        engine: The hub's engine.
        clock: Whose time counts on SQLite; a frozen one counts on both.

    Attributes:
        by_database: True when the database's clock counts.
        moment: SQL for now in a statement that is made once and executed often, with `parameters`.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self.by_database = not isinstance(database_now(engine, clock), BindParameter)
        self.moment: Any = self.now() if self.by_database else bindparam("now", type_=UtcDateTime())

    def parameters(self) -> dict[str, datetime]:
        """Give the parameters that statements with `moment` need."""
        return {} if self.by_database else {"now": self._clock.now()}

    def now(self) -> Any:
        """Give the SQL for now."""
        return database_now(self._engine, self._clock)

    def past(self, column: Any, moment: Any = None) -> Any:
        """Give the condition that a column's instant has come.

        PostgreSQL's clock may not be compared with an index as it is, since it goes on during the
        statement; a subquery reads it once.

        Args:
            column: The column.
            moment: `moment`, in a statement that is made once.
        """
        now = self.now() if moment is None else moment
        return column <= (now if isinstance(now, BindParameter) else select(now).scalar_subquery())

    def after(self, wait: timedelta) -> Any:
        """Give the SQL for the instant so long from now."""
        now = self.now()
        if isinstance(now, BindParameter):  # the clock's own time
            return literal(self._clock.now() + wait, type_=UtcDateTime())
        return now + wait


def in_state(state: State) -> Any:
    """Give the condition that a job is in a state; written out, since partial indexes need that."""
    return JOBS.c.state == literal_column(f"'{state}'")


def move(source: State, target: State, *conditions: Any) -> Update:
    """Begin the statement that takes jobs from one state to another.

    Raises:
        JobStateError: When the table of transitions has no such step.
    """  # noqa: DOC502 - raised by what is called
    require(source, target)
    return update(JOBS).where(in_state(source), *conditions).values(state=target.value)
