"""The page on events and log keys is about those that there are."""

import re
from pathlib import Path
from typing import Any

import pytest

from isthmus import hub as hub_module
from isthmus.event import EventListener, skip_if

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/events.md").read_text()


def test_every_built_in_event_is_in_the_table() -> None:
    """
    The events that stores tell are the ones that the page lists.
    """
    listed = re.findall(r"(?m)^\| `(on_\w+)` \|", PAGE)

    assert sorted(listed) == sorted(hub_module._EVENTS)


def test_every_log_key_is_in_the_table() -> None:
    """
    The keys that our log calls use are the ones that the page lists.
    """
    listed = re.findall(r"(?m)^\| `(isthmus_\w+)` \|", PAGE)
    used: set[str] = set()
    for module in (ROOT / "src").rglob("*.py"):
        source = module.read_text()
        used.update(re.findall(r"(?m)^\s+(isthmus_\w+)=", source))
        used.update(re.findall(r'"(isthmus_\w+)":', source))
        used.update(re.findall(r'(?m)^RUN: Final = "(isthmus_\w+)"', source))

    assert sorted(listed) == sorted(used)


def test_the_example_listener_hears(isthmus_hub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """
    The listener of the page does what it says, and keeps silent otherwise.
    """
    shown = re.search(r"(?s)```python\n(.*?)```", PAGE)
    names: dict[str, Any] = {"EventListener": EventListener, "skip_if": skip_if, "__name__": "events_page"}
    exec(shown.group(1) if shown else "", names)
    hub = isthmus_hub(components=[names["TellAboutLongNames"]])

    with hub.env() as env:
        task = env["project.task"].create({"name": "Call"})
        task.write({"sequence": 3})
        env.flush()
        task.write({"name": "Call " * 20})

    assert capsys.readouterr().out == "Call became too long\n"
