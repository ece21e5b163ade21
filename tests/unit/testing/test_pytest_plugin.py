"""The fixtures that the pytest plugin offers to every connector's tests."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from isthmus.errors import SchemaError
from isthmus.testing import FrozenClock
from isthmus.testing.databases import Kind


class Tables(DeclarativeBase):
    """An application's own declarative base."""


class Note(Tables):
    """An application's own table, which no migration of ours makes."""

    __tablename__ = "plugin_note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


def test_a_hub_is_ready_to_work(isthmus_hub: Any, database_kind: Kind) -> None:
    """
    The hub of the fixture has a migrated database of either kind and the bundled models.
    """
    hub = isthmus_hub(kind=database_kind)

    with hub.env() as env:
        task = env["project.task"].create({"name": "Call back"})

        assert task.name == "Call back"


def test_each_hub_has_a_database_of_its_own(isthmus_hub: Any) -> None:
    """
    Two hubs of one test share nothing.
    """
    one, other = isthmus_hub(), isthmus_hub()
    with one.env() as env:
        env["project.task"].create({"name": "Call back"})

    with other.env() as env:
        assert env["project.task"].search_count() == 0


def test_a_hub_takes_settings_models_and_a_clock(isthmus_hub: Any) -> None:
    """
    What a test wants otherwise goes to the settings and the hub; tables of its own models are made.
    """
    clock = FrozenClock(datetime(2026, 5, 1, tzinfo=UTC))

    hub = isthmus_hub(settings={"plugins": (), "page_size": 7}, models={"note": Note}, clock=clock)

    with hub.env() as env:
        note = env["note"].create({"text": "Call back"})

        assert (hub.settings.page_size, env.now(), note.text) == (7, clock.now(), "Call back")


def test_a_hub_is_migrated_for_its_plugins_only(isthmus_hub: Any) -> None:
    """
    Without the Trello plugin there are no tables of Trello, and a hub with it says so.
    """
    from isthmus.hub import Hub

    bare = isthmus_hub(settings={"plugins": ()})
    settings = bare.settings.model_copy(update={"plugins": ("trello",)})

    with Hub(settings, engine=bare.engine) as richer, pytest.raises(SchemaError, match="isthmus db upgrade"):
        richer.check()


def test_the_simulator_is_empty_and_answers(trello_simulator: Any, isthmus_hub: Any) -> None:
    """
    The Trello of the fixture can be connected to by a backend of a hub.
    """
    with isthmus_hub().env() as env:
        backend = env["trello.backend"].create({"name": "trello", "url": trello_simulator.url})
        backend.set_credentials({"key": trello_simulator.key, "token": trello_simulator.token})
        env.flush()

    assert trello_simulator.state.boards() == []
    assert trello_simulator.url.startswith("http://127.0.0.1:")


def test_the_plugin_itself_costs_next_to_nothing() -> None:
    """
    Loading the plugin imports no database library, no HTTP library and no connector.
    """
    code = "import sys, isthmus.testing.pytest_plugin; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    heavy = {"sqlalchemy", "alembic", "httpx2", "cryptography", "psycopg"} & set(loaded.split())

    assert heavy == set()
