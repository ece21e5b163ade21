"""What a model's fields are, in the words that every store shares."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, TypeAlias

Key: TypeAlias = Any
"""A record's primary key as its store has it: an integer, a UUID or text."""

FieldType = Literal[
    "char", "text", "html", "selection", "integer", "float", "decimal", "monetary", "boolean", "date",
    "datetime", "many2one", "one2many", "many2many", "json", "binary",
]  # fmt: skip

X2MANY = frozenset({"one2many", "many2many"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a model.

    Attributes:
        name: Its name, as Odoo spells it where Odoo has it.
        type: Odoo's word for its kind.
        relation: The other model of a relation; None elsewhere, and for a relation to a
            table that is no model.
        required: True when a record cannot be stored without a value.
        readonly: True when only the store writes it (primary key, computed).
        selection: The values that a selection may have; empty when they are not known.
    """

    name: str
    type: FieldType
    relation: str | None = None
    required: bool = False
    readonly: bool = False
    selection: tuple[str, ...] = ()


class ChangedFields(frozenset[str]):
    """The names of the fields that really changed, with their values before.

    >>> changed = ChangedFields({"name": "old"})
    >>> "name" in changed, changed.old["name"]
    (True, 'old')

    Attributes:
        old: Value before the change by field name; empty for a new record.
    """

    old: Mapping[str, Any]

    def __new__(cls, old: Mapping[str, Any], names: "frozenset[str] | None" = None) -> "ChangedFields":
        """Make it from the old values (and the names, where no old value is known)."""
        made = super().__new__(cls, names if names is not None else old)
        made.old = dict(old)
        return made


def plain(value: Any) -> Any:
    """Bring a field value into the form in which images keep and compare it.

    Instants become ISO text with microseconds and offset, days ISO text, sets sorted lists,
    decimals and UUIDs text, bytes hexadecimal text; lists and mappings are followed.

    >>> from datetime import UTC
    >>> plain(datetime(2026, 1, 2, tzinfo=UTC))
    '2026-01-02T00:00:00.000000+00:00'
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (dict, Mapping)):  # a dict is told at once, a Mapping is not
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted((plain(v) for v in value), key=str)
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if hasattr(value, "_name") and hasattr(value, "id"):
        return plain(value.id)
    return str(value)
