"""Values on their way to a server and back: checked, spelled in its version, as JSON."""

import reprlib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from isthmus.env import X2MANY, Field
from isthmus.errors import RecordValueError, UnknownFieldError, near
from isthmus.store.odoo.dialect import Spelling, Word
from isthmus.store.odoo.wire import from_wire, to_wire

_LARGEST: Final = 2**31 - 1
_NESTED: Final = frozenset({0, 1})
_SET: Final = 6


class Values:
    """Translates the values of one server's models.

    Args:
        spelling: Gives the spelling of a model.
    """

    def __init__(self, spelling: Callable[[str], Spelling]) -> None:
        self._spelling = spelling

    def there(self, model: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give the values of a create or write as the server takes them.

        Raises:
            RecordValueError: When a value does not fit its field; names both.
            UnknownFieldError: When there is no such field; names near ones.
        """
        spelling = self._spelling(model)
        words = spelling.words
        found: dict[str, Any] = {}
        for name, value in values.items():
            word = words.get(name)
            if word is None:
                raise UnknownFieldError(model, name, spelling.fields)
            field = word.field
            try:
                checked = self._checked(field, value)
                if checked is None and field.required:
                    raise RecordValueError(f"missing required value for the field {name!r} of {model}")
                found[word.told.name] = to_wire(word.back(checked))
            except (TypeError, ValueError, ArithmeticError) as exc:
                why = f": {exc}" if str(exc) else ""
                raise RecordValueError(
                    f"{_shown(field, value)} cannot be kept in {model}.{name} ({field.type}){why}"
                ) from exc
        return found

    def _checked(self, field: Field, value: Any) -> Any:
        if field.type in X2MANY:
            return self._commands(field, value)
        if value is None or (value is False and field.type != "boolean"):
            return None
        check = _CHECKS.get(field.type)
        value = value if check is None else check(value)
        if field.selection and value not in field.selection:
            raise ValueError(near(str(value), field.selection).removeprefix("; "))
        return value

    def _commands(self, field: Field, value: Any) -> list[Any]:
        """Give the commands that bring a list to a value: keys, or commands already.

        Raises:
            TypeError: When it is neither.
        """
        if not value:
            return [[_SET, 0, []]]
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise TypeError("a list of keys or commands is needed")
        if all(not isinstance(item, (list, tuple)) for item in value):
            return [[_SET, 0, sorted(_key(item) for item in value)]]
        return [self._command(field, item) for item in value]

    def _command(self, field: Field, item: Any) -> list[Any]:
        if not isinstance(item, (list, tuple)):
            return [4, _key(item), 0]
        code, key, rest = (*item, 0, 0)[:3]
        if code in _NESTED and isinstance(rest, Mapping):
            rest = self.there(str(field.relation), rest)
        elif code == _SET:
            rest = sorted(_key(one) for one in rest or ())
        return [code, _key(key) if key else 0, rest]

    def here(self, model: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Read a row of the server: names and values as connectors have them."""
        heard = self._spelling(model).heard
        return {
            word.field.name: value if name == "id" else _read(word, value)
            for name, value in row.items()
            for word in (heard[name],)
        }


def _read(word: Word, value: Any) -> Any:
    if isinstance(value, list) and word.told.type == "many2one":
        value = value[0] if value else None  # [id, display name]
    value = word.here(from_wire(word.told, value))
    return sorted(value) if word.field.type in X2MANY else value


def _shown(field: Field, value: Any) -> str:
    """Show a value in a message, which is kept: what people write is not, and nothing is long."""
    if field.type in {"char", "text", "html", "binary"} and isinstance(value, (str, bytes, bytearray)):
        return f"a {type(value).__name__} of {len(value)}"
    return reprlib.repr(value)


def _key(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("a record's key is an integer")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text is needed")
    if "\x00" in value:
        raise ValueError("a NUL character cannot be stored")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise TypeError("a whole number is needed")
    if not -_LARGEST - 1 <= value <= _LARGEST:
        raise ValueError("it is too large")
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise TypeError("a number is needed")
    return float(value)


def _boolean(value: Any) -> bool:
    if value not in {0, 1}:
        raise ValueError("true or false is needed")
    return bool(value)


def _instant(value: Any) -> datetime:
    if isinstance(value, str):
        instant = datetime.fromisoformat(value)
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    if not isinstance(value, datetime):
        raise TypeError("an instant is needed")
    if value.tzinfo is None:
        raise ValueError("it has no time zone")
    return value


def _day(value: Any) -> date:
    if isinstance(value, str):
        return date.fromisoformat(value[:10])
    if isinstance(value, datetime) or not isinstance(value, date):
        raise TypeError("a day is needed")
    return value


def _bytes(value: Any) -> Any:
    if not isinstance(value, (bytes, bytearray, str)):
        raise TypeError("bytes are needed")
    return value


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType({
    "char": _text, "text": _text, "html": _text, "selection": _text, "integer": _integer, "float": _number,
    "monetary": _number, "decimal": _number, "boolean": _boolean, "datetime": _instant, "date": _day,
    "many2one": _key, "binary": _bytes,
})  # fmt: skip
