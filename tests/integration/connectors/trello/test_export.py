"""Exports to Trello."""

from datetime import UTC, datetime

import pytest
from installation import Installation

from isthmus.connectors.trello.marker import marked_with

ALL_PLANES = "ASCII é ß Ω Ж ע ع अ 中 한 ｶﾅ 𐍈 𝔘 😀👩‍👩‍👧 𠀀 𫝀 \U000f0000"


on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what does not depend on the database."""


@pytest.fixture
def linked(site: Installation) -> Installation:
    """Two boards of two lists and a card each, on both sides."""
    site.connect(boards=2, lists=2, cards=1)
    site.imports()
    site.trello.requests.clear()
    return site


def test_a_new_task_becomes_a_card_that_shows_our_key(linked: Installation) -> None:
    """In the list of its stage, marked in the same request."""
    linked.create(
        "project.task", name="Brand new", description="<p>Say <b>it</b></p>", sequence=77,
        date_deadline=datetime(2027, 3, 1, 12, tzinfo=UTC), **linked.place(),
    )  # fmt: skip

    assert linked.jobs() == []

    card = linked.card("Brand new")
    with linked.hub.env(readonly=True) as env:
        (effect,) = env["isthmus.effect"].search([("kind", "=", "create")])
        key = effect.id
    assert (card["desc"], card["due"], card["pos"]) == ("Say **it**", "2027-03-01T12:00:00.000Z", 77)
    assert marked_with(card) == key
    assert linked.trello.requests.count("POST") == 1


def test_a_new_archived_task_becomes_an_archived_card(linked: Installation) -> None:
    """Trello makes only open cards: it is archived right after."""
    linked.create("project.task", name="Old", active=False, **linked.place())

    assert linked.jobs() == []
    assert linked.card("Old")["closed"]


def test_only_the_changed_field_is_sent(linked: Installation) -> None:
    """What a person changes on the card meanwhile stays."""
    task = linked.ours()[0]
    card = linked.card(task["name"])
    linked.write("project.task", task["id"], name="Renamed here")
    linked.people.update_card(card, desc="Their text")

    assert linked.jobs() == []

    shown = linked.card("Renamed here")
    assert shown["desc"] == "Their text"
    assert linked.imports().done["updated"] == 1
    assert linked.task("Renamed here")["description"] == "<p>Their text</p>"


def test_an_export_does_not_come_back(linked: Installation) -> None:
    """Our own actions change nothing here."""
    linked.write("project.task", linked.ours()[0]["id"], name="  Renamed here ", description="<p>x</p>")
    linked.jobs()

    report = linked.imports()

    assert report.changed == 0
    assert linked.hub.queue.counts()["pending"] == 0


def test_a_task_moves_with_its_stage(linked: Installation) -> None:
    """To another list of the board."""
    task = linked.ours()[0]
    (other,) = linked.ours(
        "project.task.type", ("name", "=", "Doing"), ("project_ids", "in", [task["project_id"]])
    )
    linked.write("project.task", task["id"], stage_id=other["id"])

    assert linked.jobs() == []

    (binding,) = [
        b for b in linked.bindings("trello.list", record_id=str(other["id"]))
        if b["scope"] == linked.card(task["name"])["idBoard"]
    ]  # fmt: skip
    assert linked.card(task["name"])["idList"] == binding["external_id"]


def test_archived_here_is_archived_there(linked: Installation) -> None:
    """And back."""
    task = linked.ours()[0]
    linked.write("project.task", task["id"], active=False)
    linked.jobs()
    archived = linked.card(task["name"])["closed"]
    linked.write("project.task", task["id"], active=True)
    linked.jobs()

    assert (archived, linked.card(task["name"])["closed"]) == (True, False)


def test_a_stage_of_several_projects_is_a_list_on_each_board(linked: Installation) -> None:
    """One record, one binding per board; a rename goes to all of them, also when it came from one."""
    projects = [p["id"] for p in linked.ours("project.project")]
    stage = linked.create("project.task.type", name="Shared", project_ids=projects)
    assert linked.jobs() == []
    boards = linked.people.boards()
    names = [e["name"] for b in boards for e in linked.people.lists(b)]
    shared = [e for b in boards for e in linked.people.lists(b) if e["name"] == "Shared"]

    linked.people.update_list(shared[0], name="Renamed there")
    linked.imports(full=True)
    assert linked.jobs() == []

    assert names.count("Shared") == 2
    assert {b["scope"] for b in linked.bindings("trello.list", record_id=str(stage))} == {
        b["id"] for b in boards
    }
    assert [e["name"] for b in boards for e in linked.people.lists(b)].count("Renamed there") == 2


def test_a_new_project_brings_its_board_lists_and_cards(linked: Installation) -> None:
    """Where the export domain takes it; the board is selected from then on."""
    linked.set(export_domain={"project.project": [("name", "=", "Fresh")]})
    project = linked.create("project.project", name="Fresh")
    stage = linked.create("project.task.type", name="Start", project_ids=[project])
    linked.create("project.task", name="First", project_id=project, stage_id=stage)

    assert linked.jobs() == []

    (board,) = [b for b in linked.people.boards() if b["name"] == "Fresh"]
    assert [e["name"] for e in linked.people.lists(board)] == ["Start"]
    assert [c["name"] for c in linked.people.cards(board)] == ["First"]
    with linked.hub.env() as env:
        assert board["id"] in linked.backend(env).option("boards")
    assert linked.imports().changed == 0


def test_unicode_of_all_planes_goes_out(linked: Installation) -> None:
    """To the character, and nothing of it comes back as a change."""
    linked.create("project.task", name=ALL_PLANES, description=f"<p>{ALL_PLANES}</p>", **linked.place())

    assert linked.jobs() == []

    assert linked.card(ALL_PLANES)["desc"] == ALL_PLANES
    assert linked.imports().changed == 0


# --- bad input -------------------------------------------------------------------------


@on_sqlite
@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"name": "   "}, "name"),
        ({"name": "Long", "description": "<p>" + "word " * 210_000 + "</p>"}, "desc"),
        ({"name": "x" * 20_000}, "name"),
    ],
    ids=["blank name", "a megabyte", "long name"],
)
def test_what_trello_refuses_is_parked(linked: Installation, values: dict[str, str], why: str) -> None:
    """It says what was refused, ours stays as it is, and mended it goes out."""
    key = linked.create("project.task", **values, **linked.place())

    assert linked.jobs() == []

    item = linked.item()
    (kept,) = linked.ours("project.task", ("id", "=", key))
    assert (item["kind"], item["record_id"], item["topic"]) == ("dead_letter", str(key), "export")
    assert why in item["summary"]
    assert len(item["summary"]) < 500
    assert {k: kept[k] for k in values} == values
    linked.write("project.task", key, name="Mended", description=None)
    assert linked.jobs() == []
    assert (linked.card("Mended")["desc"], linked.inbox()) == ("", [])


@on_sqlite
def test_a_description_that_trello_refuses_leaves_the_card_as_it_was(linked: Installation) -> None:
    """A megabyte on a linked card: the card keeps its text, ours keeps the megabyte."""
    task = linked.ours()[0]
    before = linked.card(task["name"])["desc"]
    text = "<p>" + "word " * 210_000 + "end</p>"
    linked.write("project.task", task["id"], description=text)

    assert linked.jobs() == []

    assert linked.card(task["name"])["desc"] == before
    assert linked.task(task["name"])["description"] == text
    assert linked.item()["topic"] == "export"
    linked.imports()
    assert linked.task(task["name"])["description"] == text


@on_sqlite
@pytest.mark.parametrize("missing", ["stage_id", "project_id"])
def test_a_bound_task_without_a_place_is_parked(linked: Installation, missing: str) -> None:
    """A card needs a list: the message says what is missing."""
    task = linked.ours()[0]
    linked.write("project.task", task["id"], **{missing: None})

    assert linked.jobs() == []

    what = missing.removesuffix("_id")
    assert linked.item()["summary"].endswith(f"task {task['id']} has no {what}: a card needs a list")


def test_a_list_that_is_gone_parks_the_new_card(linked: Installation) -> None:
    """The stage's list is archived on another board's terms: unknown list ID."""
    place = linked.place()
    (binding, *_) = linked.bindings("trello.list", record_id=str(place["stage_id"]))
    with linked.hub.env() as env:
        found = env["trello.list"].search([("external_id", "=", binding["external_id"])])[0]
        found.write({"external_id": "f" * 24})
    linked.create("project.task", name="Nowhere", **place)

    assert linked.jobs() == []

    assert "idList" in linked.item()["summary"]
    assert linked.task("Nowhere")["stage_id"] == place["stage_id"]


# --- faults ----------------------------------------------------------------------------


@on_sqlite
@pytest.mark.parametrize(
    "fault",
    ["timeout_after", "reset_after", "reset_before", "truncated", "wrong_type", "server_error", "rate_limit"],
)
def test_a_create_that_meets_a_fault_makes_one_card(linked: Installation, fault: str) -> None:
    """Whether it took effect or not."""
    linked.trello.faults.next(fault, method="POST", path="*/cards", hold_s=0.05)
    linked.create("project.task", name="Once", **linked.place())

    assert linked.jobs() == []
    linked.imports()
    linked.jobs()

    assert linked.card("Once")
    assert linked.task("Once")
    assert linked.inbox() == []


@on_sqlite
@pytest.mark.parametrize("fault", ["timeout_after", "reset_after", "reset_before", "truncated", "wrong_type"])
def test_a_write_that_meets_a_fault_ends_in_agreement(linked: Installation, fault: str) -> None:
    """And in no conflict, also when ours moves on before it is settled."""
    task = linked.ours()[0]
    linked.trello.faults.next(fault, method="PUT", hold_s=0.05)
    linked.write("project.task", task["id"], name="Second")
    linked.hub.queue.run_pending()
    linked.write("project.task", task["id"], name="Third")

    assert linked.jobs() == []
    linked.imports()

    assert linked.card("Third")
    assert (linked.task("Third")["id"], linked.inbox()) == (task["id"], [])
