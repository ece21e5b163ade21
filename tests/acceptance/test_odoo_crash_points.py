"""kill -9 while an Odoo and a Trello are synchronised: the next run ends where an unbroken one would have."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from crash_stories import BASE, QUIET
from odoo_stories import STORIES, Setting, Theatre

from isthmus.testing.crash import Crashed, run_in_child
from isthmus.testing.databases import Databases

Tell = Callable[[str, object], None]
_PROGRAM = Path(__file__).with_name("odoo_stories.py")
_PLACES = [("first import", "18.0"), ("first import", "19.0"), ("both sides", "18.0"), ("both sides", "19.0")]
_REDUCED = 3


def _play(setting: Setting, attempt: int, crash_at: int | None = None) -> list[str]:
    start = BASE + attempt * 2 * QUIET
    points: list[str] = run_in_child(_PROGRAM, "play", setting.places, start, crash_at=crash_at)
    return points


def _killed(setting: Setting, number: int) -> bool:
    """Tell whether a run dies at a point; one that ends before it does not."""
    try:
        _play(setting, 0, crash_at=number)
    except Crashed:
        return True
    return False


def _play_all(theatre: Theatre, name: str, most: int | None, tell: Tell) -> None:
    with theatre.setting() as setting:
        points, expected = _play(setting, 0), setting.all()
    numbers = list(range(1, len(points) + 1))
    if most is not None:
        numbers = sorted(random.Random(name).sample(numbers, most))
    deaths, wrong = 0, []
    for number in numbers:
        with theatre.setting() as setting:
            deaths += _killed(setting, number)
            setting.trello.wait_idle()
            setting.odoo.wait_idle()
            _play(setting, 1)
            found = setting.all()
        where = f"killed at point {number} of {len(points)} ({points[number - 1]})"
        wrong += [
            f"{where}: {table}: {_difference(found[table], rows)}"
            for table, rows in expected.items()
            if found[table] != rows
        ]
    counts = ", ".join(f"{n} x {what}" for what, n in Counter(points).items())
    tell("told", f"{name}: {len(points)} crash points ({counts}), killed at {deaths} of them")

    assert not wrong, "\n".join(wrong)
    assert deaths >= len(numbers) * 3 // 4


def _difference(found: list[str], expected: list[str]) -> str:
    more, less = Counter(found) - Counter(expected), Counter(expected) - Counter(found)
    return f"there is {list(more)}, which should be {list(less)}"


@pytest.mark.parametrize(("story", "version"), _PLACES[1:3])
def test_a_run_killed_at_some_points_is_completed_by_the_next(
    databases: Databases, tmp_path: Path, story: str, version: str, record_property: Tell
) -> None:
    """A seeded choice of points; `make chaos` plays all of them."""
    theatre = Theatre(databases, STORIES[story], version, tmp_path)

    _play_all(theatre, f"{story} with Odoo {version}", _REDUCED, record_property)


@pytest.mark.chaos
@pytest.mark.parametrize(("story", "version"), _PLACES)
def test_a_run_killed_at_any_point_is_completed_by_the_next(
    databases: Databases, tmp_path: Path, story: str, version: str, record_property: Tell
) -> None:
    """Every point there is."""
    theatre = Theatre(databases, STORIES[story], version, tmp_path)

    _play_all(theatre, f"{story} with Odoo {version}", None, record_property)
