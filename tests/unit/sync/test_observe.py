"""Changes in an Odoo are told once each, whoever made them and however they were committed."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from isthmus.errors import BackendError, UnknownOutcomeError
from isthmus.event import EventListener
from isthmus.hub import Hub
from isthmus.job import State
from isthmus.simulators.odoo import OdooSimulator
from isthmus.simulators.trello import TrelloSimulator
from isthmus.sync import service
from isthmus.testing import FrozenClock

TASK, PROJECT, STAGE = "project.task", "project.project", "project.task.type"
MODELS = [PROJECT, STAGE, TASK]


BROKEN: set[str] = set()
"""Names of tasks of which the listener below cannot hear."""


class Fragile(EventListener):
    _name = "test.fragile.listener"
    _inherit = "base.event.listener"
    _apply_on = TASK

    def on_record_write(self, record: Any, fields: Any = None) -> None:
        if record["name"] in BROKEN:
            raise KeyError(record["name"])


class Company:
    """A hub whose projects live in an Odoo, beside a Trello with one board."""

    def __init__(self, hub: Hub, odoo: OdooSimulator, trello: TrelloSimulator, clock: FrozenClock) -> None:
        self.hub, self.odoo, self.trello, self.clock = hub, odoo, trello, clock
        self.broken = BROKEN
        # The same login as the hub's: whose change it was does not decide.
        self.robin = odoo.as_user("admin")
        trello.seed_demo(boards=1, lists=2, cards=3)
        with hub.env() as env:
            here = env["odoo.backend"].create({"name": "company", "url": odoo.url})
            here.set_credentials({"key": odoo.password})
            here.set_options({"database": odoo.database, "login": odoo.login})
            there = env["trello.backend"].create({"name": "trello", "url": trello.url, "lease_s": 5.0})
            there.set_credentials({"key": trello.key, "token": trello.token})
            there.set_options({"boards": [b["id"] for b in trello.state.boards()]})
        with hub.env() as env:
            service.import_backend(env, service.get_backend(env, "trello"))
        self.jobs()

    def jobs(self) -> None:
        """Run all jobs, also those for later."""
        for _ in range(20):
            self.hub.queue.run_pending()
            if not self.hub.queue.counts()[State.PENDING]:
                break
            self.clock.advance(timedelta(seconds=30))
        assert [job.error for job in self.hub.queue.list(state="failed")] == []

    def observe(self, *, full: bool = False) -> int:
        """Look for changes; tells how many were told to listeners."""
        with self.hub.env() as env:
            return service.observe_backend(env, service.get_backend(env, "trello"), full=full).done[
                "observed"
            ]

    def tasks(self) -> list[int]:
        """List the tasks in Odoo."""
        return self.robin.search(TASK, [], order="id")

    def names_there(self) -> list[str]:
        """List what the cards are called."""
        return sorted(card["name"] for card in self.trello.state.cards())


@pytest.fixture
def company(isthmus_hub: Any) -> Iterator[Company]:
    """Everything imported, and quiet."""
    clock = FrozenClock()
    with OdooSimulator(clock=clock) as odoo, TrelloSimulator(clock=clock) as trello:
        hub = isthmus_hub(
            clock=clock,
            components=[Fragile],
            settings={
                "plugins": ("trello", "odoo"),
                "models": (),
                "id_walk_s": 600,
                "stores": {"odoo": {"backend": "company", "models": MODELS, "lag": 10}},
            },
        )
        yield Company(hub, odoo, trello, clock)


def test_what_sync_wrote_itself_is_no_change(company: Company) -> None:
    """By the very login that people use, too."""
    assert (company.observe(), company.observe()) == (0, 0)
    assert len(company.tasks()) == 6


def test_a_change_by_a_person_with_our_login_is_told_once(company: Company) -> None:
    """And goes out; what comes back is no change."""
    company.observe()
    company.robin.write(TASK, company.tasks()[0], {"name": "Edited in Odoo"})

    told = company.observe()
    company.jobs()

    assert (told, company.observe()) == (1, 0)
    assert "Edited in Odoo" in company.names_there()


def test_a_write_that_changes_nothing_is_not_told(company: Company) -> None:
    """Although it moves the date of the last write."""
    company.observe()
    company.clock.advance(timedelta(minutes=1))
    task = company.tasks()[0]
    name = company.robin.read(TASK, task, ["name"])[0]["name"]

    company.robin.write(TASK, task, {"name": name, "priority": "1"})

    assert company.observe() == 0


def test_changes_of_the_same_instant_are_all_told(company: Company) -> None:
    """However they lie around the end of a page or a poll."""
    company.observe()
    first, second, third = company.tasks()[:3]
    company.robin.write(TASK, [first, second], {"description": "<p>same</p>"})
    told = company.observe()

    company.robin.write(TASK, third, {"description": "<p>same</p>"})

    assert (told, company.observe(), company.observe()) == (2, 1, 0)


def test_a_transaction_that_ends_late_is_told_late(company: Company) -> None:
    """Its date is that of its beginning, which the poll before has passed."""
    company.observe()
    first, second = company.tasks()[:2]
    with company.odoo.world.begin() as slow:
        slow.execute(company.robin.uid, TASK, "write", [[first], {"name": "Slow"}])
        company.clock.advance(timedelta(seconds=8))
        company.robin.write(TASK, second, {"name": "Quick"})
        before = company.observe()
        company.jobs()

    assert (before, company.observe()) == (1, 1)


@pytest.mark.parametrize("project_first", [True, False])
def test_a_change_of_a_list_from_its_other_end_is_told(company: Company, project_first: bool) -> None:
    """A stage taken from a project is not written, but is another stage for us; and back again."""
    company.observe()
    company.clock.advance(timedelta(minutes=1))
    (project,) = company.robin.search(PROJECT)
    stage = company.robin.search(STAGE, [["project_ids", "=", project]], order="id")[-1]
    end = (PROJECT, project, "type_ids", stage) if project_first else (STAGE, stage, "project_ids", project)
    model, record, field, other = end

    company.robin.write(model, record, {field: [[3, other]]})
    taken = company.observe()
    company.jobs()
    closed = [entry["closed"] for entry in company.trello.state.lists(company.trello.state.boards()[0])]
    company.clock.advance(timedelta(minutes=1))
    company.robin.write(model, record, {field: [[4, other]]})
    given = company.observe()
    company.jobs()

    assert (taken, given, company.observe()) == (1, 1, 0)
    assert True in closed or len(closed) == 1


def test_a_poll_with_nothing_new_is_one_call_per_model(company: Company) -> None:
    """Within the lag window and after it; deletions are looked for now and then."""
    company.observe()
    company.clock.advance(timedelta(minutes=1))
    company.observe()
    counts = []
    for _ in range(3):
        company.odoo.calls.clear()
        company.observe()
        counts.append(sorted((call.method, call.model) for call in company.odoo.calls))
        company.clock.advance(timedelta(minutes=1))

    assert counts == [[("search_read", model) for model in sorted(MODELS)]] * 3


def test_a_deletion_is_found_by_the_walk_over_the_ids(company: Company) -> None:
    """Not at each poll, but after a while, and at once by a full walk."""
    company.observe()
    first, second = company.tasks()[:2]
    company.robin.unlink(TASK, first)
    at_once = company.observe()
    company.clock.advance(timedelta(minutes=10))
    after_a_while = company.observe()
    company.jobs()
    company.robin.unlink(TASK, second)

    assert (at_once, after_a_while, company.observe(), company.observe(full=True)) == (0, 1, 0, 1)


def test_a_new_task_of_a_person_becomes_a_card(company: Company) -> None:
    """Once, however often the window is told."""
    company.observe()
    (project,) = company.robin.search(PROJECT)
    stage = company.robin.search(STAGE, [["project_ids", "=", project]])[0]
    company.robin.create(TASK, {"name": "New in Odoo", "project_id": project, "stage_id": stage})

    told = [company.observe()]
    company.jobs()
    told += [company.observe(), company.observe()]

    assert told == [1, 0, 0]
    assert company.names_there().count("New in Odoo") == 1


def test_archived_here_is_closed_there(company: Company) -> None:
    """Archived records are observed, too."""
    company.observe()
    company.robin.write(TASK, company.tasks()[0], {"active": False})

    company.observe()
    company.jobs()

    assert sum(card["closed"] for card in company.trello.state.cards()) == 1


def test_a_store_follows_its_backend_to_another_address(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running process takes up what was set; a disabled backend is used for nothing."""
    monkeypatch.setattr("isthmus.hub._LOOK_S", 0.0)
    with OdooSimulator(clock=company.clock) as moved:
        with company.hub.env() as env:
            service.get_backend(env, "company").write({"url": moved.url})
        with company.hub.env() as env:
            there = env[TASK].search_count()
        with company.hub.env() as env:
            service.get_backend(env, "company").write({"active": False})
        with pytest.raises(BackendError) as caught, company.hub.env() as env:
            env[TASK].search_count()

    assert there == 0
    assert str(caught.value) == "backend 'company' is disabled: `isthmus backend enable company`"


def test_a_change_there_and_back_around_an_import_is_told_each_time(company: Company) -> None:
    """The same value is news when it was compared with another one."""
    company.observe()
    task = company.tasks()[0]
    company.robin.write(TASK, task, {"name": "One"})
    told = [company.observe()]
    company.jobs()
    (card,) = [c for c in company.trello.state.cards() if c["name"] == "One"]
    company.clock.advance(timedelta(seconds=1))
    company.trello.state.update_card(card, name="Two")
    with company.hub.env() as env:
        imported = service.import_backend(env, service.get_backend(env, "trello"))

    company.robin.write(TASK, task, {"name": "One"})
    told.append(company.observe())
    company.jobs()

    assert (imported.done["updated"], told) == (1, [1, 1])
    assert "One" in company.names_there()
    assert "Two" not in company.names_there()


def test_what_another_backend_is_about_to_create_is_no_new_record(company: Company) -> None:
    """Two backends share one store: an import of one, not settled yet, is not exported back by the other."""
    company.observe()
    with company.hub.env() as env:
        second = env["trello.backend"].create({"name": "second", "url": company.trello.url})
        second.set_credentials({"key": company.trello.key, "token": company.trello.token})
    board = company.trello.state.boards()[0]
    company.trello.state.create_card(company.trello.state.lists(board)[0], "Lost answer")
    company.odoo.faults.next("reset_after", method="load")
    with pytest.raises(UnknownOutcomeError), company.hub.env() as env:
        service.import_backend(env, service.get_backend(env, "trello"))

    with company.hub.env() as env:
        told = service.observe_backend(env, service.get_backend(env, "second")).done["observed"]
    company.clock.advance(timedelta(minutes=2))
    with company.hub.env() as env:
        service.import_backend(env, service.get_backend(env, "trello"), full=True)
    company.jobs()

    assert told == 9  # what the first import has made is new to it: a project, two stages, six tasks
    assert company.names_there().count("Lost answer") == 1
    assert len(company.robin.search(TASK, [["name", "=", "Lost answer"]])) == 1


def test_a_listener_that_fails_for_one_record_keeps_no_other_from_being_told(company: Company) -> None:
    """Whatever it raises; it is told again by a job, and the mark moves on."""
    company.observe()
    first, second = company.tasks()[:2]
    company.robin.write(TASK, first, {"name": "Breaks"})
    company.robin.write(TASK, second, {"name": "Goes on"})
    company.broken.add("Breaks")

    told = company.observe()
    company.broken.clear()
    company.jobs()

    assert told == 2
    assert {"Breaks", "Goes on"} <= set(company.names_there())


def test_an_archived_project_closes_its_board_and_no_list(company: Company) -> None:
    """Odoo shows archived projects in no list of their stages; the stages did not change."""
    company.observe()
    company.clock.advance(timedelta(minutes=1))
    (project,) = company.robin.search(PROJECT)

    company.robin.write(PROJECT, project, {"active": False})
    company.observe()
    company.jobs()

    (board,) = company.trello.state.boards()
    assert board["closed"]
    assert [entry["closed"] for entry in company.trello.state.lists(board)] == [False, False]


def test_what_odoo_made_of_a_create_whose_answer_was_lost_is_no_change_of_a_person(
    company: Company,
) -> None:
    """The record as it is counts, unless somebody has written it since."""
    board = company.trello.state.boards()[0]
    column = company.trello.state.lists(board)[0]
    company.trello.state.create_card(column, "Lost answer", desc="a  b\n\n\nc <d>")
    company.odoo.faults.next("reset_after", method="load")
    with pytest.raises(UnknownOutcomeError), company.hub.env() as env:
        service.import_backend(env, service.get_backend(env, "trello"))

    company.clock.advance(timedelta(minutes=2))
    with company.hub.env() as env:
        service.import_backend(env, service.get_backend(env, "trello"), full=True)

    assert company.observe() == 0
    assert "Lost answer" in company.names_there()
