"""Engines have the settings our guarantees need, and say in our words what goes wrong."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError

from isthmus.errors import DatabaseBusyError, SettingsError
from isthmus.store.sql import engine as engine_module
from isthmus.store.sql import make_engine
from isthmus.testing import Probe
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


def test_a_lock_that_stays_is_told_as_busy(engine: Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    On both databases, so that the job is tried again.
    """
    monkeypatch.setattr("isthmus.store.sql.engine._BUSY_TIMEOUT_MS", 200)
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


@pytest.fixture
def postgresql(databases: Databases) -> Iterator[Engine]:
    """An engine of PostgreSQL."""
    with databases.fresh("postgresql") as url:
        made = make_engine(url)
        yield made
        made.dispose()


def test_postgresql_is_told_to_notice_a_dead_peer(postgresql: Engine) -> None:
    """
    A wire that carries nothing any more is given up after some ten seconds, not after hours.
    """
    with postgresql.begin() as connection:
        given = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
        found = [
            connection.scalar(text(f"SHOW {name}"))
            for name in ("lock_timeout", "TimeZone", "idle_in_transaction_session_timeout")
        ]

    wanted = ("connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count")
    assert [given[name] for name in (*wanted, "tcp_user_timeout")] == ["10", "5", "2", "3", "10000"]
    assert found == ["10s", "UTC", "2min"]


class TestIdleConnections:
    def die(self, engine: Engine) -> None:
        """Leave a connection in the pool that the server has ended, and one that lives."""
        with engine.begin() as dies, engine.connect() as lives:
            pid = dies.scalar(text("SELECT pg_backend_pid()"))
            lives.execute(text("SELECT 1"))
        with engine.begin() as one, engine.begin() as two:
            pids = {c: c.scalar(text("SELECT pg_backend_pid()")) for c in (one, two)}
            (other,) = [c for c, found in pids.items() if found != pid]
            (dying,) = [c for c, found in pids.items() if found == pid]
            dying.commit()
            other.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})

    def use_all(self, engine: Engine) -> list[int]:
        """Use as many connections at once as there are in the pool."""
        with engine.begin() as first, engine.begin() as second:
            return [int(c.scalar(text("SELECT 1")) or 0) for c in (first, second)]

    def test_one_that_died_while_nobody_used_it_is_replaced(
        self, postgresql: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Who borrows it notices nothing.
        """
        self.die(postgresql)
        monkeypatch.setattr(engine_module, "_TRUSTED_S", -1.0)

        assert self.use_all(postgresql) == [1, 1]

    def test_one_that_was_used_just_now_is_trusted(
        self, postgresql: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Asking costs a round trip; what the trust was wrong about is told as a database that is away.
        """
        monkeypatch.setattr(engine_module, "_TRUSTED_S", 3_600.0)
        self.die(postgresql)

        with pytest.raises(DatabaseBusyError):
            self.use_all(postgresql)

    def test_asking_leaves_no_transaction_open(
        self, postgresql: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        The connection is as it was, and the same.
        """
        monkeypatch.setattr(engine_module, "_TRUSTED_S", -1.0)
        pids = []
        for _ in range(3):
            with postgresql.connect() as connection:
                driver = connection.connection.driver_connection
                status = driver.info.transaction_status  # type: ignore[union-attr]
                pids.append((driver.info.backend_pid, status.name))  # type: ignore[union-attr]

        assert len(set(pids)) == 1
        assert pids[0][1] == "IDLE"


class TestTurns:
    @pytest.fixture
    def sqlite(self, databases: Databases) -> Iterator[Engine]:
        """An engine of SQLite."""
        with databases.fresh("sqlite") as url:
            made = make_engine(url)
            yield made
            made.dispose()

    def test_a_writer_begins_when_the_one_before_has_ended(self, sqlite: Engine) -> None:
        """
        It waits, and then it is its turn.
        """
        order: list[str] = []
        waiting, written = threading.Event(), Probe[None]("written")

        def write() -> None:
            with sqlite.connect() as connection:
                waiting.set()
                connection.execute(text("CREATE TABLE second (id INTEGER)"))
                order.append("second")
                connection.commit()
            written(None)

        thread = threading.Thread(target=write)
        with sqlite.begin() as connection:
            connection.execute(text("CREATE TABLE first (id INTEGER)"))
            thread.start()
            waiting.wait(10)
            order.append("first")
        written.wait()
        thread.join()

        assert order == ["first", "second"]

    def test_one_that_waits_in_vain_hears_it_and_waits_as_long_the_next_time(
        self, sqlite: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        The connection's own patience is what it was.
        """
        with sqlite.connect() as waiter, sqlite.begin():
            with monkeypatch.context() as hurried:
                hurried.setattr(engine_module, "_BUSY_TIMEOUT_MS", 20)
                with pytest.raises(DatabaseBusyError, match="database is locked"):
                    waiter.execute(text("SELECT 1"))
            patience = waiter.connection.driver_connection.execute(  # type: ignore[union-attr]
                "PRAGMA busy_timeout"
            ).fetchone()

        assert patience == (20,)
