"""Pages of imports: what is gathered, leased, decided and written together."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from memory_connector import SERVERS, TwoSides

from isthmus.errors import InvalidDataError, PhaseError, SkipRecord
from isthmus.event import EventListener
from isthmus.sync import Operation

Make = Callable[..., TwoSides]


on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what does not depend on the database."""


def importer(**steps: Any) -> type:
    """Extend the importer of things in place by these steps."""
    from isthmus.component import AbstractComponent

    return type("Steps", (AbstractComponent,), {"_inherit": "memory.thing.importer", **steps})


# --- one record ------------------------------------------------------------------------


def test_a_new_record_there_becomes_one_here(sides: TwoSides) -> None:
    """A create brings record, binding, both images and a line of the journal."""
    sides.server.thing("7", title="Lamp", qty=3)

    report = sides.imports("7")

    assert report.sentence() == "1 created"
    assert sides.one()["name"] == "Lamp"
    binding = sides.binding("7")
    assert binding["seen_external"]["title"] == binding["seen_internal"]["name"] == "Lamp"
    assert [(e.operation, e.direction, e.external_id) for e in sides.journal()] == [("create", "import", "7")]


def test_the_id_zero_is_an_id(sides: TwoSides) -> None:
    """A record whose ID is 0 is imported and bound as "0"."""
    sides.server.thing("0", title="Zero")

    with sides.work() as work:
        report = work.component(usage="record.importer").run(0)

    assert (report.sentence(), sides.binding("0")["state"]) == ("1 created", "linked")


@on_sqlite
def test_an_empty_id_is_refused(sides: TwoSides) -> None:
    """There is nothing to import without an ID."""
    with sides.work() as work, pytest.raises(InvalidDataError, match="empty external ID"):
        work.component(usage="record.importer").run("")


def test_a_second_import_finds_nothing_to_do(sides: TwoSides) -> None:
    """What is as last seen is left alone and says so."""
    sides.server.thing("7")
    sides.imports("7")

    report = sides.imports("7")

    assert report.sentence() == "nothing changed: 1 unchanged"
    assert len(sides.journal()) == 1


def test_what_changed_there_is_written_here(sides: TwoSides) -> None:
    """Only the changed fields are written, and the journal shows them."""
    sides.linked("7", title="Lamp", qty=3)
    sides.server.thing("7", title="Desk lamp")

    report = sides.imports("7")

    assert report.sentence() == "1 updated"
    assert (sides.one()["name"], sides.one()["amount"]) == ("Desk lamp", 3)
    assert sides.journal()[-1].changes == {"name": {"before": "Lamp", "after": "Desk lamp"}}
    assert sides.journal()[-1].reason == "changed there: title"


def test_what_changed_here_meanwhile_stays(sides: TwoSides) -> None:
    """An import of one field does not undo our change of another."""
    ours = sides.linked("7", title="Lamp", qty=3)
    sides.write(ours["id"], amount=5)
    sides.server.thing("7", title="Desk lamp")

    sides.imports("7")

    assert (sides.one()["name"], sides.one()["amount"]) == ("Desk lamp", 5)


@on_sqlite
def test_force_looks_at_an_unchanged_record_again(sides: TwoSides) -> None:
    """A forced import goes through the steps, and writes nothing where nothing differs."""
    sides.linked("7")

    report = sides.imports("7", force=True)

    assert report.sentence() == "nothing changed: 1 unchanged"


@on_sqlite
def test_a_field_that_only_comes_in_is_written_over(sides: TwoSides) -> None:
    """A group that the import mapper alone covers follows their side."""
    ours = sides.linked("7", colour="red")
    sides.write(ours["id"], colour="green")
    sides.server.thing("7", colour="blue")

    sides.imports("7")

    assert (sides.one()["colour"], sides.inbox()) == ("blue", [])


# --- dependencies ----------------------------------------------------------------------


def test_dependencies_come_first_to_any_depth(sides: TwoSides) -> None:
    """A chain of parents, and the kind of the last, come with one record."""
    sides.server.kind("k1", "Furniture")
    sides.server.thing("1", kind="k1")
    for number in range(2, 7):
        sides.server.thing(str(number), parent=str(number - 1))

    report = sides.imports("6")

    parents = {t["id"]: t["parent_id"] for t in sides.ours()}
    assert report.sentence() == "7 created"
    assert sorted(map(bool, parents.values())) == [False, *[True] * 5]
    assert sides.ours("unit.kind")[0]["name"] == "Furniture"


def test_records_of_one_page_refer_to_each_other(sides: TwoSides) -> None:
    """A placeholder stands for what the same page creates, in whatever order the page has it."""
    child, parent = sides.server.thing("2", parent="1"), sides.server.thing("1")

    sides.lists(child, parent)

    one, two = sides.binding("1"), sides.binding("2")
    assert sides.one(id=int(two["record_id"]))["parent_id"] == int(one["record_id"])


@on_sqlite
def test_a_dependency_that_is_bound_is_not_read(sides: TwoSides) -> None:
    """What is here already costs no call."""
    sides.linked("1")
    sides.server.calls.clear()
    payload = sides.server.thing("2", parent="1")

    sides.lists(payload)

    assert sides.server.calls == []
    assert sides.binding("2")["state"] == "linked"


def test_a_missing_dependency_parks_only_who_needs_it(sides: TwoSides) -> None:
    """The mapping says what is not there."""
    sides.lists(sides.server.thing("1", parent="99"), sides.server.thing("2"))

    item = sides.item()
    assert (item["kind"], item["external_id"]) == ("dead_letter", "1")
    assert "'99'" in item["summary"]
    assert sides.binding("2")["state"] == "linked"


def test_a_circle_is_parked_and_the_rest_goes_on(sides: TwoSides) -> None:
    """Records that need each other are told as a circle, once each; the others are imported."""
    a, b = sides.server.thing("1", parent="2"), sides.server.thing("2", parent="1")

    sides.lists(a, b, sides.server.thing("3"))

    summaries = [item["summary"] for item in sides.inbox()]
    assert [b["external_id"] for b in sides.bindings()] == ["3"]
    assert any("circle: memory.thing 1 -> memory.thing 2 -> memory.thing 1" in s for s in summaries)
    assert len(summaries) == 2


@on_sqlite
def test_a_record_that_needs_itself_is_parked(sides: TwoSides) -> None:
    """The smallest circle."""
    sides.lists(sides.server.thing("1", parent="1"))

    assert "circle: memory.thing 1 -> memory.thing 1" in sides.item()["summary"]


@on_sqlite
def test_a_dependency_that_is_not_selected_stays_away(make_sides: Make) -> None:
    """What `_should_import` refuses does not come in as a dependency either."""
    sides = make_sides(importer(_should_import=lambda self, item: item.payload["title"] != "Private"))

    sides.lists(
        sides.server.thing("2", parent="1"), sides.server.thing("3"), sides.server.thing("1", title="Private")
    )

    assert [b["external_id"] for b in sides.bindings()] == ["3"]
    assert sides.item()["external_id"] == "2"


# --- what is left alone ----------------------------------------------------------------


@on_sqlite
def test_a_record_that_is_not_selected_is_counted(make_sides: Make) -> None:
    """The report says why it did nothing."""
    sides = make_sides(importer(_should_import=lambda self, item: False))
    sides.server.thing("1")

    assert sides.imports("1").sentence() == "nothing changed: 1 skipped (not selected)"


@on_sqlite
def test_a_step_may_skip_a_record_with_a_reason(make_sides: Make) -> None:
    """`_must_skip` gives the reason; the others go on."""
    sides = make_sides(importer(_must_skip=lambda self, item: "a draft" if item.external_id == "1" else None))

    report = sides.lists(sides.server.thing("1"), sides.server.thing("2"))

    assert report.sentence() == "1 created, 1 skipped (a draft)"


@on_sqlite
@pytest.mark.parametrize(
    "step", ["_import_dependencies", "_map_data", "_create_data", "_validate_create_data"]
)
def test_skip_record_drops_one_record_from_any_step(make_sides: Make, step: str) -> None:
    """A step that raises SkipRecord leaves that record alone and nothing in the inbox."""

    def skip(self: Any, *args: Any) -> Any:
        raise SkipRecord("not ours")

    sides = make_sides(importer(**{step: skip}))
    sides.server.thing("1")

    report = sides.imports("1")

    assert report.sentence() == "nothing changed: 1 skipped (not ours)"
    assert (sides.ours(), sides.inbox()) == ([], [])


@on_sqlite
@pytest.mark.parametrize(("state", "why"), [("tombstone", "deleted before"), ("frozen", "frozen")])
def test_tombstones_and_frozen_bindings_are_left_alone(sides: TwoSides, state: str, why: str) -> None:
    """A walk does not bring back what was deleted, nor touch what is frozen."""
    sides.linked("1", title="Lamp")
    with sides.hub.env() as env:
        env["memory.thing"].browse(sides.binding("1")["id"]).write({"state": state})
    sides.server.thing("1", title="Other")

    report = sides.imports("1", force=True)

    assert report.sentence() == f"nothing changed: 1 skipped ({why})"
    assert sides.one()["name"] == "Lamp"


def test_a_record_of_ours_that_is_gone_leaves_a_tombstone(sides: TwoSides) -> None:
    """A change there of what we deleted behind sync's back brings nothing back."""
    ours = sides.linked("1")
    with sides.hub.env(connector_no_export=True) as env:
        env["unit.thing"].unlink([ours["id"]])
    sides.server.thing("1", title="Other")

    report = sides.imports("1")

    assert report.sentence() == "1 forgotten"
    assert sides.binding("1")["state"] == "tombstone"


# --- bad records -----------------------------------------------------------------------


def test_a_bad_record_is_halved_out_and_the_rest_goes_on(sides: TwoSides) -> None:
    """The database refuses one of nine; the others and the cursor go on in the same page."""
    moved: list[str] = []
    payloads = [sides.server.thing(str(n), qty=2**70 if n == 5 else n) for n in range(1, 10)]

    report = sides.lists(*payloads, cursor=lambda: moved.append("moved"))

    assert report.done["created"] == 8
    assert report.done["parked"] == 1
    assert [b["external_id"] for b in sides.bindings()] == ["1", "2", "3", "4", "6", "7", "8", "9"]
    assert {b["record_id"] for b in sides.bindings()} == {str(t["id"]) for t in sides.ours()}
    assert (sides.item()["external_id"], moved) == ("5", ["moved"])
    assert sides.item()["payload"]["theirs"]["qty"] == 2**70


def test_references_survive_the_halving(sides: TwoSides) -> None:
    """A child gets its own parent although the first try made that one under another key."""
    sides.server.thing("1", title="Bad", qty=2**70)
    sides.server.thing("2", title="Good parent")
    children = [sides.server.thing(str(n), parent="2") for n in (3, 4)]

    sides.lists(sides.server.shown("1"), sides.server.shown("2"), *children)

    parent = int(sides.binding("2")["record_id"])
    assert [sides.one(id=int(sides.binding(n)["record_id"]))["parent_id"] for n in "34"] == [parent, parent]
    assert [item["external_id"] for item in sides.inbox()] == ["1"]


def test_what_needs_a_bad_record_is_parked_with_it(sides: TwoSides) -> None:
    """The child says which record it lacks."""
    sides.server.thing("1", qty=2**70)

    sides.lists(sides.server.thing("2", parent="1"), sides.server.thing("3"))

    summaries = {item["external_id"]: item["summary"] for item in sides.inbox()}
    assert summaries["2"] == (
        "import of memory.thing 2 failed: memory.thing 1, which it needs, could not be imported"
    )
    assert [b["external_id"] for b in sides.bindings()] == ["3"]


def test_a_failing_last_step_parks_only_its_record(make_sides: Make) -> None:
    """`_after_import` of one record fails: the others keep their bindings, and no record is left without."""

    def after(self: Any, operation: Operation) -> None:
        if operation.item.external_id == "2":
            raise InvalidDataError("not this one")

    sides = make_sides(importer(_after_import=after))

    report = sides.lists(*(sides.server.thing(n) for n in "1234"))

    assert report.done == {"created": 3, "parked": 1}
    assert [b["external_id"] for b in sides.bindings()] == ["1", "3", "4"]
    assert [t["id"] for t in sides.ours()] == [int(b["record_id"]) for b in sides.bindings()]
    assert sides.item()["record_id"] is None


def test_a_failing_last_step_keeps_the_images_of_an_update(make_sides: Make) -> None:
    """What was not written is seen as changed by the next run."""
    fails = [True]

    def after(self: Any, operation: Operation) -> None:
        if fails[0] and operation.kind == "write":
            raise InvalidDataError("not now")

    sides = make_sides(importer(_after_import=after))
    sides.linked("1", title="Lamp")
    sides.server.thing("1", title="Desk lamp")
    sides.imports("1")
    fails[0] = False

    report = sides.imports("1")

    assert report.sentence() == "1 updated"
    assert (sides.one()["name"], sides.inbox()) == ("Desk lamp", [])


@on_sqlite
@pytest.mark.parametrize("payload", [["a", "list"], "a text", None, 7])
def test_what_is_no_object_is_parked(sides: TwoSides, payload: Any) -> None:
    """A list entry that is no object is shown with what it is; the rest goes on."""
    report = sides.lists(payload, sides.server.thing("2"))

    assert (report.done["created"], report.done["parked"]) == (1, 1)
    assert f"that is no object came in a list, but a {type(payload).__name__}" in sides.item()["summary"]
    assert sides.item()["payload"]["theirs"] == payload


@on_sqlite
def test_an_object_without_an_id_is_parked(sides: TwoSides) -> None:
    """It cannot be bound; the payload is kept."""
    sides.lists({"title": "Nobody"})

    assert "a record without ID" in sides.item()["summary"]
    assert sides.item()["payload"]["theirs"] == {"title": "Nobody"}


@pytest.mark.parametrize("key", ["half \ud800", "a NUL \x00"])
def test_an_id_that_no_database_holds_is_parked(sides: TwoSides, key: str) -> None:
    """It cannot even be looked for; the others come in."""
    report = sides.lists({**sides.server.thing("1"), "id": key}, sides.server.thing("2"))

    assert (report.done["created"], report.done["parked"]) == (1, 1)
    assert sides.item()["summary"].endswith(f"whose ID {key!r} no database can hold")


@on_sqlite
def test_a_record_that_comes_twice_in_a_page_is_one(sides: TwoSides) -> None:
    """A listing that moved under the walk shows a record twice."""
    payload = sides.server.thing("1")

    report = sides.lists(payload, payload)

    assert (report.sentence(), len(sides.ours())) == ("1 created", 1)


def test_a_dead_letter_is_renewed_and_closed_when_moot(sides: TwoSides) -> None:
    """The same trouble is one item; it closes by itself when the record comes in."""
    sides.server.thing("1", qty="many")
    sides.imports("1")
    sides.imports("1")
    renewed = sides.inbox()
    sides.server.thing("1", qty=3)

    sides.imports("1")

    (closed,) = sides.inbox(None)
    assert [item["times"] for item in renewed] == [2]
    assert (closed["state"], closed["resolution"]) == ("resolved", "settled by a later run")


def test_a_dead_letter_is_closed_when_the_record_is_as_it_was(sides: TwoSides) -> None:
    """What was broken there and mended to the value before needs nobody any more."""
    sides.linked("1", qty=3)
    sides.server.thing("1", qty=2**70)
    sides.imports("1")
    assert len(sides.inbox()) == 1
    sides.server.thing("1", qty=3)

    sides.imports("1")

    assert sides.inbox() == []


# --- conflicts -------------------------------------------------------------------------


def test_a_conflict_is_raised_once_and_renewed(sides: TwoSides) -> None:
    """Both sides changed the title: nobody wins, the other fields go on, one item is open."""
    ours = sides.linked("1", title="Lamp", qty=1)
    sides.server.thing("1", title="Theirs", qty=2)
    sides.write(ours["id"], name="Ours")

    report = sides.imports("1")
    sides.imports("1")

    item = sides.item()
    assert report.sentence() == "1 updated, 1 conflict"
    assert (sides.one()["name"], sides.one()["amount"]) == ("Ours", 2)
    assert (item["kind"], item["topic"], item["times"]) == ("conflict", "name~title", 2)
    assert item["payload"] == {
        "theirs": {"title": "Theirs"},
        "ours": {"name": "Ours"},
        "base": {"ours": {"name": "Lamp"}, "theirs": {"title": "Lamp"}},
    }


def test_the_same_change_on_both_sides_is_agreement(sides: TwoSides) -> None:
    """Both wrote the same: nothing is written, and neither side counts as changed afterwards."""
    ours = sides.linked("1", title="Lamp")
    sides.server.thing("1", title="Both")
    sides.write(ours["id"], name="Both")

    sides.imports("1")

    binding = sides.binding("1")
    assert (sides.inbox(), sides.imports("1").sentence()) == ([], "nothing changed: 1 unchanged")
    assert (binding["seen_external"]["title"], binding["seen_internal"]["name"]) == ("Both", "Both")


@on_sqlite
def test_a_conflict_is_closed_when_the_sides_agree(sides: TwoSides) -> None:
    """A person wrote the same on both sides: the item is moot."""
    ours = sides.linked("1", title="Lamp")
    sides.server.thing("1", title="Theirs")
    sides.write(ours["id"], name="Ours")
    sides.imports("1")
    sides.server.thing("1", title="Ours")

    sides.imports("1")

    assert sides.inbox() == []


def test_a_conflict_is_closed_when_their_change_is_undone(sides: TwoSides) -> None:
    """Theirs is as last seen again: our change goes out, the item is moot."""
    ours = sides.linked("1", title="Lamp")
    sides.server.thing("1", title="Theirs")
    sides.write(ours["id"], name="Ours")
    sides.imports("1")
    sides.jobs()
    sides.server.thing("1", title="Lamp")

    sides.imports("1")
    sides.jobs()

    assert (sides.server.shown("1")["title"], sides.inbox()) == ("Ours", [])


# --- leases and other hubs -------------------------------------------------------------


def test_a_held_record_alone_is_delayed(sides: TwoSides) -> None:
    """Who does not get its lease leaves the page and comes back as a job; page and cursor go on."""
    moved: list[str] = []
    payloads = [sides.server.thing(n) for n in "123"]
    with sides.hub.env() as env:
        held = env.locks.take([f"{sides.backend_id}/memory.thing/e/2"], lasting=timedelta(seconds=30))

    report = sides.lists(*payloads, cursor=lambda: moved.append("moved"))

    assert report.sentence() == "2 created, 1 delayed"
    assert moved == ["moved"]
    with sides.hub.env() as env:
        env.locks.release(held)
    sides.jobs()
    assert len(sides.ours()) == 3


def test_what_needs_a_held_record_is_delayed_with_it(sides: TwoSides) -> None:
    """A child of a record that another process is importing waits; it is not taken for broken."""
    sides.server.thing("1")
    with sides.hub.env() as env:
        held = env.locks.take([f"{sides.backend_id}/memory.thing/e/1"], lasting=timedelta(seconds=30))

    report = sides.lists(sides.server.thing("2", parent="1"), sides.server.thing("3"))
    inbox = sides.inbox()

    with sides.hub.env() as env:
        env.locks.release(held)
    sides.jobs()
    assert (report.sentence(), inbox) == ("1 created, 2 delayed", [])
    assert sorted(b["external_id"] for b in sides.bindings()) == ["1", "2", "3"]


@on_sqlite
def test_names_claimed_by_a_step_are_leased(make_sides: Make) -> None:
    """`_lock` claims further names; when one is held the record is delayed."""
    sides = make_sides(importer(_lock=lambda self, item: ["shelf"]))
    payload = sides.server.thing("1")
    with sides.hub.env() as env:
        held = env.locks.take(["shelf"], lasting=timedelta(seconds=30))

    report = sides.lists(payload)

    with sides.hub.env() as env:
        env.locks.release(held)
    assert report.sentence() == "1 delayed"


def test_leases_are_given_up_with_the_page(sides: TwoSides) -> None:
    """After a page, good or bad, nothing stays claimed."""
    sides.lists(sides.server.thing("1"), sides.server.thing("2", qty=2**70))

    with sides.hub.env() as env:
        keys = [f"{sides.backend_id}/memory.thing/e/{n}" for n in "12"]
        again = env.locks.take(keys, lasting=timedelta(seconds=30))
        env.locks.release(again)
    assert again.refused == frozenset()


def test_leases_are_given_up_when_the_server_fails(sides: TwoSides) -> None:
    """A page that cannot be read leaves nothing claimed."""
    from isthmus.errors import NetworkRetryableError

    sides.server.thing("1")
    sides.server.fail("read", NetworkRetryableError("no answer"))
    with pytest.raises(NetworkRetryableError):
        sides.imports("1")

    assert sides.imports("1").sentence() == "1 created"


def test_a_listing_that_another_process_overtook_is_read_again(make_sides: Make) -> None:
    """What was listed before another hub imported a newer state must not bring the old one back."""
    sides = make_sides()
    sides.linked("1", title="First")
    with sides.work() as work:
        read_at = work.env.locks.now()
    old = sides.server.shown("1")
    sides.clock.advance(timedelta(seconds=1))
    sides.server.thing("1", title="Second")
    with sides.another_hub() as other:
        sides.imports("1", hub=other)
    sides.server.calls.clear()

    sides.lists(old, read_at=read_at)

    assert (sides.one()["name"], sides.server.count("read")) == ("Second", 1)


@on_sqlite
def test_a_record_read_again_that_is_gone_comes_back_as_a_job(sides: TwoSides) -> None:
    """It was deleted between listing and reading: the job applies the policy."""
    sides.linked("1")
    old = sides.server.thing("1", title="Second")
    with sides.work() as work:
        read_at = work.env.locks.now()
    sides.server.remove("1")

    report = sides.lists(old, read_at=read_at)
    sides.jobs()

    assert report.sentence() == "1 delayed"
    assert (sides.binding("1")["state"], sides.one()["active"]) == ("tombstone", False)


@on_sqlite
def test_a_record_read_again_with_new_needs_comes_back_as_a_job(sides: TwoSides) -> None:
    """What it needs now was not gathered with the page: it is not taken for broken."""
    sides.linked("1")
    with sides.work() as work:
        read_at = work.env.locks.now()
    old = sides.server.thing("1", title="Second")
    sides.server.thing("9")
    sides.server.thing("1", parent="9")

    sides.lists(old, read_at=read_at)
    inbox = sides.inbox()
    sides.jobs()

    child = sides.one(id=int(sides.binding("1")["record_id"]))
    assert (inbox, child["parent_id"]) == ([], int(sides.binding("9")["record_id"]))


def test_two_hubs_import_the_same_page_once(sides: TwoSides) -> None:
    """While one hub holds the records the other delays them: there is one of each."""
    payloads = [sides.server.thing(n) for n in "12"]
    reports = []
    with sides.another_hub() as other:

        def meanwhile(grant: Any) -> None:
            sides.hub.locks.on_take = None
            reports.append(sides.lists(*payloads, hub=other).sentence())

        sides.hub.locks.on_take = meanwhile
        reports.append(sides.lists(*payloads).sentence())
        sides.jobs()

    assert reports == ["2 delayed", "2 created"]
    assert len(sides.ours()) == 2


# --- phases ----------------------------------------------------------------------------


@on_sqlite
def test_the_steps_are_called_in_the_order_of_their_phases(make_sides: Make) -> None:
    """Gather, lease, decide, write, last transaction."""
    called: list[str] = []

    def told(name: str) -> Any:
        def step(self: Any, *args: Any, **kw: Any) -> Any:
            called.append(name)
            return getattr(super(built, self), name)(*args, **kw)

        return step

    steps = (
        "_should_import", "_import_dependencies", "_lock", "_must_skip", "_map_data", "_create_data",
        "_validate_create_data", "_before_import", "_create", "_after_import",
    )  # fmt: skip
    built = importer(**{name: told(name) for name in steps})
    sides = make_sides(built)
    sides.server.thing("1")

    sides.imports("1")

    # The lease of a record that is imported by its ID comes before it is read.
    assert called[1:] == [*list(steps[:2]), "_lock", *list(steps[3:])]
    assert called[0] == "_lock"


def _call_out(self: Any, *args: Any) -> Any:
    return self.backend_adapter.read("1")


def _write_here(self: Any, *args: Any) -> Any:
    self.env["unit.thing"].create({"name": "stray"})
    return ()


@on_sqlite
@pytest.mark.parametrize(
    ("step", "does", "phase"),
    [
        ("_should_import", _write_here, "gather"),
        ("_import_dependencies", _write_here, "gather"),
        ("_must_skip", _write_here, "decide"),
        ("_must_skip", _call_out, "decide"),
        ("_create_data", _write_here, "decide"),
        ("_create_data", _call_out, "decide"),
        ("_before_import", _call_out, "write"),
        ("_create", _call_out, "write"),
        ("_after_import", _call_out, "write"),
    ],
)
def test_a_step_that_does_the_work_of_another_phase_is_told_so(
    make_sides: Make, step: str, does: Any, phase: str
) -> None:
    """The error names the phase; nothing is written."""
    sides = make_sides(importer(**{step: does}))
    sides.server.thing("1")

    with pytest.raises(PhaseError, match=f"in phase '{phase}'"):
        sides.imports("1")

    assert (sides.ours(), sides.bindings()) == ([], [])


def test_what_a_step_writes_in_its_transaction_is_committed_with_the_page(make_sides: Make) -> None:
    """`_after_import` writes our database; a listener does not export what came in."""

    def after(self: Any, operation: Operation) -> None:
        self.env["unit.kind"].create({"name": f"made with {operation.record_id}"})

    sides = make_sides(importer(_after_import=after))
    sides.server.thing("1")

    sides.imports("1")

    assert sides.ours("unit.kind")[0]["name"] == f"made with {sides.one()['id']}"


@on_sqlite
def test_an_own_create_gives_the_key(make_sides: Make) -> None:
    """A connector may create in its own way, and bind to what is there already."""

    def create(self: Any, operation: Operation) -> Any:
        (found,) = self.env["unit.thing"].search([("name", "=", operation.values["name"])])
        return found.id

    sides = make_sides(importer(_create=create))
    known = sides.create(name="Lamp")
    sides.server.thing("1", title="Lamp")

    sides.imports("1")

    assert sides.binding("1")["record_id"] == str(known)
    assert len(sides.ours()) == 1


# --- echoes ----------------------------------------------------------------------------


def test_what_came_in_is_not_sent_back(sides: TwoSides) -> None:
    """An import delays no export of the same binding."""
    sides.set(export_domain={"unit.thing": []})
    sides.server.thing("1")
    sides.imports("1")
    sides.server.thing("1", title="Other")

    sides.imports("1")

    assert sides.pending() == {}


def test_other_bindings_of_the_record_are_woken(sides: TwoSides) -> None:
    """What one backend brings in, the others must send out."""
    ours = sides.linked("1", title="Lamp")
    with sides.hub.env() as env:
        second = env["memory.backend"].create({"name": "second", "url": "memory://second"})
        third = env["memory.backend"].create({"name": "third", "url": "memory://third", "active": False})
        for backend in (second, third):
            env["memory.thing"].create({
                "backend_id": backend.id,
                "record_id": str(ours["id"]),
                "external_id": "55",
            })
    SERVERS["memory://second"] = sides.server
    sides.server.thing("1", title="Other")

    sides.imports("1")

    assert [(j.method, j.identity_key) for j in sides.hub.queue.list(state="pending")] == [
        ("export_record", f"export/memory.thing/{sides.bindings()[1]['id']}")
    ]


# --- deletions there -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "left", "sentence"),
    [("archive", [False], "1 archived"), ("delete", [], "1 deleted"), ("forget", [True], "1 forgotten")],
)
def test_the_policy_for_what_was_deleted_there(
    sides: TwoSides, policy: str, left: list[bool], sentence: str
) -> None:
    """Archive, delete or forget; the binding stays as a tombstone each time."""
    sides.set(on_external_delete=policy)
    sides.linked("1")
    sides.server.remove("1")

    report = sides.imports("1")

    assert report.sentence() == sentence
    assert [t["active"] for t in sides.ours()] == left
    assert sides.binding("1")["state"] == "tombstone"
    assert sides.pending() == {}


@on_sqlite
def test_what_cannot_be_archived_is_forgotten(sides: TwoSides) -> None:
    """Kinds have no field `active`."""
    sides.server.kind("k1")
    sides.imports("k1", model="memory.kind")
    sides.server.remove("k1", "memory.kind")

    report = sides.imports("k1", model="memory.kind")

    assert (report.sentence(), len(sides.ours("unit.kind"))) == ("1 forgotten", 1)


def test_deleted_there_but_changed_here_asks_a_person(sides: TwoSides) -> None:
    """Our change is not thrown away."""
    sides.set(on_external_delete="delete")
    ours = sides.linked("1")
    sides.write(ours["id"], note="Important")
    sides.server.remove("1")

    report = sides.imports("1")
    sides.imports("1")

    item = sides.item()
    assert report.sentence() == "1 conflict"
    assert (item["kind"], item["times"], len(sides.ours())) == ("deletion", 2, 1)
    assert item["payload"]["ours"]["note"] == "Important"


@on_sqlite
def test_what_was_never_here_is_no_longer_there(sides: TwoSides) -> None:
    """An unknown ID is a reason, not an error."""
    assert sides.imports("99").sentence() == "nothing changed: 1 skipped (no longer there)"


# --- what no database can hold ---------------------------------------------------------


@pytest.mark.parametrize("key", ["a\0b", "\ud83d"])
def test_an_id_that_no_database_can_hold_is_parked_alone(sides: TwoSides, key: str) -> None:
    """Asked for by ID, or as what another record depends on."""
    sides.server.thing("2", title="Lamp")
    asked = sides.imports(key, "2")
    listed = sides.lists(
        sides.server.thing("3", title="Shelf"), sides.server.thing("4", title="Chair", kind=key)
    )

    assert (asked.done["created"], asked.done["parked"]) == (1, 1)
    assert (listed.done["created"], listed.done["parked"]) == (1, 1)
    assert ["no database can hold" in item["summary"] for item in sides.inbox()] == [True, True]


# --- events ----------------------------------------------------------------------------


def test_who_listens_to_bindings_hears_of_those_that_imports_make(make_sides: Make) -> None:
    """Once each, when they have their keys; the context says that they come from there."""
    heard: list[tuple[Any, ...]] = []

    class Hear(EventListener):
        _name = "test.hear.bindings"
        _apply_on = "memory.thing"

        def on_record_create(self, record: Any, fields: Any) -> None:
            heard.append((record.external_id, record.record.name, self.env.ctx.get("connector_no_export")))
            assert {"external_id", "seen_external"} <= set(fields)

    sides = make_sides(Hear)
    for number in range(1, 4):
        sides.server.thing(str(number), title=f"Thing {number}")
    sides.imports("1", "2", "3")
    sides.imports("1", "2", "3")

    assert sorted(heard) == [(str(n), f"Thing {n}", True) for n in range(1, 4)]
