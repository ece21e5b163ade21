"""The page on schedules shows schedules that are read."""

import re
import tomllib
from pathlib import Path
from typing import Any

from isthmus.job.schedule.cron import Timetable

PAGE = (Path(__file__).parents[2] / "docs/howto/schedules.md").read_text()


def test_the_example_and_its_settings_are_schedules(isthmus_hub: Any) -> None:
    """
    The class is one, its methods are due as the settings say, and off is off.
    """
    shown = re.search(r"(?s)```python\n(.*?)```", PAGE)
    names: dict[str, Any] = {"__name__": "schedules_page"}
    exec(shown.group(1) if shown else "", names)
    settings = tomllib.loads((re.search(r"(?s)```toml\n(.*?)```", PAGE) or ["", ""])[1])

    hub = isthmus_hub(settings=settings, extensions=[names["ReportMethods"]])

    assert {state.name: state.spec for state in hub.queue.schedules.list()} == {
        "project.project.refresh_report": "every 10m",
        "project.project.send_report": "0 8 * * MON-FRI",
        "trello.backend.poll": "off",
        "trello.backend.walk": "30 2 * * SUN",
    }


def test_the_spellings_of_the_table_can_be_read() -> None:
    """
    Each row of the first table begins with one.
    """
    table = PAGE.partition("## When")[2].partition("## What if")[0]
    spellings = re.findall(r"(?m)^\| `(.+?)` \|", table)

    for spelling in spellings:
        Timetable.read(spelling, "Europe/Zurich", "the page")

    assert len(spellings) == 4
