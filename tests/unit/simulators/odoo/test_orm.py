from datetime import timedelta
from typing import Any

import pytest

TASK, PROJECT, STAGE = "project.task", "project.project", "project.task.type"
NOT_NULL = (
    "The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n"
    "- Delete: another model requires the record being deleted. If possible, archive it instead.\n\n"
    "Model: Task (project.task)\nField: Title (name)\n"
)
FOREIGN_KEY = (
    "The operation cannot be completed: another model requires the record being deleted. "
    "If possible, archive it instead.\n\nModel: {}\nConstraint: {}\n"
)


@pytest.fixture
def project(odoo: Any) -> int:
    """A project without stages."""
    made: int = odoo(PROJECT, "create", {"name": "One"})
    return made


def _dates(odoo: Any, model: str, record: int) -> str:
    date: str = odoo(model, "read", [record], ["write_date"])[0]["write_date"]
    return date


@pytest.mark.parametrize(
    ("values", "name", "message"),
    [
        ({"name": None}, "odoo.exceptions.ValidationError", NOT_NULL),
        ({"name": "nul \x00"}, "builtins.ValueError",
         "A string literal cannot contain NUL (0x00) characters."),
        ({"name": "x", "date_deadline": "tomorrow"}, "builtins.ValueError",
         "time data 'tomorrow' does not match format '%Y-%m-'"),
        ({"name": "x", "date_deadline": "2026-01-01 12:00:00.5"}, "builtins.ValueError",
         "unconverted data remains: .5"),
        ({"name": "x", "date_deadline": 5}, "builtins.TypeError", "object of type 'int' has no len()"),
        ({"name": "x", "sequence": "many"}, "builtins.ValueError",
         "invalid literal for int() with base 10: 'many'"),
        ({"name": "x", "sequence": 2**70}, "psycopg2.errors.NumericValueOutOfRange",
         "integer out of range\n"),
        ({"name": "x", "project_id": 987}, "odoo.exceptions.MissingError",
         "Record does not exist or has been deleted.\n(Record: project.project(987,), User: 2)"),
        ({"name": "x", "partner_id": 987}, "odoo.exceptions.ValidationError",
         FOREIGN_KEY.format("Task (project.task)", "project_task_partner_id_fkey")),
        ({"name": "x", "tag_ids": [[4, 987]]}, "odoo.exceptions.ValidationError",
         FOREIGN_KEY.format("Unknown (unknown)", "project_tags_project_task_rel_project_tags_id_fkey")),
        ({"name": "x", "state": "nope"}, "builtins.ValueError",
         "Wrong value for project.task.state: 'nope'"),
        ({"name": "x", "nope": 1}, "builtins.ValueError", "Invalid field 'nope' on model 'project.task'"),
        ({"name": "x", "tag_ids": "abc"}, "builtins.ValueError",
         "Wrong value for project.task.tag_ids: abc"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_a_value_is_refused_in_the_recorded_words(
    odoo: Any, project: int, values: dict[str, Any], name: str, message: str
) -> None:
    """And nothing is created."""
    refused = odoo.refused(TASK, "create", {"project_id": project} | values)

    assert refused == (name, message)
    assert odoo(TASK, "search_count", []) == 0


def test_what_odoo_sets_itself_is_not_taken(odoo: Any) -> None:
    """IDs, dates and authors in the values are left aside."""
    task = odoo(TASK, "create", {"name": "x", "id": 77, "write_date": "2020-01-01 00:00:00", "create_uid": 1})

    row = odoo(TASK, "read", [task], ["write_date", "create_uid"])[0]
    assert row == {"id": 1, "write_date": "2026-03-01 12:00:00", "create_uid": [2, "Administrator"]}


def test_a_write_dates_the_record_even_if_it_changes_nothing(odoo: Any, clock: Any, project: int) -> None:
    """A write of nothing at all does not."""
    clock.advance(timedelta(seconds=5))
    odoo(PROJECT, "write", [project], {})
    empty = _dates(odoo, PROJECT, project)
    odoo(PROJECT, "write", [project], {"name": "One"})

    assert (empty, _dates(odoo, PROJECT, project)) == ("2026-03-01 12:00:00", "2026-03-01 12:00:05")


def test_a_many2many_dates_the_record_that_was_written_only(odoo: Any, clock: Any, project: int) -> None:
    """A project's stages date the project, a stage's projects the stage."""
    stage = odoo(STAGE, "create", {"name": "To do"})
    clock.advance(timedelta(seconds=5))
    odoo(PROJECT, "write", [project], {"type_ids": [[4, stage]]})
    first = (_dates(odoo, PROJECT, project), _dates(odoo, STAGE, stage))
    clock.advance(timedelta(seconds=5))
    odoo(STAGE, "write", [stage], {"project_ids": [[3, project]]})

    assert [date[-2:] for date in first] == ["05", "00"]
    assert (_dates(odoo, PROJECT, project)[-2:], _dates(odoo, STAGE, stage)[-2:]) == ("05", "10")
    assert odoo(PROJECT, "read", [project], ["type_ids"])[0]["type_ids"] == []


def test_a_write_on_a_missing_record_changes_none(odoo: Any) -> None:
    """All or nothing; a read leaves the missing out."""
    task = odoo(TASK, "create", {"name": "x"})
    message = "Record does not exist or has been deleted.\n(Record: project.task(987,), User: 2)"

    assert odoo.refused(TASK, "write", [task, 987], {"name": "y"})[1] == message
    assert odoo.refused(TASK, "unlink", [task, 987])[1] == message
    assert odoo(TASK, "read", [987, task], ["name"]) == [{"id": task, "name": "x"}]


def test_a_stage_that_tasks_are_in_cannot_be_deleted(odoo: Any, project: int) -> None:
    """The database keeps it; a project takes its tasks with it."""
    stage = odoo(STAGE, "create", {"name": "To do", "project_ids": [[6, 0, [project]]]})
    odoo(TASK, "create", {"name": "x", "project_id": project})

    refused = odoo.refused(STAGE, "unlink", [stage])
    odoo(PROJECT, "unlink", [project])

    assert refused[1] == FOREIGN_KEY.format("Task (project.task)", "project_task_stage_id_fkey")
    assert odoo(TASK, "search_count", []) == 0


def test_a_new_task_has_odoo_s_defaults(odoo: Any, project: int) -> None:
    """The first open stage of its project, its maker as assignee; a private one has no stage."""
    done, todo = odoo(STAGE, "create", [{"name": "Done", "fold": True}, {"name": "To do", "sequence": 9}])
    odoo(PROJECT, "write", [project], {"type_ids": [[6, 0, [done, todo]]]})
    fields = ["stage_id", "user_ids", "sequence", "state", "priority", "active", "description"]

    task = odoo(TASK, "create", {"name": "x", "project_id": project})
    private = odoo(TASK, "create", {"name": "y", "stage_id": todo})

    assert odoo(TASK, "read", [task, private], fields) == [
        {"id": task, "stage_id": [todo, "To do"], "user_ids": [2], "sequence": 10,
         "state": "01_in_progress", "priority": "0", "active": True, "description": False},
        {"id": private, "stage_id": False, "user_ids": [2], "sequence": 10,
         "state": "01_in_progress", "priority": "0", "active": True, "description": False},
    ]  # fmt: skip


def test_a_task_moves_to_the_first_stage_of_another_project(odoo: Any, project: int) -> None:
    """Unless the stage is that project's too, or is given."""
    todo, other = odoo(STAGE, "create", [{"name": "To do"}, {"name": "Other"}])
    odoo(PROJECT, "write", [project], {"type_ids": [[6, 0, [todo]]]})
    second = odoo(PROJECT, "create", {"name": "Two", "type_ids": [[6, 0, [other]]]})
    task = odoo(TASK, "create", {"name": "x", "project_id": project})

    odoo(TASK, "write", [task], {"project_id": second})

    assert odoo(TASK, "read", [task], ["stage_id"], load=None) == [{"id": task, "stage_id": other}]


def test_tasks_are_archived_with_their_project(odoo: Any, project: int) -> None:
    """And come back with it."""
    task = odoo(TASK, "create", {"name": "x", "project_id": project})

    odoo(PROJECT, "write", [project], {"active": False})
    archived = odoo(TASK, "read", [task], ["active"])
    odoo(PROJECT, "write", [project], {"active": True})

    assert archived == [{"id": task, "active": False}]
    assert odoo(TASK, "search", []) == [task]


@pytest.mark.parametrize(
    ("commands", "names"),
    [
        ([[6, 0, ["doing"]]], ["Doing"]),
        ([[5, 0, 0]], []),
        ([[4, "doing", 0]], ["To do", "Doing"]),
        ([[3, "todo", 0]], []),
        ([[0, 0, {"name": "New"}]], ["To do", "New"]),
        ([[1, "todo", {"name": "Renamed"}]], ["Renamed"]),
        ([[2, "todo", 0]], []),
        ([[5], [4, "doing"]], ["Doing"]),
        (["doing"], ["Doing"]),
        ([[9, 1, 1]], ["To do"]),
        (False, []),
    ],
    ids=str,
)
def test_a_list_takes_commands(odoo: Any, project: int, commands: Any, names: list[str]) -> None:
    """Create, update, delete, unlink, link, clear, set; an unknown one is left aside, as recorded."""
    todo, doing = odoo(STAGE, "create", [{"name": "To do", "sequence": 0}, {"name": "Doing"}])
    odoo(PROJECT, "write", [project], {"type_ids": [[6, 0, [todo]]]})
    keys = {"todo": todo, "doing": doing}

    def known(part: Any) -> Any:
        return (
            [known(p) for p in part]
            if isinstance(part, list)
            else keys.get(part, part)
            if isinstance(part, str)
            else part
        )

    odoo(PROJECT, "write", [project], {"type_ids": known(commands)})

    stages = odoo(PROJECT, "read", [project], ["type_ids"])[0]["type_ids"]
    assert [row["name"] for row in odoo(STAGE, "read", stages, ["name"])] == names


def test_a_one2many_writes_the_other_side(odoo: Any, project: int) -> None:
    """Tasks are created in, moved into and taken out of a project."""
    task = odoo(TASK, "create", {"name": "x"})

    odoo(PROJECT, "write", [project], {"task_ids": [[4, task], [0, 0, {"name": "new"}]]})
    both = odoo(TASK, "search", [["project_id", "=", project]], order="id")
    odoo(PROJECT, "write", [project], {"task_ids": [[3, task]]})

    assert len(both) == 2
    assert odoo(TASK, "search", [["project_id", "=", project]]) == [both[1]]


@pytest.mark.parametrize(
    ("version", "field", "kind"),
    [
        ("14.0", "user_id", "many2one"),
        ("15.0", "user_ids", "many2many"),
        ("16.0", "date_deadline", "date"),
        ("16.0", "planned_hours", "float"),
        ("16.0", "kanban_state", "selection"),
        ("17.0", "date_deadline", "datetime"),
        ("17.0", "allocated_hours", "float"),
        ("17.0", "state", "selection"),
        ("20.0", "user_ids", "many2many"),
    ],
)
def test_a_task_has_the_fields_of_its_version(make_world: Any, version: str, field: str, kind: str) -> None:
    """And not those of others."""
    told = make_world(version).execute(2, TASK, "fields_get", [], {"attributes": ["type"]})

    assert told[field] == {"type": kind}
    assert ("user_id" in told) == (version == "14.0")
    assert ("state" in told) == (version >= "17.0")


def test_a_partner_is_named_after_its_company(odoo: Any) -> None:
    """Display name, commercial entity and company type follow from other fields."""
    company = odoo("res.partner", "create", {"name": "Acme", "company_type": "company"})
    person = odoo("res.partner", "create", {"name": "Ann", "parent_id": company})
    fields = ["display_name", "commercial_partner_id", "company_type", "is_company", "type"]

    assert odoo("res.partner", "read", [company, person], fields, load=None) == [
        {"id": company, "display_name": "Acme", "commercial_partner_id": company,
         "company_type": "company", "is_company": True, "type": "contact"},
        {"id": person, "display_name": "Acme, Ann", "commercial_partner_id": company,
         "company_type": "person", "is_company": False, "type": "contact"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": False}, "The operation cannot be completed: Contacts require a name"),
        ({"parent_id": "self"}, "You cannot create recursive Partner hierarchies."),
        ({"barcode": "123"}, "Another partner already has this barcode"),
        ({"country_id": 99_999_999},
         FOREIGN_KEY.format("Contact (res.partner)", "res_partner_country_id_fkey")),
    ],
    ids=str,
)  # fmt: skip
def test_a_partner_s_constraints_hold(odoo: Any, values: dict[str, Any], message: str) -> None:
    """In the recorded words."""
    odoo("res.partner", "create", {"name": "other", "barcode": "123"})
    partner = odoo("res.partner", "create", {"name": "x"})
    given = {key: partner if value == "self" else value for key, value in values.items()}

    refused = odoo.refused("res.partner", "write", [partner], given)

    assert refused == ("odoo.exceptions.ValidationError", message)


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (None, "dbac"),
        ("name desc", "dcba"),
        ("date_deadline, id", "badc"),
        ("date_deadline desc, id", "cdab"),
        ("date_deadline desc nulls last, id", "dabc"),
        ("project_id, id", "cdab"),
        ("project_id desc, id", "abcd"),
        ("sequence  DESC, id", "cabd"),
    ],
)
def test_an_order_is_postgresql_s(odoo: Any, order: str | None, names: str) -> None:
    """Empty last, first when descending; a many2one by the other model's order."""
    second, first = odoo(PROJECT, "create", [{"name": "p", "sequence": 9}, {"name": "q", "sequence": 1}])
    odoo(
        TASK,
        "create",
        [
            {"name": "a", "project_id": second, "date_deadline": "2026-02-01 00:00:00"},
            {"name": "b", "project_id": second, "date_deadline": "2026-01-01 00:00:00", "sequence": 10},
            {"name": "c", "project_id": first, "sequence": 11},
            {"name": "d", "project_id": first, "priority": "1", "sequence": 10,
             "date_deadline": "2026-03-01 00:00:00"},
        ],
    )  # fmt: skip
    odoo(TASK, "write", odoo(TASK, "search", [["name", "=", "c"]]), {"date_deadline": False})

    found = odoo(TASK, "search", [], order=order)

    assert "".join(row["name"] for row in odoo(TASK, "read", found, ["name"])) == names


@pytest.mark.parametrize(
    ("order", "name", "message"),
    [
        ("name up", "odoo.exceptions.UserError", 'Invalid "order" specified (name up).'),
        ("nmae desc", "builtins.ValueError", "Invalid field 'nmae' on model 'project.task'"),
        ("tag_ids", "builtins.ValueError",
         "Cannot convert project.task.tag_ids to SQL because it is not stored"),
        ("display_name", "builtins.ValueError",
         "Cannot convert project.task.display_name to SQL because it is not stored"),
    ],
)  # fmt: skip
def test_a_malformed_order_is_refused(odoo: Any, order: str, name: str, message: str) -> None:
    """In the recorded words."""
    refused = odoo.refused(TASK, "search", [], order=order)

    assert refused[0] == name
    assert refused[1].startswith(message)


def test_pages_are_cut_as_asked(odoo: Any) -> None:
    """Zero is no limit; a negative one is the database's error."""
    made = odoo(TASK, "create", [{"name": str(n)} for n in range(5)])

    assert odoo(TASK, "search", [], order="id", offset=1, limit=2) == made[1:3]
    assert odoo(TASK, "search", [], order="id", limit=0) == made
    assert odoo(TASK, "search_count", [], limit=3) == 3
    assert odoo.refused(TASK, "search", [], limit=-1)[1] == "LIMIT must not be negative\n"


def test_an_image_can_be_read_as_its_size(odoo: Any) -> None:
    """With bin_size in the context."""
    partner = odoo("res.partner", "create", {"name": "x", "image_1920": "aGVsbG8h"})

    sized = odoo("res.partner", "read", [partner], ["image_1920"], context={"bin_size": True})

    assert odoo("res.partner", "read", [partner], ["image_1920"])[0]["image_1920"] == "aGVsbG8h"
    assert sized[0]["image_1920"] == "6.00 bytes"
