"""Databases for tests are real, separate, and gone afterwards."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from isthmus.errors import SettingsError
from isthmus.testing import Databases
from isthmus.testing.databases import VARIABLE, Kind


def run_sql(url: str, *statements: str) -> list[tuple]:
    """Run the statements and tell the rows of the last one."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            return rows
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_a_database_is_empty_and_takes_tables(database_url: str) -> None:
    """
    The URL given to a test is that of a working database with nothing in it.
    """
    rows = run_sql(
        database_url, "CREATE TABLE thing (id int)", "INSERT INTO thing VALUES (7)", "SELECT * FROM thing"
    )

    assert rows == [(7,)]


def test_two_databases_do_not_see_each_other(databases: Databases, database_kind: Kind) -> None:
    """
    What one test writes, another never reads.
    """
    with databases.fresh(database_kind) as one, databases.fresh(database_kind) as other:
        run_sql(one, "CREATE TABLE thing (id int)")
        run_sql(other, "CREATE TABLE thing (id int)")
        run_sql(one, "INSERT INTO thing VALUES (1)")

        assert run_sql(other, "SELECT * FROM thing") == []


def test_a_schema_is_made_once_and_copied(databases: Databases, database_kind: Kind) -> None:
    """
    The migrations run once for each kind of database, however many databases are made.
    """
    migrated = []

    def migrate(url: str) -> None:
        migrated.append(url)
        run_sql(url, "CREATE TABLE thing (id int)", "INSERT INTO thing VALUES (1)")

    with databases.fresh(database_kind, migrate) as one, databases.fresh(database_kind, migrate) as other:
        run_sql(one, "INSERT INTO thing VALUES (2)")

        assert run_sql(other, "SELECT * FROM thing") == [(1,)]
        assert len(migrated) == 1
        assert one not in migrated


def test_what_is_in_the_write_ahead_log_is_copied(databases: Databases) -> None:
    """
    A migration that leaves SQLite in WAL mode loses nothing, and the copy is in that mode too.
    """

    def migrate(url: str) -> None:
        run_sql(url, "PRAGMA journal_mode=WAL")
        run_sql(url, "CREATE TABLE thing (id int)", "INSERT INTO thing VALUES (1)")

    with databases.fresh("sqlite", migrate) as url:
        assert run_sql(url, "SELECT * FROM thing") == [(1,)]
        assert run_sql(url, "PRAGMA journal_mode") == [("wal",)]


def test_a_dropped_database_is_gone(databases: Databases) -> None:
    """
    After the test its PostgreSQL database does not exist any more.
    """
    with databases.fresh("postgresql") as url:
        pass

    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        run_sql(url, "SELECT 1")


def test_a_connection_left_open_fails_the_test(databases: Databases) -> None:
    """
    A test that leaks a connection is told so, and its database is removed all the same.
    """
    leaked = None

    def leak() -> None:
        nonlocal leaked
        with databases.fresh("postgresql") as url:
            leaked = psycopg.connect(url.replace("+psycopg", ""))

    with pytest.raises(AssertionError, match=r"1 connection\(s\) to the test's database are still open"):
        leak()
    with pytest.raises(psycopg.OperationalError):
        leaked.execute("SELECT 1")
    leaked.close()


def test_closing_removes_the_files_and_templates(tmp_path: Path) -> None:
    """
    Nothing is left in the folder once the databases are closed.
    """
    with Databases(tmp_path) as databases:
        databases.create("sqlite", lambda url: run_sql(url, "PRAGMA journal_mode=WAL"))
        assert len(list(tmp_path.iterdir())) == 2

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://localhost/test", "tests take a PostgreSQL URL, not one of 'mysql'; "),
        ("postgresql://nobody:hush@127.0.0.1:1/test", "no connection to the PostgreSQL server for tests: "),
    ],
)
def test_a_server_that_cannot_be_used_is_an_error_and_no_skip(
    url: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Without PostgreSQL the tests fail, say what to set or install, and print no password.
    """
    monkeypatch.setenv(VARIABLE, url)

    with pytest.raises(SettingsError) as caught, Databases(tmp_path) as databases:
        databases.create("postgresql")

    assert str(caught.value).startswith(message)
    assert VARIABLE in str(caught.value)
    assert "hush" not in str(caught.value)


def test_the_server_that_the_variable_names_is_used(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    ISTHMUS_TEST_DATABASE_URL decides where the PostgreSQL databases are made, whichever way it is spelt.
    """
    with databases.fresh("postgresql") as server:
        monkeypatch.setenv(VARIABLE, server.replace("postgresql+psycopg:", "postgres:"))
        with Databases(tmp_path) as others, others.fresh("postgresql") as url:
            names = run_sql(server, "SELECT datname FROM pg_database")

        assert (url.partition("?")[0].rpartition("/")[2],) in names
        assert url.startswith("postgresql+psycopg:")


def test_the_pytest_plugin_loads_nothing_heavy() -> None:
    """
    Everybody's pytest loads the plugin, so it brings no database library with it.
    """
    program = "import sys, isthmus.testing.pytest_plugin; print(*sorted(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert {"sqlalchemy", "psycopg", "alembic", "httpx2"}.isdisjoint(loaded.stdout.split())
