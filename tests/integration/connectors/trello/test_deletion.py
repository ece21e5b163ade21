"""Deletions, both ways, by the backend's policies."""

import pytest
from installation import Installation

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what does not depend on the database."""


@pytest.fixture
def linked(site: Installation) -> Installation:
    """A board of one list and two cards, on both sides."""
    site.connect(lists=1, cards=2)
    site.imports()
    return site


@on_sqlite
@pytest.mark.parametrize(("policy", "left"), [("archive", [False]), ("delete", []), ("forget", [True])])
@pytest.mark.parametrize("full", [False, True])
def test_deleted_there(linked: Installation, policy: str, left: list[bool], full: bool) -> None:
    """Found by its action or by a full walk; it does not come back, and nothing goes out."""
    linked.set(on_external_delete=policy)
    card = linked.people.cards()[0]
    linked.people.delete_card(card)

    linked.imports(full=full)
    again = linked.imports(full=True)

    assert [t["active"] for t in linked.ours("project.task", ("name", "=", card["name"]))] == left
    assert linked.bindings("trello.card", external_id=card["id"])[0]["state"] == "tombstone"
    assert (again.changed, linked.jobs(), len(linked.people.cards())) == (0, [], 1)


@pytest.mark.parametrize(("policy", "left"), [("archive", [True]), ("delete", []), ("forget", [False])])
def test_deleted_here(linked: Installation, policy: str, left: list[bool]) -> None:
    """It does not come back, also when the card is edited afterwards."""
    linked.set(on_record_delete=policy)
    task = linked.ours()[0]
    linked.unlink("project.task", task["id"])

    assert linked.jobs() == []
    there = [c for c in linked.people.cards() if c["name"] == task["name"]]
    for card in there:
        linked.people.update_card(card, desc="Edited afterwards")
    linked.imports()
    linked.imports(full=True)

    assert [c["closed"] for c in there] == left
    assert [t["name"] for t in linked.ours() if t["name"] == task["name"]] == []


def test_deleted_there_but_changed_here(linked: Installation) -> None:
    """A person is asked; kept, it stays without a card."""
    linked.set(on_external_delete="delete")
    task = linked.ours()[0]
    linked.people.delete_card(linked.card(task["name"]))
    linked.write("project.task", task["id"], description="<p>Important</p>")

    linked.imports()
    linked.jobs()

    assert linked.item()["kind"] == "deletion"
    assert linked.task(task["name"])["description"] == "<p>Important</p>"


def test_deleted_here_but_changed_there(linked: Installation) -> None:
    """A person is asked; the card stays."""
    linked.set(on_record_delete="delete")
    task = linked.ours()[0]
    linked.people.update_card(linked.card(task["name"]), desc="Important")
    linked.unlink("project.task", task["id"])

    assert linked.jobs() == []

    assert linked.item()["kind"] == "deletion"
    assert linked.card(task["name"])["desc"] == "Important"


@on_sqlite
def test_deleted_on_both_sides(linked: Installation) -> None:
    """Nothing is left to do, and nobody is asked."""
    linked.set(on_record_delete="delete", on_external_delete="delete")
    task = linked.ours()[0]
    linked.people.delete_card(linked.card(task["name"]))
    linked.unlink("project.task", task["id"])

    assert linked.jobs() == []
    linked.imports()

    assert (linked.inbox(), len(linked.ours()), len(linked.people.cards())) == ([], 1, 1)


@on_sqlite
def test_a_list_is_archived_never_deleted(linked: Installation) -> None:
    """Trello cannot delete lists."""
    linked.set(on_record_delete="delete")
    stage = linked.ours("project.task.type")[0]
    for task in linked.ours():
        linked.unlink("project.task", task["id"])
    linked.unlink("project.task.type", stage["id"])

    assert linked.jobs() == []

    assert [e["closed"] for e in linked.people.lists(linked.people.boards()[0])] == [True]


@on_sqlite
@pytest.mark.parametrize("fault", ["timeout_after", "reset_before", "server_error"])
def test_a_deletion_that_meets_a_fault_is_done_again(linked: Installation, fault: str) -> None:
    """Once is enough, twice does no harm."""
    linked.set(on_record_delete="delete")
    task = linked.ours()[0]
    linked.trello.faults.next(fault, method="DELETE", hold_s=0.05)
    linked.unlink("project.task", task["id"])

    assert linked.jobs() == []

    assert (len(linked.people.cards()), linked.inbox()) == (1, [])
