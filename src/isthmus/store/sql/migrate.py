"""Schema revisions: packaged Alembic branches, one for the core and one per plugin."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Engine, Integer, Table, func, select, text
from sqlalchemy.exc import DBAPIError

from isthmus.errors import SchemaError
from isthmus.store.sql.base import SqlModel

BRANCH: Final = "isthmus"
CORE: Final = Path(__file__).parent / "migrations"
VERSION_TABLE: Final = "isthmus_version"
GENERATION: Final = 2
"""Schema generation of this program. A revision that drops or renames something raises it (and
``compatible_from`` in the database), one that only adds does not."""

schema_table: Final = Table(
    "isthmus_schema",
    SqlModel.metadata,
    Column("compatible_from", Integer, primary_key=True, autoincrement=False),
)
"""One row: the oldest generation of programs that may use this database."""


@dataclass(frozen=True, slots=True)
class SchemaState:
    """How a database's revision relates to this program.

    Attributes:
        current: Applied revision by branch.
        head: This program's revision by branch.
    """

    current: frozenset[str]
    head: frozenset[str]

    @property
    def up_to_date(self) -> bool:
        """True when every revision of this program is applied."""
        return self.head <= self.current


def _script(branches: Mapping[str, Path]) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(CORE))
    config.set_main_option("path_separator", "newline")
    folders = "\n".join(str(p) for p in (CORE / "versions", *branches.values()))
    config.set_main_option("version_locations", folders)
    return ScriptDirectory.from_config(config)


@contextmanager
def _begun(engine: Engine) -> Iterator[Connection]:
    try:
        connection = engine.connect()
    except DBAPIError as exc:
        msg = f"the database cannot be opened: {_reason(exc)}; is the setting database_url right?"
        raise SchemaError(msg) from exc
    try:
        with connection, connection.begin():
            yield connection
    except DBAPIError as exc:
        raise SchemaError(f"the database cannot be used: {_reason(exc)}") from exc


def _reason(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]


def state(engine: Engine, branches: Mapping[str, Path] | None = None) -> SchemaState:
    """Compare a database with this program.

    Args:
        engine: The hub's engine.
        branches: Folder with the revisions of each enabled plugin, by branch label.
    """
    script = _script(branches or {})
    with _begun(engine) as connection:
        current = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE}
        ).get_current_heads()
    known = {r.revision for r in script.walk_revisions()}
    applied: set[str] = set()
    for revision in current:
        if revision in known:
            applied |= {r.revision for r in script.iterate_revisions(revision, "base")}
        else:
            # Of a newer program: it has all that come before it in its branch.
            applied |= {r for r in known if _is_before(r, revision)}
        applied.add(revision)
    return SchemaState(frozenset(applied), frozenset(script.get_heads()))


def _is_before(revision: str, other: str) -> bool:
    """Tell whether a revision comes before another of its branch: ``isthmus_0001``, ``isthmus_0002``."""
    branch, _, number = revision.rpartition("_")
    same, _, later = other.rpartition("_")
    return branch == same and number.isdecimal() and later.isdecimal() and int(number) < int(later)


def upgrade(engine: Engine, branches: Mapping[str, Path] | None = None) -> list[str]:
    """Bring a database to this program's revision; running it twice changes nothing.

    Args:
        engine: The hub's engine.
        branches: Folder with the revisions of each enabled plugin, by branch label.

    Returns:
        The revisions that were applied, in order.

    Raises:
        SchemaError: When the database is newer than this program.
    """  # noqa: DOC502 - raised by what is called
    script = _script(branches or {})
    known = {r.revision for r in script.walk_revisions()}
    applied: list[str] = []

    def steps_to(target: str) -> Any:
        def steps(current: tuple[str, ...], _context: Any) -> Any:
            # What a plugin that is not enabled has applied is left alone.
            return script._upgrade_revs(target, tuple(r for r in current if r in known))  # type: ignore[arg-type]  # takes several

        return steps

    with _begun(engine) as connection:
        _lock(connection)
        _refuse_newer(connection)
        _refuse_ahead(connection, known)
        # The core comes first: the tables of all others refer to it.
        for target in (f"{BRANCH}@head", "heads"):
            with EnvironmentContext(Config(), script, fn=steps_to(target)) as environment:
                environment.configure(
                    connection=connection,
                    version_table=VERSION_TABLE,
                    on_version_apply=lambda **told: applied.extend(told["step"].up_revision_ids),
                    render_as_batch=connection.dialect.name == "sqlite",
                )
                environment.run_migrations()
    return applied


def _lock(connection: Connection) -> None:
    """Let two upgrades at once run one after the other."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(742001)"))


def _refuse_ahead(connection: Connection, known: set[str]) -> None:
    heads = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_heads()
    ahead = sorted(h for h in heads if any(_is_before(r, h) for r in known) and h not in known)
    if ahead:
        raise SchemaError(
            f"the database has revision {', '.join(ahead)} of a newer program: this one can use it, but not "
            f"upgrade it; install a newer isthmus for that"
        )


def _refuse_newer(connection: Connection) -> None:
    if not connection.dialect.has_table(connection, schema_table.name):
        return
    needed = connection.scalar(select(func.max(schema_table.c.compatible_from)))
    if needed is not None and needed > GENERATION:
        raise SchemaError(
            f"the database is newer than this program: it needs schema generation {needed}, this program "
            f"has {GENERATION}; install a newer isthmus"
        )


def check(engine: Engine, branches: Mapping[str, Path] | None = None) -> None:
    """Stop unless the database and this program fit.

    Raises:
        SchemaError: When it is empty, older or newer; says which command to run.
        DatabaseBusyError: When the database cannot be reached now.
    """  # noqa: DOC502 - the second by what is called
    with _begun(engine) as connection:
        _refuse_newer(connection)
    found = state(engine, branches)
    if not found.current:
        raise SchemaError("the database is empty: run `isthmus db upgrade` (or `isthmus init`)")
    if not found.up_to_date:
        raise SchemaError("the database is older than this program: run `isthmus db upgrade`")
