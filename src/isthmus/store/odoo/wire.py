"""How values cross the wire: JSON, as Odoo writes it.

Empty is ``false``, an instant is ``"2026-01-31 12:00:00"`` in UTC cut to the second, a day is ISO
text, bytes are base64, a relation is the other record's key or a list of keys.
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

_INSTANT: Final = "%Y-%m-%d %H:%M:%S"


def to_wire(value: Any) -> Any:
    """Bring a value, also within lists and mappings, into JSON.

    >>> to_wire([datetime(2026, 1, 31, 12, 0, 0, 987, tzinfo=UTC), None])
    ['2026-01-31 12:00:00', False]
    """
    if value is None:
        return False
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).strftime(_INSTANT)
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
    try:
        if field.type == "datetime":
            return datetime.strptime(value, _INSTANT).replace(tzinfo=UTC)
        if field.type == "date":
            return date.fromisoformat(value)
        if field.type == "binary":
            return b64decode(value, validate=True)
        if field.type == "decimal":
            return Decimal(str(value))
    except (TypeError, ValueError, ArithmeticError, Base64Error) as exc:
        raise RecordValueError(f"{value!r} is no {field.type} for field {field.name!r}") from exc
    return value
