"""Duplicates."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from isthmus.simulators.odoo import orm
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Row, written
from isthmus.simulators.odoo.model import AUTOMATIC, Model

_NOT_COPIED = frozenset({"state", "barcode", "login", "date_last_stage_update", "complete_name"})


def copied(env: Environment, model: Model, row: Row, default: Mapping[str, Any]) -> int:
    """Duplicate a record, its links and, of a project, its tasks."""
    values: dict[str, Any] = {}
    for field in model.fields.values():
        name = field.name
        if name in AUTOMATIC or name in _NOT_COPIED or not field.stored:
            continue
        if field.link:
            values[name] = [[6, 0, list(env.related(field, row["id"]))]]
        elif field.column and row.get(name) is not None:
            value = row[name]
            values[name] = written(value) if isinstance(value, date) else value
    if model.rec_name not in default and row.get(model.rec_name):
        values[model.rec_name] = f"{row[model.rec_name]} (copy)"
    made = orm.create(env, model, [values | dict(default)])[0]
    if model.name == "project.project":
        task_model, tasks = env.registry["project.task"], env.rows("project.task")
        for task in env.related(model.fields["tasks"], row["id"]):
            if tasks[task].get("active"):
                copied(env, task_model, tasks[task], {"project_id": made})
    return made
