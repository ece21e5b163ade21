"""What a mapper does, as data that others can read: its entries in the order they run."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

EntryKind: TypeAlias = Literal["direct", "method", "child"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingEntry:
    """One step of a mapping.

    Attributes:
        kind: Which declaration it comes from: `direct`, a mapping method or `children`.
        name: The method's name; the target field of the other kinds.
        reads: Source fields, as far as they are known.
        writes: Target fields, as far as they are known; empty for a one-way method.
        changed_by: Source fields that let a method run beside its `reads`; empty and without
            `reads`: it always runs.
        only_create: True when it runs for new records only.
        two_way: True when both ends are known, so that a change of them causes a write.
    """

    kind: EntryKind
    name: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    changed_by: frozenset[str] = frozenset()
    only_create: bool = False
    two_way: bool = True

    def concerns(self, fields: frozenset[str]) -> bool:
        """Tell whether it runs when these source fields changed."""
        if not (self.reads or self.changed_by):
            return True
        return not (fields.isdisjoint(self.reads) and fields.isdisjoint(self.changed_by))


@dataclass(frozen=True, slots=True)
class MappingPlan:
    """All entries of a mapper, in the order they run.

    >>> plan = MappingPlan((
    ...     MappingEntry(kind="direct", name="name", reads=("title",), writes=("name",)),
    ...     MappingEntry(kind="method", name="stamp", two_way=False),
    ... ))
    >>> plan.reads
    ('title',)
    >>> [entry.name for entry in plan.select({"other"}).entries]
    ['stamp']

    Attributes:
        entries: In the order they run.
    """

    entries: tuple[MappingEntry, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        """Every source field the mapper is known to look at, each once."""
        names: dict[str, None] = {}
        for entry in self.entries:
            names.update(dict.fromkeys(entry.reads))
            names.update(dict.fromkeys(sorted(entry.changed_by)))
        return tuple(names)

    @property
    def writes(self) -> tuple[str, ...]:
        """Every target field the mapper is known to fill, each once."""
        return tuple(dict.fromkeys(name for entry in self.entries for name in entry.writes))

    def select(self, fields: Iterable[str] | None) -> "MappingPlan":
        """Keep what runs when these source fields changed.

        Args:
            fields: Source fields; None or none of them keeps everything.
        """
        wanted = frozenset(fields or ())
        if not wanted:
            return self
        return MappingPlan(tuple(entry for entry in self.entries if entry.concerns(wanted)))
