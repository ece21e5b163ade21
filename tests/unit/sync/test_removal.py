"""A backend that is removed leaves the records, and nothing of itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.backend import create_key_file
from isthmus.hub import Hub
from isthmus.settings import Settings
from isthmus.simulators.trello import TrelloSimulator
from isthmus.sync.removal import remove_backend
from isthmus.sync.service import get_backend, import_backend


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub with two backends on one account, of which the first has a change and a bad card waiting."""
    create_key_file(tmp_path / "key")
    with (
        Hub(Settings.load(database_url=database_url, key_file=str(tmp_path / "key"))) as made,
        TrelloSimulator() as trello,
    ):
        made.upgrade()
        trello.seed_demo(boards=2, lists=1, cards=2)
        boards = trello.state.boards()
        trello.state.create_card(trello.state.lists(boards[0])[0], "")
        for name, board in zip(("first", "second"), boards, strict=True):
            with made.env() as env:
                backend = env["trello.backend"].create({"name": name, "url": trello.url})
                backend.set_credentials({"key": trello.key, "token": trello.token})
                backend.set_options({"boards": [board["id"]]})
            with made.env() as env:
                import_backend(env, get_backend(env, name))
        with made.env() as env:
            for task in env["project.task"].search([]):
                task.write({"name": f"{task['name']} again"})
        yield made


def test_removal_takes_what_is_kept_of_the_backend_and_nothing_else(hub: Hub) -> None:
    """
    Its bindings, cursor, inbox and waiting jobs go; records, journal and the other backend stay.
    """
    with hub.env() as env:
        journal = env["isthmus.journal"].search_count([])
        gone = remove_backend(env, get_backend(env, "first"))

    kept = ("connector.backend", "trello.board", "trello.card", "isthmus.cursor", "isthmus.checkpoint")
    with hub.env(readonly=True) as env:
        left = [env[name].search_count([]) for name in kept]
        jobs = [job["state"] for job in env["isthmus.job"].search([], order="id")]
        assert env["project.task"].search_count([]) == 4
        assert env["isthmus.journal"].search_count([]) == journal
    assert gone == {
        "trello.board": 1,
        "trello.list": 1,
        "trello.card": 2,
        "isthmus.cursor": 1,
        "isthmus.checkpoint": 1,
    }
    assert left == [1, 1, 2, 1, 0]
    assert sorted(jobs) == ["cancelled", "cancelled", "pending", "pending"]
