from typing import Any

import pytest

TASK, PARTNER = "project.task", "res.partner"


@pytest.mark.parametrize(
    ("model", "method", "args", "name", "message"),
    [
        ("no.such.model", "search", [[]], "odoo.exceptions.UserError", "Object no.such.model doesn't exist"),
        (PARTNER, "no_such_method", [[]], "builtins.AttributeError",
         "The method 'res.partner.no_such_method' does not exist"),
        (PARTNER, "_compute_display_name", [[1]], "odoo.exceptions.AccessError",
         "Private methods (such as 'res.partner._compute_display_name') cannot be called remotely."),
        (PARTNER, "init", [[1]], "odoo.exceptions.AccessError",
         "Private methods (such as 'res.partner.init') cannot be called remotely."),
        (PARTNER, "write", [[1]], "builtins.TypeError",
         "ResPartner.write() missing 1 required positional argument: 'vals'"),
        (TASK, "write", [], "builtins.IndexError", "tuple index out of range"),
        (TASK, "search", [], "builtins.TypeError",
         "BaseModel.search() missing 1 required positional argument: 'domain'"),
        (TASK, "create", [], "builtins.TypeError",
         "create() missing 1 required positional argument: 'vals_list'"),
        (TASK, "create", ["x"], "builtins.AttributeError", "'str' object has no attribute 'get'"),
        (TASK, "name_get", [[1]], "builtins.AttributeError",
         "The method 'project.task.name_get' does not exist"),
        ("res.users.apikeys", "generate", ["x"], "builtins.AttributeError",
         "The method 'res.users.apikeys.generate' does not exist"),
    ],
    ids=str,
)  # fmt: skip
def test_a_call_that_fits_nothing_is_refused_in_the_recorded_words(
    odoo: Any, model: str, method: str, args: list[Any], name: str, message: str
) -> None:
    """Unknown models and methods, private methods, wrong arguments."""
    assert odoo.refused(model, method, *args) == (name, message)


def test_an_unknown_argument_is_refused(odoo: Any) -> None:
    """It is named."""
    assert odoo.refused(TASK, "search", [], foo=1) == (
        "builtins.TypeError",
        "BaseModel.search() got an unexpected keyword argument 'foo'",
    )


def test_create_gives_back_what_it_was_given(odoo: Any) -> None:
    """One for one, a list for a list."""
    assert odoo(TASK, "create", {"name": "x"}) == 1
    assert odoo(TASK, "create", [{"name": "x"}]) == [2]
    assert odoo(TASK, "create", []) == []


def test_names_are_searched_and_made(odoo: Any) -> None:
    """Pairs of ID and name."""
    tag = odoo("project.tags", "name_create", "urgent")

    assert tag == [1, "urgent"]
    assert odoo("project.tags", "name_search", "URG") == [tag]
    assert odoo("project.tags", "name_search", name="x", operator="=") == []
    assert odoo.refused("project.tags", "create", {"name": "urgent"})[1] == (
        "The operation cannot be completed: A tag with the same name already exists."
    )


def test_a_copy_is_named_so(odoo: Any) -> None:
    """A project's tasks are copied with it."""
    project = odoo("project.project", "create", {"name": "P", "task_ids": [[0, 0, {"name": "t"}]]})

    made = odoo("project.project", "copy", [project])

    assert odoo("project.project", "read", made, ["name"])[0]["name"] == "P (copy)"
    assert odoo(TASK, "search_count", [["project_id", "=", made[0]]]) == 1
    assert odoo.refused(PARTNER, "copy", [99_999])[1] == (
        "Record does not exist or has been deleted.\n(Record: res.partner(99999,), User: 2)"
    )


def test_fields_are_described(odoo: Any) -> None:
    """Those that are asked for, with the attributes that are asked for."""
    told = odoo(
        TASK, "fields_get", ["name", "nope", "id", "display_name"], ["type", "required", "readonly", "store"]
    )

    assert told == {
        "name": {"type": "char", "required": True, "readonly": False, "store": True},
        "id": {"type": "integer", "required": False, "readonly": True, "store": True},
        "display_name": {"type": "char", "required": False, "readonly": True, "store": False},
    }


def test_a_person_is_told_their_context(odoo: Any) -> None:
    """And what a new record would have."""
    assert odoo("res.users", "context_get") == {"lang": "en_US", "tz": False, "uid": 2}
    assert odoo(TASK, "default_get", ["sequence", "active", "name"]) == {"sequence": 10, "active": True}


def test_a_method_that_answers_nothing_gives_none(odoo: Any) -> None:
    """JSON-RPC then has no result at all."""
    assert odoo(TASK, "check_access_rights", "read") is None


def test_a_language_that_is_not_installed_is_refused(odoo: Any) -> None:
    """As recorded."""
    assert odoo.refused("res.country", "read", [75], ["name"], context={"lang": "fr_FR"}) == (
        "odoo.exceptions.UserError",
        "Invalid language code: fr_FR",
    )


def test_web_read_goes_as_deep_as_asked(odoo: Any) -> None:
    """Lists as records, an empty many2one as False."""
    partner = odoo(PARTNER, "create", {"name": "p", "child_ids": [[0, 0, {"name": "child"}]]})
    wanted = {
        "name": {},
        "child_ids": {"fields": {"name": {}}},
        "country_id": {"fields": {"display_name": {}}},
    }

    assert odoo(PARTNER, "web_read", [partner], specification=wanted) == [
        {"id": partner, "name": "p", "child_ids": [{"id": partner + 1, "name": "child"}], "country_id": False}
    ]
