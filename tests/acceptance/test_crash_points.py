"""kill -9 at every crash point: the next run ends where an unbroken one would have ended."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from crash_stories import BASE, QUIET, STORIES, Story, prepared, scene
from rows import everything

from isthmus.testing.crash import Crashed, run_in_child
from isthmus.testing.databases import KINDS, Databases, Kind

_PROGRAM = Path(__file__).with_name("crash_stories.py")
_REDUCED = 5
Tell = Callable[[str, object], None]


class Stage:
    """Where one story is played again and again, each time from the same beginning.

    Args:
        databases: Makes the database of each play.
        kind: Its kind.
        story: What is played.
        folder: For the key file.
    """

    def __init__(self, databases: Databases, kind: Kind, story: Story, folder: Path) -> None:
        self._databases = databases
        self._kind = kind
        self._story = story
        self._key_file = str(folder / "isthmus.key")
        self._prepare: Callable[[str], None] = prepared(story, self._key_file)
        self.expected, self.points = self._unbroken()

    def _unbroken(self) -> tuple[dict[str, list[str]], list[str]]:
        with self._set() as (url, trello):
            points = self._play(url, trello.url, attempt=0)
            return everything(url, trello), points

    @contextmanager
    def _set(self) -> Iterator[tuple[str, object]]:
        with self._databases.fresh(self._kind, self._prepare) as url, scene(self._story) as trello:
            yield url, trello

    def _play(self, url: str, trello: str, *, attempt: int, crash_at: int | None = None) -> list[str]:
        start = BASE + attempt * 2 * QUIET
        arguments = (self._story.name, url, self._key_file, trello, start)
        points: list[str] = run_in_child(_PROGRAM, "play", *arguments, crash_at=crash_at)
        return points

    def crash_and_recover(self, number: int) -> tuple[bool, dict[str, list[str]]]:
        """Kill a run at a point, run again to the end, and give whether it died and all there is then.

        A run that ends before the point does not die: what a process does once a second, such as
        looking for dead workers, makes slow runs a little longer.
        """
        with self._set() as (url, trello):
            died = False
            try:
                self._play(url, trello.url, attempt=0, crash_at=number)
            except Crashed:
                died = True
            trello.wait_idle()
            self._play(url, trello.url, attempt=1)
            return died, everything(url, trello)


def _play_all(stage: Stage, name: str, kind: Kind, numbers: list[int], tell: Tell) -> None:
    deaths = 0
    for number in numbers:
        died, found = stage.crash_and_recover(number)
        deaths += died
        where = f"killed at point {number} of {len(stage.points)} ({stage.points[number - 1]})"
        for table, expected in stage.expected.items():
            assert found[table] == expected, f"{where}: {table}"
    counts = ", ".join(f"{n} x {what}" for what, n in Counter(stage.points).items())
    tell("told", f"{name} on {kind}: {len(stage.points)} crash points ({counts}), killed at {deaths} of them")

    assert deaths >= len(numbers) * 3 // 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", STORIES)
def test_a_run_killed_at_some_points_is_completed_by_the_next(
    databases: Databases,
    tmp_path: Path,
    kind: Kind,
    name: str,
    record_property: Tell,
) -> None:
    """A seeded choice of points; `make chaos` plays all of them."""
    stage = Stage(databases, kind, STORIES[name], tmp_path)
    numbers = sorted(random.Random(f"{name} {kind}").sample(range(1, len(stage.points) + 1), _REDUCED))

    _play_all(stage, name, kind, numbers, record_property)


@pytest.mark.chaos
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", STORIES)
def test_a_run_killed_at_any_point_is_completed_by_the_next(
    databases: Databases,
    tmp_path: Path,
    kind: Kind,
    name: str,
    record_property: Tell,
) -> None:
    """Every point there is."""
    stage = Stage(databases, kind, STORIES[name], tmp_path)

    _play_all(stage, name, kind, list(range(1, len(stage.points) + 1)), record_property)
