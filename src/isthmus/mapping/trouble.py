"""What a mapping error says: the mapper, the field and the record it is about."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from isthmus.errors import MappingError
from isthmus.mapping.record import MapRecord

DATA_FAULTS: Final = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What a mapping raises when it meets a value that its author did not think of."""


def complaint(
    mapper: Any,
    message: str,
    *,
    field: str | None = None,
    method: str | None = None,
    at: MapRecord | None = None,
) -> str:
    """Say what is wrong and where.

    Args:
        mapper: Names itself, and the record it is at.
        message: What is wrong. It has no value of the record: those may be personal.
        field: The source field.
        method: The mapping method.
        at: The record, when it is not the one that is being mapped now.
    """
    parts = [_who(mapper)]
    if field is not None:
        parts.append(f"field {field!r}")
    if method is not None:
        parts.append(f"method {method!r}")
    label = record_label(at or mapper._current)
    if label:
        parts.append(label)
    return f"{', '.join(parts)}: {message}"


def mapping_error(
    mapper: Any, message: str, *, field: str | None = None, method: str | None = None
) -> MappingError:
    """Make the error of a `complaint` about what *mapper* is mapping now."""
    return MappingError(complaint(mapper, message, field=field, method=method))


def located(
    mapper: Any,
    fault: Exception,
    *,
    shown: Iterable[Any] = (),
    field: str | None = None,
    method: str | None = None,
) -> MappingError:
    """Turn what a mapping raised into the error that says where, unless it already does.

    Args:
        mapper: Names itself and the record it is at.
        fault: What was raised. Texts that may quote a value are left out; the cause has them.
        shown: Keys that stand in the code, and so are no values of a record.
        field: The source field.
        method: The mapping method.
    """
    if isinstance(fault, MappingError):
        if str(fault).startswith(_who(mapper)):
            return fault
        return mapping_error(mapper, str(fault), field=field, method=method)
    text = type(fault).__name__
    if isinstance(fault, KeyError):
        if fault.args and fault.args[0] in tuple(shown):
            text += f": {fault.args[0]!r}"
    elif isinstance(fault, (TypeError, AttributeError)):
        text += f": {fault}"
    return mapping_error(mapper, text, field=field, method=method)


def record_label(map_record: MapRecord | None) -> str:
    """Name the record a map record is about, and what it is a line of; empty when unknown."""
    if map_record is None:
        return ""
    own = _own_label(map_record)
    above = record_label(map_record.parent)
    if not above:
        return own
    return f"{own or 'a line'} of {above}"


def external_id_of(mapper: Any, source: Any) -> Any:
    """Read the external ID from a payload; None when it has none, or is none."""
    if not isinstance(source, Mapping):
        return None
    value = source.get(mapper._external_id_key)
    return None if value == "" or isinstance(value, (bool, list, Mapping)) else value


def _own_label(map_record: MapRecord) -> str:
    source = map_record.source
    external_id = map_record.options.external_id
    if external_id is None:
        external_id = external_id_of(map_record.mapper, source)
    ours = f"{source._name} {source.id}" if hasattr(source, "_name") and hasattr(source, "id") else ""
    if external_id is None:
        return ours
    return f"{ours or 'record'} (external ID {str(external_id)!r})"


def _who(mapper: Any) -> str:
    return f"mapper {mapper._name!r}"
