"""Reading as the web client does: by a specification."""

from collections.abc import Mapping, Sequence
from typing import Any

from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Row
from isthmus.simulators.odoo.model import Model
from isthmus.simulators.odoo.reading import read_rows


def web_read(
    env: Environment, model: Model, rows: Sequence[Row], specification: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Read rows, and what they point to, as deep as asked."""
    shown = read_rows(env, model, rows, list(specification) or ["id"], load=None)
    for name, inner in specification.items():
        field = model.fields[name]
        wanted = inner.get("fields") if isinstance(inner, Mapping) else None
        if not field.relation or wanted is None:
            continue
        comodel = env.registry[field.relation]
        for values in shown:
            ids = values[name] if field.many else [values[name]] if values[name] else []
            others = [env.rows(comodel.name)[i] for i in ids]
            nested = web_read(env, comodel, others, wanted)
            values[name] = nested if field.many else (nested[0] if nested else False)
    return shown
