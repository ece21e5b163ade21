"""The options of ``with_delay``, checked."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

from isthmus.errors import JobArgumentError, near
from isthmus.job.lane.name import full_name

_LONGEST_KEY: Final = 1_000
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a job is to be run.

    Attributes:
        priority: 0 is the most urgent.
        eta: Not before this instant, or not before so long from now; None for at once.
        max_retries: Executions in total, 0 sets no limit; None takes the method's.
        description: For people; None takes the method's.
        channel: Full name of the lane; None takes the method's.
        identity_key: Says which jobs are the same, or makes it from the job; None for no such thing.
    """

    priority: int = 10
    eta: datetime | timedelta | None = None
    max_retries: int | None = None
    description: str | None = None
    channel: str | None = None
    identity_key: str | Callable[[Any], str | None] | None = None


KNOWN: Final = tuple(field.name for field in fields(Options))


def read_options(options: Mapping[str, Any]) -> Options:
    """Check the options of ``with_delay``.

    Args:
        options: As they were given; one that is None counts as not given.

    Raises:
        JobArgumentError: When one is unknown or does not fit; names it.

    >>> read_options({"eta": 90}).eta
    datetime.timedelta(seconds=90)
    """
    for name in options:
        if name not in KNOWN:
            raise JobArgumentError(f"with_delay has no option {name!r}{near(name, KNOWN)}")
    given = {name: _READERS[name](value) for name, value in options.items() if value is not None}
    return Options(**given)


def _unfit(name: str, needed: str, value: Any) -> str:
    return f"option {name!r} of with_delay is {needed}, not {value!r}"


def _count(name: str) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if type(value) is not int or not 0 <= value < 2**31:
            raise JobArgumentError(_unfit(name, "a number from 0 on", value))
        return value

    return read


def _eta(value: Any) -> datetime | timedelta | None:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise JobArgumentError(
                _unfit("eta", "an instant with a time zone, a timedelta or seconds", value)
            )
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            value = timedelta(seconds=value)
        except (OverflowError, ValueError):
            raise JobArgumentError(_unfit("eta", "an instant, a timedelta or seconds", value)) from None
    if not isinstance(value, timedelta):
        raise JobArgumentError(_unfit("eta", "an instant, a timedelta or seconds", value))
    return value if value > timedelta(0) else None


def _text(name: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise JobArgumentError(_unfit(name, "text", value))
        return storable(value)

    return read


def _key(value: Any) -> Any:
    return value if callable(value) else checked_key(value)


def checked_key(value: Any) -> str:
    """Refuse what is no identity key.

    Raises:
        JobArgumentError: When it is not text of a sensible length.
    """
    if not isinstance(value, str) or not value or len(value) > _LONGEST_KEY or storable(value) != value:
        raise JobArgumentError(
            _unfit("identity_key", f"text of 1 to {_LONGEST_KEY} characters or a function", value)
        )
    return value


def storable(text: str) -> str:
    r"""Write characters that PostgreSQL refuses as escapes.

    >>> storable("a\x00b")
    'a\\x00b'
    """
    return _UNSTORABLE.sub(lambda m: m.group().encode("unicode_escape").decode("ascii"), text)


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "priority": _count("priority"),
    "eta": _eta,
    "max_retries": _count("max_retries"),
    "description": _text("description"),
    "channel": lambda value: full_name(value, "with_delay"),
    "identity_key": _key,
}
