"""An edit that our own write replaced unseen is kept, because Trello tells the replaced value."""

from collections.abc import Mapping
from typing import Any

import pytest

from isthmus.component import AbstractComponent
from isthmus.connectors.trello.adapter import TrelloCardAdapter
from isthmus.hub import Hub
from isthmus.simulators.trello import TrelloSimulator
from isthmus.sync import Inbox
from isthmus.sync.service import poll


def racing(people: Any, values: Mapping[str, Any]) -> type[AbstractComponent]:
    """Make an adapter before whose write somebody edits the card, after our last read of it."""

    class Racing(TrelloCardAdapter):
        _inherit = "trello.card.adapter"

        def write(self, external_id: str, ours: Mapping[str, Any]) -> Any:
            people.update_card(external_id, **values)
            return super().write(external_id, ours)

    return Racing


@pytest.fixture
def make_hub(isthmus_hub: Any, trello_simulator: TrelloSimulator) -> Any:
    """Make a hub with one imported card, whose next write people are quicker than."""

    def make(**values: Any) -> Hub:
        people = trello_simulator.state
        board = people.create_board("Website")
        people.create_card(people.create_list(board, "To do"), "Call back")
        hub = isthmus_hub(components=[racing(people, values)])
        with hub.env() as env:
            backend = env["trello.backend"].create({"name": "trello", "url": trello_simulator.url})
            backend.set_credentials({"key": trello_simulator.key, "token": trello_simulator.token})
            backend.set_options({"boards": [board["id"]]})
        poll(hub, "trello")
        return hub

    return make


def change_and_poll(hub: Hub, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Change our task, let its export run, look at Trello, and give the inbox with its payloads."""
    with hub.env() as env:
        env["project.task"].search([])[0].write(values)
    while hub.queue.run_one():
        pass
    poll(hub, "trello")
    with hub.env() as env:
        inbox = Inbox(env)
        return [inbox.show(item["id"]) for item in inbox.list()]


def test_an_edit_that_our_write_replaced_is_in_the_inbox(
    make_hub: Any, trello_simulator: TrelloSimulator
) -> None:
    """
    Somebody renames the card between our read and our write: our name stays, theirs is kept to look at.
    """
    hub = make_hub(name="Call robin")

    items = change_and_poll(hub, {"name": "Call anna"})

    assert [card["name"] for card in trello_simulator.state.cards()] == ["Call anna"]
    assert [(item["kind"], item["payload"]) for item in items] == [
        ("review", {"theirs": {"name": "Call robin"}, "ours": {"name": "Call anna"}})
    ]


def test_an_edit_of_another_field_needs_nobody(make_hub: Any, trello_simulator: TrelloSimulator) -> None:
    """
    Somebody edits the text between our read and our write of the name: both stay, here and there.
    """
    hub = make_hub(desc="At noon")

    items = change_and_poll(hub, {"name": "Call anna"})

    assert items == []
    assert [(card["name"], card["desc"]) for card in trello_simulator.state.cards()] == [
        ("Call anna", "At noon")
    ]
    with hub.env() as env:
        assert "At noon" in env["project.task"].search([])[0].description


def test_a_card_that_is_made_closed_has_replaced_nothing(make_hub: Any) -> None:
    """
    It is made and then closed, by two requests of ours.
    """
    hub = make_hub()
    with hub.env() as env:
        task = env["project.task"].search([])[0]
        place = {"project_id": task.project_id.id, "stage_id": task.stage_id.id}
        env["project.task"].create({"name": "Archived here", "active": False, **place})

    items = change_and_poll(hub, {})

    assert items == []
