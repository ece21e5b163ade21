"""Fresh databases of both kinds for tests: SQLite files and databases of a real PostgreSQL server."""

import itertools
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, Protocol, Self

from isthmus.testing._postgres import EmbeddedPostgres
from isthmus.testing._sqlite_files import SqliteFiles

Kind = Literal["sqlite", "postgresql"]
Migrate = Callable[[str], object]

KINDS: Final[tuple[Kind, ...]] = ("sqlite", "postgresql")
VARIABLE: Final = "ISTHMUS_TEST_DATABASE_URL"


class Maker(Protocol):
    """What makes databases of one kind."""

    def url(self, name: str) -> str:
        """Tell the URL of the database *name*, whether it exists or not."""
        ...

    def create(self, name: str, template: str | None) -> None:
        """Make the database *name*, empty or as a copy of the database *template*."""
        ...

    def drop(self, name: str) -> int:
        """Remove the database *name*; tell how many connections to it were still open."""
        ...

    def close(self) -> None:
        """Let go of the server."""
        ...


class Databases:
    """Makes databases, each for one test, and removes what it has made.

    PostgreSQL is the server in ``ISTHMUS_TEST_DATABASE_URL`` if that is set (its role must be
    allowed to create databases; the database it names is never touched), else an embedded one.
    URLs are SQLAlchemy's, with the psycopg driver.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Databases(Path(folder)) as databases:
    ...     with databases.fresh("sqlite") as url:
    ...         print(url.replace(folder, ""))
    sqlite:////isthmus_..._1.db

    Args:
        directory: Where SQLite files go.
        embedded: The embedded server of this test run; None opens one of our own when it is needed.
    """

    def __init__(self, directory: Path, *, embedded: EmbeddedPostgres | None = None) -> None:
        self._directory = directory
        self._embedded = embedded
        self._own_embedded: EmbeddedPostgres | None = None
        # Unique for each process of each run: several may share one server.
        self._prefix = f"isthmus_{secrets.token_hex(5)}"
        self._numbers = itertools.count(1)
        self._makers: dict[Kind, Maker] = {}
        self._templates: dict[tuple[Kind, Migrate], str] = {}
        self._existing: dict[str, Kind] = {}

    def create(self, kind: Kind, migrate: Migrate | None = None) -> str:
        """Make a database and tell its URL.

        Args:
            kind: ``"sqlite"`` or ``"postgresql"``.
            migrate: Brings the database at a URL to the schema that is wanted and leaves no
                connection open. It runs once for each kind, on a template that is then copied.
                None makes an empty database.
        """
        maker = self._maker(kind)
        template = None if migrate is None else self._template(kind, migrate)
        return maker.url(self._create(kind, template))

    def drop(self, url: str) -> int:
        """Remove the database at *url*, which `create` returned.

        Returns:
            How many connections to it were still open: a test that leaves some has leaked them.
            SQLite cannot tell and returns 0.
        """
        name = next(name for name, kind in self._existing.items() if self._maker(kind).url(name) == url)
        return self._maker(self._existing.pop(name)).drop(name)

    @contextmanager
    def fresh(self, kind: Kind, migrate: Migrate | None = None) -> Iterator[str]:
        """Lend the URL of a new database and remove it afterwards; as `create`, for one block.

        Raises:
            AssertionError: If the block leaves connections to the database open.
        """
        url = self.create(kind, migrate)
        try:
            yield url
        except BaseException:
            self.drop(url)
            raise
        if leaked := self.drop(url):
            msg = f"{leaked} connection(s) to the test's database are still open: dispose of engines"
            raise AssertionError(msg)

    def close(self) -> None:
        """Remove every database that is left, the templates too, and let go of the servers."""
        for name, kind in self._existing.items():
            self._maker(kind).drop(name)
        for maker in self._makers.values():
            maker.close()
        self._existing.clear()
        self._templates.clear()
        self._makers.clear()
        if self._own_embedded is not None:
            self._own_embedded.close()
            self._own_embedded = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _maker(self, kind: Kind) -> Maker:
        if kind not in self._makers:
            self._makers[kind] = SqliteFiles(self._directory) if kind == "sqlite" else self._postgresql()
        return self._makers[kind]

    def _postgresql(self) -> Maker:
        # Here, because the pytest plugin loads this module in every run of everybody's pytest.
        from isthmus.testing._postgresql_databases import PostgresqlDatabases

        if url := os.environ.get(VARIABLE):
            return PostgresqlDatabases(url)
        if self._embedded is None:
            self._embedded = self._own_embedded = EmbeddedPostgres.open()
        return PostgresqlDatabases(self._embedded.url())

    def _template(self, kind: Kind, migrate: Migrate) -> str:
        if (kind, migrate) not in self._templates:
            name = self._create(kind, None)
            migrate(self._maker(kind).url(name))
            self._templates[kind, migrate] = name
        return self._templates[kind, migrate]

    def _create(self, kind: Kind, template: str | None) -> str:
        name = f"{self._prefix}_{next(self._numbers)}"
        self._maker(kind).create(name, template)
        self._existing[name] = kind
        return name
