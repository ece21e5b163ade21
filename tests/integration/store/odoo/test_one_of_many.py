"""A record whose writing goes wrong at its end keeps no other record waiting, and is not forgotten."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from odoo_company import IMPATIENT_S, TASK, Company, Tagged

from isthmus.errors import InvalidDataError, IsthmusError
from isthmus.simulators.odoo import errors
from isthmus.sync import Operation, RecordImporter

Make = Callable[..., Company]


class FindOrCreate(RecordImporter):
    """Somebody's own way to create tasks: by name."""

    _inherit = "trello.card.importer"

    def _create(self, operation: Operation) -> Any:
        """Take a task of that name if there is one."""
        records = self.env[self.record_model]
        found = records.search([("name", "=", operation.values["name"])], limit=1)
        return found[0].id if found else records.create(operation.values).id


class Choosy(RecordImporter):
    """Somebody's own last step, which refuses a card."""

    _inherit = "trello.card.importer"

    refuses = True

    def _after_import(self, operation: Operation) -> None:
        """Refuse the first card."""
        if self.refuses and operation.item.payload["name"].endswith("#1"):
            raise InvalidDataError("not the first one")


def let_writes_of(company: Company, task: int, error: Exception) -> Callable[[], None]:
    """Let Odoo raise an error at each write of a task; gives what ends that."""
    known = company.odoo.world.registry[TASK]
    usual = known.check

    def check(env: Any, row: dict[str, Any], changed: Any) -> None:
        if row["id"] == task:
            raise error
        usual(env, row, changed)

    known.check = check  # type: ignore[method-assign]
    return lambda: setattr(known, "check", usual)


def change_all(company: Company) -> None:
    """Change each card."""
    for card in company.trello.state.cards():
        company.trello.state.update_card(card, desc="Changed there")


def changed(company: Company) -> list[str]:
    """List the names of the tasks that have the change."""
    rows = company.rows(TASK, ["name", "description"])
    return sorted(row["name"] for row in rows if row["description"] == "<p>Changed there</p>")


class TestEnd:
    """The records are there, and the last transaction says what they are."""

    def test_a_card_whose_task_is_bound_already_is_parked_alone(self, make_company: Make) -> None:
        """A step of a connector found the task of another card."""
        company = make_company(components=(FindOrCreate,))
        first, second, *others = company.names_there()
        company.trello.state.update_card(company.card(second), name=first)

        told = company.sync()

        assert (told.code, len(company.inbox())) == (0, 1)
        assert "8 created, 1 parked" in told.out
        assert company.names_here() == sorted([first, *others])

    def test_a_card_that_the_last_step_refuses_is_parked_alone_and_made_once(
        self, make_company: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once it is not refused any more, its task is found."""
        company = make_company(components=(Choosy,))

        told = company.sync()
        (item,) = company.inbox()
        monkeypatch.setattr(Choosy, "refuses", False)
        company.restart()
        company.resolve(item["id"], "retry")
        company.jobs()
        company.settle()

        assert (told.code, "8 created, 1 parked" in told.out) == (0, True)
        assert item["summary"].endswith("not the first one")
        assert company.names_here() == company.names_there()
        assert (company.inbox(), company.failed(), company.effects()) == ([], [], 0)

    @pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
    def test_a_text_that_our_database_cannot_hold_stops_no_page(self, make_company: Make, kind: str) -> None:
        """PostgreSQL takes no NUL, SQLite does; Odoo was given the text without it."""
        company = make_company(kind=kind)
        name = company.names_there()[0]
        company.trello.state.update_card(company.card(name), desc="a nul \0 here")

        told = company.sync()
        parked = len(company.inbox())
        company.trello.state.update_card(company.card(name), desc="none here")
        company.jobs()
        company.settle()

        assert (told.code, parked) == (0, kind == "postgresql")
        assert company.here() == company.there()
        assert (company.inbox(), company.failed(), company.effects()) == ([], [], 0)


class TestWrites:
    def test_a_write_that_never_gets_an_answer_keeps_no_other_waiting(self, synced: Company) -> None:
        """Its record is written alone and last from then on, by one open effect; the run tells of it."""
        name, *others = synced.names_there()
        error = errors.builtin("Exception", "CPU time limit exceeded.")
        answer = let_writes_of(synced, synced.task(name), error)
        change_all(synced)

        told = [synced.sync() for _ in range(3)]
        before, effects = changed(synced), synced.effects()
        answer()
        synced.settle()

        assert [one.code for one in told] == [1, 1, 1]
        assert f"cannot write project.task({synced.task(name)})" in told[-1].err
        assert (before, effects) == (sorted(others), 1)
        assert changed(synced) == synced.names_there()
        assert (synced.inbox(), synced.failed(), synced.effects()) == ([], [], 0)

    def test_a_write_that_misses_something_else_is_parked(self, synced: Company) -> None:
        """The record itself is there: nothing is decided again and again."""
        name, *others = synced.names_there()
        error = errors.missing(TASK, [synced.task(name)], 2)
        error.message = "The sprint of this task was deleted."
        let_writes_of(synced, synced.task(name), error)
        change_all(synced)

        told = synced.sync()
        synced.jobs()

        (item,) = synced.inbox()
        assert (told.code, changed(synced)) == (0, sorted(others))
        assert item["summary"].endswith("The sprint of this task was deleted.")
        assert (synced.failed(), synced.waiting(), synced.effects()) == ([], [], 0)


class TestOpenCreates:
    def test_an_edit_before_the_create_is_known_is_exported_without_another(self, synced: Company) -> None:
        """Observation leaves a record whose create is open to the import that finds it."""
        synced.trello.state.create_card(synced.lists[0], name="New there")
        synced.set(timeout_s=IMPATIENT_S)
        synced.odoo.faults.next("timeout_after", method="load", model=TASK)
        with suppress(IsthmusError):
            synced.fetch()
        synced.clock.advance(timedelta(minutes=2))
        synced.robin.write(TASK, synced.task("New there"), {"name": "Edited here"})
        for _ in range(2):
            synced.clock.advance(timedelta(minutes=5))
            synced.observe()

        synced.fetch()
        synced.jobs()

        assert "Edited here" in synced.names_there()
        assert synced.here() == synced.there()
        assert (synced.inbox(), synced.failed(), synced.effects()) == ([], [], 0)

    def test_a_task_in_part_made_goes_with_its_card(self, make_company: Make) -> None:
        """By the backend's policy, as one that was made whole."""
        company = make_company(components=(Tagged,))
        for tag in "ab":
            company.robin.create("project.tags", {"name": tag})
        name = company.names_there()[2]
        accept = company.refuse(TASK, "tag_ids", name, "No tags here.")
        company.sync()
        (item,) = company.inbox()
        company.trello.state.delete_card(company.card(name))
        accept()

        company.resolve(item["id"], "retry")
        company.jobs()
        company.settle()

        assert company.read(company.task(name), "active") == {"id": company.task(name), "active": False}
        assert (company.inbox(), company.failed(), company.effects()) == ([], [], 0)
