"""How values cross the wire: JSON, as Odoo writes it.

Empty is ``false``, an instant is ``"2026-01-31 12:00:00"`` in UTC cut to the second, a day is ISO
text, bytes are base64, a relation is the other record's key or a list of keys.

Odoo spells by ``strftime``, which on Linux leaves out the leading zeros of a year: 24-05-01.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from isthmus.env import X2MANY, Field
from isthmus.errors import RecordValueError

_INSTANT_LENGTH: Final = len("2026-01-31 12:00:00")
_DAY_LENGTH: Final = len("2026-01-31")
_SPELLED: Final = frozenset({"datetime", "date", "binary", "decimal"})
"""Types that JSON has no form for; the values of others are as they come."""


def to_wire(value: Any) -> Any:
    """Bring a value, also within lists and mappings, into JSON.

    >>> to_wire([datetime(2026, 1, 31, 12, 0, 0, 987, tzinfo=UTC), None])
    ['2026-01-31 12:00:00', False]
    """
    if value is None:
        return False
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, datetime):
        instant = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return instant.isoformat(" ", "seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return b64encode(value).decode()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {name: to_wire(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_wire(item) for item in value]
    if hasattr(value, "_name") and hasattr(value, "id"):
        return to_wire(value.id)
    return value


def from_wire(field: Field, value: Any) -> Any:
    """Read a field's value; relations are keys.

    Raises:
        RecordValueError: When it is not what the field's type is written as.
    """
    if value is None or (value is False and field.type != "boolean"):
        return [] if field.type in X2MANY else None
    if field.type not in _SPELLED:
        return value
    try:
        if field.type == "datetime":
            return _instant(value)
        if field.type == "date":
            return date.fromisoformat(str.rjust(value, _DAY_LENGTH, "0"))
        if field.type == "binary":
            return b64decode(value, validate=True)
        return Decimal(str(value))
    except (TypeError, ValueError, ArithmeticError, Base64Error) as exc:
        raise RecordValueError(f"{value!r} is no {field.type} for field {field.name!r}") from exc


def _instant(text: Any) -> datetime:
    """Read an instant that is cut to the second; in a tenth of the time of ``strptime``.

    Raises:
        ValueError: When it is none, or has a zone or a part of a second.
    """
    instant = datetime.fromisoformat(str.rjust(text, _INSTANT_LENGTH, "0"))
    if len(text) > _INSTANT_LENGTH or instant.tzinfo is not None:
        raise ValueError(f"{text!r} is no instant in UTC, to the second")
    return instant.replace(tzinfo=UTC)
