"""A backend whose type nobody declares here: of a plugin that is not enabled any more, or of a script."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

Folder = Any
"""See conftest."""

SENTENCE = (
    "isthmus: backend 'desk' is of type 'desk.backend', whose plugin is not enabled: put it into plugins in "
    "the settings, or `isthmus backend remove desk`\n"
)


@pytest.fixture
def left_behind(synced: Folder) -> Folder:
    """A folder with such a backend, which has a binding, beside one that works."""
    with closing(sqlite3.connect(synced.path / "isthmus.db")) as connection, connection:
        connection.execute(
            "INSERT INTO isthmus_backend (type, name, active, lease_s, quiet_s) "
            "VALUES ('desk.backend', 'desk', 1, 30, 60)"
        )
        connection.execute(
            "CREATE TABLE desk_ticket (id INTEGER PRIMARY KEY, external_id TEXT, record_id INTEGER, "
            "sync_date TEXT, state TEXT, backend_id INTEGER NOT NULL REFERENCES isthmus_backend (id))"
        )
        connection.execute("INSERT INTO desk_ticket (backend_id) SELECT id FROM isthmus_backend")
    return synced


def test_a_backend_whose_plugin_is_not_enabled_is_listed(left_behind: Folder) -> None:
    """
    With what is wrong with it; the other one is as it was.
    """
    listed = left_behind.ok("backend", "list", "--json").document["backends"]
    status = left_behind.ok("status", "--json").document

    assert [(b["name"], b["plugin_enabled"]) for b in listed] == [("trello", True), ("desk", False)]
    assert [b["name"] for b in status["backends"]] == ["trello", "desk"]
    assert ["desk.backend" in problem for problem in status["problems"]].count(True) == 1
    assert "desk.backend (plugin" in left_behind.ok("backend", "list").out


@pytest.mark.parametrize(
    "words", ["sync trello", "import trello", "export trello", "backend show trello", "backend test trello",
              "backend disable trello", "cursor show", "inbox list"]
)  # fmt: skip
def test_the_other_backends_go_on(left_behind: Folder, words: str) -> None:
    """
    Whatever is done with them, the one that nobody knows is left alone.
    """
    left_behind.ok(*words.split())


@pytest.mark.parametrize(
    "words", ["sync desk", "backend show desk", "backend test desk", "backend enable desk"]
)
def test_who_uses_it_is_told_what_is_missing(left_behind: Folder, words: str) -> None:
    """
    Its type, and both ways out.
    """
    result = left_behind.run(*words.split())

    assert (result.err, result.code) == (SENTENCE, 3)


def test_it_can_be_removed(left_behind: Folder) -> None:
    """
    Nothing of its type is needed for that; its bindings go, those of the others stay.
    """
    removed = left_behind.ok("backend", "remove", "desk", "--yes", "--json").document["removed"]

    listed = left_behind.ok("backend", "list", "--json").document["backends"]
    assert removed == {"desk_ticket": 1}
    assert [b["name"] for b in listed] == ["trello"]
    assert "not enabled" not in left_behind.ok("backend", "list").out
