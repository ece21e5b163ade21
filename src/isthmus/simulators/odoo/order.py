"""The order of records: Odoo's `order` texts, sorted as PostgreSQL sorts."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from isthmus.simulators.odoo import errors
from isthmus.simulators.odoo.conditions import value_getter
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Row
from isthmus.simulators.odoo.model import Model

_TERM = re.compile(r"^\s*([a-zA-Z0-9_.:]+)(?:\s+(asc|desc))?(?:\s+nulls\s+(first|last))?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class _Key:
    get: Callable[[Row], Any]
    descending: bool
    empty_first: bool


def in_order(env: Environment, model: Model, rows: Iterable[Row], order: str | None) -> list[Row]:
    """Sort rows; equal ones come by ID."""
    found = sorted(rows, key=lambda row: row["id"])
    if not order and len(found) <= 1:
        return found
    keys = _keys(env, model, order or model.order, frozenset())
    for key in reversed(keys):
        found.sort(key=_sort_key(key), reverse=key.descending)
    return found


def _sort_key(key: _Key) -> Callable[[Row], tuple[bool, Any]]:
    get = key.get
    # Reversed, the sort turns the first part round too.
    empty = key.empty_first == key.descending

    def sort_key(row: Row) -> tuple[bool, Any]:
        value = get(row)
        return (empty, 0) if value is None else (not empty, value)

    return sort_key


def _keys(env: Environment, model: Model, order: str, seen: frozenset[tuple[str, str]]) -> list[_Key]:
    keys: list[_Key] = []
    for term in order.split(","):
        found = _TERM.match(term)
        if not found:
            raise errors.user_error(
                f'Invalid "order" specified ({order}). A valid "order" specification is a comma-separated '
                "list of valid field names (optionally followed by asc/desc for the direction)"
            )
        name, direction, empty = found[1], (found[2] or "").lower(), (found[3] or "").lower()
        descending = direction == "desc"
        empty_first = empty == "first" if empty else descending
        keys += _field_keys(env, model, name, seen, descending=descending, empty_first=empty_first)
    return keys


def _field_keys(
    env: Environment,
    model: Model,
    name: str,
    seen: frozenset[tuple[str, str]],
    *,
    descending: bool,
    empty_first: bool,
) -> list[_Key]:
    field = model.fields.get(name)
    if field is None:
        base = model.fields.get(name.partition(".")[0])
        if base is None or not base.many:
            raise errors.unknown_field(name, model.name)
        field = base
    if field.many or not field.stored:
        raise errors.value_error(f"Cannot convert {model.name}.{field.name} to SQL because it is not stored")
    get = value_getter(env, field)
    if field.type == "boolean":
        return [_Key(get, descending, empty_first)]
    if field.type != "many2one" or (model.name, name) in seen or field.relation is None:
        return [_Key(get, descending, empty_first)]
    comodel, rows = env.registry[field.relation], env.rows(field.relation)

    def through(inner: Callable[[Row], Any]) -> Callable[[Row], Any]:
        def value(row: Row) -> Any:
            other = rows.get(get(row) or 0)
            return None if other is None else inner(other)

        return value

    further = _keys(env, comodel, comodel.order, seen | {(model.name, name)})
    return [_Key(through(k.get), k.descending != descending, k.empty_first != descending) for k in further]
