"""Record keys on the wire between `RemoteStore` and `RemoteServer`."""

from uuid import UUID

from isthmus.env import Key
from isthmus.errors import RecordValueError


def key_from_wire(kind: str, value: object) -> Key:
    """Read a record's key.

    Args:
        kind: Name of the key's Python type: ``int``, ``UUID`` or ``str``.
        value: What came; text is taken for each kind.

    Raises:
        RecordValueError: When it is no such key.
    """
    try:
        if kind == "int":
            return int(str(value))
        return UUID(str(value)) if kind == "UUID" else str(value)
    except (TypeError, ValueError) as exc:
        raise RecordValueError(f"{value!r} is no key of kind {kind}") from exc
