"""Who may do what: rights per model and group, record rules."""

from collections.abc import Iterable, Sequence
from typing import Any

from isthmus.simulators.odoo import errors
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Row
from isthmus.simulators.odoo.model import Model

IMPLIED: dict[str, tuple[str, ...]] = {
    "base.group_system": ("base.group_erp_manager",),
    "base.group_erp_manager": ("base.group_user", "base.group_allow_export"),
    "base.group_user": (),
    "base.group_portal": (),
    "base.group_partner_manager": (),
    "base.group_allow_export": (),
    "project.group_project_user": ("base.group_user",),
    "project.group_project_manager": ("project.group_project_user",),
}
"""The groups of the simulator, and what each brings with it."""

GROUP_NAMES = {
    "base.group_system": "Administration/Settings",
    "base.group_erp_manager": "Administration/Access Rights",
    "base.group_user": "User types/Internal User",
    "base.group_portal": "User types/Portal",
    "base.group_partner_manager": "Extra Rights/Contact Creation",
    "base.group_allow_export": "Technical/Access to export feature",
    "project.group_project_user": "Project/User",
    "project.group_project_manager": "Project/Administrator",
}

_LETTERS = {"read": "r", "write": "w", "create": "c", "unlink": "u"}


def closure(groups: Iterable[str]) -> frozenset[str]:
    """Add the groups that others imply.

    >>> sorted(closure(["project.group_project_user"]))
    ['base.group_user', 'project.group_project_user']
    """
    found: set[str] = set()
    todo = list(groups)
    while todo:
        group = todo.pop()
        if group not in found:
            found.add(group)
            todo.extend(IMPLIED[group])
    return frozenset(found)


def has_rights(env: Environment, model: Model, operation: str) -> bool:
    """Tell whether who calls may do this with records of the model at all."""
    letter = _LETTERS[operation]
    return env.su or any(
        letter in letters and (group == "*" or group in env.groups) for group, letters in model.acl.items()
    )


def check_rights(env: Environment, model: Model, operation: str) -> None:
    """Refuse who may not do this with records of the model.

    Raises:
        no_rights: An AccessError that lists the groups that may.
    """
    if not has_rights(env, model, operation):
        letter = _LETTERS[operation]
        groups = sorted(GROUP_NAMES[g] for g, letters in model.acl.items() if letter in letters)
        raise errors.no_rights(operation, model.label, model.name, groups)


def check_rules(env: Environment, model: Model, operation: str, rows: Iterable[Row]) -> None:
    """Refuse records that the rules keep from who calls.

    Raises:
        rule_refuses: An AccessError.
    """
    rule = None if env.su else model.rule(env, operation)
    if rule is not None and not all(rule(row) for row in rows):
        person = str(env.person.get("name") or env.user.get("login") or "")
        raise errors.rule_refuses(operation, model.label, model.name, person, env.uid)


def existing(env: Environment, model: Model, ids: Sequence[Any]) -> list[Row]:
    """Give the rows of records.

    Raises:
        missing: If a record is not there.
    """
    rows = env.rows(model.name)
    gone = [i for i in ids if i not in rows]
    if gone:
        raise errors.missing(model.name, gone, env.uid)
    return [rows[i] for i in ids]
