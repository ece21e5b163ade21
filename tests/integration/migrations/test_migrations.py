"""Migrations: the same schema as the mapped classes, on both databases, whatever happens on the way."""

import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from isthmus.errors import SchemaError
from isthmus.hub import Hub
from isthmus.settings import Settings
from isthmus.store.sql import SqlModel, check, make_engine, upgrade
from isthmus.store.sql.migrate import GENERATION, VERSION_TABLE, _script

HERE = "isthmus"


@pytest.fixture
def hub(database_url: str) -> Iterator[Hub]:
    """A hub over an empty database."""
    everything = {"plugins": ("odoo", "trello"), "models": ("partner", "project")}
    with Hub(Settings(database_url=database_url, **everything)) as made:
        yield made


def tables_of(hub: Hub) -> set[str]:
    """Name the tables of the hub's models, and those between them."""
    mapped = [m.class_ for m in SqlModel.registry.mappers if m.class_.__module__.startswith(f"{HERE}.")]
    own = {cls.__tablename__ for cls in mapped}
    links = {
        relation.secondary.name
        for cls in mapped
        for relation in inspect(cls).relationships
        if relation.secondary is not None
    }
    return own | links


def differences(hub: Hub) -> list[Any]:
    """Compare the database with the mapped classes of this program."""
    known = tables_of(hub)

    def include(item: Any, name: str | None, kind: str, reflected: bool, _other: Any) -> bool:
        table = name if kind == "table" else item.table.name
        # Other tests of this process map tables of their own.
        return table != VERSION_TABLE if reflected else table in known

    with hub.engine.connect() as connection, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*expression-based index")  # see the next test
        options = {"include_object": include, "compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), SqlModel.metadata)


def step_down(engine: Engine, hub: Hub) -> None:
    """Take every revision back, those of the core last: the others refer to its tables."""
    script = _script(hub.branches)
    for target in (*(f"{name}@base" for name in hub.branches), "base"):

        def steps(revision: Any, _context: Any, target: str = target) -> Any:
            return script._downgrade_revs(target, revision)

        with engine.begin() as connection, EnvironmentContext(Config(), script, fn=steps) as environment:
            environment.configure(connection=connection, version_table=VERSION_TABLE)
            environment.run_migrations()


def test_the_migrations_make_what_the_classes_say(hub: Hub) -> None:
    """No table, column, index or constraint is missing or too much."""
    hub.upgrade()

    assert differences(hub) == []


def test_every_index_is_there(hub: Hub) -> None:
    """Also those on expressions, which cannot be compared on SQLite."""
    hub.upgrade()
    catalogue = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
        "postgresql": "SELECT indexname FROM pg_indexes",
    }
    with hub.engine.connect() as connection:
        made = set(connection.scalars(text(catalogue[hub.engine.dialect.name])))
    known = tables_of(hub)
    declared = {i.name for t in SqlModel.metadata.sorted_tables if t.name in known for i in t.indexes}

    assert declared - made == set()


def test_an_upgrade_twice_changes_nothing(hub: Hub) -> None:
    """The second one applies no revision."""
    first = hub.upgrade()

    assert (sorted(first)[:1], hub.upgrade()) == (["isthmus_0001"], [])
    hub.check()


def test_down_and_up_again(hub: Hub) -> None:
    """Every revision can be taken back, and leaves nothing but the table of versions."""
    hub.upgrade()
    step_down(hub.engine, hub)
    left = set(inspect(hub.engine).get_table_names())

    hub.upgrade()

    assert left == {VERSION_TABLE}
    assert differences(hub) == []


def test_two_upgrades_at_once(database_url: str) -> None:
    """One applies the revisions, the other waits and finds nothing to do."""
    hubs = [Hub(Settings(database_url=database_url)) for _ in range(2)]
    start = threading.Barrier(2)
    applied: list[list[str]] = []
    errors: list[Exception] = []

    def run(hub: Hub) -> None:
        start.wait()
        try:
            applied.append(hub.upgrade())
        except Exception as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(hub,)) for hub in hubs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for hub in hubs:
        hub.close()

    assert errors == []
    assert sorted(map(bool, applied)) == [False, True]


def test_an_empty_database_names_the_command(hub: Hub) -> None:
    """Nothing was applied yet."""
    with pytest.raises(SchemaError) as refused:
        hub.check()

    assert str(refused.value) == "the database is empty: run `isthmus db upgrade` (or `isthmus init`)"


def test_a_database_without_a_plugin_s_tables_names_the_command(hub: Hub) -> None:
    """The plugin was enabled later."""
    with Hub(hub.settings, plugins=[]) as without:
        without.upgrade()

    with pytest.raises(SchemaError) as refused:
        hub.check()
    hub.upgrade()

    assert str(refused.value) == "the database is older than this program: run `isthmus db upgrade`"
    hub.check()


def test_a_plugin_may_be_disabled_again(hub: Hub) -> None:
    """Its tables stay; the program without it runs and upgrades as before."""
    hub.upgrade()

    with Hub(hub.settings, plugins=[]) as without:
        without.check()
        applied = without.upgrade()

    assert applied == []
    hub.check()


def ahead(hub: Hub) -> None:
    """A later program has added something."""
    with hub.engine.begin() as connection:
        connection.execute(
            text(
                f"UPDATE {VERSION_TABLE} SET version_num = 'isthmus_9999' WHERE version_num LIKE 'isthmus_%'"
            )
        )


def test_a_database_that_a_later_program_added_to_can_be_used(hub: Hub) -> None:
    """Migrations expand first: this program goes on, but does not upgrade."""
    hub.upgrade()
    ahead(hub)

    hub.check()
    with pytest.raises(SchemaError) as refused:
        hub.upgrade()

    assert str(refused.value) == (
        "the database has revision isthmus_9999 of a newer program: this one can use it, but not upgrade it; "
        "install a newer isthmus for that"
    )


def test_a_database_that_a_later_program_contracted_is_refused(hub: Hub) -> None:
    """A later program took something away: this one stops, and does not advise to upgrade."""
    hub.upgrade()
    ahead(hub)
    with hub.engine.begin() as connection:
        connection.execute(text(f"UPDATE isthmus_schema SET compatible_from = {GENERATION + 1}"))

    for step in (hub.check, hub.upgrade):
        with pytest.raises(SchemaError) as refused:
            step()
        assert str(refused.value) == (
            f"the database is newer than this program: it needs schema generation {GENERATION + 1}, "
            f"this program has {GENERATION}; install a newer isthmus"
        )


def test_a_database_that_is_none_is_refused(tmp_path: Path) -> None:
    """A file of something else."""
    (tmp_path / "notes.db").write_text("these are notes, not a database" * 50)
    engine = make_engine(f"sqlite:///{tmp_path / 'notes.db'}")

    for step in (check, upgrade):
        with pytest.raises(
            SchemaError, match=r"the database cannot be (opened|used): file is not a database"
        ):
            step(engine)
    engine.dispose()


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(hub: Hub, tmp_path: Path) -> None:
    """A plugin's broken revision takes nothing with it, neither tables nor the table of versions' rows."""
    hub.upgrade()
    before = inspect(hub.engine).get_table_names()
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "0001_broken.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        "revision = 'broken_0001'\ndown_revision = None\nbranch_labels = ('broken',)\ndepends_on = None\n"
        "def upgrade():\n    op.create_table('broken_half', sa.Column('id', sa.Integer()))\n    1 / 0\n"
    )

    with pytest.raises(ZeroDivisionError):
        upgrade(hub.engine, {**hub.branches, "broken": folder})

    assert inspect(hub.engine).get_table_names() == before
    hub.check()
