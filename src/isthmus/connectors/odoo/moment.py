"""Instants in the options of a backend: text, since options are JSON, and people write them too."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from isthmus.errors import UsageError

_OPTIONS: Final = ("key_expires", "key_overlap_until")


def moment(text: str) -> datetime:
    """Read an instant; without an offset it is UTC.

    Raises:
        ValueError: When it is none.

    >>> moment("2026-12-01").isoformat(), moment("2026-12-01T12:00+02:00").isoformat()
    ('2026-12-01T00:00:00+00:00', '2026-12-01T10:00:00+00:00')
    """  # noqa: DOC502 - raised by what is called
    told = datetime.fromisoformat(text)
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)


def read_moments(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give options with their instants as `moment` reads them.

    Raises:
        UsageError: When one is none; names it.
    """
    found = dict(options)
    for name in _OPTIONS:
        if found.get(name) is None:
            continue
        try:
            found[name] = moment(str(found[name])).isoformat()
        except (ValueError, OverflowError):
            raise UsageError(
                f"{name} is a day or an instant, like 2026-12-01 or 2026-12-01T18:00+01:00, not "
                f"{found[name]!r}"
            ) from None
    return found
