"""Creating with a key of ours: ``load`` takes an external ID with each row, so a repetition finds the first.

Source:
    Tried on Odoo 14, 17, 18 and 19: with ``mode`` "update" and ``noupdate``, ``load`` leaves a record that
    has the external ID as it is; all rows are kept or none; text stands for every value, instants are read in
    the context's time zone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from isthmus.env import Field

MODULE: Final = "__isthmus__"
"""The module name in our external IDs; no module of that name is ever installed."""
LOAD_CONTEXT: Final[Mapping[str, Any]] = {
    "mode": "update", "noupdate": True, "tz": "UTC",
    "mail_create_nolog": True, "mail_create_nosubscribe": True, "tracking_disable": True,
}  # fmt: skip
"""A known external ID gives its record and changes nothing; instants are UTC; imports notify nobody."""

_SET: Final = 6
_AS_TEXT: Final = frozenset({
    "char", "text", "html", "selection", "date", "datetime", "binary",
    "integer", "float", "monetary", "decimal",
})  # fmt: skip


@dataclass(slots=True)
class Load:
    """Rows that have the same columns, for one call.

    Attributes:
        columns: Names as ``load`` takes them, the external ID first.
        rows: A cell for each column.
        places: Where each row stands among the records to be created.
        rest: What a row has that ``load`` cannot carry.
    """

    columns: list[str]
    rows: list[list[str]]
    places: list[int]
    rest: list[dict[str, Any]]


def external_id(key: str) -> str:
    """Give the whole external ID of a key."""
    return f"{MODULE}.{key}"


def own_key(told: str) -> str | None:
    """Read our key from an external ID; None for those of others.

    >>> own_key("__isthmus__.5f"), own_key("base.main_company"), own_key("")
    ('5f', None, None)
    """
    module, _, key = told.partition(".")
    return key if module == MODULE and key else None


def loads(
    fields: Mapping[str, Field], values: Sequence[Mapping[str, Any]], keys: Sequence[str]
) -> list[Load]:
    """Sort records into as few calls of ``load`` as there are sets of columns.

    Args:
        fields: Types by the server's field names.
        values: Wire values of each record, by the server's field names.
        keys: A key of ours for each.
    """
    found: dict[tuple[str, ...], Load] = {}
    orders: dict[tuple[str, ...], tuple[str, ...]] = {}
    for place, (row, key) in enumerate(zip(values, keys, strict=True)):
        cells: dict[str, str] = {}
        rest: dict[str, Any] = {}
        for name, value in row.items():
            cell = _cell(fields[name], value)
            if cell is None:
                rest[name] = value
            else:
                cells[cell[0]] = cell[1]
        given = tuple(cells)
        columns = orders.get(given)
        if columns is None:
            columns = orders[given] = tuple(sorted(given))
        load = found.get(columns)
        if load is None:
            load = found[columns] = Load(["id", *columns], [], [], [])
        load.rows.append([external_id(key), *map(cells.__getitem__, columns)])
        load.places.append(place)
        load.rest.append(rest)
    return list(found.values())


def same_rest(load: Load, ids: Sequence[int]) -> list[tuple[list[int], dict[str, Any]]]:
    """Put records whose remaining values are equal together: one write each."""
    groups: dict[str, tuple[list[int], dict[str, Any]]] = {}
    for key, rest in zip(ids, load.rest, strict=True):
        if rest:
            groups.setdefault(json.dumps(rest, sort_keys=True), ([], rest))[0].append(key)
    return list(groups.values())


def is_extra(field: Field) -> bool:
    """Tell whether a field may have values that ``load`` cannot carry."""
    return field.type in {"one2many", "many2many", "json"}


def _cell(field: Field, value: Any) -> tuple[str, str] | None:
    """Give the column and the text of a value; None when ``load`` cannot carry it."""
    kind = field.type
    if kind == "many2one":
        return f"{field.name}/.id", "" if value is False else str(value)
    if kind == "boolean":
        return field.name, "1" if value else "0"
    if kind in _AS_TEXT:
        return field.name, "" if value is False else str(value)
    if kind == "many2many" and len(value) == 1 and value[0][0] == _SET:
        return f"{field.name}/.id", ",".join(map(str, value[0][2]))
    return None
