"""Identifiers and instants as Trello spells them."""

import random
import string
from datetime import UTC, datetime

from isthmus.clock import Clock

_HEX = frozenset("0123456789abcdef")
_LINK_ALPHABET = string.ascii_letters + string.digits


def iso(moment: datetime) -> str:
    """Spell an instant the way every Trello answer does: UTC, milliseconds, ``Z``.

    >>> iso(datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC))
    '2026-01-02T03:04:05.678Z'
    """
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def is_object_id(text: str) -> bool:
    """Tell whether *text* is a 24-digit object ID.

    >>> is_object_id("548a675581d1d669c9e8184e"), is_object_id("nonsense")
    (True, False)
    """
    return len(text) == 24 and _HEX.issuperset(text)


def is_short_link(text: str) -> bool:
    """Tell whether *text* has the form of a short link (8 letters and digits)."""
    return len(text) == 8 and text.isascii() and text.isalnum()


def created_at(object_id: str) -> datetime:
    """Read the creation time (whole seconds) out of an object ID.

    >>> created_at("548a675581d1d669c9e8184e").isoformat()
    '2014-12-12T03:56:05+00:00'
    """
    return datetime.fromtimestamp(int(object_id[:8], 16), UTC)


def floor_id(moment: datetime) -> str:
    """Give the smallest object ID that could have been made at *moment*."""
    return f"{int(moment.timestamp()):08x}" + "0" * 16


class IdSource:
    """Makes identifiers: the time comes from the clock, the rest from the seed.

    IDs of one source always ascend, also when the clock is set back, so that "newest
    first" and "before this ID" mean the same thing.
    """

    def __init__(self, *, seed: int, clock: Clock) -> None:
        self._random = random.Random(f"trello ids {seed}")
        self._clock = clock
        self._machine = f"{self._random.getrandbits(40):010x}"
        self._count = self._random.getrandbits(16)
        self._last = 0

    def object_id(self) -> str:
        """Make the next 24-digit ID; its first 8 digits are the present second."""
        self._last = max(self._last, int(self._clock.now().timestamp()))
        self._count += 1
        if self._count > 0xFFFFFF:
            self._count = 1
            self._last += 1
        return f"{self._last:08x}{self._machine}{self._count:06x}"

    def short_link(self) -> str:
        """Make a short link: 8 letters and digits."""
        return "".join(self._random.choices(_LINK_ALPHABET, k=8))

    def secret(self, digits: int) -> str:
        """Make a credential of so many hexadecimal digits."""
        return f"{self._random.getrandbits(digits * 4):0{digits}x}"
