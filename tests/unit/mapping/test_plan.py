"""A mapper's plan as data."""

import pytest

from isthmus.mapping import ImportMapper, MappingEntry, MappingPlan, changed_by, mapping, only_create


class Card(ImportMapper):
    _name = "test.plan.card"
    direct = [("name", "name"), ("desc", "description")]
    children = [("checklists", "checklist_ids", "shop.checklist")]

    @mapping(reads=("idList", "idBoard"), writes=("stage_id",))
    def stage(self, record):
        return {"stage_id": record["idList"]}

    @changed_by("due")
    @mapping
    def deadline(self, record):
        return {"date_deadline": record["due"]}

    @only_create
    @mapping
    def project(self, record):
        return {"project_id": 1}


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        (["idBoard"], ["stage", "project"]),
        (["due", "name"], ["name", "deadline", "project"]),
        (["checklists"], ["project", "checklist_ids"]),
        ([], ["name", "description", "stage", "deadline", "project", "checklist_ids"]),
        (None, ["name", "description", "stage", "deadline", "project", "checklist_ids"]),
    ],
)
def test_select_keeps_what_depends_on_changed_fields(house, fields, names):
    """
    The same choice as mapping with these fields makes.
    """
    selected = house.mapper(Card).plan.select(fields)

    assert [entry.name for entry in selected.entries] == names


def test_a_plan_knows_all_fields_it_reads_and_writes(house):
    """
    Each once, in the order of the entries.
    """
    plan = house.mapper(Card).plan

    assert plan.reads == ("name", "desc", "idList", "idBoard", "due", "checklists")
    assert plan.writes == ("name", "description", "stage_id", "checklist_ids")


def test_equal_plans_are_equal():
    """
    They are values.
    """
    entry = MappingEntry(kind="direct", name="a", reads=("a",), writes=("a",))

    assert MappingPlan((entry,)) == MappingPlan((entry,))
    assert len({MappingPlan((entry,)), MappingPlan((entry,))}) == 1
