"""Waiting for work: an idle worker sleeps until a commit, its own process or the time wakes it."""

import logging
import os
import threading
import time
from contextlib import suppress
from typing import Any, Final
from weakref import finalize

import psycopg
from sqlalchemy import Engine, text

from isthmus.errors import DatabaseBusyError
from isthmus.job.line import Line
from isthmus.job.rows import NOTIFY
from isthmus.store.sql.engine import answers
from isthmus.store.sql.ready import readable

logger = logging.getLogger("isthmus.job")

_LONGEST_S: Final = 2.0
"""Seconds after which an idle worker on PostgreSQL looks for work although nobody called it."""
_LONGEST_SQLITE_S: Final = 0.5
_PEEK_S: Final = 0.02
"""Seconds between two looks whether another process has changed a SQLite file: there is no call there."""


class Wake:
    """Lets one thread of a process sleep until there may be work.

    Args:
        engine: The hub's engine.
        line: The queue's connections.
    """

    def __init__(self, engine: Engine, line: Line) -> None:
        self._engine = engine
        self._line = line
        self._on_postgresql = engine.dialect.name == "postgresql"
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        # Not with `close`, after which a worker may be started again.
        finalize(self, _close, self._reader, self._writer)
        self._sleeping = threading.Event()
        self._called = False
        self._connection: Any = None
        self._version: int | None = None

    @property
    def is_sleeping(self) -> bool:
        """True while a thread sleeps."""
        return self._sleeping.is_set()

    def nudge(self) -> None:
        """Wake the sleeping thread of this process; if there is none, the next sleep ends at once."""
        self._called = True
        if self._sleeping.is_set():
            with suppress(BlockingIOError):  # full: it will wake
                os.write(self._writer, b"x")

    def listen(self) -> None:
        """Begin to hear of commits of other processes, before the last look for work."""
        if self._on_postgresql and self._connection is None:
            try:
                connection = self._engine.connect()
                with self._line.under_way(connection):
                    connection.detach()
                    # Not `driver_connection`, which a detached connection does not know any more.
                    driver: Any = connection.connection.dbapi_connection
                    driver.autocommit = True
                    driver.execute(f"LISTEN {NOTIFY}")
            except (psycopg.Error, DatabaseBusyError) as exc:
                logger.debug("commits are not heard of for now: %s", exc)
            else:
                self._connection = connection

    def sleep(self, seconds: float | None) -> str | None:
        """Return when there may be work.

        Args:
            seconds: At most so long; None for as long as is sensible.

        Returns:
            The lane in which there is, when the call told it.
        """
        longest = _LONGEST_S if self._on_postgresql else _LONGEST_SQLITE_S
        wait = longest if seconds is None else min(seconds, longest)
        self._sleeping.set()
        try:
            if not self._called:
                if self._on_postgresql:
                    return self._sleep_on_postgresql(wait)
                self._sleep_on_sqlite(wait)
            return None
        finally:
            self._sleeping.clear()
            self._called = False
            with suppress(BlockingIOError):
                while os.read(self._reader, 4096):
                    pass

    def _sleep_on_postgresql(self, wait: float) -> str | None:
        lane = None
        files = [self._reader]
        driver = None if self._connection is None else self._connection.connection.dbapi_connection
        if driver is not None:
            files.append(driver.fileno())
        found = readable(files, wait)
        if driver is None:
            return None
        try:
            if driver.fileno() in found:
                driver.pgconn.consume_input()
            elif not found and not answers(driver):
                self._drop(driver)
                self._line.distrust()
                return None
            while (call := driver.pgconn.notifies()) is not None:
                lane = call.extra.decode() or None
        except psycopg.Error:
            self._drop(driver)
        return lane

    def _drop(self, driver: Any) -> None:
        """Close a dead connection, of which nothing can be asked any more."""
        driver.close()
        self._connection.invalidate()
        self.forget()

    def _sleep_on_sqlite(self, wait: float) -> None:
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            version = self._data_version()
            if version != self._version:
                self._version = version
                return
            if readable([self._reader], min(_PEEK_S, left)):
                return

    def _data_version(self) -> int:
        """Give a number that changes when another connection has committed."""
        with self._line.connection() as connection:
            return int(connection.execute(text("PRAGMA data_version")).scalar_one())

    def forget(self) -> None:
        """Close the connection; the next `listen` makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except Exception as exc:  # noqa: BLE001 - it is dead, which is why
                logger.debug("closing a dead connection: %s", type(exc).__name__)

    def close(self) -> None:
        """Hear nothing any more."""
        self.forget()


def _close(*files: int) -> None:
    for file in files:
        os.close(file)
