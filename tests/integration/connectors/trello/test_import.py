"""Imports from Trello: whole boards, what changed since, and bad input."""

from pathlib import Path

import pytest
from installation import Installation

from isthmus.errors import (
    BackendError,
    CredentialsError,
    IsthmusError,
    NetworkRetryableError,
    SecretError,
)
from isthmus.hub import Hub

ALL_PLANES = (
    "ASCII é ß Ω Ж ע ع अ ก 中 한 ｶﾅ \u200d \u202e \ue000 𐍈 𝔘 😀👩‍👩‍👧 𠀀 𫝀 \U000e0041 \U000f0000 \U0010fffd"
)
MEGABYTE = (1_000 * "x" + " **bold**\n\n") * 1_000


on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what does not depend on the database."""


def test_boards_lists_and_cards_become_projects_stages_and_tasks(site: Installation) -> None:
    """Each with its place."""
    (board,) = site.connect(lists=2, cards=3)

    report = site.imports()

    assert report.done == {"created": 1 + 2 + 6}
    (project,) = site.ours("project.project")
    stages = site.ours("project.task.type")
    assert (project["name"], [s["name"] for s in stages]) == (board["name"], ["To do", "Doing"])
    assert all(s["project_ids"] == [project["id"]] for s in stages)
    assert {(t["project_id"], t["stage_id"]) for t in site.ours()} == {
        (project["id"], s["id"]) for s in stages
    }


def test_a_second_import_says_why_it_did_nothing(site: Installation) -> None:
    """No changes since the cursor; nothing is written on either side."""
    site.connect(cards=2)
    site.imports()
    site.trello.requests.clear()

    report = site.imports()

    assert report.sentence() == "nothing changed: no changes since the cursor"
    assert site.trello.requests.count("GET") == 2
    assert site.hub.queue.counts()["pending"] == 0


@on_sqlite
def test_without_a_selected_board_the_command_is_named(site: Installation) -> None:
    """An account may have a hundred boards: none is imported unasked."""
    site.connect()
    site.set(boards=[])

    assert site.imports().sentence() == (
        "nothing changed: no board is selected: `isthmus backend set trello boards=ID,ID`"
    )


@on_sqlite
def test_a_disabled_backend_is_not_imported(site: Installation) -> None:
    """The message has the command that enables it."""
    site.connect()
    with site.hub.env() as env:
        site.backend(env).write({"active": False})

    with pytest.raises(BackendError, match=r"^backend 'trello' is disabled: `isthmus backend enable trello`"):
        site.imports()


def test_only_what_changed_is_read(site: Installation) -> None:
    """Two requests for the board and one per changed card."""
    site.connect(lists=3, cards=4)
    site.imports()
    first, second = site.people.cards()[:2]
    site.people.update_card(first, name="Other")
    site.people.update_card(second, desc="New")
    site.people.update_card(second, desc="Newer")
    site.trello.requests.clear()

    report = site.imports()

    assert report.sentence() == "4 unchanged, 2 updated"
    assert site.trello.requests.count("GET") == 2 + 2


def test_a_deleted_card_is_found_by_its_action(site: Installation) -> None:
    """And its task is archived by default."""
    site.connect(cards=1)
    site.imports()
    card = site.people.cards()[0]
    site.people.delete_card(card)

    report = site.imports()

    assert report.sentence() == "3 unchanged, 1 archived"
    assert not site.task(card["name"])["active"]


def test_a_card_that_moved_to_a_board_that_is_not_selected_stays_as_it_was(site: Installation) -> None:
    """It says that it is not selected; nothing is lost."""
    boards = site.connect(boards=2, lists=1, cards=1)
    site.set(boards=[boards[0]["id"]])
    site.imports()
    (card,) = site.people.cards(boards[0])
    site.people.move_card(card, site.people.lists(boards[1])[0], idBoard=boards[1]["id"])

    report = site.imports()

    assert "not selected" in report.sentence()
    assert site.task(card["name"])["active"]


# --- bad input -------------------------------------------------------------------------


@on_sqlite
@pytest.mark.parametrize("name", ["", "   "])
def test_a_card_without_a_name_is_parked(site: Installation, name: str) -> None:
    """The rest comes in; named on Trello it comes in too, and the item closes."""
    (board,) = site.connect(lists=1, cards=2)
    card = site.people.create_card(site.people.lists(board)[0], "to be blanked", desc="Keep me")
    site.trello.world.card(card["id"]).name = name

    report = site.imports()
    item = site.item()
    site.people.update_card(card, name="Named")
    site.imports()

    assert (report.done["created"], report.done["parked"]) == (1 + 1 + 2, 1)
    assert item["summary"].startswith(f"import of trello.card {card['id']} failed: ")
    assert item["summary"].endswith(f": trello.card {card['id']} has no name: give it one on Trello")
    assert item["payload"]["theirs"]["desc"] == "Keep me"
    assert (site.task("Named")["description"], site.inbox()) == ("<p>Keep me</p>", [])


def test_a_description_of_a_megabyte_comes_in_whole(site: Installation) -> None:
    """More than Trello lets through its own interface, but nothing is cut."""
    (board,) = site.connect(lists=1)
    card = site.people.create_card(site.people.lists(board)[0], "Long")
    site.trello.world.card(card["id"]).desc = MEGABYTE

    report = site.imports()

    assert report.done["created"] == 3
    assert site.task("Long")["description"].count("<strong>bold</strong>") == 1_000
    assert site.imports(full=True).changed == 0


def test_an_unknown_list_parks_the_card(site: Installation) -> None:
    """The list was deleted under the walk: the card says which one it lacks."""
    site.connect(lists=1, cards=2)
    one, two = site.people.cards()
    missing = "f" * 24

    report = site.pages("trello.card", {**one, "idList": missing}, two)

    assert (report.done["created"], report.done["parked"]) == (1 + 1 + 1, 1)
    assert site.item()["summary"].endswith(f": the list {missing} of card {one['id']} is not here")


@on_sqlite
@pytest.mark.parametrize("payload", [["no", "object"], "text", 0, None, True])
def test_a_card_that_is_no_object_is_parked(site: Installation, payload: object) -> None:
    """With its kind and the payload; the others come in."""
    site.connect(lists=1, cards=1)

    report = site.pages("trello.card", payload, site.people.cards()[0])

    assert (report.done["created"], report.done["parked"]) == (3, 1)
    assert f"but a {type(payload).__name__}" in site.item()["summary"]
    assert site.item()["payload"]["theirs"] == payload


@on_sqlite
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pos", "top"),
        ("pos", None),
        ("due", "tomorrow"),
        ("due", 7),
        ("desc", 7),
        ("name", ["x"]),
        ("closed", None),
    ],
)
def test_a_field_of_another_type_parks_the_card(site: Installation, field: str, value: object) -> None:
    """Or is read as what it means; the others come in either way."""
    site.connect(lists=1, cards=2)
    one, two = site.people.cards()

    report = site.pages("trello.card", {**one, field: value}, two)

    assert site.bindings("trello.card", external_id=two["id"])
    assert report.done["parked"] + len(site.bindings("trello.card", external_id=one["id"])) == 1
    assert all(one["id"] in item["summary"] for item in site.inbox())


@on_sqlite
@pytest.mark.parametrize("fault", ["wrong_type", "truncated", "server_error", "reset_before", "rate_limit"])
@pytest.mark.parametrize("path", ["*/actions*", "*/cards/*"])
def test_an_answer_that_is_none_loses_nothing(site: Installation, fault: str, path: str) -> None:
    """The run ends with a clear error, the cursor has not moved past what was not read."""
    site.connect(lists=1, cards=3)
    site.imports()
    for number, card in enumerate(site.people.cards()):
        site.people.update_card(card, name=f"Renamed {number}")
    for _ in range(3):
        site.trello.faults.next(fault, method="GET", path=path)

    try:
        site.imports()
    except IsthmusError as error:
        told = str(error)
        assert "127.0.0.1" in told
    site.trello.faults.clear()
    site.imports()
    site.jobs()

    assert sorted(t["name"] for t in site.ours()) == ["Renamed 0", "Renamed 1", "Renamed 2"]


def test_unicode_of_all_planes_comes_in(site: Installation) -> None:
    """In names and texts, to the character."""
    (board,) = site.connect(lists=1)
    site.people.create_card(site.people.lists(board)[0], ALL_PLANES, desc=ALL_PLANES)

    site.imports()

    assert site.task(ALL_PLANES)["description"] == f"<p>{ALL_PLANES}</p>"
    assert site.imports(full=True).changed == 0


@pytest.mark.parametrize("text", ["half a \ud800 character", "a NUL \x00 inside"])
def test_text_that_no_database_holds_parks_or_comes_in(site: Installation, text: str) -> None:
    """SQLite holds a NUL, PostgreSQL does not, none holds half a character: the others come in."""
    site.connect(lists=1, cards=2)
    one, two = site.people.cards()

    site.pages("trello.card", {**one, "name": text}, two)

    assert site.bindings("trello.card", external_id=two["id"])
    assert len(site.inbox()) + len(site.bindings("trello.card", external_id=one["id"])) == 1


# --- connections -----------------------------------------------------------------------


@on_sqlite
def test_a_connection_says_who_we_are(site: Installation) -> None:
    """One sentence, and the boards to choose from."""
    (board,) = site.connect()
    with site.hub.env() as env:
        backend = site.backend(env)
        said, boards = backend.connect(), backend.boards()

    assert said == f"backend 'trello' is connected to {site.trello.url} as @isthmus"
    assert boards == [{"id": board["id"], "name": board["name"]}]


@on_sqlite
@pytest.mark.parametrize("wrong", ["key", "token"])
def test_wrong_credentials_are_told(site: Installation, wrong: str) -> None:
    """By the test and by an import; the message names neither key nor token."""
    site.connect()
    secret = "0123456789abcdef" * 4
    with site.hub.env() as env:
        site.backend(env).set_credentials({wrong: secret})

    for step in (site.imports, lambda: _connect(site)):
        with pytest.raises(CredentialsError, match=r"127\.0\.0\.1") as refused:
            step()
        assert secret not in str(refused.value)


@on_sqlite
def test_a_missing_credential_is_named(site: Installation) -> None:
    """With the command that sets it."""
    with site.hub.env() as env:
        env["trello.backend"].create({"name": "trello", "url": site.trello.url})

    with pytest.raises(
        SecretError, match=r"^credential 'key' is not set: `isthmus backend set NAME key=\.\.\.`$"
    ):
        _connect(site)


@on_sqlite
def test_a_host_that_is_away_is_told(site: Installation) -> None:
    """By the test as one sentence; an import is tried again later."""
    site.connect(cards=1)
    site.trello.stop()

    with pytest.raises(BackendError, match=f"^backend 'trello' cannot be reached at {site.trello.url}: "):
        _connect(site)
    with pytest.raises(NetworkRetryableError):
        site.imports()

    site.trello.start()
    assert site.imports().done["created"] == 1 + 2 + 2


@on_sqlite
def test_a_location_that_is_none_is_told(site: Installation) -> None:
    """Not a URL at all."""
    site.connect()
    with site.hub.env() as env:
        site.backend(env).write({"url": "trello, of course"})

    with pytest.raises(BackendError, match="the location of the backend"):
        _connect(site)


@on_sqlite
def test_a_missing_key_file_is_told(site: Installation) -> None:
    """The file and what to do; nothing is overwritten, and with the file back all is as before."""
    site.connect(cards=1)
    file = Path(site.settings.key_file)
    kept = file.read_bytes()
    file.unlink()
    with Hub(site.settings, clock=site.clock) as later:
        with later.env() as env, pytest.raises(SecretError) as refused:
            site.backend(env).connect()
        file.write_bytes(kept)
        with later.env() as env:
            said = site.backend(env).connect()

    assert str(refused.value) == (
        f"key file {file} does not exist: run `isthmus init`, or put the file back "
        "(without it stored credentials cannot be read)"
    )
    assert said.endswith("as @isthmus")


def _connect(site: Installation) -> None:
    with site.hub.env() as env:
        site.backend(env).connect()
