"""Our side of the demo in an Odoo: somebody works there, and it is read by its own API."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from isthmus.cli.demo.odoo import HeldLoad, OdooSide
from isthmus.simulators.odoo import OdooSimulator


@pytest.fixture
def odoo() -> Iterator[OdooSimulator]:
    """A running Odoo."""
    with OdooSimulator() as running:
        yield running


def test_records_are_read_as_the_other_side_has_them(odoo: OdooSimulator) -> None:
    """
    Relations are keys, instants have a zone, nothing is None, and archived records are there.
    """
    side = OdooSide(odoo)
    project = odoo.as_user(odoo.login).create("project.project", {"name": "Website"})
    made = side.create("project.task", {"name": "A", "project_id": project})
    side.write("project.task", made, {"date_deadline": "2027-03-01 12:00:00", "active": False})

    rows = side.rows("project.task", ["name", "project_id", "date_deadline", "description", "active"])

    assert rows == [
        {
            "id": made, "name": "A", "project_id": project, "description": None, "active": False,
            "date_deadline": datetime(2027, 3, 1, 12, tzinfo=UTC),
        }
    ]  # fmt: skip


def test_older_odoos_keep_the_day_of_a_deadline() -> None:
    """
    Before 17.0 a deadline is a day.
    """
    with OdooSimulator("16.0") as odoo:
        side = OdooSide(odoo)
        project = odoo.as_user(odoo.login).create("project.project", {"name": "Website"})
        values = {"name": "A", "project_id": project, "date_deadline": "2027-03-01"}
        side.create("project.task", values)

        rows = side.rows("project.task", ["date_deadline"])

    assert [row["date_deadline"] for row in rows] == [date(2027, 3, 1)]


def test_somebody_else_than_the_hub_works_there(odoo: OdooSimulator) -> None:
    """
    What is made, changed and deleted in Odoo is not done by the hub's login.
    """
    side = OdooSide(odoo)
    admin = odoo.as_user(odoo.login)
    project = admin.create("project.project", {"name": "Website"})
    made = side.create("project.task", {"name": "A", "project_id": project})

    (row,) = admin.read("project.task", made, ["create_uid"])
    side.unlink("project.task", made)

    assert row["create_uid"][0] != admin.uid
    assert side.rows("project.task", ["name"]) == []


def test_no_answer_is_held_before_somebody_waits_for_it(odoo: OdooSimulator) -> None:
    """
    The answer that is held back is that to a `load` of tasks which took effect.
    """
    held = HeldLoad(odoo)
    held.hold(1.0)

    odoo.as_user(odoo.login).create("project.project", {"name": "Website"})

    assert (held.is_held(), held.count()) == (False, 0)
