"""What the records of a page need: dependencies to any depth, put first."""

from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from isthmus.binding import external_key
from isthmus.env import Env
from isthmus.errors import InvalidDataError, ParkError, SkipRecord
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
            found += self._read_dependencies(model, needs)
        index.update({(i.model, i.external_id): i for i in found})
        return found

    def _read_dependencies(self, model: str, needs: dict[str, list[Item]]) -> list[Item]:
        importer = self._importer(model)
        bound = importer.binder.table.by_external(self._env.session, needs)
        missing = [k for k in needs if k not in bound]
        if not missing:
            return []
        found = []
        for key, payload in importer.backend_adapter.read_many(missing).items():
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
