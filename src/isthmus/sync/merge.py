"""The three-way merge: what one field group needs, decided from four sets of values and nothing else."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from isthmus.binding import Image
from isthmus.sync.sets import is_set


class Verdict(StrEnum):
    """What one field group needs."""

    NOTHING = "nothing"
    """Neither side changed."""
    IMPORT = "import"
    """Theirs changed: ours gets the mapped value."""
    EXPORT = "export"
    """Ours changed: theirs gets the mapped value."""
    AGREE = "agree"
    """Both changed to the same."""
    CONFLICT = "conflict"
    """Both changed, to different values: the policy decides."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a binding, in its own space.

    Attributes:
        seen: Source values as last seen; None when never seen, so that everything counts as changed.
        now: Source values as they are; fields that were not read are absent and count as unchanged.
        ours_under_way: Values that an open effect of ours may have written to this side: a value
            equal to one of them is no change of theirs.
    """

    seen: Image | None
    now: Image
    ours_under_way: Mapping[str, Any] | None = None

    def changed(self, fields: Iterable[str]) -> list[str]:
        """List the fields whose value is neither the one last seen nor one we wrote.

        >>> Side({"name": "a", "pos": 1}, {"name": "b", "pos": 1}).changed(["name", "pos"])
        ['name']
        >>> Side({"name": "a"}, {"name": "b"}, {"name": "b"}).changed(["name"])
        []
        """
        return [name for name in fields if name in self.now and self._differs(name)]

    def _differs(self, name: str) -> bool:
        now = self.now[name]
        if (
            self.ours_under_way is not None
            and name in self.ours_under_way
            and self.ours_under_way[name] == now
        ):
            return False
        return self.seen is None or name not in self.seen or not _same(self.seen[name], now)


def _same(before: Any, now: Any) -> bool:
    """Compare two values; a set has no order."""
    if is_set(before) and is_set(now):
        return set(before) == set(now)
    return bool(before == now)


def judge(
    theirs: Side,
    ours: Side,
    *,
    their_fields: Iterable[str],
    our_fields: Iterable[str],
    importable: bool,
    exportable: bool,
    agree: Callable[[], bool],
) -> Verdict:
    """Decide about one field group.

    Args:
        theirs: The other system's side.
        ours: Our side.
        their_fields: Fields of the group there.
        our_fields: Fields of the group here.
        importable: True when the import mapper covers the group.
        exportable: True when the export mapper covers it. A group that goes one way only follows that
            way: what the other side changed is not looked at.
        agree: Tells whether theirs, mapped, equals ours; asked only when both changed.

    Returns:
        The verdict. The policy for a conflict is the caller's.
    """
    changed_there = importable and bool(theirs.changed(their_fields))
    changed_here = exportable and bool(ours.changed(our_fields))
    if changed_there and changed_here:
        return Verdict.AGREE if agree() else Verdict.CONFLICT
    if changed_there:
        return Verdict.IMPORT
    return Verdict.EXPORT if changed_here else Verdict.NOTHING


def advance(seen: Image | None, now: Image, fields: Iterable[str]) -> Image:
    """Take the present values of some fields into an image; the others stay as they were.

    >>> advance({"name": "a", "pos": 1}, {"name": "b", "pos": 2}, ["name"])
    {'name': 'b', 'pos': 1}
    """
    image = dict(seen or {})
    image.update({name: now[name] for name in fields if name in now})
    return image
