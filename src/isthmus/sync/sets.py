"""Sets merge as additions and removals, so that both sides may change them at once and nothing is lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SetChange:
    """What was done to a set since it was last seen.

    Attributes:
        added: Elements that came.
        removed: Elements that went.
    """

    added: tuple[Any, ...] = ()
    removed: tuple[Any, ...] = ()

    @classmethod
    def between(cls, before: Sequence[Any], after: Sequence[Any]) -> "SetChange":
        """Compare two states of a set.

        >>> SetChange.between(["a", "b"], ["b", "c"])
        SetChange(added=('c',), removed=('a',))
        """
        return cls(
            added=tuple(v for v in after if v not in before),
            removed=tuple(v for v in before if v not in after),
        )

    def apply(self, now: Sequence[Any]) -> list[Any]:
        """Do the same to another set; elements that it has of its own stay.

        >>> SetChange(added=("c",), removed=("a",)).apply(["a", "mine"])
        ['mine', 'c']
        """
        kept = [v for v in now if v not in self.removed]
        return kept + [v for v in self.added if v not in kept]

    def __bool__(self) -> bool:
        """Tell whether anything was done."""
        return bool(self.added or self.removed)


def is_set(value: Any) -> bool:
    """Tell whether a value is a set of keys or words, and not lines or commands.

    >>> is_set(["a", 1]), is_set([(4, 1, 0)]), is_set("abc"), is_set(None)
    (True, False, False, False)
    """
    return isinstance(value, (list, set, frozenset)) and all(
        isinstance(v, (str, int)) and not isinstance(v, bool) for v in value
    )
