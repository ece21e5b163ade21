"""Steps between states as SQL, each checked against the table of transitions."""

from datetime import timedelta
from typing import Any

from sqlalchemy import BindParameter, Engine, Update, literal, literal_column, select, update

from isthmus.clock import Clock
from isthmus.job.state import State, require
from isthmus.job.table import JOBS
from isthmus.store.sql import UtcDateTime, database_now


class Times:
    """Instants as SQL: of the database's clock on PostgreSQL, so that skewed workers agree.

    Args:
        engine: The hub's engine.
        clock: Whose time counts on SQLite; a frozen one counts on both.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def now(self) -> Any:
        """Give the SQL for now."""
        return database_now(self._engine, self._clock)

    def past(self, column: Any) -> Any:
        """Give the condition that a column's instant has come.

        PostgreSQL's clock may not be compared with an index as it is, since it goes on during the
        statement; a subquery reads it once.
        """
        now = self.now()
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
