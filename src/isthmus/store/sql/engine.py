"""Engines for the two databases, with the settings that our guarantees need."""

import os
import re
import sqlite3
import time
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

import psycopg.errors
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, ExceptionContext, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    IntegrityError,
    InvalidatePoolError,
    NoSuchModuleError,
    StatementError,
)
from sqlalchemy.pool import ConnectionPoolEntry

from isthmus.errors import DatabaseBusyError, ReadonlyError, SettingsError
from isthmus.store.sql.ready import is_writable, readable

READONLY: Final = "isthmus_readonly"
"""Execution option of a connection: its transaction will not write."""
WRITTEN: Final = "isthmus_written"
"""Key in ``Connection.info``: the first writing statement since somebody took it out."""

_USED: Final = "isthmus_used"
_BUSY_TIMEOUT_MS: Final = 10_000
_TURN_MS: Final = 1
_LOCK_TIMEOUT_MS: Final = 10_000
_IDLE_TIMEOUT_MS: Final = 120_000
_NOTICE_A_DEAD_PEER: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""libpq's options that end a connection whose other end vanished without a word, after some 10 seconds."""
_TRUSTED_S: Final = 1.0
"""Seconds after its last use within which a connection is taken for alive; later it is asked first."""
_ANSWER_S: Final = 5.0
"""Seconds in which a connection tells that it is alive."""
DATA_ERRORS: Final = (IntegrityError, DataError, StatementError, UnicodeEncodeError)
"""What the database and its driver raise about values: one record's trouble, not the connection's."""
_WRITES: Final = re.compile(
    r"\s*(?:(?:INSERT|UPDATE|DELETE|REPLACE|MERGE|CREATE|ALTER|DROP|TRUNCATE|COPY)\b"
    r"|WITH\b.*\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s)",
    re.IGNORECASE | re.DOTALL,
)
_PG_RETRY: Final = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.AdminShutdown,
    psycopg.errors.CrashShutdown,
    psycopg.errors.CannotConnectNow,
    psycopg.errors.IdleInTransactionSessionTimeout,
)


def make_engine(url: str | URL, *, pool_size: int = 10) -> Engine:
    """Make an engine for SQLite or PostgreSQL.

    SQLite gets WAL with ``synchronous=FULL`` (NORMAL can lose acknowledged commits at power loss), foreign
    keys, and explicit transactions: IMMEDIATE unless readonly, because a deferred one that turns
    into a writer fails at once under concurrency.

    Args:
        url: ``sqlite:///path`` or ``postgresql+psycopg://...`` (``postgresql://`` is taken as the latter).
        pool_size: Connections kept open.

    Raises:
        SettingsError: When the URL is malformed or names another database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise SettingsError(
            "database_url cannot be read; it looks like sqlite:///isthmus.db "
            "or postgresql+psycopg://user@host/name"
        ) from exc
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise SettingsError(
            f"database {parsed.get_backend_name()!r} is not supported; use sqlite or postgresql"
        )
    options: dict[str, Any] = {}
    if parsed.database not in {None, "", ":memory:"}:
        # Bounded by the threads that there are: one that waits for another's connection may wait for ever.
        options = {"pool_size": pool_size, "max_overflow": -1}
    if parsed.get_backend_name() == "postgresql":
        options["connect_args"] = {
            "options": f"-c lock_timeout={_LOCK_TIMEOUT_MS} -c timezone=UTC "
            f"-c idle_in_transaction_session_timeout={_IDLE_TIMEOUT_MS}",
            **_NOTICE_A_DEAD_PEER,
        }
    try:
        engine = create_engine(parsed, **options)
    except (NoSuchModuleError, ArgumentError) as exc:
        raise SettingsError(f"database driver {parsed.drivername!r} is not known") from exc
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    else:
        event.listen(engine, "checkin", _note_use)
        event.listen(engine, "checkout", _ask_whether_alive)
    event.listen(engine, "handle_error", _translate)
    if options:  # in memory the only connection is the database
        _forked.add(engine)
    return engine


_forked: "WeakSet[Engine]" = WeakSet()
_of_the_parent: list[Any] = []


def _leave_to_parent() -> None:
    """Let a forked child make connections of its own.

    Those it has inherited it neither uses nor closes: at their other ends the parent goes on.
    """
    for engine in _forked:
        _of_the_parent.append(engine.pool)
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_leave_to_parent)


def _note_use(_dbapi_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[_USED] = time.monotonic()


def _ask_whether_alive(dbapi_connection: Any, record: ConnectionPoolEntry, _fairy: Any) -> None:
    """Ask a connection that was not used for a while; the pool's own way asks every time.

    Raises:
        InvalidatePoolError: When it is dead; the others of the same age are then, too.
    """
    used = record.info.get(_USED)
    if used is None or time.monotonic() - used < _TRUSTED_S:
        return
    if not answers(dbapi_connection):
        raise InvalidatePoolError


def answers(driver: "psycopg.Connection[Any]") -> bool:
    """Ask a connection of PostgreSQL's driver that nothing is under way on whether it lives.

    One whose other end vanished without a word takes the question in and never answers: it is given a
    few seconds, which the driver's own call is not.
    """
    try:
        wire = driver.pgconn
        wire.send_query(b"")
        end = time.monotonic() + _ANSWER_S
        while wire.flush():
            if not is_writable(wire.socket, max(0.0, end - time.monotonic())):
                return False
        while True:
            while wire.is_busy():
                if not readable([wire.socket], max(0.0, end - time.monotonic())):
                    return False
                wire.consume_input()
            if wire.get_result() is None:
                return wire.status == psycopg.pq.ConnStatus.OK
    except (psycopg.Error, OSError, ValueError):
        return False


def _sqlite_connect(dbapi_connection: Any, _record: Any) -> None:
    # The driver's own idea of transactions is switched off; "begin" below says BEGIN.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    # LIKE is case-sensitive and lower() knows all alphabets, as on PostgreSQL.
    cursor.execute("PRAGMA case_sensitive_like=ON")
    cursor.close()
    dbapi_connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _sqlite_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("isolation_level") == "AUTOCOMMIT":
        return
    if options.get(READONLY, False):
        connection.exec_driver_sql("BEGIN")
        return
    _take_turn(connection, connection.connection.driver_connection)


def _take_turn(connection: Connection, driver: Any) -> None:
    """Begin as soon as the writer before us has ended.

    SQLite's own wait looks again after 1, 2, 5 ... 100 ms, so that of writers with short transactions one is
    lucky and the others stand still.
    """
    driver.execute(f"PRAGMA busy_timeout={_TURN_MS}")
    try:
        for _ in range(_BUSY_TIMEOUT_MS // _TURN_MS):
            with suppress(sqlite3.OperationalError):
                driver.execute("BEGIN IMMEDIATE")
                return
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # says what is the matter, in the usual way
    finally:
        driver.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")


_observed: "WeakSet[Engine]" = WeakSet()


def observe_writes(engine: Engine) -> None:
    """Let connections note their first writing statement, whoever sends it: Core and text too."""
    if engine not in _observed:
        _observed.add(engine)
        event.listen(engine, "before_cursor_execute", _note_write)


def _note_write(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    if WRITTEN in connection.info or not _WRITES.match(statement):
        return
    what = "statement " + " ".join(statement.split(None, 3)[:3])
    if connection.get_execution_options().get(READONLY):
        raise ReadonlyError(f"{what}: this env is readonly")
    connection.info[WRITTEN] = what


def is_busy(error: BaseException | None) -> bool:
    """Tell whether a driver's error means: concurrency or a lost connection, try again."""
    if isinstance(error, sqlite3.OperationalError):
        return "locked" in str(error) or "busy" in str(error)
    if isinstance(error, _PG_RETRY):
        return True
    # A cut connection has no SQL state.
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


def _translate(context: ExceptionContext) -> BaseException | None:
    if not is_busy(context.original_exception):
        return None
    reason = str(context.original_exception).strip().splitlines()[0]
    error = DatabaseBusyError(f"the database is busy or away: {reason}")
    error.__cause__ = context.original_exception
    raise error from context.original_exception
