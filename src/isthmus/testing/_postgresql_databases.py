"""PostgreSQL databases for tests, on a server that is there already."""

from typing import Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from isthmus.errors import SettingsError
from isthmus.testing._postgres import REMEDY

_KNOWS_STRATEGY: Final = 150_000
"""The version of PostgreSQL that lets one choose how a database is copied."""


class PostgresqlDatabases:
    """Makes and removes databases of one server.

    Args:
        url: Any database of that server, which is left as it is. Spelt as for SQLAlchemy or libpq.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        if self._parts.scheme.partition("+")[0] not in {"postgresql", "postgres"}:
            msg = f"tests take a PostgreSQL URL, not one of {self._parts.scheme or 'no scheme'!r}; {REMEDY}"
            raise SettingsError(msg)
        try:
            self._server = psycopg.connect(
                urlunsplit(self._parts._replace(scheme="postgresql")), autocommit=True, connect_timeout=10
            )
        except psycopg.Error as error:
            # The server's words name host and role, never the password.
            msg = f"no connection to the PostgreSQL server for tests: {error}; {REMEDY}"
            raise SettingsError(msg) from error
        # To copy files is the quicker way by half, but it makes checkpoints, which are cheap only where
        # nothing is written to a disk.
        hasty = self._server.execute("SHOW fsync").fetchone() == ("off",)
        copies = hasty and self._server.info.server_version >= _KNOWS_STRATEGY
        self._strategy = sql.SQL("STRATEGY FILE_COPY" if copies else "")

    def url(self, name: str) -> str:
        """Tell the URL of the database *name*."""
        return urlunsplit(self._parts._replace(scheme="postgresql+psycopg", path=f"/{name}"))

    def create(self, name: str, template: str | None) -> None:
        """Make the database, empty or as a copy of *template*.

        Raises:
            SettingsError: If the role may not create databases.
        """
        # template0 is the one that nobody can have put anything into.
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
            sql.Identifier(name), sql.Identifier(template or "template0"), self._strategy
        )
        try:
            self._server.execute(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            role = self._server.info.user
            msg = f"role {role!r} may not create databases for tests: ALTER ROLE {role} CREATEDB"
            raise SettingsError(msg) from error

    def drop(self, name: str) -> int:
        """Remove the database; tell how many connections to it were still open after 5 seconds.

        Source:
            PostgreSQL waits up to 5 seconds for sessions that are about to end before it refuses
            ``DROP DATABASE``: ``CountOtherDBBackends``, PostgreSQL 13 to 18.
        """
        statement = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
        try:
            self._server.execute(statement)
        except psycopg.errors.ObjectInUse:
            counted = self._server.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [name]
            ).fetchone()
            self._server.execute(statement + sql.SQL(" WITH (FORCE)"))
            return int(counted[0]) if counted else 0
        return 0

    def close(self) -> None:
        """Close our connection to the server."""
        self._server.close()
