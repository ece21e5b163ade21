"""How records become rows of ``load``."""

from isthmus.env import Field
from isthmus.store.odoo.loading import loads, same_rest

FIELDS = {
    field.name: field
    for field in (
        Field(name="name", type="char"),
        Field(name="active", type="boolean"),
        Field(name="sequence", type="integer"),
        Field(name="project_id", type="many2one", relation="project.project"),
        Field(name="tag_ids", type="many2many", relation="project.tags"),
        Field(name="child_ids", type="one2many", relation="project.task"),
        Field(name="extra", type="json"),
    )
}


def test_records_of_the_same_fields_are_one_load() -> None:
    """Each value is text; relations go by database ID; an empty value empties."""
    values = [
        {"name": "a", "active": True, "sequence": 3, "project_id": 7, "tag_ids": [[6, 0, [2, 1]]]},
        {"name": False, "active": False, "sequence": False, "project_id": False, "tag_ids": [[6, 0, [4]]]},
    ]

    (load,) = loads(FIELDS, values, ["k1", "k2"])

    assert load.columns == ["id", "active", "name", "project_id/.id", "sequence", "tag_ids/.id"]
    assert load.rows == [
        ["__isthmus__.k1", "1", "a", "7", "3", "2,1"],
        ["__isthmus__.k2", "0", "", "", "", "4"],
    ]
    assert load.rest == [{}, {}]


def test_a_field_that_only_some_records_have_does_not_empty_it_on_others() -> None:
    """They go in a load of their own, and their places are kept."""
    values = [{"name": "a"}, {"name": "b", "sequence": 1}, {"name": "c"}]

    found = loads(FIELDS, values, ["1", "2", "3"])

    assert [(load.columns, load.places) for load in found] == [
        (["id", "name"], [0, 2]),
        (["id", "name", "sequence"], [1]),
    ]


def test_what_cannot_be_carried_is_one_write_per_equal_rest() -> None:
    """Commands and structures follow, in as few calls as there are different ones."""
    values = [
        {"name": "a", "tag_ids": [[4, 1, 0]], "extra": {"x": 1}},
        {"name": "b", "tag_ids": [[4, 1, 0]], "extra": {"x": 1}},
        {"name": "c", "child_ids": [[0, 0, {"name": "d"}]]},
        {"name": "e"},
    ]

    (load,) = loads(FIELDS, values, ["1", "2", "3", "4"])

    assert same_rest(load, [11, 12, 13, 14]) == [
        ([11, 12], {"tag_ids": [[4, 1, 0]], "extra": {"x": 1}}),
        ([13], {"child_ids": [[0, 0, {"name": "d"}]]}),
    ]
