"""Envs over a database of each kind, with the bundled models and whatever listeners a test brings."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from isthmus.event import EventListener
from isthmus.store.sql import make_engine
from isthmus.testing.databases import Databases, Kind
from isthmus.testing.envs import Envs
from isthmus.testing.tables import bundled_models, make_tables


@pytest.fixture
def url(databases: Databases, database_kind: Kind) -> Iterator[str]:
    """A database with tables, once of each kind."""
    with databases.fresh(database_kind, make_tables) as made:
        yield made


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An engine on that database; none of its connections may be left in use."""
    made = make_engine(url)
    yield made
    in_use = made.pool.checkedout()  # type: ignore[attr-defined]
    made.dispose()
    assert in_use == 0


@pytest.fixture
def make_envs(engine: Engine) -> Callable[..., Envs]:
    """Make envs over the database with these components."""

    def make(*components: type, **options: Any) -> Envs:
        return Envs(engine, bundled_models(), components=components, **options)

    return make


@pytest.fixture
def envs(make_envs: Callable[..., Envs]) -> Envs:
    """Envs in which nobody listens."""
    return make_envs()


class Heard(list):
    """What a listener heard, and the listener."""

    listener: type[EventListener]


@pytest.fixture
def heard() -> Heard:
    """Hear the changes of tasks: (event, record key, changed fields, old values, context keys)."""
    log = Heard()

    class Recorder(EventListener):
        _name = "test.recorder"
        _apply_on = "project.task"

        def on_record_create(self, record: Any, fields: Any) -> None:
            log.append(("create", record.id, set(fields), dict(fields.old), dict(self.env.ctx)))

        def on_record_write(self, record: Any, fields: Any) -> None:
            log.append(("write", record.id, set(fields), dict(fields.old), dict(self.env.ctx)))

        def on_record_unlink(self, record: Any) -> None:
            log.append(("unlink", record.id, record.name, record.exists(), dict(self.env.ctx)))

    log.listener = Recorder
    return log
