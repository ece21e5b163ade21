"""Many cards into an Odoo: calls by the page, polls by the model, and nothing written twice."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from world import REMOTE_MODELS, OdooLogin, World, migrate_for_odoo, odoo_settings

from isthmus.hub import Hub
from isthmus.simulators.odoo import OdooSimulator
from isthmus.simulators.trello import TrelloSimulator
from isthmus.sync import Report, service
from isthmus.testing import SteppingClock
from isthmus.testing.databases import Databases

Made = Counter[tuple[str, str]]
"""Calls by model and method."""

TASK = "project.task"
LISTS = 5
ONE_PER_MODEL = {(model, "search_read"): 1 for model in REMOTE_MODELS}
WRITES = {"load", "create", "write", "unlink"}
SETUP = 6
"""Version, protocol, login, and the fields of each model."""
WINDOW = timedelta(seconds=2)
"""The lag of the store in `odoo_settings`."""


class Company:
    """A hub whose projects are in an Odoo, beside a Trello with one board of many cards.

    Args:
        world: The hub with its Trello.
        odoo: The Odoo.
    """

    def __init__(self, world: World, odoo: OdooSimulator) -> None:
        self.world = world
        self.odoo = odoo
        self.robin = odoo.as_user("admin")

    def imports(self, *, full: bool = False) -> tuple[Report, Made]:
        """Import; no record may have been put off."""
        self.odoo.calls.clear()
        with self.world.hub.env() as env:
            report = service.import_backend(env, self.world.backend(env), full=full)
        calls = self.odoo.calls.by_method()
        assert self.world.run_jobs() == 0
        return report, calls

    def observes(self, *, full: bool = False) -> tuple[int, Made]:
        """Look once for changes in Odoo; tells how many were told to listeners, and by which calls."""
        self.odoo.calls.clear()
        with self.world.hub.env() as env:
            report = service.observe_backend(env, self.world.backend(env), full=full)
        return report.done["observed"], self.odoo.calls.by_method()

    def later(self) -> tuple[int, Made]:
        """Look once more when the window has passed."""
        self.world.clock.advance(2 * WINDOW)
        return self.observes()


@contextmanager
def company(databases: Databases, folder: Path, cards: int) -> Iterator[Company]:
    """Give a company before its first import."""
    clock = SteppingClock()
    with (
        OdooSimulator(clock=clock) as odoo,
        databases.fresh("sqlite", migrate_for_odoo) as url,
        # Deletions are looked for now and then, as in daily use, and not at each poll.
        Hub(odoo_settings(url, folder / "isthmus.key", id_walk_s=3_600), clock=clock) as hub,
        TrelloSimulator(clock=clock) as trello,
    ):
        world = World(hub, trello, clock, hub.env)
        trello.seed_demo(boards=1, lists=LISTS, cards=cards // LISTS)
        world.connect_odoo(OdooLogin.of(odoo))
        world.connect(trello)
        yield Company(world, odoo)


def _methods(calls: Made) -> set[str]:
    return {method for _, method in calls}


@pytest.mark.parametrize("cards", [2_500, pytest.param(10_000, marks=pytest.mark.chaos)])
def test_many_cards_are_one_load_a_page_and_a_quiet_poll_is_one_call_a_model(
    databases: Databases, tmp_path: Path, cards: int
) -> None:
    """One `load` for 500 tasks, no call per record; a poll with nothing new is one search per model."""
    pages = cards // 500
    with company(databases, tmp_path, cards) as here:
        report, first = here.imports()
        # What the import wrote lies in the window of the next poll, and once more in that of the one after.
        known = [here.observes(), here.later(), here.later()]

        (task,) = here.robin.search(TASK, [], limit=1)
        here.robin.write(TASK, task, {"name": "Renamed in Odoo"})
        told, _ = here.observes()
        here.world.run_jobs()
        quiet = {"within the window": here.observes(), "after it": here.later(), "much later": here.later()}

        here.world.trello.requests.clear()
        full, again = here.imports(full=True)
        full_told, full_calls = here.observes(full=True)

    assert report.done == {"created": cards + LISTS + 1}
    loads = {model: first[model, "load"] for model in REMOTE_MODELS}
    assert loads == {"project.project": 1, "project.task.type": 1, TASK: pages}, first
    assert not _methods(first) & {"create", "write", "unlink"}, f"an import into Odoo made {first}"
    assert first.total() <= 2 * (pages + 2) + SETUP, f"{pages} pages made {first}"
    # Each page of a window may end within a second, which is then read by key.
    assert [changes for changes, _ in known] == [0, 0, 0]
    assert max(calls.total() for _, calls in known) <= 3 * pages + SETUP, f"first polls made {known}"
    assert known[-1][1] == ONE_PER_MODEL, f"a poll with nothing new made {known[-1]}"
    assert told == 1
    assert quiet == dict.fromkeys(quiet, (0, ONE_PER_MODEL)), f"polls with nothing new made {quiet}"
    assert (full.done, again) == ({"unchanged": cards + LISTS + 1}, Counter())
    assert full_told == 0
    assert not _methods(full_calls) & WRITES, f"a full walk with nothing changed made {full_calls}"
    assert here.world.writes_there() == 0
