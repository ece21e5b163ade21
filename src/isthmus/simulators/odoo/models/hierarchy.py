"""Records that have a parent of their own kind."""

from isthmus.simulators.odoo import errors
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Row
from isthmus.simulators.odoo.model import Model


def check_no_cycle(env: Environment, model: Model, row: Row, message: str) -> None:
    """Refuse a record that is its own ancestor.

    Raises:
        validation_error: A ValidationError.
    """
    rows, seen = env.rows(model.name), {row["id"]}
    parent = row.get(model.parent_field)
    while parent:
        if parent in seen:
            raise errors.validation_error(message)
        seen.add(parent)
        parent = rows.get(parent, {}).get(model.parent_field)
