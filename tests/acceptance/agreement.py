"""Do both sides agree? Read afresh and compared field by field, without bindings or images."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

from world import World

from isthmus.connectors.trello.markup import html_to_markdown, markdown_to_html
from isthmus.env import Env

_ALL = [("active", "in", [True, False])]
Shown = dict[tuple[str, ...], dict[str, Any]]
"""What one side shows of its records, by their names from the board or project on."""


def assert_agreement(world: World, apart: Iterable[str] = ()) -> None:
    """Read both sides afresh and compare them.

    Args:
        world: The two sides.
        apart: Names of cards and tasks that are on one side only, or different, on purpose.
    """
    with world.ours() as env:
        ours = _ours(env)
    theirs = _theirs(world, 10 if world.due_is_day else 19)
    for name in apart:
        for side in (ours, theirs):
            for key in [k for k in side if k[-1] == name]:
                del side[key]

    assert ours == theirs


def _ours(env: Env) -> Shown:
    shown: list[tuple[tuple[str, ...], dict[str, Any]]] = []
    projects = {p["id"]: p for p in _read(env, "project.project", ["name", "active"])}
    stages = {s["id"]: s for s in _read(env, "project.task.type", ["name", "active", "project_ids"])}
    shown += [((p["name"],), {}) for p in projects.values() if p["active"]]
    shown += [
        ((projects[i]["name"], "list", s["name"]), {})
        for s in stages.values()
        if s["active"]
        for i in s["project_ids"]
    ]
    fields = ["name", "description", "project_id", "stage_id", "sequence", "date_deadline", "active"]
    for task in _read(env, "project.task", fields):
        values = {
            "list": stages[task["stage_id"]]["name"],
            "text": comparable(task["description"]),
            "position": task["sequence"],
            "due": task["date_deadline"] and str(task["date_deadline"])[:19],
            "archived": not task["active"],
        }
        shown.append(((projects[task["project_id"]]["name"], "card", task["name"]), values))
    return _by_name(shown)


def _theirs(world: World, due_length: int) -> Shown:
    shown: list[tuple[tuple[str, ...], dict[str, Any]]] = []
    for board in world.people.boards():
        if not board["closed"]:
            shown.append(((board["name"],), {}))
        lists = {entry["id"]: entry for entry in world.people.lists(board)}
        shown += [((board["name"], "list", e["name"]), {}) for e in lists.values() if not e["closed"]]
        for card in world.people.cards(board):
            values = {
                "list": lists[card["idList"]]["name"],
                "text": comparable(markdown_to_html(card["desc"])),
                "position": round(card["pos"]),
                "due": card["due"] and card["due"][:due_length].replace("T", " "),
                "archived": card["closed"],
            }
            shown.append(((board["name"], "card", card["name"]), values))
    return _by_name(shown)


@cache
def comparable(html: str | None) -> str:
    """Give a text in the one spelling that both sides can be compared in."""
    return html_to_markdown(html)


def _read(env: Env, model: str, fields: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = env[model].read([r.id for r in env[model].search(_ALL)], fields)
    return rows


def _by_name(shown: list[tuple[tuple[str, ...], dict[str, Any]]]) -> Shown:
    doubled = [key for key, count in Counter(key for key, _ in shown).items() if count > 1]
    assert not doubled, f"there twice: {doubled}"
    return dict(shown)
