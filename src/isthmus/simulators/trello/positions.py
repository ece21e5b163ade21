"""The ``pos`` of lists, cards, checklists and check items; and collections sorted by a key."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from isthmus.simulators.trello.refusals import InvalidValueError

CARD_STEP = 65536
"""Distance of neighbours on a board (lists) and in a list (cards); recorded: 65535, 131071."""

CHECKLIST_STEP = 16384
"""Distance of neighbouring checklists and check items; recorded: 16384, 32768."""

K = TypeVar("K", str, "tuple[float, str]")


class Ordered(Generic[K]):
    """Keys kept sorted: cheap to add, to drop and to read from either end.

    >>> keys = Ordered[str]()
    >>> for key in ("b", "c", "a"):
    ...     keys.add(key)
    >>> keys.discard("b")
    >>> list(keys), list(keys.newest_first(before="c"))
    (['a', 'c'], ['a'])
    """

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: list[K] = []

    def __iter__(self) -> Iterator[K]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def first(self) -> K | None:
        """The smallest key, None when there is none."""
        return self._keys[0] if self._keys else None

    @property
    def last(self) -> K | None:
        """The greatest key, None when there is none."""
        return self._keys[-1] if self._keys else None

    def add(self, key: K) -> None:
        """Put a key in its place."""
        insort(self._keys, key)

    def discard(self, key: K) -> None:
        """Drop a key if it is there."""
        at = bisect_left(self._keys, key)
        if at < len(self._keys) and self._keys[at] == key:
            del self._keys[at]

    def newest_first(self, *, before: K | None = None) -> Iterator[K]:
        """Walk down from the end, or from just below *before*."""
        at = len(self._keys) if before is None else bisect_left(self._keys, before)
        for index in range(at - 1, -1, -1):
            yield self._keys[index]


def place(value: Any, siblings: "Ordered[tuple[float, str]]", *, step: int = CARD_STEP) -> float:
    """Turn a wished position into a number among *siblings*.

    Args:
        value: ``"top"``, ``"bottom"``, a positive number (also as text), or None for the bottom.
        siblings: The sorted (position, ID) pairs of those already there.
        step: The distance that an element put at the bottom keeps from the last one.

    Raises:
        InvalidValueError: When *value* is none of these.

    >>> place("bottom", Ordered()), place(7, Ordered()), place("0.5", Ordered())
    (65535, 7, 0.5)
    """
    first, last = siblings.first, siblings.last
    if value in (None, "", "bottom"):
        return plain(last[0] + step) if last else plain(step - 1 if step == CARD_STEP else step)
    if value == "top":
        return plain(first[0] / 2) if first else plain(step - 1 if step == CARD_STEP else step)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidValueError("pos") from None
    if isinstance(value, bool) or not 0 < number < float("inf"):
        raise InvalidValueError("pos")
    return plain(number)


def plain(number: float) -> float:
    """Write whole numbers without a fraction, as JavaScript does."""
    return int(number) if number == int(number) else number
