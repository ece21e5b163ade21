"""The queue's own connections: one a thread, on which each statement is a transaction of its own."""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection, CursorResult, Engine, Executable

from isthmus.store.sql.engine import READONLY

_of_the_parent: list[Any] = []
"""What a forked child has inherited. At the other ends is its parent, so nothing of it is used or closed."""


class Line:
    """Executes short statements of the queue: each commits by itself, which saves two round trips.

    A thread keeps its connection until it says `close`, so that none is taken from the pool and asked
    whether it lives for each job.

    Args:
        engine: The hub's engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._trust = 0
        self._begin()

    def _begin(self) -> None:
        self._own = threading.local()
        self._all: WeakSet[Connection] = WeakSet()
        self._busy: dict[object, tuple[float, Any]] = {}
        self._pid = os.getpid()

    def _leave_to_parent(self) -> None:
        """Begin anew in a forked child."""
        _of_the_parent.extend([self._own, *self._all])
        self._begin()

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> CursorResult[Any]:
        """Execute a statement and commit it.

        Args:
            statement: The statement.
            parameters: Its parameters.

        Raises:
            DatabaseBusyError: When the database is busy or away; the next statement gets a new connection.
        """  # noqa: DOC502 - raised by what is called
        with self.connection() as connection:
            return connection.execute(statement, parameters)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend this thread's connection; what is executed on it commits by itself."""
        if self._pid != os.getpid():
            self._leave_to_parent()
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is not None and self._own.trust != self._trust:
            self.close()
            connection = None
        if connection is None:
            self._own.trust = self._trust
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._own.connection = connection
            self._all.add(connection)
        try:
            with self.under_way(connection):
                yield connection
        except BaseException:
            del self._own.connection
            connection.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Lend a connection with a transaction of several statements; committed at the end of the block."""
        with self._engine.connect() as connection, self.under_way(connection), connection.begin():
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection that only reads; on SQLite it waits for no writer."""
        with self._engine.connect() as plain:
            connection = plain.execution_options(**{READONLY: True})
            with self.under_way(connection), connection.begin():
                yield connection

    @contextmanager
    def under_way(self, connection: Connection) -> Iterator[None]:
        """Let it be seen from when on the connection is in use (`stuck`)."""
        key = object()
        self._busy[key] = (time.monotonic(), connection.connection.driver_connection)
        try:
            yield
        finally:
            self._busy.pop(key, None)  # forked meanwhile, it is not there

    def close(self) -> None:
        """Give this thread's connection back."""
        if self._pid != os.getpid():
            self._leave_to_parent()
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is not None:
            del self._own.connection
            if self._own.trust != self._trust:
                connection.invalidate()  # its pool is not in use any more, and nobody would close it
            connection.close()

    def close_all(self) -> None:
        """Give every thread's connection back; nothing may be under way."""
        if self._pid != os.getpid():
            self._leave_to_parent()
        for connection in list(self._all):
            connection.close()
        self._own = threading.local()

    def stuck(self, limit_s: float) -> list[Any]:
        """List the driver's connections on which a statement has been under way for so many seconds."""
        now = time.monotonic()
        return [driver for since, driver in list(self._busy.values()) if now - since > limit_s]

    def distrust(self) -> None:
        """Give up every connection before its next use: one of their age was found dead."""
        self._trust += 1
        self._engine.dispose()
