"""Commands on a real hub and a simulated server; `tests/acceptance` runs the installed program."""

import re
import stat
from typing import Any

import pytest

from isthmus.simulators.trello import TrelloSimulator

Folder = Any
"""See conftest."""


def test_init_makes_settings_key_and_database_once(folder: Folder) -> None:
    """
    The second run changes nothing; key and settings are for their owner only; three commands come next.
    """
    first = folder.ok("init", "--json").document
    key = (folder.path / "isthmus.key").read_bytes()
    second = folder.ok("init", "--json").document

    modes = {stat.S_IMODE((folder.path / f).stat().st_mode) for f in ("isthmus.key", "isthmus.toml")}
    assert modes == {0o600}
    assert first["settings"]["created"]
    assert first["key_file"]["created"]
    assert first["revisions"]
    assert first["next"] == ["isthmus backend add trello", "isthmus sync trello", "isthmus worker"]
    assert (second["settings"]["created"], second["key_file"]["created"], second["revisions"]) == (
        False,
        False,
        [],
    )
    assert (folder.path / "isthmus.key").read_bytes() == key


def test_settings_elsewhere_are_told_in_the_next_commands(folder: Folder) -> None:
    """
    What is printed can be typed as it is.
    """
    shown = folder.ok("--settings", "there/my.toml", "init", "--json").document

    assert shown["next"][0] == "isthmus --settings there/my.toml backend add trello"
    assert (folder.path / "there" / "isthmus.db").exists()
    assert folder.ok("--settings", "there/my.toml", "db", "status", "--json").document["up_to_date"]


def test_a_parked_record_is_told_and_is_no_failure(synced: Folder, trello: TrelloSimulator) -> None:
    """
    A card without a name waits in the inbox while the rest goes on; with a name it comes in.
    """
    column = trello.state.lists(trello.state.boards()[0])[0]
    bad = trello.state.create_card(column, "")
    trello.state.create_card(column, "A good one")

    result = synced.ok("import", "trello")
    item = synced.ok("inbox", "list", "--json").document["items"][0]
    trello.state.update_card(bad, name="Named")
    retried = synced.ok("inbox", "resolve", str(item["id"]), "--retry")
    synced.ok("sync", "trello")

    assert "1 created" in result.out
    assert "1 parked" in result.out
    assert "1 item waits for a person: isthmus inbox list" in result.out
    assert item["kind"] == "dead_letter"
    assert "will be imported again" in retried.out
    with synced.hub() as hub, hub.env(readonly=True) as env:
        assert env["project.task"].search_count([("name", "in", ["Named", "A good one"])]) == 2


@pytest.mark.parametrize(("choice", "name"), [("--ours", "Ours"), ("--theirs", "Theirs")])
def test_a_conflict_is_shown_and_resolved(
    synced: Folder, trello: TrelloSimulator, choice: str, name: str
) -> None:
    """
    Both sides' values are shown; after the choice both sides have the chosen one.
    """
    card = trello.state.cards()[0]
    with synced.hub() as hub, hub.env() as env:
        env["project.task"].search([("name", "=", card["name"])])[0].write({"name": "Ours"})
    trello.state.update_card(card, name="Theirs")
    synced.ok("sync", "trello")
    item = synced.ok("inbox", "list", "--json").document["items"][0]

    shown = synced.ok("inbox", "show", str(item["id"])).out
    synced.ok("inbox", "resolve", str(item["id"]), choice)
    synced.ok("sync", "trello")

    assert re.search(r"ours\s+name\s+.*\s+Ours", shown)
    assert re.search(r"theirs\s+name\s+.*\s+Theirs", shown)
    assert trello.state.card(card)["name"] == name
    with synced.hub() as hub, hub.env(readonly=True) as env:
        assert env["project.task"].search_count([("name", "=", name)]) == 1
    assert synced.ok("inbox", "list", "--json").document["items"] == []


def test_a_reset_cursor_makes_the_next_import_look_at_everything(synced: Folder) -> None:
    """
    Nothing is lost or doubled by it: what is equal stays as it is.
    """
    before = synced.ok("cursor", "show", "trello", "--json").document["cursors"]

    reset = synced.ok("cursor", "reset", "trello", "--json").document
    again = synced.ok("import", "trello", "--json").document

    assert len(before) == 2
    assert reset["reset"] == 2
    assert again["changed"] is False
    assert synced.ok("cursor", "show", "--json").document["cursors"][0]["mark"]["since"]


def test_backends_are_listed_changed_switched_and_removed(synced: Folder, trello: TrelloSimulator) -> None:
    """
    A disabled backend does nothing and says so; a removed one leaves the records where they are.
    """
    synced.ok("backend", "set", "trello", "quiet_s=5", "boards=" + trello.state.boards()[0]["id"])
    shown = synced.ok("backend", "show", "trello", "--json").document["backend"]
    synced.ok("backend", "disable", "trello")
    refused = synced.run("sync", "trello")
    told = synced.ok("status").out
    synced.ok("backend", "enable", "trello")
    tested = synced.ok("backend", "test", "trello").out
    unsure = synced.run("backend", "remove", "trello")
    removed = synced.ok("backend", "remove", "trello", "--yes", "--json").document["removed"]

    assert shown["quiet_s"] == 5
    assert shown["credentials"] == {"key": "set", "token": "set"}
    assert shown["options"]["boards"] == [trello.state.boards()[0]["id"]]
    assert (refused.code, "is disabled: `isthmus backend enable trello`" in refused.err) == (3, True)
    assert "backend 'trello' is disabled" in told
    assert f"is connected to {trello.url} as @isthmus" in tested
    assert (unsure.code, "--yes is missing" in unsure.err) == (2, True)
    assert removed == {"trello.board": 2, "trello.list": 4, "trello.card": 12, "isthmus.cursor": 2}
    assert synced.ok("backend", "list", "--json").document["backends"] == []
    with synced.hub() as hub, hub.env(readonly=True) as env:
        assert env["project.task"].search_count([]) == 12


def test_jobs_are_listed_shown_retried_and_cancelled(synced: Folder) -> None:
    """
    What waits can be looked at and given up, and run again after that.
    """
    with synced.hub() as hub, hub.env(user="anna") as env:
        env["project.task"].search([], limit=1)[0].write({"name": "Other"})

    listed = synced.ok("jobs", "list", "--json").document
    number = str(listed["jobs"][0]["id"])
    shown = synced.ok("jobs", "show", number, "--json").document["job"]
    synced.ok("jobs", "cancel", number)
    synced.ok("jobs", "retry", number)
    waiting = synced.ok("status").out
    synced.ok("jobs", "done", number)
    refused = synced.run("jobs", "cancel", number)

    assert listed["counts"]["pending"] == 1
    assert (shown["method"], shown["user"], shown["arguments"]["args"]) == ("export_record", "anna", [])
    assert "no worker is running, 1 job waits: isthmus worker" in waiting
    assert (refused.code, refused.err) == (1, f"isthmus: job {number} is done and cannot become cancelled\n")
