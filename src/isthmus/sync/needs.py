"""What the records of a page need: dependencies to any depth, put first."""

from collections.abc import Callable, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from isthmus.binding import external_key
from isthmus.env import Env
from isthmus.errors import HiddenRecordError, InvalidDataError, ParkError, SkipRecord
from isthmus.sync.item import GATHER, Item, storable_key

_TOO_DEEP: Final = 50
"""Rounds of dependencies before the data is taken for circular."""


class Needs:
    """Follows what records depend on.

    Args:
        env: The unit of work.
        importer: Gives the record importer of a binding model.
        leave: Told of a record that leaves the page, and why.
    """

    def __init__(
        self, env: Env, importer: Callable[[str], Any], leave: Callable[[Item, Exception], None]
    ) -> None:
        self._env = env
        self._importer = importer
        self._leave = leave

    def gather(self, roots: list[Item]) -> list[Item]:
        """Follow dependencies to any depth and give all items, dependencies first."""
        index = {(i.model, i.external_id): i for i in roots}
        frontier = list(roots)
        with self._env.in_phase(GATHER):
            for _ in range(_TOO_DEEP):
                if not frontier:
                    break
                frontier = self._next_round(frontier, index)
        return self._in_order(list(index.values()))

    def _next_round(self, frontier: list[Item], index: dict[tuple[str, str | None], Item]) -> list[Item]:
        wanted: dict[str, dict[str, list[Item]]] = {}
        for item in frontier:
            importer = self._importer(item.model)
            try:
                item.scope = importer._scope(item)
                if not importer._should_import(item):
                    raise SkipRecord("not selected")
                for need in importer._import_dependencies(item):
                    key = external_key(need.key)
                    if key is None:
                        continue
                    storable_key(need.model, key)
                    if (need.model, key) not in index:
                        wanted.setdefault(need.model, {}).setdefault(key, []).append(item)
                    elif index[need.model, key].binding is None:
                        item.depends.append(index[need.model, key])
            except (SkipRecord, ParkError) as outcome:
                self._leave(item, outcome)
                del index[item.model, item.external_id]
        found: list[Item] = []
        for model, needs in wanted.items():
            found += self._read_dependencies(model, needs, index)
        index.update({(i.model, i.external_id): i for i in found})
        return found

    def _read_dependencies(
        self, model: str, needs: dict[str, list[Item]], index: dict[tuple[str, str | None], Item]
    ) -> list[Item]:
        importer = self._importer(model)
        bound = importer.binder.table.by_external(self._env.session, needs)
        missing = [k for k in needs if k not in bound]
        if not missing:
            return []
        found = []
        payloads, refused = read_apart(importer.backend_adapter, missing)
        for key, error in refused.items():
            why = InvalidDataError(f"{model} {key}, which it needs, cannot be read: {error}")
            for dependent in needs[key]:
                if index.pop((dependent.model, dependent.external_id), None) is not None:
                    self._leave(dependent, why)
        for key, payload in payloads.items():
            if payload is None:
                continue  # the mapping will say what is missing, and park the record
            item = Item(model=model, external_id=key, payload=payload)
            for dependent in needs[key]:
                dependent.depends.append(item)
            found.append(item)
        return found

    def _in_order(self, items: list[Item]) -> list[Item]:
        """Put dependencies first; where they go round in a circle its first record is parked."""
        needs = {item: item.depends for item in items}
        while True:
            # What was left out is not brought back by those who need it: their mapping says so.
            sorter = TopologicalSorter({i: [n for n in found if n in needs] for i, found in needs.items()})
            try:
                sorter.prepare()
                break
            except CycleError as error:
                circle: list[Item] = error.args[1][:0:-1]
                first = min(map(list(needs).index, circle))
                turn = circle.index(list(needs)[first])
                circle = [*circle[turn:], *circle[: turn + 1]]
                names = " -> ".join(f"{i.model} {i.external_id}" for i in circle)
                self._leave(circle[0], InvalidDataError(f"records depend on each other in a circle: {names}"))
                del needs[circle[0]]
        level = 0
        while sorter.is_active():
            for item in (ready := sorter.get_ready()):
                item.level = level
            sorter.done(*ready)
            level += 1
        # By level and model, so that each kind of record is written by one statement.
        return sorted(needs, key=lambda i: (i.level, i.model))


def read_apart(adapter: Any, external_ids: Sequence[str]) -> tuple[dict[str, Any], dict[str, ParkError]]:
    """Read records of theirs of which some may be refused.

    Args:
        adapter: The backend adapter of their model.
        external_ids: Their IDs.

    Returns:
        What `read_many` gives for those that can be read, and for each other one the error that says why not.
    """
    refused: dict[str, ParkError] = {}
    try:
        return adapter.read_many(external_ids), refused
    except ParkError as error:
        if len(external_ids) == 1:
            return {}, {external_ids[0]: error}
        if isinstance(error, HiddenRecordError):
            refused = {k: HiddenRecordError(error.model, [k]) for k in external_ids if k in error.ids}
    left = [key for key in external_ids if key not in refused]
    # Where it is not told which, halve until it is alone.
    middle = 0 if refused else len(left) // 2
    found: dict[str, Any] = {}
    for part in filter(None, (left[:middle], left[middle:])):
        payloads, more = read_apart(adapter, part)
        found |= payloads
        refused |= more
    return found, refused
