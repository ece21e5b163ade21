"""Engines have the settings our guarantees need, and say in our words what goes wrong."""

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError

from isthmus.errors import DatabaseBusyError, SettingsError
from isthmus.store.sql import make_engine
from isthmus.testing.databases import Databases


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "no url",
            "database_url cannot be read; it looks like sqlite:///isthmus.db or postgresql+psycopg://",
        ),
        ("mysql://host/name", "database 'mysql' is not supported; use sqlite or postgresql"),
        ("postgresql+nothing://host/name", "database driver 'postgresql+nothing' is not known"),
    ],
)
def test_a_url_that_cannot_be_used_is_told(url: str, message: str) -> None:
    """
    Before anything is connected, and without the password.
    """
    with pytest.raises(SettingsError) as caught:
        make_engine(url)

    assert str(caught.value).startswith(message)


def test_sqlite_is_set_up_for_durability(databases: Databases) -> None:
    """
    A commit that was acknowledged survives a power loss; references are checked.
    """
    with databases.fresh("sqlite") as url:
        engine = make_engine(url)
        with engine.begin() as connection:
            found = [
                connection.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
        engine.dispose()

    assert found == ["wal", 2, 1, 10_000]


def _hurry(engine: Engine) -> None:
    """Wait for locks a hundredth of a second only."""

    def connected(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        sqlite = engine.dialect.name == "sqlite"
        cursor.execute("PRAGMA busy_timeout=10" if sqlite else "SET lock_timeout='10ms'")
        cursor.close()
        if not sqlite:
            connection.commit()  # type: ignore[attr-defined]

    event.listen(engine, "connect", connected)


def test_a_lock_that_stays_is_told_as_busy(engine: Engine, url: str) -> None:
    """
    On both databases, so that the job is tried again.
    """
    other = make_engine(url)
    _hurry(other)
    statement = text("DELETE FROM isthmus_rate")
    with engine.begin() as holder:
        holder.execute(text("LOCK TABLE isthmus_rate") if engine.dialect.name == "postgresql" else statement)
        with pytest.raises(DatabaseBusyError) as caught, other.begin() as waiter:
            waiter.execute(statement)
    other.dispose()

    assert str(caught.value).startswith("the database is busy or away: ")
    assert caught.value.__cause__ is not None


def test_a_database_that_is_away_is_told_as_busy() -> None:
    """
    A server that is restarted is waited for by the job, not by a person.
    """
    engine = make_engine("postgresql://nobody@127.0.0.1:1/none")

    with pytest.raises(DatabaseBusyError), engine.begin():
        pass


def test_other_errors_stay_what_they_are(engine: Engine) -> None:
    """
    Only concurrency and lost connections are tried again.
    """
    statement = text("INSERT INTO isthmus_rate (credential) VALUES ('x')")

    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(statement)
