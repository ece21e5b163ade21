"""Bindings and their binder, over the Trello bindings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from isthmus.binding import Binder, BindingRow, external_key
from isthmus.component import WorkContext
from isthmus.env import Env
from isthmus.errors import (
    ConfigurationError,
    ManyIDSInBackend,
    MissingRecordError,
    NoExternalId,
    ReadonlyError,
    RecordValueError,
)
from isthmus.event import EventListener
from isthmus.hub import Hub
from isthmus.settings import Settings


@pytest.fixture
def hub(migrated_database_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub with a backend of the number 1."""
    with Hub(Settings(database_url=migrated_database_url, key_file=tmp_path / "key")) as made:
        with made.env() as env:
            env["trello.backend"].create({"name": "main"})
        yield made


@pytest.fixture
def env(hub: Hub) -> Iterator[Env]:
    """A unit of work."""
    with hub.env() as made:
        yield made


def binder(env: Env, model: str = "trello.card") -> Binder:
    """Give the binder of a binding model."""
    found: Binder = WorkContext(model, collection=env["trello.backend"].browse(1)).component(usage="binder")
    return found


def bound(env: Env, external_id: str | None = "c1", scope: str = "", **values: Any) -> Any:
    """Make a task and its binding."""
    task = env["project.task"].create({"name": "Task", **values})
    return env["trello.card"].create({
        "backend_id": 1,
        "record_id": str(task.id),
        "external_id": external_id,
        "scope": scope,
    })


@pytest.mark.parametrize(
    ("value", "key"), [(0, "0"), ("0", "0"), (7, "7"), ("a", "a"), (None, None), ("", None), (False, None)]
)
def test_what_an_external_id_is(value: Any, key: str | None) -> None:
    """Integers become text first, so 0 is an ID; only None and empty are not."""
    assert external_key(value) == key


def test_an_id_leads_to_the_binding_and_to_the_record(env: Env) -> None:
    """With `unwrap` to the record."""
    card = bound(env)

    assert binder(env).to_internal("c1") == card
    assert binder(env).to_internal("c1", unwrap=True) == card.record


def test_an_unknown_id_is_none(env: Env) -> None:
    """An answer, not a failure; an empty one as well."""
    found = [
        binder(env).to_internal(key, unwrap=unwrap) for key in ("c9", None, "") for unwrap in (True, False)
    ]

    assert found == [None] * 6


def test_a_tombstone_leads_to_no_record(env: Env) -> None:
    """The binding is still there."""
    card = bound(env)
    card.write({"state": "tombstone"})
    env.flush()

    assert (binder(env).to_internal("c1"), binder(env).to_internal("c1", unwrap=True)) == (card, None)


def test_a_record_leads_to_its_id(env: Env) -> None:
    """By the binding, by the record, by their keys."""
    card = bound(env)

    found = binder(env)
    assert [found.to_external(card), found.to_external(card.id)] == ["c1", "c1"]
    assert [found.to_external(card.record, wrap=True), found.to_external(card.record.id, wrap=True)] == [
        "c1",
        "c1",
    ]


def test_a_record_that_was_never_exported_has_no_id(env: Env) -> None:
    """Bound or not."""
    card = bound(env, None)
    other = env["project.task"].create({"name": "Other"})

    assert (binder(env).to_external(card), binder(env).to_external(other, wrap=True)) == (None, None)


def test_a_record_with_several_scopes_needs_one_named(env: Env) -> None:
    """A stage on two boards."""
    stage = env["project.task.type"].create({"name": "Shared"})
    for scope in ("b1", "b2"):
        env["trello.list"].create({
            "backend_id": 1,
            "record_id": str(stage.id),
            "external_id": f"list of {scope}",
            "scope": scope,
        })

    found = binder(env, "trello.list")
    assert found.to_external(stage, wrap=True, scope="b2") == "list of b2"
    with pytest.raises(
        ManyIDSInBackend, match=r"has 2 bindings trello\.list on backend 'main' \(scopes b1, b2\)"
    ):
        found.to_external(stage, wrap=True)


def test_many_ids_cost_one_query(hub: Hub) -> None:
    """After a prefetch lookups cost none, also of what was not found."""
    with hub.env() as env:
        for number in range(20):
            bound(env, f"c{number}")
    statements: list[str] = []
    event.listen(hub.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    with hub.env(readonly=True) as env:
        found = binder(env)
        found.prefetch([f"c{number}" for number in range(30)])
        before = len(statements)
        names = [found.to_internal(f"c{number}") is not None for number in range(20)]

    assert names == [True] * 20
    assert (before <= 3, len(statements) - before) == (True, 0)


def test_what_was_bound_meanwhile_is_found(env: Env) -> None:
    """A prefetch that found nothing does not hide a later binding of this transaction."""
    found = binder(env)
    found.prefetch(["c1"])
    card = bound(env, None)

    found.bind("c1", card)

    assert found.to_internal("c1") == card


def test_to_bind_needs_an_id(env: Env) -> None:
    """An empty one would match every unbound record."""
    card = bound(env, None)

    with pytest.raises(NoExternalId, match="the external ID is empty"):
        binder(env).bind("", card)


def test_to_bind_takes_zero(env: Env) -> None:
    """Zero is an ID."""
    card = bound(env, None)
    binder(env).bind(0, card)

    assert card.external_id == "0"


def test_a_model_that_binds_nothing_has_no_binder(env: Env) -> None:
    """The message says what to work on."""
    found = WorkContext("project.task", collection=env["trello.backend"].browse(1)).component(usage="binder")

    with pytest.raises(ConfigurationError, match=r"'project\.task' is no binding model, so it has no binder"):
        found.to_internal("c1")


@pytest.mark.parametrize("same", [{"external_id": "c1"}, {"record_id": "1", "external_id": "c2"}])
def test_one_id_and_one_record_are_bound_once(env: Env, same: dict[str, str]) -> None:
    """The database decides, whoever is first."""
    card = bound(env)
    values = {"backend_id": 1, "record_id": "77", **same}
    if "record_id" in same:
        values["record_id"] = card.record_id

    with pytest.raises((RecordValueError, IntegrityError)):
        _create_in_savepoint(env, values)


def _create_in_savepoint(env: Env, values: dict[str, Any]) -> None:
    with env.savepoint():
        env["trello.card"].create(values)
        env.flush()


def test_many_records_may_wait_for_their_id(env: Env) -> None:
    """None is no ID, so it is not unique."""
    bound(env, None)
    bound(env, None)

    assert env["trello.card"].search_count([("external_id", "=", None)]) == 2


def test_the_record_s_fields_are_read_and_written_through_the_binding(env: Env) -> None:
    """As `_inherits` did."""
    card = env["trello.card"].create({"backend_id": 1, "external_id": "c1", "name": "Through", "sequence": 3})
    card.write({"name": "Written", "scope": "s"})
    env.flush()

    (row,) = env["trello.card"].read([card.id], ["name", "sequence", "scope", "external_id"])
    assert row == {"id": card.id, "name": "Written", "sequence": 3, "scope": "s", "external_id": "c1"}
    assert env["project.task"].browse(card.record.id).name == "Written"


def test_an_assignment_through_the_binding_writes_the_record(env: Env) -> None:
    """`binding.name = ...` is the record's name, too."""
    card = bound(env)
    card.name = "Assigned"
    env.flush()

    assert env["project.task"].browse(card.record.id).name == "Assigned"


def test_many_bindings_are_written_through_their_model(env: Env) -> None:
    """Own fields and the records' by one call."""
    cards = [bound(env, f"c{n}") for n in range(2)]
    env["trello.card"].write([c.id for c in cards], {"name": "Both", "state": "frozen"})
    env.flush()

    assert [(c.name, c.state, c.record.name) for c in cards] == [("Both", "frozen", "Both")] * 2


def test_a_binding_without_a_record_refuses_its_fields(env: Env) -> None:
    """What would be written nowhere is not dropped silently."""
    card = env["trello.card"].browse(bound(env).id)
    card.write({"record_id": None})
    env.flush()

    with pytest.raises(MissingRecordError, match="has no record to write"):
        card.write({"name": "Lost"})
    with pytest.raises(MissingRecordError, match="has no record to assign 'name' to"):
        card.name = "Lost"


def test_a_binding_table_finds_by_what_was_seen(env: Env) -> None:
    """Linked ones only."""
    table = binder(env).table
    rows = [
        BindingRow(record_id=str(n), external_id=f"c{n}", seen_external={"idBoard": "b1" if n < 3 else "b2"})
        for n in range(4)
    ]
    rows[1].state = "tombstone"
    table.insert(env, rows)

    assert table.external_ids(env.session, seen={"idBoard": "b1"}) == {"c0", "c2"}
    assert [row.external_id for row in table.linked(env.session)] == ["c0", "c2", "c3"]


def test_a_row_that_is_updated_says_when_and_how_often(env: Env) -> None:
    """Its revision grows with each rewriting."""
    table = binder(env).table
    row = BindingRow(record_id="1", external_id=None)
    table.insert(env, [row])
    row.external_id, row.seen_internal = "c1", {"name": "x"}
    table.update(env, [row])

    found = table.by_external(env.session, ["c1"])["c1"]
    assert (found.id, found.seen_internal, found.revision) == (row.id, {"name": "x"}, row.revision)


def test_a_listener_hears_of_the_binding_that_is_new_only(migrated_database_url: str, tmp_path: Path) -> None:
    """Not of those that the same record has in other scopes."""
    heard: list[tuple[int, str]] = []

    class Hear(EventListener):
        _name = "test.hear.bindings"
        _apply_on = "trello.list"

        def on_record_create(self, record: Any, fields: Any) -> None:
            heard.append((record.id, record.scope))

    settings = Settings(database_url=migrated_database_url, key_file=tmp_path / "key")
    with Hub(settings, components=[Hear]) as hub, hub.env() as env:
        env["trello.backend"].create({"name": "main"})
        rows = [BindingRow(record_id="7", scope=scope) for scope in "abc"]
        for row in rows:
            binder(env, "trello.list").table.insert(env, [row])
        env.flush()

    assert heard == [(row.id, row.scope) for row in rows]


def test_what_waits_to_be_written_is_written_before_bindings_are_inserted(env: Env) -> None:
    """A key that was given away in the same transaction is free."""
    card = bound(env)
    env.flush()
    card.external_id = "moved"
    row = BindingRow(record_id="99", external_id="c1")

    binder(env).table.insert(env, [row])

    assert row.id != card.id


@pytest.mark.parametrize("own", [True, False], ids=["own session", "an application's session"])
def test_bindings_written_in_bulk_are_writes_of_the_transaction(hub: Hub, own: bool) -> None:
    """A readonly env refuses them, another one knows that it has something to commit."""
    row = BindingRow(record_id="1", external_id="c1")
    with Session(hub.engine) as session:
        given = {} if own else {"session": session}
        with hub.env(readonly=True, **given) as env, pytest.raises(ReadonlyError):
            binder(env).table.insert(env, [row])
        session.rollback()
        with hub.env(**given) as env:
            binder(env).table.insert(env, [row])
            written = env.transaction.written

    assert written
