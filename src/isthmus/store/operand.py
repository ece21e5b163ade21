"""Values in domains, brought into what a field can be compared with."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from isthmus.env import Field
from isthmus.errors import DomainError

TEXTS: Final = frozenset({"char", "text", "html", "selection"})


def operand(model: str, field: Field, value: Any, key: type | None) -> Any:
    """Bring a value of a leaf into the type of the field it is compared with.

    A record stands for its key, False for empty (but on booleans), text for an instant or a day; an instant
    without zone is UTC, as in Odoo.

    Args:
        model: For the message.
        field: What the value is compared with.
        value: As it was written.
        key: Python type of the field's keys if it is a key or relation, else None.

    Raises:
        DomainError: When the database could not compare them; SQLite would find nothing, PostgreSQL fail.
    """
    if hasattr(value, "_name") and hasattr(value, "id"):
        value = value.id
    if value is None or (value is False and field.type != "boolean"):
        return None
    try:
        if key is not None:
            return _key(key, value)
        convert = _CONVERT.get(field.type)
        return value if convert is None else convert(value)
    except (TypeError, ValueError, ArithmeticError):
        raise DomainError(f"{model}.{field.name} ({field.type}) cannot be compared with {value!r}") from None


def _key(kind: type, value: Any) -> Any:
    if kind is UUID and isinstance(value, str):
        return UUID(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise TypeError
    return int(value)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise TypeError
    return value


def _boolean(value: Any) -> bool:
    if value not in {0, 1}:
        raise ValueError
    return bool(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _instant(value: Any) -> datetime:
    if isinstance(value, str):
        instant = datetime.fromisoformat(value)
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError
        return value
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise TypeError


def _day(value: Any) -> date:
    if isinstance(value, str):
        return date.fromisoformat(value[:10])
    if isinstance(value, datetime) or not isinstance(value, date):
        raise TypeError
    return value


_CONVERT: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType({
    "integer": _integer, "float": _number, "decimal": _number, "boolean": _boolean, "datetime": _instant,
    "date": _day, "char": _text, "text": _text, "html": _text, "selection": _text, "monetary": _number,
})  # fmt: skip
