from typing import Any

import pytest

from isthmus.simulators.odoo import INTERNAL_USER, PORTAL_USER, PROJECT_USER

TASK, PROJECT, STAGE = "project.task", "project.project", "project.task.type"
ACCESS = "odoo.exceptions.AccessError"
COOKIES = (
    "Uh-oh! Looks like you have stumbled upon some top-secret records.\n\n"
    "Sorry, {} (id={}) doesn't have '{}' access to:\n- {}\n\n"
    "If you really, really need access, perhaps you can win over your friendly administrator "
    "with a batch of freshly baked cookies."
)


def _groups(verb: str, model: str, *groups: str) -> str:
    listed = "".join(f"\t- {group}\n" for group in groups)
    return (
        f"You are not allowed to {verb} {model} records.\n\n"
        f"This operation is allowed for the following groups:\n{listed}\n"
        "Contact your administrator to request access if necessary."
    )


@pytest.fixture
def task(odoo: Any) -> int:
    """A task in a project."""
    made: int = odoo(TASK, "create", {"name": "x", "project_id": odoo(PROJECT, "create", {"name": "One"})})
    return made


def test_an_internal_user_reads_projects_and_writes_none(odoo: Any, as_user: Any, task: int) -> None:
    """Their own private tasks are theirs."""
    person = as_user("nu", INTERNAL_USER)

    assert person(TASK, "read", [task], ["name"]) == [{"id": task, "name": "x"}]
    assert person.refused(TASK, "write", [task], {"name": "y"}) == (
        ACCESS,
        COOKIES.format("nu", person.uid, "write", "Task (project.task)"),
    )
    assert person.refused(TASK, "create", {"name": "y", "project_id": 1})[0] == ACCESS
    assert person.refused(PROJECT, "create", {"name": "y"}) == (
        ACCESS,
        _groups("create", "'Project' (project.project)", "Project/Administrator"),
    )
    own = person(TASK, "load", ["id", "name"], [["__hub__.own", "own"]])["ids"]
    assert person(TASK, "write", own, {"name": "z"})
    assert odoo(TASK, "search", [["name", "=", "z"]]) == []


def test_external_ids_and_models_are_for_administrators(as_user: Any) -> None:
    """`load` works all the same."""
    person = as_user("pu", PROJECT_USER)

    assert person.refused("ir.model.data", "search", []) == (
        ACCESS,
        _groups("access", "'Model Data' (ir.model.data)", "Administration/Access Rights"),
    )
    assert person.refused("ir.model", "search", [])[0] == ACCESS
    assert person(TASK, "load", ["id", "name"], [["__hub__.a", "x"]])["ids"] == [1]


def test_a_project_user_works_on_tasks_of_projects(as_user: Any, task: int) -> None:
    """And changes no project."""
    person = as_user("pu", PROJECT_USER)

    assert person(TASK, "write", [task], {"name": "y"})
    assert person.refused(PROJECT, "write", [1], {"name": "y"})[0] == ACCESS
    assert person.refused(TASK, "unlink", [987])[0] == "odoo.exceptions.MissingError"
    assert person(TASK, "has_access", [task], "write") is True
    assert person(TASK, "check_access_rights", "create", False) is True


def test_a_portal_user_sees_nothing_of_it(as_user: Any, task: int) -> None:
    """Themselves, their company, and no more."""
    person = as_user("po", PORTAL_USER)

    assert person(TASK, "search", []) == []
    assert person.refused(TASK, "read", [task], ["name"]) == (
        ACCESS,
        COOKIES.format("po", person.uid, "read", "Task (project.task)"),
    )
    assert person.refused(TASK, "create", {"name": "y"}) == (
        ACCESS,
        _groups("create", "'Task' (project.task)", "Project/User", "User types/Internal User"),
    )
    assert person("res.users", "search_read", [], ["login"]) == [{"id": person.uid, "login": "po"}]
    assert person.refused(TASK, "check_access_rights", "create")[0] == ACCESS


def test_keys_cannot_be_made_by_create(odoo: Any) -> None:
    """As recorded."""
    assert odoo.refused("res.users.apikeys", "create", {"name": "x"}) == (
        ACCESS,
        (
            "You are not allowed to create 'Users API Keys' (res.users.apikeys) records.\n\n"
            "No group currently allows this operation.\n\n"
            "Contact your administrator to request access if necessary."
        ),
    )


def test_a_company_s_records_are_for_its_people(odoo: Any, as_user: Any) -> None:
    """Who makes a company belongs to it; others do not see its projects."""
    company = odoo("res.company", "create", {"name": "Two"})
    project = odoo(PROJECT, "create", {"name": "p", "company_id": company})
    person = as_user("pu", PROJECT_USER)

    assert odoo(PROJECT, "search", []) == [project]
    assert odoo(PROJECT, "search", [], context={"allowed_company_ids": [1]}) == []
    assert person(PROJECT, "search", []) == []
    assert person.refused(PROJECT, "read", [project], ["name"])[0] == ACCESS
    assert person.refused(PROJECT, "search", [], context={"allowed_company_ids": [company]}) == (
        ACCESS,
        "Access to unauthorized or invalid companies.",
    )
