"""Statements that go to the driver as they are tell of trouble as all others do."""

import sqlite3
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from isthmus.errors import DatabaseBusyError
from isthmus.job.driver import execute
from isthmus.testing.databases import Kind


def test_a_statement_gets_its_values(by_hand: Any, database_kind: Kind) -> None:
    """
    By name, in the driver's own form.
    """
    mark = ":one" if database_kind == "sqlite" else "%(one)s"
    with by_hand.engine.begin() as connection:
        found = execute(connection, f"SELECT {mark}", {"one": "it's"}).fetchone()

    assert tuple(found) == ("it's",)


def test_what_the_database_refuses_stays_the_driver_s_error(by_hand: Any) -> None:
    """
    It would be refused the next time, too.
    """
    refused = (psycopg.Error, sqlite3.Error)

    with by_hand.engine.connect() as connection, pytest.raises(refused, match="nothing"):
        execute(connection, "SELECT nothing_like_it", {})


def test_a_lock_that_stays_is_told_as_busy(by_hand: Any, database_kind: Kind) -> None:
    """
    So that it is tried again.
    """
    sqlite = database_kind == "sqlite"
    hurry = "PRAGMA busy_timeout=1" if sqlite else "SET lock_timeout='10ms'"
    write = "DELETE FROM isthmus_job" if sqlite else "LOCK TABLE isthmus_job"
    with by_hand.engine.connect() as waiter, by_hand.engine.begin() as holder:
        plain = waiter.execution_options(isolation_level="AUTOCOMMIT")
        plain.execute(text(hurry))
        holder.execute(text(write))
        with pytest.raises(DatabaseBusyError) as caught:
            execute(plain, "DELETE FROM isthmus_job", {})
        plain.invalidate()

    assert str(caught.value).startswith("the database is busy or away: ")
    assert isinstance(caught.value.__cause__, (psycopg.Error, sqlite3.Error))


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_cut_connection_is_told_as_away(by_hand: Any) -> None:
    """
    The next one may go through.
    """
    with by_hand.engine.connect() as cut, by_hand.engine.begin() as other:
        pid = cut.connection.driver_connection.info.backend_pid
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(DatabaseBusyError):
            execute(cut, "SELECT 1", {})
        cut.invalidate()
