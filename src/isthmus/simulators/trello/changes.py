"""Applying a set of wished values at once, and telling which of them were changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from isthmus.simulators.trello.entities import Json
from isthmus.simulators.trello.params import Params

Reader = Callable[[Params, str], Any]


@dataclass(slots=True)
class Changes:
    """What a write really changed, by the API's names.

    Attributes:
        old: The values before.
        new: The values after, same keys.
    """

    old: Json = field(default_factory=dict)
    new: Json = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.new)

    def set(self, entity: object, attribute: str, name: str, value: Any) -> None:
        """Set one attribute and note it, unless it has that value already."""
        before = getattr(entity, attribute)
        if before != value:
            self.old[name], self.new[name] = before, value
            setattr(entity, attribute, value)


def read(params: Params, fields: Mapping[str, tuple[str, Reader]]) -> list[tuple[str, str, Any]]:
    """Read those *fields* that the request brings, before anything is changed.

    Args:
        params: The request's parameters.
        fields: Per API name the attribute it is kept in and how it is read.

    Returns:
        (attribute, API name, value) for each field present.
    """
    return [
        (attribute, name, reader(params, name))
        for name, (attribute, reader) in fields.items()
        if name in params
    ]


def name_text(params: Params, name: str) -> str:
    """Read a name: trimmed, not blank."""
    return params.required(name)


def long_text(params: Params, name: str) -> str:
    """Read a description: kept as written."""
    return params.text(name, trim=False)


def flag(params: Params, name: str) -> bool:
    """Read a yes or no."""
    return params.flag(name)


def instant(params: Params, name: str) -> str | None:
    """Read an instant or nothing."""
    return params.instant(name)


def text_or_none(params: Params, name: str) -> str | None:
    """Read a text where empty means nothing."""
    return params.text(name) or None


def number_or_none(params: Params, name: str) -> int | None:
    """Read a whole number where empty means nothing; -1 stands for "none" here."""
    text = params.text(name)
    return int(text) if text.lstrip("-").isdigit() else None
