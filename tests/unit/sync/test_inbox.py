"""The inbox: every choice of every kind."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from memory_connector import TwoSides

from isthmus.env import CreateSafety
from isthmus.errors import FailError, MissingRecordError, RecordLockedError, UnknownOutcomeError
from isthmus.sync import CheckpointKind, Inbox, add_checkpoint

Make = Callable[..., TwoSides]


pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
"""Choices are the same on every database."""


def conflict(sides: TwoSides) -> int:
    """Change the title on both sides; give our record's key."""
    record = sides.linked("7", title="Lamp", qty=1)["id"]
    sides.server.thing("7", title="Theirs")
    sides.write(record, name="Ours")
    sides.imports("7")
    sides.jobs()
    return record


def lost_create(sides: TwoSides, *, applied: bool = True) -> int:
    """Lose the answer of a create that nobody can look for; give the binding."""
    sides.server.create_safety = CreateSafety.NONE
    binding = sides.bind(sides.create(name="Lamp"))
    sides.server.fail("create", UnknownOutcomeError("lost"), applied=applied)
    with pytest.raises(UnknownOutcomeError):
        sides.exports(binding)
    sides.clock.advance(timedelta(seconds=61))
    sides.exports(binding)
    return binding


# --- lists -----------------------------------------------------------------------------


def test_items_are_listed_without_their_values(sides: TwoSides) -> None:
    """The list has no payload; one item shows both sides and the choices."""
    conflict(sides)

    (row,) = sides.inbox()
    assert "payload" not in row
    assert "sealed_payload" not in row
    assert sides.item()["choices"] == ["ours", "theirs", "retry", "ignore"]


def test_an_unknown_item_is_an_error(sides: TwoSides) -> None:
    """The message says where to look."""
    with (
        sides.hub.env() as env,
        pytest.raises(MissingRecordError, match="no inbox item 99: see `isthmus inbox list`"),
    ):
        Inbox(env).resolve(99, "ours")


def test_a_closed_item_is_closed(sides: TwoSides) -> None:
    """A choice is made once."""
    conflict(sides)
    sides.resolve("ours")

    with sides.hub.env() as env, pytest.raises(FailError, match=r"inbox item 1 is resolved \(ours\) already"):
        Inbox(env).resolve(1, "theirs")


def test_a_choice_that_does_not_fit_names_those_that_do(sides: TwoSides) -> None:
    """Nothing is closed by it."""
    sides.server.thing("7", qty=2**70)
    sides.imports("7")

    with (
        sides.hub.env() as env,
        pytest.raises(FailError, match="--ours does not fit a dead letter: choose one of --retry, --ignore"),
    ):
        Inbox(env).resolve(1, "ours")
    assert len(sides.inbox()) == 1


def test_a_record_under_way_is_not_resolved(sides: TwoSides) -> None:
    """While it is being synchronised the person is asked to try again; then it works at once."""
    conflict(sides)
    with sides.hub.env() as env:
        held = env.locks.take([f"{sides.backend_id}/memory.thing/e/7"], lasting=timedelta(seconds=30))
    with pytest.raises(RecordLockedError, match="is being synchronised now; try again"):
        sides.resolve("ours")
    with sides.hub.env() as env:
        env.locks.release(held)

    assert sides.resolve("ours").startswith("item 1: ")


def test_a_choice_is_in_the_journal_with_what_it_discards(sides: TwoSides) -> None:
    """Who chose what, and the values that lost."""
    conflict(sides)

    sides.resolve("ours")

    entry = sides.journal()[-1]
    assert (entry.operation, entry.actor, entry.reason) == ("resolve", "anna", "conflict: ours")
    assert entry.changes == {"chosen": {"after": "ours", "discarded": {"title": "Theirs"}}}


# --- conflict --------------------------------------------------------------------------


@pytest.mark.parametrize(("choice", "both"), [("ours", "Ours"), ("theirs", "Theirs")])
def test_a_conflict_is_decided_for_a_side(sides: TwoSides, choice: str, both: str) -> None:
    """The other side gets the value; nothing is left in the inbox."""
    conflict(sides)

    sides.resolve(choice)
    sides.jobs()

    assert (sides.one()["name"], sides.server.shown("7")["title"]) == (both, both)
    assert sides.inbox() == []
    assert sides.imports("7").sentence() == "nothing changed: 1 unchanged"


def test_a_conflict_that_is_tried_again_comes_back(sides: TwoSides) -> None:
    """Nothing has changed, so it is a conflict still."""
    conflict(sides)

    sides.resolve("retry")
    sides.jobs()

    assert [i["kind"] for i in sides.inbox()] == ["conflict"]


def test_an_ignored_conflict_stays_until_a_side_changes(sides: TwoSides) -> None:
    """Both keep their values; the next change of either goes over."""
    record = conflict(sides)

    said = sides.resolve("ignore")
    sides.imports("7")
    sides.jobs()
    values = (sides.one()["name"], sides.server.shown("7")["title"])
    sides.write(record, name="Newer")
    sides.jobs()

    assert said == "item 1: both sides keep their values until one of them changes again"
    assert values == ("Ours", "Theirs")
    assert (sides.server.shown("7")["title"], sides.inbox()) == ("Newer", [])


def test_what_changed_after_the_choice_was_shown_is_not_lost(sides: TwoSides) -> None:
    """Theirs wins, but ours has moved on since: the person is asked again."""
    record = conflict(sides)
    sides.write(record, name="Even newer")
    sides.jobs()
    with sides.hub.env() as env:
        shown = Inbox(env).show(1)["payload"]["ours"]

    sides.write(record, name="Newest")
    sides.resolve("theirs")
    sides.jobs()

    assert shown == {"name": "Even newer"}
    assert sides.one()["name"] == "Newest"
    assert [i["kind"] for i in sides.inbox()] == ["conflict"]


# --- dead letter -----------------------------------------------------------------------


def test_a_dead_letter_is_tried_again(sides: TwoSides) -> None:
    """Mended there, it comes in."""
    sides.server.thing("7", qty=2**70)
    sides.imports("7")
    sides.server.thing("7", qty=1)

    said = sides.resolve("retry")
    sides.jobs()

    assert said == "item 1: memory.thing 7 will be imported again"
    assert sides.one()["amount"] == 1


def test_a_dead_letter_of_an_export_is_exported_again(sides: TwoSides) -> None:
    """Mended here, it goes out."""
    record = sides.create(name=" ")
    sides.exports(sides.bind(record))
    with sides.hub.env(connector_no_export=True) as env:
        env["unit.thing"].write([record], {"name": "Lamp"})

    said = sides.resolve("retry")
    sides.jobs()

    assert said == f"item 1: memory.thing {record} will be exported"
    assert [t["title"] for t in sides.server.all()] == ["Lamp"]


def test_an_ignored_dead_letter_is_left_alone(sides: TwoSides) -> None:
    """The item is closed as ignored, no job is made."""
    sides.server.thing("7", qty=2**70)
    sides.imports("7")

    sides.resolve("ignore")

    assert [(i["state"], i["resolution"]) for i in sides.inbox(None)] == [("ignored", "ignore")]
    assert sides.pending() == {}


def test_a_dead_letter_without_an_id_cannot_be_tried_by_itself(sides: TwoSides) -> None:
    """What had no ID is met again by a listing only: the answer says so, no job is made to fail."""
    sides.lists({"title": "Nobody"})

    said = sides.resolve("retry")

    assert said == "item 1: it has no ID to be read by: the next full import meets it again"
    assert sides.pending() == {}


# --- effect ----------------------------------------------------------------------------


def test_a_lost_create_is_sent_again(sides: TwoSides) -> None:
    """The person has looked: it is not there."""
    lost_create(sides, applied=False)

    sides.resolve("retry")
    sides.jobs()

    assert [t["title"] for t in sides.server.all()] == ["Lamp"]
    assert (sides.inbox(), sides.effects("open", "asked")) == ([], [])


def test_a_lost_create_that_is_ignored_is_frozen(sides: TwoSides) -> None:
    """It is there but nobody knows which: the record is not synchronised any more."""
    binding = lost_create(sides)

    said = sides.resolve("ignore")
    sides.write(1, name="Other")
    sides.jobs()

    assert said == "item 1: left alone and frozen: it is not synchronised any more"
    assert sides.exports(binding).sentence() == "nothing changed: 1 skipped (frozen)"
    assert len(sides.server.all()) == 1


def test_a_lost_create_whose_binding_is_gone_is_left_alone(sides: TwoSides) -> None:
    """There is nothing left to freeze."""
    binding = lost_create(sides)
    with sides.hub.env(user="admin") as env:
        env["memory.thing"].unlink([binding])

    said = sides.resolve("ignore")

    assert said == "item 1: left alone: there is no binding any more"
    assert (sides.inbox(), sides.bindings()) == ([], [])


# --- deletion --------------------------------------------------------------------------


def deleted_there(sides: TwoSides) -> int:
    """Delete it there after a change here; give our record's key."""
    sides.set(on_external_delete="delete")
    record = sides.linked("7")["id"]
    sides.write(record, note="Important")
    sides.server.remove("7")
    sides.imports("7")
    sides.jobs()
    return record


def deleted_here(sides: TwoSides) -> None:
    """Delete it here after a change there."""
    sides.set(on_record_delete="delete")
    sides.linked("7")
    sides.server.thing("7", text="Important")
    sides.unlink(1)
    sides.jobs()


@pytest.mark.parametrize(
    ("choice", "left", "said"),
    [
        ("theirs", 0, "item 1: unit.thing(1) is deleted here"),
        ("ours", 1, "item 1: our record stays, without a link"),
        ("ignore", 1, "item 1: left alone without a link"),
    ],
)
def test_a_deletion_there_is_decided(sides: TwoSides, choice: str, left: int, said: str) -> None:
    """Deleted here too, or kept without a link; nothing is exported by it."""
    deleted_there(sides)

    answer = sides.resolve(choice)
    sides.jobs()

    assert answer == said
    assert (len(sides.ours()), sides.server.all()) == (left, [])
    assert (sides.binding("7")["state"], sides.inbox()) == ("tombstone", [])


def test_a_deletion_here_is_carried_out(sides: TwoSides) -> None:
    """Ours wins: theirs is deleted although it changed."""
    deleted_here(sides)

    sides.resolve("ours")
    sides.jobs()

    assert (sides.server.all(), sides.inbox(), sides.ours()) == ([], [], [])


def test_a_deletion_here_is_taken_back(sides: TwoSides) -> None:
    """Theirs wins: it comes in as a new record, and both are linked again."""
    deleted_here(sides)

    sides.resolve("theirs")
    sides.jobs()

    assert sides.one()["note"] == "Important"
    assert (sides.binding("7")["state"], sides.inbox()) == ("linked", [])
    assert sides.imports("7").sentence() == "nothing changed: 1 unchanged"


def test_a_deletion_here_is_left_alone(sides: TwoSides) -> None:
    """Theirs stays, without a link."""
    deleted_here(sides)

    sides.resolve("ignore")
    sides.jobs()

    assert (len(sides.server.all()), sides.ours()) == (1, [])
    assert sides.imports("7").changed == 0


# --- review ----------------------------------------------------------------------------


@pytest.mark.parametrize(("choice", "jobs"), [("retry", {"import_record": 1}), ("ignore", {})])
def test_a_review_is_closed(sides: TwoSides, choice: str, jobs: dict[str, Any]) -> None:
    """Whoever added it wanted it looked at; a retry imports once more."""
    record = sides.linked("7")
    with sides.hub.env() as env:
        add_checkpoint(
            env, CheckpointKind.REVIEW, backend_id=sides.backend_id, model="memory.thing",
            record_id=str(record["id"]), external_id="7", summary="a new customer: look at it",
        )  # fmt: skip

    sides.resolve(choice)

    assert (sides.inbox(), sides.pending()) == ([], jobs)
