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
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from isthmus.errors import SchemaError

BRANCH: Final = "isthmus"
CORE: Final = Path(__file__).parent / "migrations"
VERSION_TABLE: Final = "isthmus_version"
COMPATIBLE: Final = "isthmus_compatible"
"""Table with the oldest program version that may use the schema, by branch."""

PROGRAM_SCHEMA: Final = 1
"""Counts schema generations this program knows; a database asking for a higher one is newer."""


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
        applied.add(revision)
    return SchemaState(frozenset(applied), frozenset(script.get_heads()))


def upgrade(engine: Engine, branches: Mapping[str, Path] | None = None) -> list[str]:
    """Bring a database to this program's revision; running it twice changes nothing.

    Args:
        engine: The hub's engine.
        branches: Folder with the revisions of each enabled plugin, by branch label.

    Returns:
        The revisions that were applied, in order.

    Raises:
        SchemaError: When the database is newer than this program, or has revisions of a
            plugin that is not enabled here.
    """  # noqa: DOC502 - raised by what is called
    script = _script(branches or {})
    applied: list[str] = []

    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs("heads", revision)

    with _begun(engine) as connection:
        _lock(connection)
        _refuse_newer(connection)
        _refuse_unknown(connection, script)
        with EnvironmentContext(Config(), script, fn=steps) as environment:
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


def _refuse_unknown(connection: Connection, script: ScriptDirectory) -> None:
    heads = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_heads()
    known = {r.revision for r in script.walk_revisions()}
    unknown = sorted(h for h in heads if h not in known)
    if unknown:
        raise SchemaError(
            f"the database has revision {', '.join(unknown)}, which this program does not know: enable the "
            f"plugin it belongs to, or install a newer isthmus"
        )


def _refuse_newer(connection: Connection) -> None:
    if not connection.dialect.has_table(connection, COMPATIBLE):
        return
    needed = connection.scalar(text(f"SELECT max(schema) FROM {COMPATIBLE}"))  # noqa: S608 - a constant
    if needed is not None and needed > PROGRAM_SCHEMA:
        raise SchemaError(
            f"the database needs a program of schema generation {needed}, this one is {PROGRAM_SCHEMA}: "
            f"install a newer isthmus"
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
        # A newer program's revision stands where ours would: "upgrade" would be the wrong advice.
        with _begun(engine) as connection:
            _refuse_unknown(connection, _script(branches or {}))
        raise SchemaError("the database is older than this program: run `isthmus db upgrade`")
