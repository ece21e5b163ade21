"""Where the contest takes place: one PostgreSQL server, one Redis if there is one, SQLite files."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import psycopg

from by_isthmus import Isthmus, IsthmusOnSqlite
from contestant import Contestant, find
from isthmus.testing import Databases
from isthmus.testing._postgres import EmbeddedPostgres
from isthmus.testing.databases import VARIABLE, Kind
from measure import Budget, wait

_SETTINGS = (
    "server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers",
)  # fmt: skip


class Place:
    """Makes contestants, each with a database of its own, and removes everything at the end.

    PostgreSQL is the embedded one with its own settings, or the server in ``ISTHMUS_TEST_DATABASE_URL``.

    Args:
        budget: How large the grown table is.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._stack = ExitStack()
        self._made: dict[str, Contestant] = {}
        self._reasons: dict[str, str] = {}

    def __enter__(self) -> Self:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="isthmus-bench-"))
        embedded = None
        if VARIABLE not in os.environ:
            embedded = EmbeddedPostgres.open(durable=True)
            self._stack.callback(embedded.close)
        self._databases = self._stack.enter_context(Databases(Path(folder), embedded=embedded))
        return self

    def __exit__(self, *_: object) -> None:
        for contestant in self._made.values():
            contestant.close()
        self._stack.close()

    # -- contestants -------------------------------------------------------------------

    def contestant(self, name: str) -> Contestant:
        """Give a contestant on its database.

        Args:
            name: Of `contestant.MODULES`; ``isthmus sqlite`` and ``isthmus grown`` are there too.

        Raises:
            LookupError: When it cannot be had here; says why.
        """
        if name in self._reasons:
            raise LookupError(self._reasons[name])
        if name not in self._made:
            try:
                made = self._make(name)
            except LookupError as exc:
                self._reasons[name] = str(exc)
                raise
            made.install()
            if name == "isthmus grown":
                done, future = self._budget.done, self._budget.future
                print(f"filling a table with {done:,} done and {future:,} future jobs")
                made.grow(done, future)  # type: ignore[attr-defined]
                self.settle(made)
            self._made[name] = made
        return self._made[name]

    def _make(self, name: str) -> Contestant:
        if name == "celery":
            return find(name)(self._stack.enter_context(_redis()))
        if name == "isthmus grown":
            return Isthmus(self._url("postgresql"), grown=True)
        if name == "isthmus sqlite":
            return IsthmusOnSqlite(self._databases.create("sqlite"))
        return find(name)(self._url("postgresql"))

    def _url(self, kind: Kind) -> str:
        return self._databases.create(kind).replace("+psycopg", "")

    @staticmethod
    def settle(contestant: Contestant) -> None:
        """Bring a PostgreSQL database to rest: nothing to clean up, fresh statistics, nothing to write."""
        if contestant.url.startswith("postgresql"):
            with psycopg.connect(contestant.url, autocommit=True) as connection:
                connection.execute("VACUUM (ANALYZE)")
                connection.execute("CHECKPOINT")

    def settings(self) -> dict[str, str]:
        """Tell what the PostgreSQL server is set to."""
        with psycopg.connect(self.contestant("raw").url) as connection:
            return {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in _SETTINGS}  # type: ignore[index]


@contextmanager
def _redis() -> Iterator[str]:
    """Start a Redis on a free port of this machine.

    Raises:
        LookupError: When there is no program for it.
    """
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise LookupError("no Redis here: neither redis-server nor valkey-server is on PATH")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="isthmus-bench-") as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            _answers(port, server)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait()


def _answers(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if server.poll() is not None:
                break
            wait(0.02)
        else:
            return
    raise LookupError("redis-server does not answer")
