"""All field groups of one record, judged for one direction."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from isthmus.binding import Image
from isthmus.mapping import FieldGroup
from isthmus.sync.item import Conflict
from isthmus.sync.merge import Side, Verdict, judge
from isthmus.sync.sets import SetChange, is_set
from isthmus.sync.synchronizer import Scheme


@dataclass(slots=True)
class Weighed:
    """What each group of a record needs.

    Attributes:
        moved: Groups whose change goes to the other side now.
        sets: Those of them that are sets: they merge and never conflict.
        agreed: Groups that both sides changed to the same.
        conflicts: Groups that a person must decide.
        one_way: Groups that never go in this direction; what that side shows is just noted.
    """

    moved: list[FieldGroup] = field(default_factory=list)
    sets: list[FieldGroup] = field(default_factory=list)
    agreed: list[FieldGroup] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    one_way: list[FieldGroup] = field(default_factory=list)


def weigh(
    scheme: Scheme, theirs: Side, ours: Side, *, toward: Verdict, agree: Callable[[FieldGroup], bool]
) -> Weighed:
    """Judge every group of a record.

    Args:
        scheme: The groups.
        theirs: Their side.
        ours: Our side.
        toward: ``IMPORT`` or ``EXPORT``: which changes move now; the others wait for their own run.
        agree: Tells whether both sides of a group, mapped, are equal.
    """
    weighed = Weighed()
    for group in scheme.groups:
        importable, exportable = scheme.importable(group), scheme.exportable(group)
        goes = importable if toward is Verdict.IMPORT else exportable
        source, fields = (theirs, group.theirs) if toward is Verdict.IMPORT else (ours, group.ours)
        if goes and _is_set(group, theirs, ours):
            if source.changed(fields):
                weighed.moved.append(group)
                weighed.sets.append(group)
            continue
        verdict = judge(
            theirs, ours, their_fields=group.theirs, our_fields=group.ours,
            importable=importable, exportable=exportable, agree=lambda g=group: agree(g),  # type: ignore[misc]
        )  # fmt: skip
        if verdict is toward:
            weighed.moved.append(group)
        elif verdict is Verdict.AGREE:
            weighed.agreed.append(group)
        elif verdict is Verdict.CONFLICT:
            weighed.conflicts.append(Conflict(group, _part(theirs, group.theirs), _part(ours, group.ours)))
        elif not goes:
            weighed.one_way.append(group)
    return weighed


def _is_set(group: FieldGroup, theirs: Side, ours: Side) -> bool:
    """Tell whether a group is one set on each side."""
    if len(group.theirs) != 1 or len(group.ours) != 1:
        return False
    return is_set(theirs.now.get(group.theirs[0])) and is_set(ours.now.get(group.ours[0]))


def _part(side: Side, fields: Iterable[str]) -> Image:
    return {f: side.now[f] for f in fields if f in side.now}


def merge_sets(
    groups: Iterable[tuple[str, str]],
    values: dict[str, Any],
    *,
    mapped_before: Callable[[str], Mapping[str, Any]],
    target: Side,
) -> Image:
    """Turn mapped sets into what the written side shall have: its own elements stay.

    Args:
        groups: (source field, target field) of each set.
        values: Mapped values; the sets in it are replaced.
        mapped_before: Maps the source with one field as it was last seen.
        target: The side that is written.

    Returns:
        The image of those target fields: what was seen there with the source's change done to it, so
        that what the target added itself still shows as its change.
    """
    image: Image = {}
    for source, name in groups:
        if not is_set(values.get(name)):
            continue  # lines or commands: the mapping compares them itself
        before = mapped_before(source).get(name) or []
        change = SetChange.between(list(before), list(values[name]))
        now = list(target.now.get(name) or [])
        merged = change.apply(now)
        if set(merged) == set(now):
            del values[name]
        else:
            values[name] = merged
        image[name] = change.apply(list((target.seen or {}).get(name) or []))
    return image
