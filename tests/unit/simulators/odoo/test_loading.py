from typing import Any

import pytest

TASK, PROJECT, STAGE = "project.task", "project.project", "project.task.type"


@pytest.fixture
def project(odoo: Any) -> int:
    """A project with a stage of each name."""
    stages = odoo(STAGE, "create", [{"name": "To do"}, {"name": "Doing"}])
    made: int = odoo(PROJECT, "create", {"name": "One", "type_ids": [[6, 0, stages]]})
    return made


def test_rows_of_text_become_records_with_external_ids(odoo: Any, project: int) -> None:
    """Every type is read from text; an empty cell is an empty value, also of a boolean."""
    stage = odoo(STAGE, "search", [["name", "=", "Doing"]])[0]
    fields = ["id", "name", "project_id/.id", "stage_id/.id", "date_deadline", "description", "active",
              "sequence", "priority", "state"]  # fmt: skip

    answer = odoo(
        TASK,
        "load",
        fields,
        [
            [
                "__hub__.a",
                "L1",
                str(project),
                str(stage),
                "2026-03-01 10:00:00",
                "<p>x</p>",
                "1",
                "5",
                "1",
                "Done",
            ],
            ["__hub__.b", "L2", str(project), "", "", "", "", "", "0", "1_canceled"],
        ],
    )

    assert answer == {"ids": [1, 2], "messages": [], "nextrow": 0}
    told = ["name", "stage_id", "date_deadline", "description", "active", "sequence", "state"]
    assert odoo(TASK, "read", [1, 2], told, load=None) == [
        {"id": 1, "name": "L1", "stage_id": stage, "date_deadline": "2026-03-01 10:00:00",
         "description": "<p>x</p>", "active": True, "sequence": 5, "state": "1_done"},
        {"id": 2, "name": "L2", "stage_id": stage - 1, "date_deadline": False, "description": False,
         "active": False, "sequence": 0, "state": "1_canceled"},
    ]  # fmt: skip
    data = odoo("ir.model.data", "search_read", [["module", "=", "__hub__"]], ["name", "model", "res_id"])
    assert [(row["name"], row["model"], row["res_id"]) for row in data] == [
        ("a", TASK, 1),
        ("b", TASK, 2),
    ]


def test_a_repeated_load_writes_the_record_that_is_there(odoo: Any) -> None:
    """Also twice in one call; once the record is deleted its external ID is free."""
    load = (TASK, "load", ["id", "name"])

    first = odoo(*load, [["__hub__.a", "x"]])["ids"]
    again = odoo(*load, [["__hub__.a", "y"], ["__hub__.a", "z"]])["ids"]
    names = odoo(TASK, "read", first, ["name"])
    odoo(TASK, "unlink", first)
    left = odoo("ir.model.data", "search_count", [["module", "=", "__hub__"]])
    anew = odoo(*load, [["__hub__.a", "x"]])["ids"]

    assert (again, names) == (first * 2, [{"id": first[0], "name": "z"}])
    assert (left, anew == first) == (0, False)


@pytest.mark.parametrize(
    ("marked", "kept"), [({}, "y"), ({"noupdate": False}, "y"), ({"noupdate": True}, "x")]
)
def test_an_update_leaves_what_is_marked_so(odoo: Any, marked: dict[str, bool], kept: str) -> None:
    """Whoever made the external ID."""
    made = odoo(TASK, "create", {"name": "x"})
    odoo("ir.model.data", "create", {"module": "m", "name": "a", "model": TASK, "res_id": made, **marked})

    answer = odoo(TASK, "load", ["id", "name"], [["m.a", "y"]], context={"mode": "update"})

    assert (answer["ids"], odoo(TASK, "read", [made], ["name"])[0]["name"]) == ([made], kept)


def test_a_name_without_module_is_an_import_s(odoo: Any) -> None:
    """And only the first dot divides."""
    odoo(TASK, "load", ["id", "name"], [["plain", "x"], ["mod.a.b", "y"]])

    data = odoo("ir.model.data", "search_read", [["model", "=", TASK]], ["complete_name"])
    assert sorted(row["complete_name"] for row in data) == ["__import__.plain", "mod.a.b"]


def test_one_bad_row_keeps_all_rows_out(odoo: Any, project: int) -> None:
    """Every record with an error is told, in the recorded words."""
    answer = odoo(
        TASK,
        "load",
        ["id", "name", "project_id/.id", "date_deadline"],
        [
            ["__hub__.a", "fine", str(project), ""],
            ["__hub__.b", "", str(project), ""],
            ["__hub__.c", "late", str(project), "soon"],
        ],
    )

    assert answer == {
        "ids": False,
        "messages": [
            {"rows": {"from": 1, "to": 1}, "record": 1, "type": "error", "field": "name",
             "message": "Missing required value for the field 'Title' (name)"},
            {"rows": {"from": 2, "to": 2}, "record": 2, "type": "error", "field": "date_deadline",
             "message": "'soon' does not seem to be a valid datetime for field 'Deadline'",
             "moreinfo": "Use the format '2012-12-31 23:59:59'", "field_name": "Deadline"},
        ],
        "nextrow": 0,
    }  # fmt: skip
    assert odoo(TASK, "search_count", []) == 0
    assert odoo("ir.model.data", "search_count", [["module", "=", "__hub__"]]) == 0


@pytest.mark.parametrize(
    ("field", "cell", "message"),
    [
        ("project_id/.id", "987", "No matching record found for database id '987' in field 'Project'"),
        ("project_id/.id", "abc", "Invalid database id 'abc' for the field 'Project'"),
        ("project_id", "nothing", "No matching record found for name 'nothing' in field 'Project'"),
        ("project_id/id", "x.y", "No matching record found for external id 'x.y' in field 'Project'"),
        ("tag_ids", "a,b", "No matching record found for name 'a' in field 'Tags'"),
        ("active", "maybe", "Unknown value 'maybe' for boolean field 'Active'"),
        ("sequence", "many", "'many' does not seem to be an integer for field 'Sequence'"),
        ("allocated_hours", "1,5", "'1,5' does not seem to be a number for field 'Allocated Time'"),
        ("state", "nope", "Value 'nope' not found in selection field 'State'"),
    ],
)
def test_a_cell_that_cannot_be_read_is_told(odoo: Any, field: str, cell: str, message: str) -> None:
    """With the field it is in."""
    answer = odoo(TASK, "load", ["id", "name", field], [["__hub__.a", "x", cell]])

    assert (answer["ids"], answer["messages"][0]["message"]) == (False, message)
    assert answer["messages"][0]["field"] == field.partition("/")[0]


@pytest.mark.parametrize(
    ("cell", "zone", "kept"),
    [
        ("2026-03-01 10:00:00", "Europe/Brussels", "2026-03-01 09:00:00"),
        ("2026-03-29 02:30:00", "Europe/Brussels", "2026-03-29 01:30:00"),
        ("2026-10-25 02:30:00", "Europe/Brussels", "2026-10-25 01:30:00"),
        ("2026-10-25 02:30:00", "Mars/Base", "2026-10-25 02:30:00"),
        ("2026-12-01", None, "2026-12-01 00:00:00"),
    ],
)
def test_times_are_read_in_the_person_s_zone(odoo: Any, cell: str, zone: str | None, kept: str) -> None:
    """An hour that comes twice or never is standard time; an unknown zone is UTC."""
    made = odoo(
        TASK, "load", ["id", "name", "date_deadline"], [["__hub__.a", "x", cell]], context={"tz": zone}
    )["ids"]

    assert odoo(TASK, "read", made, ["date_deadline"])[0]["date_deadline"] == kept


def test_lists_are_commas(odoo: Any) -> None:
    """By name, database ID or external ID."""
    todo, doing = odoo(STAGE, "load", ["id", "name"], [["__hub__.t", "To do"], ["__hub__.d", "Doing"]])["ids"]

    made = odoo(
        PROJECT,
        "load",
        ["id", "name", "type_ids/id"],
        [["__hub__.p", "P", "__hub__.t,__hub__.d"]],
    )["ids"]
    odoo(PROJECT, "load", ["id", "type_ids/.id"], [["__hub__.p", str(doing)]])
    by_id = odoo(PROJECT, "read", made, ["type_ids"])[0]["type_ids"]
    odoo(PROJECT, "load", ["id", "type_ids"], [["__hub__.p", "To do, Doing"]])

    assert by_id == [doing]
    assert sorted(odoo(PROJECT, "read", made, ["type_ids"])[0]["type_ids"]) == sorted([todo, doing])


def test_what_the_file_s_form_makes_impossible_is_an_error(odoo: Any) -> None:
    """An unknown field, a value that is no text for a boolean."""
    assert odoo.refused(TASK, "load", ["id", "nope"], [["__hub__.a", "x"]]) == (
        "builtins.ValueError",
        "Invalid field name 'nope'",
    )
    assert odoo.refused(TASK, "load", ["id", "name", "active"], [["__hub__.a", "x", True]]) == (
        "builtins.AttributeError",
        "'bool' object has no attribute 'lower'",
    )


def test_an_external_id_of_another_model_is_not_taken(odoo: Any) -> None:
    """Nor one with a space."""
    other = odoo(TASK, "load", ["id", "name"], [["base.user_admin", "x"]])["messages"][0]["message"]
    spaces = odoo(TASK, "load", ["id", "name"], [["__hub__.a b", "x"]])["messages"][0]["message"]

    assert other.startswith(
        "For external id base.user_admin when trying to create/update a record of model project.task "
        "found record of different model res.users"
    )
    assert 'violates check constraint "ir_model_data_name_nospaces"' in spaces


def test_a_line_below_is_a_record_of_a_list(odoo: Any) -> None:
    """Rows without a parent's cells go on with its list."""
    answer = odoo(
        PROJECT,
        "load",
        ["id", "name", "task_ids/id", "task_ids/name"],
        [["__hub__.p", "P", "__hub__.t1", "one"], ["", "", "__hub__.t2", "two"]],
    )

    assert answer["ids"] == [1]
    assert odoo(TASK, "search_count", [["project_id", "=", 1]]) == 2


def test_thousands_of_tasks_load_in_pages(odoo: Any, project: int) -> None:
    """And a keyset search over them finds its page."""
    fields = ["id", "name", "project_id/.id"]
    for page in range(4):
        rows = [[f"__hub__.{page}-{n}", f"task {n}", str(project)] for n in range(500)]
        assert len(odoo(TASK, "load", fields, rows)["ids"]) == 500

    keyset = ["|", ["write_date", ">", "2026-03-01 12:00:00.25"],
              "&", ["write_date", "=", "2026-03-01 12:00:00.25"], ["id", ">", 700]]  # fmt: skip
    found = odoo(TASK, "search", keyset, order="write_date, id", limit=500)
    assert (found[0], len(found)) == (701, 500)
