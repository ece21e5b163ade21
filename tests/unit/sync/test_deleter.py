"""Deletions there, after ours was deleted."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from memory_connector import TwoSides

from isthmus.component import AbstractComponent
from isthmus.errors import InvalidDataError, NetworkRetryableError, RecordLockedError, UnknownOutcomeError
from isthmus.sync import Deleter, Report

Make = Callable[..., TwoSides]


on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what does not depend on the database."""


class ArchivingDeleter(Deleter):
    """Things can be archived there."""

    _name = "memory.deleter"
    _inherit = "base.deleter"
    _collection = "memory.backend"
    _archived = {"closed": True}


@pytest.fixture
def sides(make_sides: Make) -> TwoSides:
    """Both sides, with a lamp on each."""
    made = make_sides(ArchivingDeleter)
    made.linked("7", title="Lamp")
    return made


def delete(sides: TwoSides) -> Report:
    """Apply the policy to what is bound to 7."""
    with sides.work() as work:
        binding = work.env["memory.thing"].browse(sides.binding("7")["id"])
        return work.component(usage="deleter").run(binding)


@pytest.mark.parametrize(
    ("policy", "there", "sentence"),
    [("archive", [True], "1 archived"), ("delete", [], "1 deleted"), ("forget", [False], "1 forgotten")],
)
def test_the_policy_for_what_was_deleted_here(
    sides: TwoSides, policy: str, there: list[bool], sentence: str
) -> None:
    """Archive, delete or forget there; a tombstone stays and nothing comes back."""
    sides.set(on_record_delete=policy)
    sides.unlink(1)
    waiting = sides.pending()

    report = delete(sides)

    assert (waiting, report.sentence()) == ({"delete_record": 1}, sentence)
    assert [t["closed"] for t in sides.server.all()] == there
    assert sides.binding("7")["state"] == "tombstone"
    assert {e["state"] for e in sides.effects()} <= {"done"}
    assert [(e.operation, e.direction) for e in sides.journal()][-1] == (policy, "export")


def test_what_was_deleted_here_does_not_come_back(sides: TwoSides) -> None:
    """A later walk meets the tombstone, also when the record changed there."""
    sides.unlink(1)
    sides.jobs()
    sides.server.thing("7", title="Changed")

    report = sides.imports("7")

    assert report.sentence() == "nothing changed: 1 skipped (deleted before)"
    assert sides.ours() == []


@on_sqlite
def test_deleted_on_both_sides_is_forgotten(sides: TwoSides) -> None:
    """Nothing is left to delete."""
    sides.set(on_record_delete="delete")
    sides.unlink(1)
    sides.server.remove("7")

    assert delete(sides).sentence() == "1 forgotten"


def test_deleted_here_but_changed_there_asks_a_person(sides: TwoSides) -> None:
    """Their change is not thrown away."""
    sides.set(on_record_delete="delete")
    sides.unlink(1)
    sides.server.thing("7", text="Important")

    report = delete(sides)

    item = sides.item()
    assert report.sentence() == "1 conflict"
    assert (item["kind"], item["external_id"], item["choices"]) == (
        "deletion",
        "7",
        ["ours", "theirs", "ignore"],
    )
    assert len(sides.server.all()) == 1


@on_sqlite
def test_what_cannot_be_archived_there_is_not_deleted_instead(make_sides: Make) -> None:
    """To archive is less than to delete: where there is no archive the record stays."""
    sides = make_sides()
    sides.linked("7")
    sides.unlink(1)

    report = delete(sides)

    assert (report.sentence(), len(sides.server.all())) == ("1 forgotten", 1)


@on_sqlite
def test_a_record_that_was_never_exported_needs_no_deletion(sides: TwoSides) -> None:
    """There is nothing to delete there, and no job."""
    lamp = sides.create(name="Here only")
    sides.bind(lamp)

    sides.unlink(lamp)

    assert sides.pending() == {}


@on_sqlite
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("policy", ["archive", "delete"])
def test_a_lost_deletion_is_done_again(sides: TwoSides, policy: str, applied: bool) -> None:
    """To delete or archive twice does no harm; its effect is closed."""
    sides.set(on_record_delete=policy)
    sides.unlink(1)
    sides.server.fail(
        "delete" if policy == "delete" else "write", UnknownOutcomeError("lost"), applied=applied
    )
    with pytest.raises(UnknownOutcomeError) as lost:
        delete(sides)

    delete(sides)

    assert lost.value.retry_in == timedelta(seconds=60)
    assert [t["closed"] for t in sides.server.all()] == ([] if policy == "delete" else [True])
    assert (sides.effects("open"), sides.inbox()) == ([], [])


@on_sqlite
def test_an_error_before_any_effect_leaves_no_effect_and_no_lease(sides: TwoSides) -> None:
    """The next try deletes at once."""
    sides.set(on_record_delete="delete")
    sides.unlink(1)
    sides.server.fail("delete", NetworkRetryableError("away"))
    with pytest.raises(NetworkRetryableError):
        delete(sides)

    assert delete(sides).sentence() == "1 deleted"
    assert sides.effects("open") == []


@on_sqlite
def test_a_refused_deletion_asks_a_person(sides: TwoSides) -> None:
    """The other side says no: someone must look."""
    sides.set(on_record_delete="delete")
    sides.unlink(1)
    sides.server.fail("delete", InvalidDataError("it is in use"))

    delete(sides)

    assert "it is in use" in sides.item()["summary"]


def test_a_held_record_is_tried_again_at_no_cost(sides: TwoSides) -> None:
    """Another process synchronises it now; no part of the claim stays with us."""
    sides.unlink(1)
    key = f"{sides.backend_id}/memory.thing/e/7"
    with sides.hub.env() as env:
        held = env.locks.take([key], lasting=timedelta(seconds=30))
    with pytest.raises(RecordLockedError) as locked:
        delete(sides)
    with sides.hub.env() as env:
        env.locks.release(held)

    assert locked.value.ignore_retry
    assert delete(sides).sentence() == "1 archived"


@on_sqlite
def test_a_deletion_under_silence_reaches_nobody(sides: TwoSides) -> None:
    """A record unlinked under the context key leaves its binding as it is."""
    with sides.hub.env(connector_no_export=True) as env:
        env["unit.thing"].unlink([1])

    assert (sides.pending(), sides.binding("7")["state"]) == ({}, "linked")


@on_sqlite
def test_an_extension_may_name_what_archives(make_sides: Make) -> None:
    """`_archived` is the connector's."""
    own = type("Own", (AbstractComponent,), {"_inherit": "memory.deleter", "_archived": {"closed": "yes"}})
    sides = make_sides(ArchivingDeleter, own)
    sides.linked("7")
    sides.unlink(1)

    delete(sides)

    assert sides.server.shown("7")["closed"] == "yes"
