"""One record that is odd does not hold up the others; what a person must do about it is told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from odoo_company import TASK, Company

from isthmus.simulators.odoo import errors
from isthmus.sync import Operation, RecordImporter

Make = Callable[..., Company]


class OneByOne(RecordImporter):
    """A step of a connector that creates on its own."""

    _inherit = "trello.card.importer"

    def _create(self, operation: Operation) -> Any:
        return self.env[self.record_model].create(operation.values).id


def spoil(company: Company, name: str, said: Exception) -> Callable[[], None]:
    """Let reads that hold a task fail, as a computed field that crashes does; gives what ends that."""
    task, usual = company.task(name), company.odoo.world.execute

    def execute(uid: int, model: str, method: str, *arguments: Any) -> Any:
        told = usual(uid, model, method, *arguments)
        if model == TASK and method in {"read", "search_read"} and any(row["id"] == task for row in told):
            raise said
        return told

    company.odoo.world.execute = execute  # type: ignore[method-assign]
    return lambda: setattr(company.odoo.world, "execute", usual)


class TestDates:
    def test_a_mistyped_year_is_no_obstacle(self, synced: Company) -> None:
        """The others are exported and imported as ever, and the record is quiet."""
        first, second, *_ = synced.names_there()
        synced.robin.write(TASK, synced.task(first), {"date_deadline": "0024-05-01 12:00:00"})
        synced.robin.write(TASK, synced.task(second), {"name": "Changed here"})
        synced.trello.state.create_card(synced.lists[0], name="New there")

        told = synced.sync()

        assert (told.code, told.err) == (0, "")
        assert "Changed here" in synced.names_there()
        assert "New there" in synced.names_here()
        assert (synced.inbox(), synced.effects(), synced.nothing_moves(1)) == ([], 0, True)


class TestRights:
    def test_a_record_that_a_rule_forbids_to_create_is_parked(self, make_company: Make) -> None:
        """Also where a step of a connector creates it; the others are there."""
        company = make_company(components=(OneByOne,))
        bad = company.names_there()[2]
        known = company.odoo.world.registry[TASK]
        known.rule = lambda _env, operation: (  # type: ignore[method-assign]
            (lambda row: row["name"] != bad) if operation == "create" else None
        )

        told, again = company.sync(), company.sync()

        assert (told.code, again.code) == (0, 0)
        assert company.names_here() == [name for name in company.names_there() if name != bad]
        (item,) = company.inbox()
        assert "failed: cannot create project.task: Uh-oh!" in item["summary"]
        assert company.effects() == 0


class TestWords:
    """What a module says of a record quotes its values, whatever they remind of."""

    @pytest.mark.parametrize("title", ["Fix: deadlock detected", "Could not serialize, lock timeout"])
    def test_a_new_record_that_is_refused_is_parked_whatever_its_title(
        self, company: Company, title: str
    ) -> None:
        """And not tried again and again, as if another transaction were in the way."""
        company.trello.state.update_card(company.card(company.names_there()[0]), name=title)
        company.constrain(TASK, lambda row: f"Not {title}!" if row["name"] == title else None)

        told = company.sync()

        assert told.code == 0
        assert company.names_here() == [name for name in company.names_there() if name != title]
        (item,) = company.inbox()
        assert item["summary"].endswith(f"failed: cannot create project.task: Not {title}!")
        assert company.effects() == 0

    def test_a_change_that_is_refused_is_parked_whatever_its_title(self, synced: Company) -> None:
        """Words of a limit of the server do not leave open what became of it."""
        first, second, *_ = synced.names_there()
        title = "Set a real time limit"
        synced.constrain(TASK, lambda row: f"Not {title}!" if row["name"] == title else None)
        synced.trello.state.update_card(synced.card(first), name=title)
        synced.trello.state.update_card(synced.card(second), name="Fine")

        told = synced.sync()

        assert told.code == 0
        assert {first, "Fine"} <= set(synced.names_here())
        (item,) = synced.inbox()
        assert item["summary"].endswith(f"Not {title}!")
        assert synced.effects() == 0


class TestUnreadable:
    @pytest.mark.parametrize(
        "said",
        [
            errors.builtin("ZeroDivisionError", "float division by zero"),
            errors.access_error("You are not allowed to access 'Contact' (res.partner) records."),
        ],
        ids=["crash", "access"],
    )
    def test_a_change_of_a_record_that_odoo_cannot_read_is_parked(
        self, synced: Company, said: errors.OdooError
    ) -> None:
        """With Odoo's words; the others go on, and once it can be read so does this one."""
        names = synced.names_there()
        mend = spoil(synced, names[0], said)
        for name in names:
            synced.trello.state.update_card(synced.card(name), desc="Changed there")
        synced.trello.state.create_card(synced.lists[0], name="New there")

        told, again = synced.sync(), synced.sync()
        synced.observe(full=True)
        mend()
        (item,) = synced.inbox()
        before = {row["name"]: row["description"] for row in synced.rows(TASK, ["name", "description"])}
        synced.resolve(item["id"], "retry")
        synced.jobs()
        synced.settle()

        assert (told.code, again.code) == (0, 0)
        assert "1 created, 5 updated, 1 parked" in told.out
        assert said.message in item["summary"]
        assert [name for name in names if before[name] != "<p>Changed there</p>"] == names[:1]
        assert synced.here() == synced.there()
        assert (synced.inbox(), synced.failed(), synced.effects()) == ([], [], 0)

    def test_a_record_too_long_for_a_proxy_does_not_hold_up_the_others(self, synced: Company) -> None:
        """What else changed is exported; and once it gets through, however late, so is this one."""
        first, second, *_ = synced.names_there()
        synced.robin.write(TASK, synced.task(first), {"description": f"<p>{'x' * 12_000}</p>"})
        synced.robin.write(TASK, synced.task(second), {"name": "Changed here"})
        synced.trello.state.create_card(synced.lists[0], name="New there")
        synced.odoo.faults.cut_over_bytes = 8_000

        told = synced.sync()
        exported = synced.names_there()
        for _ in range(3):
            synced.clock.advance(timedelta(minutes=30))
            synced.robin.write(TASK, synced.task("Changed here"), {"priority": "1"})
            synced.observe()
        synced.odoo.faults.cut_over_bytes = None
        observed = synced.observe()
        synced.jobs()

        assert (told.code, observed) == (0, 1)
        assert "Changed here" in exported
        assert "New there" in synced.names_here()
        assert len(synced.card(first)["desc"]) > 10_000
        assert (synced.failed(), synced.effects(), synced.nothing_moves(1)) == ([], 0, True)
