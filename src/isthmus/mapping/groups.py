"""Which fields of both sides belong together: the units in which a merge decides."""

from dataclasses import dataclass

from isthmus.mapping.plan import MappingEntry, MappingPlan


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """A connected component of "our field - their field".

    Attributes:
        theirs: Fields of the other system, in the order the plans name them.
        ours: Fields of ours, likewise.
    """

    theirs: tuple[str, ...]
    ours: tuple[str, ...]


def field_groups(import_plan: MappingPlan, export_plan: MappingPlan) -> tuple[FieldGroup, ...]:
    """Join the ends of both directions into groups.

    Entries without known ends (see `one_way`) and those for new records only take no part.

    Args:
        import_plan: The plan of the import mapper: reads theirs, writes ours.
        export_plan: The plan of the export mapper: reads ours, writes theirs.

    Returns:
        Groups in the order in which the plans first name one of their fields, the import
        plan's first. No field is in two of them.

    >>> card = MappingEntry(kind="direct", name="name", reads=("title",), writes=("name",))
    >>> task = MappingEntry(kind="method", name="title", reads=("name", "code"), writes=("title",))
    >>> field_groups(MappingPlan((card,)), MappingPlan((task,)))
    (FieldGroup(theirs=('title',), ours=('name', 'code')),)
    """
    links = [_nodes("theirs", "ours", entry) for entry in import_plan.entries if _takes_part(entry)]
    links += [_nodes("ours", "theirs", entry) for entry in export_plan.entries if _takes_part(entry)]
    group_of: dict[tuple[str, str], dict[tuple[str, str], None]] = {}
    for link in links:
        joined: dict[tuple[str, str], None] = {}
        for node in link:
            joined.update(group_of.get(node, {node: None}))
        for node in joined:
            group_of[node] = joined
    # A dict keeps the order of first insertion, and so the order in which the plans name the fields.
    groups = {id(group): group for group in group_of.values()}
    places = {node: place for place, node in enumerate(group_of)}
    return tuple(
        FieldGroup(
            theirs=tuple(name for side, name in ordered if side == "theirs"),
            ours=tuple(name for side, name in ordered if side == "ours"),
        )
        for ordered in (sorted(group, key=places.__getitem__) for group in groups.values())
    )


def one_way(plan: MappingPlan) -> tuple[MappingEntry, ...]:
    """Give the entries that cannot cause a write themselves, because their ends are unknown."""
    return tuple(entry for entry in plan.entries if not entry.two_way)


def _takes_part(entry: MappingEntry) -> bool:
    return entry.two_way and not entry.only_create


def _nodes(source: str, target: str, entry: MappingEntry) -> list[tuple[str, str]]:
    return [(source, name) for name in entry.reads] + [(target, name) for name in entry.writes]
