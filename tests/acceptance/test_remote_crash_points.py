"""kill -9 while records are made in a remote store: none is made twice, or a person is asked."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from crash_stories import BASE, QUIET, STORIES, open_hub, prepared, scene
from world import REMOTE_MODELS, Installation

from isthmus.simulators.trello import TrelloSimulator
from isthmus.testing import FrozenClock
from isthmus.testing.crash import Crashed, run_in_child
from isthmus.testing.databases import Databases
from isthmus.testing.remote_server import RemoteServer
from isthmus.testing.remote_store import RemoteStore

Tell = Callable[[str, object], None]
_PROGRAM = Path(__file__).with_name("crash_stories.py")
_STORY = STORIES["first import"]
_REDUCED = 3


@dataclass
class Setting:
    """One beginning: databases, Trello and the remote server."""

    url: str
    key_file: str
    trello: TrelloSimulator
    server: RemoteServer
    safety: str

    def play(self, attempt: int, crash_at: int | None = None) -> list[str]:
        """Import in a process that may die."""
        start = BASE + attempt * 2 * QUIET
        arguments = (self.url, self.key_file, self.trello.url, self.server.url, self.safety, start)
        points: list[str] = run_in_child(_PROGRAM, "play_on_remote", *arguments, crash_at=crash_at)
        return points

    def names(self) -> dict[str, Counter[str]]:
        """Count the records of the remote server by name."""
        with self.server.records.env(readonly=True) as env:
            every = [("active", "in", [True, False])]
            return {m: Counter(r.name for r in env[m].search(every)) for m in REMOTE_MODELS}

    def asked(self) -> list[str]:
        """List what a person is asked."""
        with (
            RemoteStore(self.server.url, REMOTE_MODELS, self.safety) as store,
            open_hub(self.url, self.key_file, BASE, store) as hub,
        ):
            return [item["kind"] for item in Installation(hub, FrozenClock(BASE)).inbox()]


@contextmanager
def _setting(
    databases: Databases, folder: Path, prepare: Callable[[str], None], safety: str
) -> Iterator[Setting]:
    with (
        databases.fresh("sqlite", prepare) as url,
        databases.fresh("sqlite") as remote,
        RemoteServer(remote, create_safety=safety, clock=FrozenClock(BASE)) as server,
        scene(_STORY) as trello,
    ):
        yield Setting(url, str(folder / "isthmus.key"), trello, server, safety)


def _play(databases: Databases, folder: Path, safety: str, tell: Tell, most: int | None) -> None:
    prepare = prepared(_STORY, str(folder / "isthmus.key"))
    with _setting(databases, folder, prepare, safety) as unbroken:
        points = unbroken.play(0)
        expected = unbroken.names()
    numbers = list(range(1, len(points) + 1))
    if most is not None:
        numbers = sorted(random.Random(safety).sample(numbers, most))
    asked = 0
    for number in numbers:
        with _setting(databases, folder, prepare, safety) as broken:
            # A run may end before its point: see test_crash_points.
            with suppress(Crashed):
                broken.play(0, crash_at=number)
            broken.trello.wait_idle()
            broken.server.wait_idle()
            broken.play(1)
            names, questions = broken.names(), broken.asked()
        where = f"killed at point {number} of {len(points)} ({points[number - 1]})"
        asked += bool(questions)
        doubled = [n for counts in names.values() for n, c in counts.items() if c > 1 and "#" in n]
        assert not doubled, where
        if safety == "none":
            assert questions or names == expected, where
        else:
            assert (names, questions) == (expected, []), where
    tell(
        "told",
        f"import into a remote store with create safety {safety}: {len(points)} crash points, "
        f"{len(numbers)} of them played, a person was asked after {asked}",
    )


@pytest.mark.parametrize("safety", ["native_key", "probe", "none"])
def test_an_import_into_a_remote_store_survives_some_crashes(
    databases: Databases, tmp_path: Path, safety: str, record_property: Tell
) -> None:
    """A seeded choice of points; `make chaos` plays all of them."""
    _play(databases, tmp_path, safety, record_property, _REDUCED)


@pytest.mark.chaos
@pytest.mark.parametrize("safety", ["native_key", "probe", "none"])
def test_an_import_into_a_remote_store_survives_any_crash(
    databases: Databases, tmp_path: Path, safety: str, record_property: Tell
) -> None:
    """Every point there is."""
    _play(databases, tmp_path, safety, record_property, None)
