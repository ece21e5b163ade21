"""Fields: their declaration, and how a value goes in and comes out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Any

from isthmus.simulators.odoo import errors
from isthmus.simulators.odoo.html import sanitized

Row = dict[str, Any]
Compute = Callable[[Any, Row], Any]

NEVER = 99
_DATETIME = "%Y-%m-%d %H:%M:%S"
_DATE = "%Y-%m-%d"
_INT_MAX = 2**31 - 1
_WHOLE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_EMPTY = {"boolean": False, "integer": 0, "float": 0.0, "monetary": 0.0}
"""What columns keep instead of nothing."""


@dataclass(frozen=True)
class Field:
    """One field of a model.

    Attributes:
        name: Its name.
        type: Odoo's word for its type.
        string: Its label.
        relation: The model that it points to.
        inverse: Of a one2many: the many2one over there.
        link: Of a many2many: the name of its table.
        flipped: Whether the record is in the link's second column.
        far_column: The name of the other column, if it is not the other model's.
        required: Whether it must have a value.
        readonly: Whether forms refuse to change it (RPC does not).
        stored: Whether it is a column.
        selection: Keys and labels.
        default: A value, or what makes one from an environment.
        compute: What makes its value, if it has no column.
        path: Where a field without column is searched.
        ondelete: What becomes of this record when the other goes: "set null", "restrict", "cascade".
        since: The first major version that has it.
        until: The first that has it no more.
        all_records: Whether archived records are read through it.
        extra: More attributes for fields_get.
        recorded: Whether a recorded server has it; what is not is from documentation or memory.
    """

    type: str
    name: str
    string: str
    relation: str | None = None
    inverse: str | None = None
    link: str | None = None
    flipped: bool = False
    far_column: str = ""
    required: bool = False
    readonly: bool = False
    stored: bool = True
    selection: Sequence[tuple[str, str]] = ()
    default: Any = None
    compute: Compute | None = None
    path: str = ""
    ondelete: str = ""
    since: int = 0
    until: int = NEVER
    all_records: bool = False
    extra: tuple[tuple[str, Any], ...] = ()
    recorded: bool = True

    @cached_property
    def many(self) -> bool:
        """Whether it is a list of records."""
        return self.type in {"one2many", "many2many"}

    @property
    def relational(self) -> bool:
        """Whether it points to records."""
        return self.relation is not None

    @cached_property
    def column(self) -> bool:
        """Whether its value is in the row."""
        return self.stored and not self.many

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """What it may be, of a selection."""
        return tuple(key for key, _ in self.selection)

    @property
    def on_delete(self) -> str:
        """What becomes of the row when the record it points to goes."""
        return self.ondelete or ("restrict" if self.required else "set null")

    def describe(self) -> dict[str, Any]:
        """Tell what fields_get tells."""
        told: dict[str, Any] = {
            "change_default": False,
            "company_dependent": False,
            "depends": [],
            "manual": False,
            "name": self.name,
            "readonly": self.readonly,
            "required": self.required,
            "searchable": True,
            "sortable": self.stored and not self.many and self.type != "binary",
            "store": self.stored,
            "string": self.string,
            "type": self.type,
        }
        if self.type in {"char", "text", "html"}:
            told["translate"] = False
        if self.type == "char":
            told["trim"] = True
        if self.type == "selection":
            told["selection"] = [list(pair) for pair in self.selection]
        if self.relation:
            told |= {
                "relation": self.relation,
                "domain": [],
                "context": {"active_test": False} if self.all_records else {},
            }
        if self.type == "one2many" and self.inverse:
            told["relation_field"] = self.inverse
        return told | dict(self.extra)


def stored_value(model: str, field: Field, value: Any) -> Any:
    """Turn a value from the wire into what the row keeps.

    Raises:
        builtin: One of Python's own errors, as Odoo's.
        value_error: A ValueError, as Odoo's.
        wrong_value: A ValueError for a value that the field cannot take.
    """
    if value is None or value is False:
        return _EMPTY.get(field.type)
    if field.type == "selection":
        if value in field.keys if field.selection else isinstance(value, str):
            return value
        raise errors.wrong_value(model, field.name, value)
    keep = _KEEP.get(field.type)
    try:
        return keep(value) if keep else value
    except ValueError as error:
        raise errors.value_error(str(error)) from error
    except TypeError as error:
        raise errors.builtin("TypeError", str(error)) from error


def _float(value: Any) -> float:
    return float(value or 0.0)


def _integer(value: Any) -> int:
    number = int(value or 0)
    if not -_INT_MAX - 1 <= number <= _INT_MAX:
        raise errors.postgres("NumericValueOutOfRange", "integer out of range\n")
    return number


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    if "\x00" in text:
        raise errors.value_error("A string literal cannot contain NUL (0x00) characters.")
    return text


def _many2one(value: Any) -> int | None:
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value or None
    raise errors.postgres("InvalidTextRepresentation", f'invalid input syntax for type integer: "{value}"\n')


def to_datetime(value: Any) -> datetime:
    """Read a datetime as strictly as Odoo does.

    >>> to_datetime("2026-01-05")
    datetime.datetime(2026, 1, 5, 0, 0)
    """
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return datetime.fromisoformat(value)
    # Odoo cuts its format to the text's length; its error texts show it.
    return datetime.strptime(value, _DATETIME[: len(value) - 2])  # noqa: DTZ007 - Odoo's are naive, in UTC


def to_date(value: Any) -> date:
    """Read a date; the time of a datetime is cut off.

    >>> to_date("2026-01-05 10:00:00")
    datetime.date(2026, 1, 5)
    """
    return datetime.strptime(value[:10], _DATE).date()  # noqa: DTZ007


_KEEP: dict[str, Callable[[Any], Any]] = {
    "boolean": bool,
    "integer": _integer,
    "float": _float,
    "monetary": _float,
    "datetime": to_datetime,
    "date": to_date,
    "many2one": _many2one,
    "html": lambda value: sanitized(_text(value)),
    "char": _text,
    "text": _text,
    "binary": _text,
}


def wire_value(field: Field, value: Any) -> Any:
    """Turn what the row keeps into what `read` shows; relations are not for this."""
    kind = field.type
    if value is None or value is False:
        return _EMPTY.get(kind, False)
    if kind == "boolean":
        return bool(value)
    return written(value) if kind in {"date", "datetime"} else value


@lru_cache(maxsize=4096)
def written(value: date) -> str:
    """Write a date or datetime as Odoo does; most come again, as that of a transaction does in all its rows.

    >>> written(datetime(2026, 1, 5, 10)), written(date(2026, 1, 5))
    ('2026-01-05 10:00:00', '2026-01-05')
    """
    return value.strftime(_DATETIME if isinstance(value, datetime) else _DATE)
