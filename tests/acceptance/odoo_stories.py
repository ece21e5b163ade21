"""Stories between an Odoo and a Trello whose every instruction may be the last, or meet a fault.

The run itself happens in child processes (`play`), which import nothing of pytest.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from crash_stories import BASE, LASTING, edits_there, first_scene, later, nothing_there
from people import People
from rows import everything
from world import ODOO, Installation, OdooLogin, migrate_for_odoo, odoo_settings

from isthmus.hub import Hub
from isthmus.simulators.odoo import OdooSimulator
from isthmus.simulators.trello import TrelloSimulator
from isthmus.sync import CursorBook
from isthmus.sync.cursor import HOME
from isthmus.testing import FrozenClock, SteppingClock
from isthmus.testing.crash import CrashPoints
from isthmus.testing.databases import Databases

_DUE: Final = datetime(2027, 3, 1, 12, tzinfo=UTC)
_ONCE: Final = "'active': {'after': False, 'before': True}"
_TWICE: Final = "'active': {'after': False, 'before': False}"
_EARLIER: Final = BASE - timedelta(hours=1)


@dataclass(frozen=True)
class OdooStory:
    """One story.

    Attributes:
        name: What it is called.
        there: What happens on Trello before the run.
        here: What happens in Odoo before the run; None where nothing was imported yet.
    """

    name: str
    there: Callable[[TrelloSimulator], None]
    here: Callable[[People], None] | None


def _edits_here(people: People) -> None:
    """A new stage, new tasks in it, a changed task, a moved one, a deleted one; some beside edits there."""
    tasks = people["project.task"].search([], order="id")
    (project,) = people["project.project"].search([])
    stages = people["project.task.type"].search([("project_ids", "=", project.id)], order="id")
    stage = people["project.task.type"].create({"name": "New here", "project_ids": [project.id]})
    place = {"project_id": project.id, "stage_id": stage.id}
    people["project.task"].create({"name": "Made here", "description": "<p>New</p>", **place})
    people["project.task"].create({"name": "Archived here", "active": False, **place})
    # They change its name and its text.
    people["project.task"].write([tasks[0].id], {"date_deadline": _DUE})
    people["project.task"].write(
        [tasks[4].id],
        {"name": "Changed here", "description": "<p>Our <b>text</b></p>", "stage_id": stages[1].id},
    )
    people["project.task"].unlink([tasks[5].id])


STORIES: Final = {
    story.name: story
    for story in (
        OdooStory("first import", nothing_there, None),
        OdooStory("both sides", edits_there, _edits_here),
    )
}


def run(place: Installation) -> None:
    """Look at both sides, and do what there is to do."""
    place.exports()
    place.imports()


@dataclass(frozen=True)
class Setting:
    """One beginning of a story.

    Attributes:
        url: The hub's database.
        key_file: Its key.
        trello: Their side.
        odoo: Our side.
        clock: The Odoo's clock.
    """

    url: str
    key_file: str
    trello: TrelloSimulator
    odoo: OdooSimulator
    clock: FrozenClock

    @property
    def places(self) -> tuple[str, str, str, str]:
        """What `open_place` needs to get there from another process."""
        return self.url, self.key_file, self.trello.url, self.odoo.url

    def all(self) -> dict[str, list[str]]:
        """Show all that there is, whatever keys and times it has."""
        shown = everything(self.url, self.trello, People.of(self.odoo))
        # What was written before a crash is looked at again: by jobs that find nothing to do or take the
        # place of others, ...
        over = ("'state': 'done'", "'state': 'cancelled'")
        shown["isthmus_job"] = [row for row in shown["isthmus_job"] if not any(s in row for s in over)]
        # ... and an archived record is archived again.
        shown["isthmus_journal"] = [row.replace(_TWICE, _ONCE) for row in shown["isthmus_journal"]]
        return shown


class Theatre:
    """Where one story is played again and again, each time from the same beginning.

    Args:
        databases: Makes the hub's database of each play.
        story: What is played.
        version: The Odoo's version.
        folder: For the key file.
    """

    def __init__(self, databases: Databases, story: OdooStory, version: str, folder: Path) -> None:
        self._databases = databases
        self._story = story
        self._version = version
        self._key_file = str(folder / "isthmus.key")
        self._records: Any = None

    @contextmanager
    def setting(self, **options: Any) -> Iterator[Setting]:
        """Set the scene for one play.

        Args:
            **options: Options of the backend that our records are reached by.
        """
        clock = SteppingClock(BASE)
        with (
            self._databases.fresh("sqlite", self._prepare) as url,
            OdooSimulator(self._version, clock=clock) as odoo,
            first_scene() as trello,
        ):
            odoo.world._data = deepcopy(self._records)
            later(trello)
            self._story.there(trello)
            setting = Setting(url, self._key_file, trello, odoo, clock)
            if options:
                with open_place(*setting.places, BASE) as place, place.hub.env() as env:
                    env["odoo.backend"].search([("name", "=", ODOO)])[0].set_options(options)
            yield setting

    def _prepare(self, url: str) -> None:
        """Bring the hub's database, and the records in Odoo, to where plays begin."""
        migrate_for_odoo(url)
        clock = SteppingClock(_EARLIER)
        with (
            OdooSimulator(self._version, clock=clock) as odoo,
            first_scene() as trello,
            Hub(odoo_settings(url, Path(self._key_file)), clock=clock) as hub,
        ):
            place = Installation(hub, clock)
            place.connect_odoo(OdooLogin.of(odoo))
            place.connect(trello, **LASTING)
            place.options(on_record_delete="delete")
            if self._story.here is not None:
                place.imports()
                place.exports()
                clock.advance(timedelta(minutes=1))
                self._story.here(People.of(odoo))
            self._records = deepcopy(odoo.world._data)


@contextmanager
def open_place(url: str, key_file: str, trello: str, odoo: str, start: datetime) -> Iterator[Installation]:
    """Open the hub, told where the servers are this time; its jobs are never overdue."""
    settings = odoo_settings(url, Path(key_file), job={"lease_s": 36_000.0})
    clock: FrozenClock = SteppingClock(start)
    with Hub(settings, clock=clock) as hub:
        with hub.env() as env:
            (there,), (here,) = env["trello.backend"].search([]), env["odoo.backend"].search([])
            if here["url"] != odoo:  # the same records at another address
                for cursor in env["isthmus.cursor"].search([("stream", "=like", f"{HOME}%")]):
                    CursorBook(env, there.id).reset(cursor["stream"])
            there.write({"url": trello})
            here.write({"url": odoo})
        yield Installation(hub, clock)


def play(points: CrashPoints, places: tuple[str, str, str, str], start: datetime) -> list[str]:
    """Run once, to the end or to the fatal point; gives the points it passed."""
    with open_place(*places, start) as place:
        points.passed.clear()
        points.watch(place.hub.engine)
        run(place)
        return list(points.passed)
