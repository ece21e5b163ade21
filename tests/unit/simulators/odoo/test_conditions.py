from typing import Any

import pytest

TASK, PROJECT, STAGE = "project.task", "project.project", "project.task.type"


@pytest.fixture
def keys(odoo: Any) -> dict[str, int]:
    """Two projects, two stages, tasks A to E and H, which is archived."""
    todo, doing = odoo(STAGE, "create", [{"name": "To do"}, {"name": "Doing", "sequence": 2}])
    one = odoo(PROJECT, "create", {"name": "One", "type_ids": [[6, 0, [todo, doing]]]})
    two = odoo(PROJECT, "create", {"name": "Two", "type_ids": [[6, 0, [todo]]]})
    made = odoo(
        TASK,
        "create",
        [
            {"name": "Alpha", "sequence": 1, "project_id": one, "stage_id": todo, "description": "first",
             "date_deadline": "2026-01-01 12:00:00"},
            {"name": "beta_1%", "sequence": 2, "project_id": one, "stage_id": doing},
            {"name": "ÄRGER 😀", "sequence": 3, "project_id": two, "state": "1_done"},
            {"name": "delta", "sequence": 4, "date_deadline": "2026-02-01 00:00:00"},
            {"name": "", "sequence": 5, "project_id": two, "user_ids": []},
            {"name": "hidden", "sequence": 6, "project_id": two, "active": False},
        ],
    )  # fmt: skip
    return {"todo": todo, "doing": doing, "one": one, "two": two} | dict(zip("ABCDEH", made, strict=True))


@pytest.mark.parametrize(
    ("domain", "found"),
    [
        ([], "ABCDE"),
        ([["name", "=", "Alpha"]], "A"),
        ([["name", "<>", "Alpha"]], "BCDE"),
        ([["name", "=", False]], "E"),
        ([["name", "!=", False]], "ABCD"),
        ([["name", "=", True]], ""),
        ([["name", "in", ["Alpha", False]]], "AE"),
        ([["name", "not in", ["Alpha"]]], "BCDE"),
        ([["name", "<", "b"]], "AE"),
        ([["name", "ilike", "ärger"]], "C"),
        ([["name", "like", "ALPH"]], ""),
        ([["name", "ilike", r"\%"]], "B"),
        ([["name", "=like", "%a"]], "AD"),
        ([["name", "=ilike", "ALPHA"]], "A"),
        ([["name", "not ilike", "TA"]], "ACE"),
        ([["name", "ilike", False]], "ABCDE"),
        ([["name", "not ilike", ""]], ""),
        ([["name", "=like", ""]], "E"),
        (["!", ["name", "=like", "%a"]], "BCE"),
        ([["sequence", "=", "1"]], "A"),
        ([["sequence", "ilike", "1"]], "A"),
        ([["sequence", "=?", None]], "ABCDE"),
        ([["allocated_hours", "=", False]], "ABCDE"),
        ([["description", "=", "first"]], "A"),
        ([["date_deadline", ">=", "2026-01-01"]], "AD"),
        ([["date_deadline", "<=", "2026-01-01"]], "A"),
        ([["date_deadline", "=", "2026-01-01"]], ""),
        ([["date_deadline", "in", ["2026-01-01 12:00:00", False]]], "ABCE"),
        (["!", ["date_deadline", ">", "2026-01-15 00:00:00"]], "A"),
        ([["date_deadline", "ilike", "2026-01"]], "A"),
        ([["project_id", "=", "one"]], "AB"),
        ([["project_id", "=", "One"]], "AB"),
        ([["project_id", "in", ["One"]]], "AB"),
        ([["project_id", "not in", ["one", False]]], "CE"),
        ([["project_id", "ilike", "tw"]], "CE"),
        ([["project_id", "not ilike", "tw"]], "ABD"),
        ([["project_id", "ilike", False]], "ABCDE"),
        ([["project_id.name", "=", "One"]], "AB"),
        ([["project_id.name", "!=", "One"]], "CE"),
        (["!", ["project_id.name", "=", "One"]], "CDE"),
        ([["project_id.type_ids", "=", "doing"]], "AB"),
        ([["stage_id.project_ids", "in", ["two"]]], "ACE"),
        ([["project_id", "any", [["name", "=", "One"]]]], "AB"),
        ([["project_id", "not any", [["name", "=", "One"]]]], "CDE"),
        ([["user_ids", "=", False]], "E"),
        ([["user_ids", "=", "Administrator"]], "ABCD"),
        ([["user_ids", "in", [2, False]]], "ABCD"),
        ([["user_ids.login", "=", "admin"]], "ABCD"),
        ([["active", "=", False]], "H"),
        ([["active", "in", [True, False]]], "ABCDEH"),
        ([["is_closed", "=", True]], "C"),
        ([["subtask_count", "=", 7]], "ABCDE"),
        ([["display_name", "ilike", "ALPHA"]], "A"),
        ([[1, "=", 1]], "ABCDE"),
        ([[0, "=", 1]], ""),
        (["|", ["name", "=", "Alpha"], ["name", "=", "delta"]], "AD"),
        (["!", "|", ["sequence", "=", 1], ["sequence", "=", 2]], "CDE"),
        ([["project_id", "=", "one"], ["sequence", ">", 1]], "B"),
    ],
    ids=str,
)  # fmt: skip
def test_a_domain_finds_what_the_recorded_odoo_18_found(
    odoo: Any, keys: dict[str, int], domain: Any, found: str
) -> None:
    """Names of records in a domain stand for their IDs."""
    ids = odoo(TASK, "search", _with_keys(domain, keys), order="sequence")

    assert "".join(letter for i in ids for letter in "ABCDEH" if keys[letter] == i) == found


@pytest.mark.parametrize(
    ("domain", "name", "message"),
    [
        ([["name", "ilke", "x"]], "ValueError", "Invalid leaf ('name', 'ilke', 'x')"),
        ([["name", "=="]], "ValueError", "not enough values to unpack (expected 3, got 2)"),
        ([["name", "=", 1, 2]], "ValueError", "too many values to unpack (expected 3)"),
        (["|", ["name", "=", "x"]], "ValueError",
         "Domain ['|', ['name', '=', 'x']] is syntactically not correct."),
        (["!"], "ValueError", "Domain ['!'] is syntactically not correct."),
        (["x"], "IndexError", "string index out of range"),
        ([["name", "in", "abc"]], "ValueError", "Invalid domain term ('name', 'in', 'abc')"),
        ([["name.x", "=", 1]], "AssertionError", "Invalid field 'name.x' in domain term ('name.x', '=', 1)"),
        ([["nope", "=", 1]], "ValueError", "Invalid field project.task.nope in leaf ('nope', '=', 1)"),
        ([["project_id.nope", "=", 1]], "ValueError",
         "Invalid field project.project.nope in leaf ('nope', '=', 1)"),
        ("name = x", "AssertionError",
         "Domains to normalize must have a 'domain' form: a list or tuple of domain components"),
        ([["sequence", "=", "abc"]], "ValueError", "invalid literal for int() with base 10: 'abc'"),
        ([["is_closed", ">", 1]], "NotImplementedError",
         "The search does not support operator > or value 1."),
    ],
    ids=str,
)  # fmt: skip
def test_a_malformed_domain_is_refused_in_the_recorded_words(
    odoo: Any, domain: Any, name: str, message: str
) -> None:
    """The error is Python's own, as it came out of Odoo."""
    assert odoo.refused(TASK, "search", domain) == (f"builtins.{name}", message)


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ([["date_deadline", ">", "soon"]], "InvalidDatetimeFormat"),
        ([["id", "=", "abc"]], "InvalidTextRepresentation"),
        ([["project_id", "in", [1, "x"]]], "InvalidTextRepresentation"),
        ([["stage_id", "=", True]], "UndefinedFunction"),
        ([["sequence", "=like", "1"]], "UndefinedFunction"),
        ([["child_ids", "in", [1, False]]], "UndefinedFunction"),
    ],
    ids=str,
)
def test_what_the_database_cannot_compare_is_its_error(odoo: Any, domain: Any, name: str) -> None:
    """Odoo passes PostgreSQL's errors on."""
    assert odoo.refused(TASK, "search", domain)[0] == f"psycopg2.errors.{name}"


def test_a_hierarchy_is_walked_both_ways(odoo: Any) -> None:
    """child_of goes down, parent_of up; a model without parents cannot."""
    company = odoo("res.partner", "create", {"name": "Company", "is_company": True})
    person = odoo("res.partner", "create", {"name": "Person", "parent_id": company})

    assert odoo("res.partner", "search", [["id", "child_of", company]], order="id") == [company, person]
    assert odoo("res.partner", "search", [["id", "parent_of", person]], order="id") == [company, person]
    assert odoo("res.partner", "search", [["parent_id", "child_of", "Compan"]]) != []
    assert odoo.refused(TASK, "search", [["project_id", "child_of", 1]]) == ("builtins.KeyError", "parent_id")


def test_write_dates_are_compared_with_their_microseconds(odoo: Any, clock: Any) -> None:
    """A read shows whole seconds, so "=" with what it showed finds nothing."""
    task = odoo(TASK, "create", {"name": "x"})
    shown = odoo(TASK, "read", [task], ["write_date"])[0]["write_date"]

    assert shown == "2026-03-01 12:00:00"
    assert odoo(TASK, "search", [["write_date", "=", shown]]) == []
    assert odoo(TASK, "search", [["write_date", ">", shown]]) == [task]
    assert odoo(TASK, "search", [["write_date", "=", f"{shown}.250000"]]) == [task]


def test_a_list_without_elements_is_found_by_false_in_a_list_from_19_on(make_world: Any) -> None:
    """18.0 looks only for the IDs."""
    counts = {}
    for version in ("18.0", "19.0"):
        world = make_world(version)
        world.execute(2, PROJECT, "create", [[{"name": "bare"}]])
        counts[version] = world.execute(2, PROJECT, "search_count", [[["type_ids", "in", [False]]]])

    assert counts == {"18.0": 0, "19.0": 1}


def _with_keys(domain: Any, keys: dict[str, int]) -> Any:
    if isinstance(domain, list):
        return [_with_keys(part, keys) for part in domain]
    return keys.get(domain, domain) if isinstance(domain, str) else domain
