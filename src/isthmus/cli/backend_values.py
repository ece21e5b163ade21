"""``NAME=VALUE`` as people write it for a backend, read by what the backend's type knows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from isthmus.cli.ask import ask_secret
from isthmus.errors import UsageError, near

_NUMBERS: Final = ("lease_s", "quiet_s")
_FIELDS: Final = ("name", "url", "version", "active", *_NUMBERS)


@dataclass(slots=True)
class Change:
    """What shall be set.

    Attributes:
        fields: Of the backend itself.
        options: Of its type.
        credentials: Of its type; never shown.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    credentials: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def names(self) -> list[str]:
        """What is set, without values."""
        return [*self.fields, *self.options, *self.credentials]


def read_changes(texts: Sequence[str], kind: Any) -> Change:
    """Read ``NAME=VALUE`` texts.

    Args:
        texts: As on the command line; a credential may stand without its value, and is asked for.
        kind: The backend's type.

    Raises:
        UsageError: When a name is unknown, or a value does not fit.
    """
    change = Change()
    for text in texts:
        name, equals, value = text.partition("=")
        if name in kind._credentials:
            change.credentials[name] = value if equals else ask_secret(f"{name}=VALUE", name)
        elif not equals:
            raise UsageError(f"{name!r} needs a value: {name}=VALUE")
        elif name in kind._options:
            change.options[name] = read_option(name, value, kind._options[name])
        elif name in _FIELDS:
            change.fields[name] = _field(name, value)
        else:
            known = [*_FIELDS, *kind._options, *kind._credentials]
            raise UsageError(f"a backend of type {kind._name} has no {name!r}{near(name, known)}")
    return change


def read_option(name: str, text: str, default: Any) -> Any:
    """Read an option's value by the type of its default.

    Args:
        name: The option, for the message.
        text: As on the command line.
        default: The option's default.

    Raises:
        UsageError: When the text is no value of that type.

    >>> read_option("boards", "5a, 5b", []), read_option("boards", '["5a"]', [])
    (['5a', '5b'], ['5a'])
    >>> read_option("link_base", "", None) is None
    True
    """  # noqa: DOC502 - raised by what is called
    if isinstance(default, bool):
        return _yes(name, text)
    if isinstance(default, (int, float)):
        return _number(name, text)
    if isinstance(default, list):
        if text.lstrip().startswith("["):
            return _json(name, text, list, "list")
        return [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(default, Mapping):
        return _json(name, text or "{}", dict, "object")
    return text or None


def _field(name: str, text: str) -> Any:
    if name == "active":
        return _yes(name, text)
    if name in _NUMBERS:
        return _number(name, text)
    if name == "name" and not text.strip():
        raise UsageError("a backend's name cannot be empty")
    return text.strip() or None


def _yes(name: str, text: str) -> bool:
    found = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(
        text.strip().lower()
    )
    if found is None:
        raise UsageError(f"{name} is true or false, not {text!r}")
    return found


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < 1e9:  # also refuses NaN
        raise UsageError(f"{name} is a number from 0 on, not {text!r}")
    return number


def _json(name: str, text: str, kind: type, word: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError as exc:
        raise UsageError(f"{name} is a JSON {word}, and {text!r} cannot be read: {exc}") from None
    if not isinstance(value, kind):
        raise UsageError(f"{name} is a JSON {word}, not {text!r}")
    return value
