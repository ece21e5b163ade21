"""What `read` shows of a row."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from isthmus.simulators.odoo import access, errors
from isthmus.simulators.odoo.conditions import value_getter
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Field, Row, wire_value
from isthmus.simulators.odoo.model import Model
from isthmus.simulators.odoo.order import in_order

CLASSIC = "_classic_read"
_UNITS = ("bytes", "Kb", "Mb", "Gb")
_KILO = 1024.0


def read_rows(
    env: Environment, model: Model, rows: Sequence[Row], names: Iterable[str] | None, load: Any = CLASSIC
) -> list[dict[str, Any]]:
    """Show rows, as they were asked for.

    Raises:
        unknown_field: If there is no such field.
    """
    access.check_rights(env, model, "read")
    wanted = list(dict.fromkeys(names or model.fields))
    getters: list[tuple[str, Callable[[Row], Any]]] = []
    for name in wanted:
        field = model.fields.get(name)
        if field is None:
            raise errors.unknown_field(name, model.name, "on" if env.release.major >= 19 else "on model")
        if name != "id":
            getters.append((name, _shown(env, field, named=load == CLASSIC)))
    access.check_rules(env, model, "read", rows)
    return [{"id": row["id"], **{name: get(row) for name, get in getters}} for row in rows]


def listed(env: Environment, field: Field, record: int) -> list[int]:
    """Give a list as a person sees it: in the other model's order, without what is hidden from them."""
    comodel = env.registry[field.relation or ""]
    rows = env.rows(comodel.name)
    found: Iterable[Row] = [rows[i] for i in env.related(field, record) if i in rows]
    if comodel.has_active and env.active_test and not field.all_records:
        found = [row for row in found if row.get("active")]
    rule = None if env.su else comodel.rule(env, "read")
    if rule is not None:
        found = [row for row in found if rule(row)]
    return [row["id"] for row in in_order(env, comodel, found, None)]


def human_size(size: int) -> str:
    """Tell a size as `bin_size` does.

    >>> human_size(68), human_size(2048)
    ('68.00 bytes', '2.00 Kb')
    """
    number, unit = float(size), 0
    while number >= _KILO and unit < len(_UNITS) - 1:
        number, unit = number / _KILO, unit + 1
    return f"{number:0.2f} {_UNITS[unit]}"


def _shown(env: Environment, field: Field, *, named: bool) -> Callable[[Row], Any]:
    if field.many:
        if field.compute is not None:
            compute = field.compute
            return lambda row: list(compute(env, row) or ())
        if field.relation not in env.registry:
            return lambda row: []  # noqa: ARG005 - a getter
        return lambda row: listed(env, field, row["id"])
    get = value_getter(env, field)
    if field.type == "many2one":
        return _named(env, field, get) if named else lambda row: get(row) or False
    if field.type == "binary" and (env.context.get("bin_size") or env.context.get(f"bin_size_{field.name}")):
        return lambda row: human_size(len(value) * 3 // 4) if (value := get(row)) else False
    return lambda row: wire_value(field, get(row))


def _named(env: Environment, field: Field, get: Callable[[Row], Any]) -> Callable[[Row], Any]:
    names: dict[int, str] = {}
    relation = field.relation or ""

    def shown(row: Row) -> Any:
        record = get(row)
        if not record:
            return False
        if record not in names:
            names[record] = env.name_of(relation, record) if relation in env.registry else str(record)
        return [record, names[record]]

    return shown
