"""A single record is inserted without a flush, and nobody can tell."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import JSON, Engine, MetaData, event, func, inspect, literal_column, select, text
from sqlalchemy.orm import Mapped, Session, column_property, mapped_column

from isthmus.models.project import Task
from isthmus.store.sql import SqlModel
from isthmus.store.sql.insertion import Insertion
from isthmus.testing.envs import Envs

TASK = "project.task"
SAMPLE = "unit.insertion.sample"


class Sample(SqlModel):
    """Has a column of each kind of default."""

    __tablename__ = "unit_insertion_sample"
    _name = SAMPLE

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    constant: Mapped[int | None] = mapped_column(default=7)
    called: Mapped[str | None] = mapped_column(default=lambda: "called")
    by_database: Mapped[str | None] = mapped_column(server_default="served")
    computed: Mapped[int | None] = mapped_column(default=select(text("40 + 2")).scalar_subquery())
    document: Mapped[Any] = mapped_column(JSON, default={"is": "default"})
    null_document: Mapped[Any] = mapped_column(JSON(none_as_null=True), default={"is": "default"})


FIELDS = [attribute.key for attribute in inspect(Sample).column_attrs if attribute.key != "id"]


@pytest.fixture
def samples(engine: Engine) -> Envs:
    """Envs with that model."""
    return Envs(engine, {SAMPLE: Sample})


@pytest.fixture
def flushes() -> Iterator[list[Any]]:
    """Hears every flush, of every session."""
    heard: list[Any] = []

    def note(session: Session, _context: Any) -> None:
        heard.append(session)

    event.listen(Session, "after_flush", note)
    yield heard
    event.remove(Session, "after_flush", note)


@pytest.mark.parametrize("given", [{}, dict.fromkeys(FIELDS), {"constant": 1, "called": None}], ids=str)
def test_it_stores_what_a_flush_stores(samples: Envs, flushes: list[Any], given: Mapping[str, Any]) -> None:
    """
    Also where None is given: for a column with a default that is no value, except for a type with a None
    of its own.
    """
    with samples.env() as env:
        single = env[SAMPLE].create(given)
        alone = len(flushes)
        flushed = env[SAMPLE].create([given, given])
        told = [[getattr(record, field) for field in FIELDS] for record in (single, *flushed)]
    with samples.env() as env:
        stored = env.session.execute(select(*(getattr(Sample, field) for field in FIELDS))).all()
        kinds = env.session.execute(text("SELECT document IS NULL FROM unit_insertion_sample")).all()

    assert (alone, len(flushes)) == (0, 1)
    assert told[0] == told[1] == told[2] == list(stored[0])
    assert stored[0] == stored[1] == stored[2]
    assert kinds[0] == kinds[1] == kinds[2]


def test_none_asks_for_the_default(envs: Envs) -> None:
    """
    A task whose `active` is given as None is active: the column has a default and takes no NULL.
    """
    with envs.env() as env:
        task = env[TASK].create({"name": "a", "active": None, "description": None})
        told = (task.active, task.sequence, task.description)

    assert told == (True, 10, None)


@pytest.mark.parametrize("values", [{"name": "a"}, {"name": "a", "active": None, "description": None}])
def test_listeners_hear_of_the_same_fields(
    make_envs: Callable[..., Envs], heard: Any, values: Mapping[str, Any]
) -> None:
    """
    Whether one record was created or several.
    """
    with make_envs(heard.listener).env() as env:
        env[TASK].create(values)
        env[TASK].create([values, values])

    fields = [entry[2] for entry in heard]
    assert fields[0] == fields[1] == fields[2]
    assert {"name", "active", "sequence"} <= fields[0]
    assert "description" not in fields[0]


@pytest.mark.parametrize("name", ["before_insert", "after_insert"])
def test_who_begins_to_listen_later_is_told(envs: Envs, name: str) -> None:
    """
    A listener on the class hears of each insert, also when records were created before it came.
    """
    told: list[str] = []

    def note(_mapper: Any, _connection: Any, task: Task) -> None:
        told.append(task.name)

    with envs.env() as env:
        env[TASK].create({"name": "before"})
        event.listen(Task, name, note)
        env[TASK].create({"name": "meanwhile"})
        event.remove(Task, name, note)
        env[TASK].create({"name": "after"})

    assert told == ["meanwhile"]


def test_an_applications_session_is_flushed(envs: Envs, engine: Engine, flushes: list[Any]) -> None:
    """
    What else hears of that session hears of the record as of any other.
    """
    with Session(engine) as session:
        with envs.env(session=session) as env:
            key = env[TASK].create({"name": "a", "active": None}).id
            flushed = list(flushes)
        session.commit()
        found = session.get(Task, key)

    assert flushed == [session]
    assert found is not None
    assert found.active


def test_an_expression_among_the_attributes_is_left_to_a_flush() -> None:
    """
    A class with one is inserted as ever; it has no column to be written to.
    """

    class Loud(SqlModel):
        __tablename__ = "unit_insertion_loud"
        metadata = MetaData()
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        shouted = column_property(func.upper(literal_column("name")))

    assert Insertion.of(inspect(Sample)) is not None
    assert Insertion.of(inspect(Loud)) is None
