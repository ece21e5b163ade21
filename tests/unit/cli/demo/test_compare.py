"""Both sides compared by what they hold."""

from datetime import UTC, datetime
from typing import Any

import pytest

from isthmus.cli.demo.compare import Comparison, compare, words_of_html, words_of_markdown
from isthmus.cli.demo.side import SqlSide
from isthmus.connectors.trello.markup import markdown_to_html
from isthmus.hub import Hub
from isthmus.settings import Settings

DUE = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def hub(database_url: str) -> Any:
    """A hub with one project, one stage and two tasks."""
    with Hub(Settings.load(database_url=database_url, plugins=())) as made:
        made.upgrade()
        with made.env() as env:
            project = env["project.project"].create({"name": "Website"})
            stage = env["project.task.type"].create({"name": "To do", "project_ids": [project.id]})
            place = {"project_id": project.id, "stage_id": stage.id}
            env["project.task"].create([
                {
                    "name": "A",
                    "description": "<p>See <b>it</b></p>",
                    "sequence": 3,
                    "date_deadline": DUE,
                    **place,
                },
                {"name": "B", "sequence": 4, "active": False, **place},
            ])
        yield made


def state(**changes: Any) -> dict[str, Any]:
    """Give what Trello would say, with changes to card A."""
    first = {
        "idBoard": "b", "idList": "l", "name": "A", "desc": "See **it**", "pos": 3.2, "closed": False,
        "due": "2027-03-01T12:00:00.000Z",
    }  # fmt: skip
    second = first | {"name": "B", "desc": "", "pos": 4, "closed": True, "due": None}
    return {
        "boards": [{"id": "b", "name": "Website", "closed": False}],
        "lists": [{"id": "l", "name": "To do", "idBoard": "b", "closed": False}],
        "cards": [first | changes, second],
    }


def compared(hub: Hub, there: dict[str, Any]) -> Comparison:
    """Compare our side with what Trello would say."""
    side = SqlSide("a run")
    side.connect(hub)
    return compare(side.rows, there)


def test_sides_that_hold_the_same_agree(hub: Hub) -> None:
    """
    Every board, list and card is found here, and every value is counted.
    """
    found = compared(hub, state())

    assert found.differences == []
    assert [(t.there, t.here, t.compared, t.different) for t in found.totals] == [
        (1, 1, 2, 0),
        (1, 1, 1, 0),
        (2, 2, 12, 0),
    ]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"desc": "See _that_"}, "text"),
        ({"pos": 9}, "position"),
        ({"due": None}, "due"),
        ({"closed": True}, "active"),
        ({"name": "Z"}, "missing"),
    ],
)
def test_each_value_that_differs_is_named(hub: Hub, change: dict[str, Any], what: str) -> None:
    """
    No field is compared in name only.
    """
    found = compared(hub, state(**change))

    assert found.differences
    assert all(what in line for line in found.differences)


def test_a_second_card_of_the_same_name_does_not_pass(hub: Hub) -> None:
    """
    A duplicate there is missing here.
    """
    there = state()
    there["cards"].append(dict(there["cards"][0]))

    found = compared(hub, there)

    assert found.differences == ["card / task ('Website', 'A') (2) is missing here"]


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "Ask the **sales team** first.",
        "Steps:\n\n- collect\n- compare",
        "See [it](https://e.org/p) now",
    ],
)
def test_words_are_the_same_on_both_sides(text: str) -> None:
    """
    Markup is left out, words and addresses count.
    """
    assert words_of_html(markdown_to_html(text)) == words_of_markdown(text)
