"""Exports of single records: effects, outcomes that are unknown, dependencies, conflicts."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from memory_connector import TwoSides

from isthmus.component import AbstractComponent
from isthmus.env import CreateSafety
from isthmus.errors import (
    InvalidDataError,
    NetworkRetryableError,
    PhaseError,
    RateLimitedError,
    RecordLockedError,
    SkipRecord,
    UnknownOutcomeError,
)
from isthmus.sync import Operation

Make = Callable[..., TwoSides]
LOST = UnknownOutcomeError("no answer came")
QUIET = timedelta(seconds=60)


on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what does not depend on the database."""


def exporter(**steps: Any) -> type:
    """Extend the exporter of things in place by these steps."""
    return type("Steps", (AbstractComponent,), {"_inherit": "memory.thing.exporter", **steps})


@pytest.fixture
def lamp(sides: TwoSides) -> int:
    """A thing that is to be exported: its binding."""
    return sides.bind(sides.create(name="Lamp", amount=3))


def linked(sides: TwoSides, **values: Any) -> tuple[int, int]:
    """Import a thing; give the keys of our record and of its binding."""
    ours = sides.linked("7", **{"title": "Lamp", **values})
    return ours["id"], sides.binding("7")["id"]


# --- creates and writes ----------------------------------------------------------------


def test_a_new_record_here_becomes_one_there(sides: TwoSides, lamp: int) -> None:
    """A create brings their record, the binding's ID, both images and a closed effect."""
    report = sides.exports(lamp)

    (there,) = sides.server.all()
    (binding,) = sides.bindings()
    assert report.sentence() == "1 created"
    assert (there["title"], there["qty"]) == ("Lamp", 3)
    assert (binding["external_id"], binding["seen_external"]["title"]) == (there["id"], "Lamp")
    assert [(e["kind"], e["state"], e["sealed_values"]) for e in sides.effects()] == [
        ("create", "done", None)
    ]
    assert [(e.operation, e.direction, e.actor) for e in sides.journal()] == [("create", "export", "anna")]


def test_a_second_export_finds_nothing_to_do(sides: TwoSides, lamp: int) -> None:
    """Nothing is sent for a record that is as last seen."""
    sides.exports(lamp)

    report = sides.exports(lamp)

    assert report.sentence() == "nothing changed: 1 unchanged"
    assert (sides.server.count("create"), sides.server.count("write")) == (1, 0)


def test_only_changed_fields_are_sent(sides: TwoSides) -> None:
    """What they changed meanwhile in another field stays."""
    record, binding = linked(sides, qty=1)
    sides.write(record, name="Desk lamp")
    sides.server.thing("7", qty=9)

    sides.exports(binding)

    there = sides.server.shown("7")
    assert (there["title"], there["qty"]) == ("Desk lamp", 9)
    assert sides.journal()[-1].changes == {"title": {"before": "Lamp", "after": "Desk lamp"}}
    assert sides.imports("7").sentence() == "1 updated"


def test_the_answer_of_the_server_is_the_image(sides: TwoSides) -> None:
    """They trim what we send: that does not come back as their change."""
    record, binding = linked(sides)
    sides.write(record, name="  Desk lamp ", note=" soft ")

    sides.exports(binding)

    assert sides.server.shown("7")["title"] == "Desk lamp"
    assert sides.imports("7").sentence() == "nothing changed: 1 unchanged"
    assert sides.exports(binding).sentence() == "nothing changed: 1 unchanged"


@on_sqlite
def test_a_server_that_tells_nothing_is_read(sides: TwoSides, lamp: int) -> None:
    """Where the answer shows no fields, the record is read for its image."""
    sides.server.answers_records = False
    sides.exports(lamp)
    (there,) = sides.server.all()
    sides.write(int(sides.bindings()[0]["record_id"]), name=" Desk lamp ")

    sides.exports(lamp)

    assert sides.imports(there["id"]).sentence() == "nothing changed: 1 unchanged"
    assert sides.server.shown(there["id"])["title"] == "Desk lamp"


@on_sqlite
@pytest.mark.parametrize(
    "error", [NetworkRetryableError("away"), RateLimitedError("slower"), InvalidDataError("odd")]
)
def test_a_read_that_fails_after_a_create_makes_no_second_record(
    sides: TwoSides, lamp: int, error: Exception
) -> None:
    """The create has taken effect, whatever becomes of reading what it made."""
    sides.server.answers_records = False
    sides.server.fail("read", error)

    sides.exports(lamp)
    sides.jobs()
    sides.exports(lamp)

    assert len(sides.server.all()) == 1


@on_sqlite
def test_a_field_that_only_goes_out_is_not_looked_at_there(sides: TwoSides) -> None:
    """A group that the export mapper alone covers follows our side."""
    record, binding = linked(sides)
    sides.write(record, code="A1")
    sides.server.thing("7", code="theirs")

    sides.exports(binding)

    assert (sides.server.shown("7")["code"], sides.inbox()) == ("A1", [])


# --- failures with a known outcome -----------------------------------------------------


@on_sqlite
@pytest.mark.parametrize("error", [NetworkRetryableError("away"), RateLimitedError("slower")])
def test_an_error_before_any_effect_drops_the_effect(sides: TwoSides, lamp: int, error: Exception) -> None:
    """Nothing was written, so nothing is looked for: the next try creates at once."""
    sides.server.fail("create", error)
    with pytest.raises(type(error)):
        sides.exports(lamp)
    dropped = sides.effects()

    sides.exports(lamp)

    assert [(e["state"], e["sealed_values"]) for e in dropped] == [("dropped", None)]
    assert (len(sides.server.all()), sides.server.count("find_created")) == (1, 0)


def test_refused_data_is_parked_and_settled_by_a_later_export(sides: TwoSides) -> None:
    """They refuse an empty title: the item says so, and closes when it goes through."""
    record = sides.create(name="   ")
    binding = sides.bind(record)

    report = sides.exports(binding)
    item = sides.item()
    sides.write(record, name="Lamp")
    sides.exports(binding)

    assert report.sentence() == "1 parked"
    assert (item["kind"], item["topic"], item["record_id"]) == ("dead_letter", "export", str(record))
    assert item["summary"] == f"export of memory.thing {record} failed: a title is required"
    assert item["payload"]["ours"]["name"] == "   "
    assert (sides.inbox(), len(sides.server.all())) == ([], 1)


def test_an_import_does_not_settle_what_could_not_be_exported(sides: TwoSides) -> None:
    """Their other change comes in; ours is still not there."""
    record, binding = linked(sides)
    sides.write(record, name=" ")
    sides.exports(binding)
    sides.server.thing("7", qty=5)

    sides.imports("7")

    assert [item["topic"] for item in sides.inbox()] == ["export"]


def test_an_export_does_not_settle_what_could_not_be_imported(sides: TwoSides) -> None:
    """Our other change goes out; theirs is still not here."""
    record, binding = linked(sides)
    sides.server.thing("7", qty=2**70)
    sides.imports("7")
    sides.write(record, note="New")

    sides.exports(binding)

    assert sides.server.shown("7")["text"] == "New"
    assert [item["topic"] for item in sides.inbox()] == ["import"]


def test_what_could_not_be_exported_is_moot_when_it_is_undone_here(sides: TwoSides) -> None:
    """Ours is as last seen again: nobody needs to look."""
    record, binding = linked(sides)
    sides.write(record, name=" ")
    sides.exports(binding)
    sides.write(record, name="Lamp")

    sides.exports(binding)

    assert sides.inbox() == []


def test_a_record_deleted_there_is_left_to_the_import(sides: TwoSides) -> None:
    """The export finds it gone; the import applies the policy."""
    record, binding = linked(sides)
    sides.write(record, name="Other")
    sides.server.remove("7")

    report = sides.exports(binding)
    sides.jobs()

    assert report.sentence() == "nothing changed: 1 skipped (deleted there, the import decides)"
    assert sides.binding("7")["state"] == "tombstone"


def test_a_record_deleted_here_behind_our_back_has_its_deletion_due(sides: TwoSides) -> None:
    """An export that finds nothing to export delays the deletion."""
    record, binding = linked(sides)
    with sides.hub.env(connector_no_export=True) as env:
        env["unit.thing"].unlink([record])

    report = sides.exports(binding)

    assert report.sentence() == "nothing changed: 1 skipped (our record is gone, its deletion is due)"
    assert sides.pending() == {"delete_record": 1}


@on_sqlite
@pytest.mark.parametrize(("state", "why"), [("tombstone", "deleted before"), ("frozen", "frozen")])
def test_bindings_that_are_not_linked_are_left_alone(
    sides: TwoSides, lamp: int, state: str, why: str
) -> None:
    """The report says why."""
    with sides.hub.env() as env:
        env["memory.thing"].browse(lamp).write({"state": state})

    assert sides.exports(lamp).sentence() == f"nothing changed: 1 skipped ({why})"


# --- creates of unknown outcome --------------------------------------------------------


@on_sqlite
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("safety", [CreateSafety.NATIVE_KEY, CreateSafety.PROBE])
def test_a_lost_create_is_recovered(sides: TwoSides, lamp: int, safety: CreateSafety, applied: bool) -> None:
    """By its key or by looking: there is one record, whether it had taken effect or not."""
    sides.server.create_safety = safety
    sides.server.fail("create", LOST, applied=applied)
    with pytest.raises(UnknownOutcomeError):
        sides.exports(lamp)
    sides.clock.advance(QUIET)

    sides.exports(lamp)

    (there,) = sides.server.all()
    assert sides.bindings()[0]["external_id"] == there["id"]
    assert {e["state"] for e in sides.effects()} == {"done"}
    assert sides.inbox() == []


@on_sqlite
@pytest.mark.parametrize("safety", [CreateSafety.NATIVE_KEY, CreateSafety.PROBE])
def test_what_changed_here_after_a_lost_create_goes_out(
    sides: TwoSides, lamp: int, safety: CreateSafety
) -> None:
    """The first values were written there; the edit since is not taken for exported."""
    sides.server.create_safety = safety
    sides.server.fail("create", LOST, applied=True)
    with pytest.raises(UnknownOutcomeError):
        sides.exports(lamp)
    sides.write(1, name="Desk lamp")
    sides.clock.advance(QUIET)

    sides.exports(lamp)
    sides.jobs()
    sides.exports(lamp)

    (there,) = sides.server.all()
    assert (there["title"], sides.inbox()) == ("Desk lamp", [])


def test_what_changed_there_after_a_lost_create_stays(sides: TwoSides, lamp: int) -> None:
    """A person edited the new record before we found it: that edit is theirs."""
    sides.server.fail("create", LOST, applied=True)
    with pytest.raises(UnknownOutcomeError):
        sides.exports(lamp)
    (there,) = sides.server.all()
    sides.server.put("memory.thing", there["id"], title="Edited there")
    sides.clock.advance(QUIET)

    sides.exports(lamp)
    sides.imports(there["id"])

    assert sides.server.shown(there["id"])["title"] == sides.one()["name"] == "Edited there"


@pytest.mark.parametrize("answer", ["", None, {"title": "Lamp"}])
def test_an_answer_that_tells_no_id_makes_no_second_record(sides: TwoSides, lamp: int, answer: Any) -> None:
    """Something was made there, whatever the answer lacks: it is found and not made again."""
    create = sides.server.create
    sides.server.create = lambda *args: (create(*args), answer)[1]  # type: ignore[method-assign]
    with pytest.raises(UnknownOutcomeError):
        sides.exports(lamp)
    sides.server.create = create  # type: ignore[method-assign]
    sides.clock.advance(QUIET)

    sides.exports(lamp)

    (there,) = sides.server.all()
    assert sides.bindings()[0]["external_id"] == there["id"]
    assert {e["state"] for e in sides.effects()} == {"done"}


def test_a_lost_create_is_not_looked_for_before_the_quiet_time(sides: TwoSides, lamp: int) -> None:
    """It may still take effect: the export comes back later, at no cost."""
    sides.server.fail("create", LOST)
    with pytest.raises(UnknownOutcomeError) as lost:
        sides.exports(lamp)
    sides.clock.advance(QUIET - timedelta(seconds=1))

    with pytest.raises(RecordLockedError) as early:
        sides.exports(lamp)

    assert lost.value.retry_in == QUIET
    assert (early.value.retry_in, early.value.ignore_retry) == (timedelta(seconds=1), True)
    assert (sides.server.count("find_created"), sides.server.count("create")) == (0, 1)


def test_a_lost_create_without_any_safety_asks_a_person(sides: TwoSides, lamp: int) -> None:
    """The item is open, the record waits; nothing is sent again by itself."""
    sides.server.create_safety = CreateSafety.NONE
    sides.server.fail("create", LOST, applied=True)
    with pytest.raises(UnknownOutcomeError):
        sides.exports(lamp)
    sides.clock.advance(QUIET)

    first, second = sides.exports(lamp), sides.exports(lamp)

    item = sides.item()
    assert (first.sentence(), item["kind"], item["choices"]) == ("1 parked", "effect", ["retry", "ignore"])
    assert second.sentence() == (
        "nothing changed: 1 skipped "
        "(a person is asked what became of an earlier create, see `isthmus inbox list`)"
    )
    assert item["payload"] == {
        "written": {"title": "Lamp", "text": None, "qty": 3, "code": None, "parent": None, "kind": None}
    }
    assert sides.server.count("create") == 1


@on_sqlite
def test_several_records_that_may_be_ours_ask_a_person(sides: TwoSides, lamp: int) -> None:
    """Someone copied the new record with our key: we do not guess."""
    sides.server.fail("create", LOST, applied=True)
    with pytest.raises(UnknownOutcomeError):
        sides.exports(lamp)
    (there,) = sides.server.all()
    sides.server.put("memory.thing", "copy", **{**there, "id": "copy"})
    sides.clock.advance(QUIET)

    sides.exports(lamp)

    assert sides.item()["summary"].startswith(
        "2 records there may be memory.thing of record 1: look on both sides"
    )


def test_an_import_does_not_take_a_lost_create_for_new(sides: TwoSides, lamp: int) -> None:
    """What our create may have made waits until the export has settled it."""
    sides.server.fail("create", LOST, applied=True)
    with pytest.raises(UnknownOutcomeError):
        sides.exports(lamp)
    (there,) = sides.server.all()

    report = sides.lists(there)
    sides.clock.advance(QUIET)
    sides.exports(lamp)
    sides.jobs()

    assert report.sentence() == "1 delayed"
    assert (len(sides.ours()), len(sides.bindings())) == (1, 1)


# --- writes of unknown outcome ---------------------------------------------------------


@on_sqlite
@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_write_is_closed_by_reading_again(sides: TwoSides, applied: bool) -> None:
    """Applied or not, the next export ends with both sides equal and no conflict."""
    record, binding = linked(sides)
    sides.write(record, name="Desk lamp")
    sides.server.fail("write", LOST, applied=applied)
    with pytest.raises(UnknownOutcomeError):
        sides.exports(binding)

    sides.exports(binding)

    assert (sides.server.shown("7")["title"], sides.inbox()) == ("Desk lamp", [])
    assert sides.effects("open") == []
    assert sides.server.count("write") == (1 if applied else 2)
    assert sides.imports("7").changed == 0


def test_a_lost_write_is_no_conflict_when_ours_moved_on(sides: TwoSides) -> None:
    """They show what we wrote; ours is newer: it is exported."""
    record, binding = linked(sides)
    sides.write(record, name="Second")
    sides.server.fail("write", LOST, applied=True)
    with pytest.raises(UnknownOutcomeError):
        sides.exports(binding)
    sides.write(record, name="Third")

    sides.exports(binding)

    assert (sides.server.shown("7")["title"], sides.inbox()) == ("Third", [])


def test_a_lost_write_does_not_come_back_as_a_change(sides: TwoSides) -> None:
    """An import that runs before the export has settled it knows the value as ours."""
    record, binding = linked(sides)
    sides.write(record, name="Second")
    sides.server.fail("write", LOST, applied=True)
    with pytest.raises(UnknownOutcomeError):
        sides.exports(binding)
    sides.write(record, name="Third")

    sides.imports("7")
    sides.exports(binding)

    assert (sides.one()["name"], sides.server.shown("7")["title"], sides.inbox()) == ("Third", "Third", [])


@on_sqlite
def test_a_lost_write_that_they_wrote_over_is_a_conflict(sides: TwoSides) -> None:
    """Neither the value last seen nor ours: a person there changed it."""
    record, binding = linked(sides)
    sides.write(record, name="Second")
    sides.server.fail("write", LOST, applied=True)
    with pytest.raises(UnknownOutcomeError):
        sides.exports(binding)
    sides.server.thing("7", title="Theirs")

    sides.exports(binding)

    assert (sides.item()["kind"], sides.server.shown("7")["title"]) == ("conflict", "Theirs")


# --- conflicts -------------------------------------------------------------------------


def test_a_conflict_stops_only_its_group(sides: TwoSides) -> None:
    """The title waits for a person, the note goes out."""
    record, binding = linked(sides)
    sides.write(record, name="Ours", note="Soft")
    sides.server.thing("7", title="Theirs")

    sides.exports(binding)
    sides.exports(binding)

    there, item = sides.server.shown("7"), sides.item()
    assert (there["title"], there["text"]) == ("Theirs", "Soft")
    assert (item["kind"], item["times"]) == ("conflict", 2)


@on_sqlite
def test_the_same_change_on_both_sides_is_agreement(sides: TwoSides) -> None:
    """Nothing is sent."""
    record, binding = linked(sides)
    sides.write(record, name="Both")
    sides.server.thing("7", title="Both")

    sides.exports(binding)

    assert (sides.server.count("write"), sides.inbox()) == (0, [])
    assert sides.imports("7").sentence() == "nothing changed: 1 unchanged"


# --- dependencies ----------------------------------------------------------------------


@on_sqlite
def test_dependencies_are_exported_first(sides: TwoSides) -> None:
    """A chain of parents and a kind, with one export."""
    kind = sides.create("unit.kind", name="Furniture")
    root = sides.create(name="Root", kind_id=kind)
    middle = sides.create(name="Middle", parent_id=root)
    leaf = sides.bind(sides.create(name="Leaf", parent_id=middle))

    report = sides.exports(leaf)

    there = {t["title"]: t for t in sides.server.all()}
    assert report.sentence() == "4 created"
    assert there["Leaf"]["parent"] == there["Middle"]["id"]
    assert there["Middle"]["parent"] == there["Root"]["id"]
    assert there["Root"]["kind"] == sides.server.all("memory.kind")[0]["id"]


@on_sqlite
def test_a_circle_is_refused(sides: TwoSides) -> None:
    """Records that need each other are parked, and nothing is sent."""
    one = sides.create(name="One")
    two = sides.create(name="Two", parent_id=one)
    sides.write(one, parent_id=two)

    sides.exports(sides.bind(one))

    assert any(
        "circle: memory.thing 1 -> memory.thing 2 -> memory.thing 1" in i["summary"] for i in sides.inbox()
    )
    assert sides.server.all() == []


@on_sqlite
def test_a_parked_dependency_parks_who_needs_it(sides: TwoSides) -> None:
    """The child says what it lacks, and goes out once the parent is mended."""
    parent = sides.create(name=" ")
    child = sides.bind(sides.create(name="Child", parent_id=parent))

    sides.exports(child)
    kinds = sorted((i["record_id"], i["kind"]) for i in sides.inbox())
    sides.write(parent, name="Parent")
    sides.exports(child)

    assert kinds == [("1", "dead_letter"), ("2", "dead_letter")]
    assert sorted(t["title"] for t in sides.server.all()) == ["Child", "Parent"]
    assert sides.inbox() == []


# --- leases, phases, hooks -------------------------------------------------------------


def test_a_held_record_is_tried_again_at_no_cost(sides: TwoSides, lamp: int) -> None:
    """Another process synchronises it now: later, without counting as a retry."""
    with sides.hub.env() as env:
        held = env.locks.take([f"{sides.backend_id}/memory.thing/r/1/"], lasting=timedelta(seconds=30))

    with pytest.raises(RecordLockedError, match="is being synchronised by another process") as locked:
        sides.exports(lamp)

    with sides.hub.env() as env:
        env.locks.release(held)
    assert (locked.value.ignore_retry, locked.value.retry_in) == (True, timedelta(seconds=7.5))
    assert sides.exports(lamp).sentence() == "1 created"


def test_leases_are_given_up_after_every_outcome(sides: TwoSides, lamp: int) -> None:
    """Refused, lost, parked, unchanged or done: the next export gets its lease at once."""
    sides.server.fail("create", NetworkRetryableError("away"))
    sides.server.fail("create", InvalidDataError("odd"))
    with pytest.raises(NetworkRetryableError):
        sides.exports(lamp)
    sides.exports(lamp)
    sides.exports(lamp)
    sides.exports(lamp)
    sides.write(1, name="Other")
    sides.server.fail("write", LOST)
    with pytest.raises(UnknownOutcomeError):
        sides.exports(lamp)

    assert sides.exports(lamp).sentence() == "1 updated"


def test_a_lease_that_was_lost_sends_nothing(make_sides: Make) -> None:
    """Another took the record over before the call: the call is not made."""
    sides = make_sides()
    lamp = sides.bind(sides.create(name="Lamp"))
    from isthmus.errors import LeaseLostError

    def late(grant: Any) -> None:
        sides.hub.locks.on_take = None
        sides.clock.advance(timedelta(seconds=31))
        with sides.another_hub() as other, other.env() as env:
            env.locks.take(list(grant.keys), lasting=timedelta(seconds=30))

    sides.hub.locks.on_take = late
    with pytest.raises(LeaseLostError):
        sides.exports(lamp)

    assert (sides.server.count("create"), sides.effects("open")) == (0, [])


@on_sqlite
@pytest.mark.parametrize(
    ("step", "phase"),
    [
        ("_export_dependencies", "gather"),
        ("_has_to_skip", "decide"),
        ("_create_data", "decide"),
        ("_create", "write"),
    ],
)
def test_a_step_that_writes_in_another_phase_is_told_so(make_sides: Make, step: str, phase: str) -> None:
    """The error names the phase; nothing is sent."""

    def stray(self: Any, *args: Any) -> Any:
        self.env["unit.thing"].create({"name": "stray"})
        return ()

    sides = make_sides(exporter(**{step: stray}))
    lamp = sides.bind(sides.create(name="Lamp"))

    with pytest.raises(PhaseError, match=f"in phase '{phase}'"):
        sides.exports(lamp)

    assert sides.server.all() == []


@on_sqlite
@pytest.mark.parametrize(
    ("step", "phase"), [("_has_to_skip", "decide"), ("_after_export", "last transaction")]
)
def test_a_step_that_calls_in_another_phase_is_told_so(make_sides: Make, step: str, phase: str) -> None:
    """The error names the phase."""

    def stray(self: Any, *args: Any) -> Any:
        self.backend_adapter.read("1")

    sides = make_sides(exporter(**{step: stray}))
    lamp = sides.bind(sides.create(name="Lamp"))

    with pytest.raises(PhaseError, match=f"in phase '{phase}'"):
        sides.exports(lamp)


@on_sqlite
def test_the_last_step_writes_in_the_transaction_that_ends_the_export(make_sides: Make) -> None:
    """`_after_export` may write our database."""

    def after(self: Any, operation: Operation) -> None:
        self.env["unit.kind"].create({"name": f"made {operation.item.external_id}"})

    sides = make_sides(exporter(_after_export=after))

    sides.exports(sides.bind(sides.create(name="Lamp")))

    assert sides.ours("unit.kind")[0]["name"] == f"made {sides.server.all()[0]['id']}"


def test_a_failing_last_step_makes_no_second_record(make_sides: Make) -> None:
    """The create is found by its effect when the export runs again."""
    fails = [True]

    def after(self: Any, operation: Operation) -> None:
        if fails[0]:
            raise ZeroDivisionError

    sides = make_sides(exporter(_after_export=after))
    lamp = sides.bind(sides.create(name="Lamp"))
    with pytest.raises(ZeroDivisionError):
        sides.exports(lamp)
    fails[0] = False
    sides.clock.advance(QUIET)

    sides.exports(lamp)

    assert (len(sides.server.all()), sides.effects("open")) == (1, [])


@on_sqlite
def test_a_parking_last_step_makes_no_second_record(make_sides: Make) -> None:
    """`_after_export` parks: what was made there stays known."""
    fails = [True]

    def after(self: Any, operation: Operation) -> None:
        if fails[0]:
            raise InvalidDataError("not now")

    sides = make_sides(exporter(_after_export=after))
    lamp = sides.bind(sides.create(name="Lamp"))
    sides.exports(lamp)
    fails[0] = False
    sides.clock.advance(QUIET)

    sides.exports(lamp)

    assert (len(sides.server.all()), sides.effects("open")) == (1, [])


def _draft(self: Any, *args: Any) -> Any:
    raise SkipRecord("a draft")


@on_sqlite
@pytest.mark.parametrize(
    ("step", "does"),
    [("_has_to_skip", lambda self, item: "a draft"), ("_create_data", _draft), ("_create", _draft)],
)
def test_a_step_may_skip_a_record(make_sides: Make, step: str, does: Any) -> None:
    """With a reason, by returning it or by raising it; the lease is given up and no effect stays open."""
    sides = make_sides(exporter(**{step: does}))
    lamp = sides.bind(sides.create(name="Lamp"))

    sentences = {sides.exports(lamp).sentence(), sides.exports(lamp).sentence()}

    assert sentences == {"nothing changed: 1 skipped (a draft)"}
    assert (sides.effects("open"), sides.inbox()) == ([], [])


@on_sqlite
def test_an_export_may_ask_for_an_import_too(make_sides: Make) -> None:
    """`_should_import` delays one."""
    sides = make_sides(exporter(_should_import=lambda self, item: True))
    record, binding = linked(sides)
    sides.write(record, name="Other")

    sides.exports(binding)

    assert sides.pending()["import_record"] == 1


# --- listeners -------------------------------------------------------------------------


def test_our_change_is_exported_by_a_job(sides: TwoSides) -> None:
    """What the export domain takes is bound and exported; several changes are one job."""
    sides.set(export_domain={"unit.thing": [("amount", ">", 1)]})
    sides.create(name="Too little", amount=1)
    lamp = sides.create(name="Lamp", amount=2)
    sides.write(lamp, note="Soft")
    waiting = sides.pending()

    sides.jobs()

    assert waiting == {"export_record": 1}
    assert [(t["title"], t["text"]) for t in sides.server.all()] == [("Lamp", "Soft")]


@on_sqlite
def test_a_change_may_be_kept_silent(sides: TwoSides) -> None:
    """Under the context key nothing is exported."""
    sides.set(export_domain={"unit.thing": []})
    for key in ("connector_no_export", "no_connector_export"):
        with sides.hub.env(**{key: True}) as env:
            env["unit.thing"].create({"name": "Silent"})

    assert (sides.pending(), sides.bindings()) == ({}, [])


@on_sqlite
def test_a_disabled_backend_gets_nothing(sides: TwoSides) -> None:
    """No binding and no job is made for it."""
    sides.set(export_domain={"unit.thing": []}, active=False)

    sides.create(name="Lamp")

    assert (sides.pending(), sides.bindings()) == ({}, [])
