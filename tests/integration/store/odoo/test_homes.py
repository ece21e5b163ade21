"""Bound records that would be looked for elsewhere: nothing is taken for deleted or changed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from odoo_company import MODELS, TASK, Company
from sqlalchemy import text

from isthmus.hub import Hub
from isthmus.settings import Settings
from isthmus.simulators.odoo import OdooSimulator
from isthmus.simulators.trello import TrelloSimulator
from isthmus.sync import service
from isthmus.sync.home import check_homes
from isthmus.testing import SteppingClock
from isthmus.testing.waiting import until

Make = Callable[..., Company]


@pytest.fixture
def other() -> Iterator[OdooSimulator]:
    """Another Odoo, with tasks of its own under the same numbers."""
    with OdooSimulator("18.0") as running:
        robin = running.as_user("admin")
        project = robin.create("project.project", {"name": "Another"})
        for number in range(6):
            robin.create(TASK, {"name": f"Another {number}", "project_id": project})
        yield running


def move(company: Company, odoo: OdooSimulator) -> None:
    """Let the account of the store be on another server."""
    with company.hub.env() as env:
        (backend,) = env["odoo.backend"].search([("name", "=", "company")])
        backend.write({"url": odoo.url})
    company.restart()


def open_cards(company: Company) -> list[str]:
    """List the names of the cards that are not archived."""
    return sorted(card["name"] for card in company.trello.state.cards() if not card["closed"])


class TestAnotherOdoo:
    def test_a_store_that_is_on_another_server_is_not_synchronised(
        self, synced: Company, other: OdooSimulator
    ) -> None:
        """Both places are named, and what to do; nothing is deleted, archived or renamed."""
        names = synced.names_there()
        before = synced.odoo.url.removeprefix("http://")
        move(synced, other)

        told = synced.sync()

        assert (told.code, open_cards(synced)) == (3, names)
        assert f"was in the Odoo at {before}, database 'odoo' when its records were bound" in told.err
        assert f"it is in the Odoo at {other.url.removeprefix('http://')}, database 'odoo' now" in told.err
        assert "isthmus cursor reset trello --stream home/trello." in told.err
        assert (synced.inbox(), synced.failed(), synced.effects()) == ([], [], 0)

    def test_back_at_home_it_goes_on(self, synced: Company, other: OdooSimulator) -> None:
        """The refusal has changed nothing."""
        name = synced.names_there()[0]
        move(synced, other)
        synced.sync()
        move(synced, synced.odoo)
        synced.trello.state.update_card(synced.card(name), name="Renamed")

        told = synced.sync()

        assert told.code == 0
        assert "Renamed" in synced.names_here()

    def test_a_person_says_that_it_is_the_same_database(self, synced: Company, other: OdooSimulator) -> None:
        """By the commands that the refusals name; resetting the other cursors does not say so."""
        move(synced, other)
        asked = []
        with synced.hub.env() as env:
            synced.book(env).reset()
        for _ in range(3):
            told = synced.sync()
            asked.append(told.err.rsplit(" ", 1)[-1].strip())
            with synced.hub.env() as env:
                assert synced.book(env).reset(asked[-1]) == 1

        synced.fetch()

        assert asked == ["home/trello.board", "home/trello.card", "home/trello.list"]

    def test_where_nothing_is_bound_nothing_is_refused(self, company: Company, other: OdooSimulator) -> None:
        """A hub that was only tried may move."""
        company.observe()
        move(company, other)

        assert company.sync().code == 0


def test_two_processes_note_the_same_at_once(make_company: Make) -> None:
    """The one that waits for the other goes on when that has noted it; SQLite has one writer anyway."""
    company = make_company(kind="postgresql")
    errors: list[BaseException] = []

    def note(env: Any) -> None:
        backend = service.get_backend(env, "trello")
        check_homes(env, backend, service.models_of(env, backend))

    def second() -> None:
        try:
            with company.hub.env() as env:
                note(env)
        except BaseException as exc:  # noqa: BLE001 - looked at below
            errors.append(exc)

    def waits() -> bool:
        here = "datname = current_database() AND wait_event_type = 'Lock'"
        asked = f"SELECT count(*) FROM pg_stat_activity WHERE {here}"
        with company.hub.engine.connect() as connection:
            return bool(connection.scalar(text(asked)))

    thread = threading.Thread(target=second)
    with company.hub.env() as env:
        note(env)
        thread.start()
        until(waits, "the other one waits")
    thread.join(60)

    assert errors == []
    with company.hub.env(readonly=True) as env:
        marks = [company.book(env).load(f"home/trello.{name}") for name in ("board", "list", "card")]
    assert [set(mark or {}) for mark in marks] == [{"place"}] * 3


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_records_of_our_database_do_not_move_to_an_odoo(isthmus_hub: Any, kind: str) -> None:
    """A hub that began with SQL keeps its bindings, and its cards."""
    clock = SteppingClock()
    with ExitStack() as stack:
        odoo = stack.enter_context(OdooSimulator("18.0", clock=clock))
        trello = stack.enter_context(TrelloSimulator(clock=clock))
        made = isthmus_hub(
            kind=kind, clock=clock, settings={"plugins": ("trello", "odoo"), "models": ("project",)}
        )
        settings = [made.settings]

        def start() -> Hub:
            return stack.enter_context(Hub(settings[0], clock=clock))

        company = Company(start, odoo, trello, clock)
        assert company.sync().code == 0
        settings[0] = Settings(**{
            **made.settings.model_dump(), "models": (),
            "stores": {"odoo": {"backend": "company", "models": MODELS}},
        })  # fmt: skip
        company.restart()

        told = company.sync()

        assert (told.code, len(open_cards(company))) == (3, 6)
        assert "was in our SQL database when its records were bound" in told.err
