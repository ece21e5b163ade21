"""Both sides compared by what they hold: no binding, no image, no code of the connector has a say."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from typing import Any, Final

Read = Callable[[str, Sequence[str]], Iterable[Mapping[str, Any]]]
"""Reads all records of a model: relations are IDs, nothing is None."""

_TASK: Final = ("name", "description", "project_id", "stage_id", "sequence", "date_deadline", "active")
_LINK: Final = re.compile(r'<a\s[^>]*href="([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
_MARKDOWN_LINK: Final = re.compile(r"\[([^\]]*)\]\(([^)\s]*)\)")


@dataclass(slots=True)
class Total:
    """What was compared of one kind.

    Attributes:
        kind: Which.
        there: How many on Trello.
        here: How many here.
        compared: Values that were compared.
        different: Of those, how many differ.
    """

    kind: str
    there: int
    here: int
    compared: int = 0
    different: int = 0


@dataclass(slots=True)
class Comparison:
    """What came of comparing.

    Attributes:
        totals: Per kind.
        differences: A line for each value that differs, and for each thing that one side lacks.
    """

    totals: list[Total] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def add(
        self, kind: str, there: Mapping[Any, Mapping[str, Any]], here: Mapping[Any, Mapping[str, Any]]
    ) -> None:
        """Compare the things of one kind, by name, value by value."""
        total = Total(kind, len(there), len(here))
        for key in sorted({*there, *here}):
            if key not in there or key not in here:
                total.different += 1
                self.differences.append(f"{kind} {key} is missing {'there' if key not in there else 'here'}")
                continue
            total.compared += 1  # its name, by which it was found
            for name, value in there[key].items():
                total.compared += 1
                if value != here[key][name]:
                    total.different += 1
                    self.differences.append(
                        f"{kind} {key}, {name}: there {value!r}, here {here[key][name]!r}"
                    )
        self.totals.append(total)


def compare(rows: Read, state: Mapping[str, Any]) -> Comparison:
    """Compare all boards, lists and cards with all projects, stages and tasks.

    Args:
        rows: Reads all records of a model of ours, archived ones too, with the fields that are named.
        state: The simulator's own account: ``{"boards": [...], "lists": [...], "cards": [...]}``.
    """
    found = Comparison()
    boards = {board["id"]: board["name"] for board in state["boards"]}
    lists = {entry["id"]: entry for entry in state["lists"]}
    projects = {p["id"]: p for p in rows("project.project", ["name", "active"])}
    stages = {s["id"]: s for s in rows("project.task.type", ["name", "active", "project_ids"])}
    found.add(
        "board / project",
        _unique(state["boards"], lambda b: (b["name"], {"active": not b["closed"]})),
        _unique(projects.values(), lambda p: (p["name"], {"active": p["active"]})),
    )
    found.add(
        "list / stage",
        _unique(
            [e for e in lists.values() if not e["closed"]], lambda e: ((boards[e["idBoard"]], e["name"]), {})
        ),
        _unique(
            [(projects[p], s) for s in stages.values() if s["active"] for p in s["project_ids"]],
            lambda pair: ((pair[0]["name"], pair[1]["name"]), {}),
        ),
    )
    tasks = [t for t in rows("project.task", _TASK) if t["project_id"] is not None]
    # An Odoo before 17 keeps the day of a deadline only.
    days = any(t["date_deadline"] and not isinstance(t["date_deadline"], datetime) for t in tasks)
    found.add(
        "card / task",
        _unique(state["cards"], lambda c: ((boards[c["idBoard"]], c["name"]), _card(c, lists, days=days))),
        _unique(tasks, lambda t: ((projects[t["project_id"]]["name"], t["name"]), _task(t, stages))),
    )
    return found


def _unique(things: Any, describe: Callable[[Any], tuple[Any, dict[str, Any]]]) -> dict[Any, dict[str, Any]]:
    """Key things by their name; equal names are numbered, so that a double is no match."""
    keyed: dict[Any, dict[str, Any]] = {}
    for thing in things:
        key, values = describe(thing)
        number = 1
        while (f"{key}" if number == 1 else f"{key} ({number})") in keyed:
            number += 1
        keyed[f"{key}" if number == 1 else f"{key} ({number})"] = values
    return keyed


def _card(card: Mapping[str, Any], lists: Mapping[str, Any], *, days: bool) -> dict[str, Any]:
    due = card["due"] and datetime.fromisoformat(card["due"]).astimezone(UTC)
    return {
        "list": lists[card["idList"]]["name"],
        "text": words_of_markdown(card["desc"]),
        "position": round(card["pos"]),
        "due": due.date() if due and days else due,
        "active": not card["closed"],
    }


def _task(task: Mapping[str, Any], stages: Mapping[Any, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "list": stages[task["stage_id"]]["name"] if task["stage_id"] is not None else None,
        "text": words_of_html(task["description"] or ""),
        "position": task["sequence"],
        "due": task["date_deadline"],
        "active": task["active"],
    }


def words_of_markdown(text: str) -> list[str]:
    r"""Give the words of a Markdown text, links with their address.

    >>> words_of_markdown("Ask the **sales** [team](https://e.org):\n\n- now")
    ['Ask', 'the', 'sales', 'team', 'https://e.org', ':', 'now']
    """
    plain = re.sub(r"(?m)^\s*(?:[-+*]|\d+[.)]|#+|>)\s+", "", _MARKDOWN_LINK.sub(r" \1 \2 ", text))
    return re.sub(r"[*_`\\]+", "", plain).split()


def words_of_html(text: str) -> list[str]:
    """Give the words of an HTML text, links with their address.

    >>> words_of_html('<p>Ask the <b>sales</b> <a href="https://e.org">team</a>:</p><ul><li>now</li></ul>')
    ['Ask', 'the', 'sales', 'team', 'https://e.org', ':', 'now']
    """
    linked = _LINK.sub(r" \2 \1 ", text)
    inline = re.sub(r"</?(?:b|strong|i|em|code|u|s|del|span)\b[^>]*>", "", linked)
    return unescape(re.sub(r"<[^>]+>", " ", inline)).split()
