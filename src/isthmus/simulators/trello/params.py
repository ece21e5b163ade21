"""Parameters of a request, from query, form or JSON alike, read with the server's own rules."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from isthmus.simulators.trello.ids import iso
from isthmus.simulators.trello.refusals import InvalidValueError

LONGEST = 16384
"""Characters that a name or a description may have."""

_TRUE = ("true", "1", "yes")
_FALSE = ("false", "0", "no", "")


class Params(Mapping[str, Any]):
    """The parameters by name, with readers that refuse what the server refuses.

    >>> Params({"name": "  Buy milk "}).text("name")
    'Buy milk'
    >>> Params({"due": "2026-05-01T10:00:00+02:00"}).instant("due")
    '2026-05-01T08:00:00.000Z'
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def with_(self, **more: Any) -> "Params":
        """Give a copy with some parameters added or replaced."""
        return Params({**self._values, **more})

    def text(self, name: str, default: str = "", *, trim: bool = True) -> str:
        """Read a text; numbers become text, names are trimmed.

        Raises:
            InvalidValueError: When it is longer than the server takes, or no text.
        """
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, (dict, list, bool)):
            raise InvalidValueError(name)
        # Half a surrogate pair can be written in JSON; the real server keeps valid text only.
        text = str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        text = text.strip() if trim else text
        if len(text) > LONGEST:
            raise InvalidValueError(name)
        return text

    def required(self, name: str) -> str:
        """Read a text that may not be blank.

        Raises:
            InvalidValueError: When it is missing or blank.
        """
        text = self.text(name)
        if not text:
            raise InvalidValueError(name)
        return text

    def flag(self, name: str, default: bool = False) -> bool:
        """Read a yes or no in any of its spellings.

        Raises:
            InvalidValueError: When it is neither.
        """
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        text = str(value).lower()
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        raise InvalidValueError(name)

    def instant(self, name: str) -> str | None:
        """Read an instant, normalised to UTC milliseconds; None for empty and ``null``.

        Raises:
            InvalidValueError: When it is no instant.
        """
        value = self._values.get(name)
        if value in (None, "", "null"):
            return None
        try:
            if isinstance(value, (int, float)):
                return iso(datetime.fromtimestamp(value / 1000, UTC))
            moment = datetime.fromisoformat(str(value).strip())
        except (ValueError, OverflowError, OSError):
            raise InvalidValueError(name) from None
        return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))

    def names(self, name: str) -> list[str]:
        """Read a list, given as a JSON array or separated by commas."""
        value = self._values.get(name)
        if value in (None, ""):
            return []
        parts = map(str, value) if isinstance(value, list) else str(value).split(",")
        return [part.strip() for part in parts if part.strip()]

    def number(self, name: str, default: int, *, most: int) -> int:
        """Read a whole number between 0 and *most*.

        Raises:
            InvalidValueError: When it is none.
        """
        value = self._values.get(name)
        if value in (None, ""):
            return default
        try:
            number = int(value)
        except (TypeError, ValueError):
            raise InvalidValueError(name) from None
        if not 0 <= number <= most:
            raise InvalidValueError(name)
        return number
