"""The dialects of the bundled models.

Source:
    Odoo's own models: ``project.task.user_id`` became ``user_ids`` in 15.0; ``date_deadline`` became an
    instant and ``planned_hours`` ``allocated_hours`` in 17.0.
"""

from isthmus.store.odoo.dialect import (
    Dialect,
    Translation,
    day_of_instant,
    first_of_list,
    instant_of_day,
    one_as_list,
)

_DEADLINE = Translation(
    name="date_deadline", there="date_deadline", type="datetime", here=instant_of_day, back=day_of_instant
)
_HOURS = Translation(name="allocated_hours", there="planned_hours", type="float")
_USERS = Translation(name="user_ids", there="user_id", type="many2many", here=one_as_list, back=first_of_list)


class TaskDialect14(Dialect):
    """Tasks up to 14.0."""

    _name = "project.task.dialect.14"
    _inherit = "base.record.dialect"
    _apply_on = "project.task"
    _version = "14.0"

    translations = (_DEADLINE, _HOURS, _USERS)


class TaskDialect15(Dialect):
    """Tasks of 15.0 and 16.0."""

    _name = "project.task.dialect.15"
    _inherit = "base.record.dialect"
    _apply_on = "project.task"
    _version = "15.0"

    translations = (_DEADLINE, _HOURS)


class TaskDialect17(Dialect):
    """Tasks since 17.0: what connectors use."""

    _name = "project.task.dialect.17"
    _inherit = "base.record.dialect"
    _apply_on = "project.task"
    _version = "17.0"
