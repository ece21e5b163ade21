"""External IDs: how they are spelled, and what goes under them."""

from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Row

_IMPORT = "__import__"


def split_external(env: Environment, text: str) -> tuple[str, str]:
    """Split an external ID; one without a module gets that of imports."""
    module, dot, name = text.partition(".")
    return (module, name) if dot else (env.context.get("_import_current_module") or _IMPORT, text)


def find_external(env: Environment, module: str, name: str) -> Row | None:
    """Find what is kept of an external ID."""
    data = env.table("ir.model.data")
    rows = (data.rows[known] for known in data.by("name", name))
    return next((row for row in rows if row["module"] == module), None)
