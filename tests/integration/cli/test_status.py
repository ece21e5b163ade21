"""``isthmus status`` on what a worker cannot get done, on a real hub and simulated servers."""

from collections.abc import Iterator
from typing import Any

import pytest

from isthmus.simulators.odoo import OdooSimulator
from isthmus.simulators.trello import TrelloSimulator

Folder = Any
"""See conftest."""


@pytest.fixture
def odoo() -> Iterator[OdooSimulator]:
    """An Odoo 19."""
    with OdooSimulator("19.0") as running:
        yield running


def test_a_backend_that_is_away_is_told(synced: Folder, trello: TrelloSimulator) -> None:
    """
    Its poll comes back and is never a failed job; when it was there again nothing is left of that.
    """
    trello.stop()

    away = _polled(synced)
    page = synced.ok("status").out
    trello.start()
    with synced.hub() as hub:
        hub.queue.retry([away["backends"][0]["away"]["job"]])
        hub.queue.run_pending()
    there = synced.ok("status", "--json").document

    (backend,) = away["backends"]
    assert away["jobs"]["failed"] == 0
    assert backend["away"]["method"] == "poll"
    assert "no connection to 127.0.0.1" in backend["away"]["error"]
    (told,) = [problem for problem in away["problems"] if "looked at since" in problem]
    assert told.startswith("backend 'trello' could not be looked at since ")
    assert told.endswith(f"{backend['away']['error']}: isthmus backend test trello")
    assert f"! {told}" in page
    assert there["backends"][0]["away"] is None
    assert "looked at since" not in str(there["problems"])


def test_a_full_walk_that_does_not_get_through_is_told_beside_polls_that_do(
    synced: Folder, trello: TrelloSimulator
) -> None:
    """
    What was deleted there is not found meanwhile.
    """
    trello.stop()

    told = _polled(synced, "walk")["problems"]

    assert any(text.startswith("backend 'trello' could not be walked through since ") for text in told)


def test_a_store_that_is_away_is_told_with_every_backend_that_needs_it(
    connected: Folder, odoo: OdooSimulator
) -> None:
    """
    Each look needs both sides, so both tests are named; nothing is ever synchronised with the store.
    """
    connected.set("ODOO_KEY", odoo.api_key(days=90))
    way_in = ("--url", odoo.url, "--database", odoo.database, "--login", odoo.login, "--key", "env:ODOO_KEY")
    _with(connected, '[stores.ours]\nbackend = "company"\nmodels = ["project.project", "project.task"]\n')
    connected.ok("backend", "add", "odoo", "company", *way_in)
    odoo.stop()

    found = _polled(connected)
    (row,) = [line for line in connected.ok("status").out.splitlines() if line.startswith("company")]

    (told,) = [problem for problem in found["problems"] if "looked at since" in problem]
    assert told.startswith("backend 'trello' could not be looked at since ")
    assert told.endswith("isthmus backend test trello or isthmus backend test company")
    assert [backend["stores"] for backend in found["backends"]] == [[], ["ours"]]
    assert "our store" in row
    assert "never" not in row


def test_a_store_in_a_backend_that_does_not_exist_is_told(connected: Folder) -> None:
    """
    Misspelt, removed or not added yet: nothing else says it before the first job fails.
    """
    _with(connected, '[stores.ours]\nbackend = "trelo"\nmodels = ["project.project"]\n')

    told = connected.ok("status", "--json").document["problems"]

    assert (
        "store 'ours' lives in backend 'trelo', which does not exist: isthmus backend add odoo trelo, or "
        "change isthmus.toml; did you mean 'trello'?"
    ) in told


def _polled(folder: Folder, method: str = "poll") -> Any:
    """Do what a worker does about a schedule that is due; give the status after it."""
    folder.ok("schedule", "run", f"trello.backend.{method}")
    with folder.hub() as hub:
        hub.queue.run_pending()
    return folder.ok("status", "--json").document


def _with(folder: Folder, settings: str) -> None:
    """Add to the settings, with the plugin for Odoo."""
    file = folder.path / "isthmus.toml"
    file.write_text(f"{file.read_text()}\n{settings}")
    folder.set("ISTHMUS_PLUGINS", '["trello", "odoo"]')
    folder.ok("db", "upgrade")
