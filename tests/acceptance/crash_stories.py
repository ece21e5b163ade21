"""The stories whose every instruction may be the last: what is there before, and what is done.

The run itself happens in child processes (`play`), which import nothing of pytest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from world import REMOTE_MODELS, Installation, migrate, settings_for

from isthmus.env import Store
from isthmus.hub import Hub
from isthmus.simulators.trello import TrelloSimulator
from isthmus.testing import FrozenClock, SteppingClock
from isthmus.testing.crash import CrashPoints
from isthmus.testing.remote_store import RemoteStore

BASE: Final = datetime(2026, 5, 1, 9, tzinfo=UTC)
QUIET: Final = timedelta(seconds=60)
_DUE: Final = datetime(2027, 3, 1, 12, tzinfo=UTC)
# No lease ends by time: what a dead process held must be free because it is dead.
LASTING: Final = {"lease_s": 36_000.0, "quiet_s": QUIET.total_seconds()}


@dataclass(frozen=True)
class Story:
    """One story.

    Attributes:
        name: What it is called.
        before: What happened on Trello before our first import, and what after it.
        prepare: Brings a database with the schema to where the run begins.
        run: The run.
    """

    name: str
    there: Callable[[TrelloSimulator], None]
    prepare: Callable[[Installation], None]
    run: Callable[[Installation], None]


# -- Trello -------------------------------------------------------------------------------


def scene(story: Story) -> TrelloSimulator:
    """Make the Trello that a run of the story meets; always the same, down to the IDs."""
    simulator = first_scene()
    later(simulator)
    story.there(simulator)
    return simulator


def first_scene() -> TrelloSimulator:
    """Make the Trello of all stories, before anything happens."""
    simulator = TrelloSimulator(seed=7, clock=FrozenClock(BASE - timedelta(days=1)))
    simulator.seed_demo(boards=1, lists=2, cards=3)
    return simulator


def later(simulator: TrelloSimulator) -> None:
    """Let it be the time of the run."""
    clock = simulator.world.clock
    assert isinstance(clock, FrozenClock)
    clock.advance(BASE - clock.now())


def nothing_there(_simulator: TrelloSimulator) -> None:
    """Let everything be as it was."""


def edits_there(simulator: TrelloSimulator) -> None:
    """Change, move, make, archive and delete cards, and make a list."""
    people = simulator.state
    (board,) = people.boards()
    lists = people.lists(board)
    cards = people.cards(board)
    people.update_card(cards[0], name="Changed there", desc="Their *text*")
    people.move_card(cards[1], lists[1])
    made = people.create_list(board, "New there")
    people.create_card(made, "Made there", due="2027-03-01T12:00:00.000Z")
    people.archive_card(cards[2])
    people.delete_card(cards[3])


# -- our side -----------------------------------------------------------------------------


def _connected(place: Installation) -> None:
    with first_scene() as trello:
        place.connect(trello, **LASTING)


def _imported(place: Installation) -> None:
    with first_scene() as trello:
        place.connect(trello, **LASTING)
        place.imports()


def _edited_here(place: Installation) -> None:
    """A new stage, a new task in it, changed tasks and a deleted one: jobs wait for each."""
    _imported(place)
    place.options(on_record_delete="delete")
    with place.hub.env(user="anna") as env:
        tasks = env["project.task"].search([], order="id")
        project, stages = tasks[0].project_id, env["project.task.type"].search([], order="id")
        stage = env["project.task.type"].create({"name": "New here", "project_ids": [project.id]})
        env["project.task"].create({
            "name": "Made here",
            "project_id": project.id,
            "stage_id": stage.id,
            "description": "<p>New</p>",
        })
        env["project.task"].create({
            "name": "Archived here",
            "project_id": project.id,
            "stage_id": stage.id,
            "active": False,
        })
        tasks[0].write({
            "name": "Changed here",
            "description": "<p>Our <b>text</b></p>",
            "date_deadline": _DUE,
        })
        tasks[1].write({"stage_id": stages[1].id, "sequence": 5})
        tasks[2].unlink()


def _new_project_here(place: Installation) -> None:
    """A project that becomes a board brings its stage and its task."""
    _connected(place)
    place.options(export_domain={"project.project": []})
    with place.hub.env(user="anna") as env:
        project = env["project.project"].create({"name": "New project"})
        stage = env["project.task.type"].create({"name": "To be made", "project_ids": [project.id]})
        env["project.task"].create({"name": "Its task", "project_id": project.id, "stage_id": stage.id})


def _import(place: Installation) -> None:
    place.imports()


def _export(place: Installation) -> None:
    place.exports()


STORIES: Final = {
    story.name: story
    for story in (
        Story("first import", nothing_there, _connected, _import),
        Story("incremental import", edits_there, _imported, _import),
        Story("export", nothing_there, _edited_here, _export),
        Story("export of a new project", nothing_there, _new_project_here, _export),
    )
}


# -- playing ------------------------------------------------------------------------------


def open_hub(url: str, key_file: str, start: datetime, *stores: Store) -> Hub:
    """Open a hub whose clock stands at *start* and whose jobs are never overdue."""
    settings = settings_for(url, Path(key_file), job={"lease_s": 36_000.0})
    return Hub(settings, clock=SteppingClock(start), stores=stores)


def prepared(story: Story, key_file: str) -> Callable[[str], None]:
    """Give what makes the database in which runs of the story begin."""
    return partial(_prepare, story, key_file)


def _prepare(story: Story, key_file: str, url: str) -> None:
    migrate(url)
    with open_hub(url, key_file, BASE - timedelta(hours=1)) as hub:
        story.prepare(Installation(hub, hub.clock))  # type: ignore[arg-type]


def play(points: CrashPoints, name: str, url: str, key_file: str, trello: str, start: datetime) -> list[str]:
    """Run a story, to its end or to the fatal point; gives the points it passed."""
    with open_hub(url, key_file, start) as hub:
        place: Any = Installation(hub, hub.clock)  # type: ignore[arg-type]
        with hub.env() as env:
            place.backend(env).write({"url": trello})
        points.passed.clear()
        points.watch(hub.engine)
        STORIES[name].run(place)
        return list(points.passed)


def play_on_remote(
    points: CrashPoints, url: str, key_file: str, trello: str, remote: str, safety: str, start: datetime
) -> list[str]:
    """Import into a remote store, to the end or to the fatal point; gives the points passed."""
    with RemoteStore(remote, REMOTE_MODELS, safety) as store, open_hub(url, key_file, start, store) as hub:
        place = Installation(hub, hub.clock)  # type: ignore[arg-type]
        with hub.env() as env:
            place.backend(env).write({"url": trello})
        points.passed.clear()
        points.watch(hub.engine)
        place.imports()
        return list(points.passed)
