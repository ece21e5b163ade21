"""From nested chains and groups to jobs and the edges between them.

A structure is two gates, and a third one if its failure is watched: what comes before it leads to the
first one, its items lead to the others. Gates are not stored. Each hands on the jobs that lead to it;
where many of those meet many that follow, a join is made of it, a job that does nothing, so that n jobs
before m others take n + m edges and not n x m.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final

from isthmus.errors import JobDefinitionError
from isthmus.job.graph.part import Part, Prepared, Structure, after, items_of, wholes
from isthmus.job.state import State

Edge = tuple[int, int, State]
_Source = tuple[int, bool]
"""A job (or a gate), and whether its failure is meant."""

_GATES: Final = 3
_ENTER, _LEAVE, _FAIL = range(_GATES)


@dataclass(frozen=True, slots=True)
class Layout:
    """A graph as it is stored.

    Attributes:
        parts: All parts, structures too.
        calls: The prepared calls; None where a join stands. What waits comes after what it waits for.
        edges: Positions in *calls*: who is waited for, who waits, and for which end.
    """

    parts: Collection[Part]
    calls: Sequence[Prepared | None]
    edges: Sequence[Edge]


def lay_out(top: Part) -> Layout:
    """Find the jobs of a structure and the edges between them.

    Takes linear time and does not recurse, however large and deep the structure is.

    Args:
        top: What is delayed.

    Raises:
        JobDefinitionError: When jobs wait for each other in a circle, when a job belongs to something
            that is not part of *top*, or when it waits for both the success and the failure of others.
    """  # noqa: DOC502 - raised by what is called
    parts = _parts(top)
    _refuse_strangers(top, parts)
    return _Builder(parts).build()


def _parts(top: Part) -> dict[Part, int]:
    """List all parts in the order in which they are written: items first, then what follows."""
    found: dict[Part, int] = {}
    stack = [top]
    while stack:
        part = stack.pop()
        if part not in found:
            found[part] = len(found)
            stack.extend(follower for follower, _ in reversed(after(part)))
            stack.extend(reversed(items_of(part)))
    return found


def _refuse_strangers(top: Part, parts: dict[Part, int]) -> None:
    for part in parts:
        for whole in wholes(part):
            if whole in parts:
                continue
            if part is top:
                raise JobDefinitionError(
                    f"{top!r} is part of {whole!r}: delay that, and all of it is delayed"
                )
            raise JobDefinitionError(
                f"{part!r} is part of {whole!r} too, which is not among what is delayed: "
                f"put both into one group() and delay that"
            )


class _Builder:
    """Lays out one structure."""

    def __init__(self, parts: dict[Part, int]) -> None:
        self._parts = parts
        self._order = list(parts)
        # Calls are numbered as they are written, then come joins, of which there are no more than gates.
        self._count = len(parts)
        self._first_gate = (1 + _GATES) * self._count
        self._into: dict[int, list[_Source]] = {}
        self._sources: dict[int, list[_Source]] = {}
        self._joins: list[tuple[tuple[int, int], list[_Source]]] = []
        self._alarms: set[int] = set()
        """Joins that the first failure lets begin."""
        self._empty = self._find_empty()

    def build(self) -> Layout:
        """Give calls and edges."""
        self._connect()
        gates = self._ordered_gates()
        self._pass_gates(gates, self._fan_out(gates))
        return self._number()

    # -- gates -------------------------------------------------------------------------

    def _gate(self, number: int, which: int) -> int:
        """Give a gate of a structure; a call is all its gates itself."""
        if isinstance(self._order[number], Structure):
            return self._first_gate + _GATES * number + which
        return number

    def _find_empty(self) -> set[int]:
        """Find the structures that have no call in them, in any depth."""
        # Items are made before what they are put into, so what is settled by its items comes up later
        # in a walk that returns to each structure after its items.
        empty: set[int] = set()
        seen: set[int] = set()
        stack = [n for n, part in enumerate(self._order) if isinstance(part, Structure)]
        while stack:
            number = stack.pop()
            inner = [self._parts[item] for item in items_of(self._order[number])]
            todo = [n for n in inner if n not in seen and isinstance(self._order[n], Structure)]
            if number not in seen and todo:
                stack += [number, *todo]
                seen.add(number)
            elif all(n in empty for n in inner):
                empty.add(number)
            seen.add(number)
        return empty

    def _link(self, source: int, target: int, failed: bool = False) -> None:
        self._into.setdefault(target, []).append((source, failed and source < self._count))

    def _connect(self) -> None:
        """Link items to the gates of their structure, and each part to what follows it."""
        watched = self._watched()
        for number, part in enumerate(self._order):
            for follower, state in after(part):
                failed = state is State.FAILED
                gate = self._gate(number, _FAIL if failed else _LEAVE)
                self._link(gate, self._gate(self._parts[follower], _ENTER), failed)
            if isinstance(part, Structure):
                self._connect_items(number, part)
                if number in watched:
                    for item in items_of(part):
                        self._link(self._gate(self._parts[item], _FAIL), self._gate(number, _FAIL), True)

    def _connect_items(self, number: int, part: Structure) -> None:
        enter, leave = self._gate(number, _ENTER), self._gate(number, _LEAVE)
        before = enter
        for item in items_of(part):
            inner = self._parts[item]
            self._link(before, self._gate(inner, _ENTER))
            if part.in_line:
                before = self._gate(inner, _LEAVE)
            elif inner not in self._empty:
                self._link(self._gate(inner, _LEAVE), leave)
        if part.in_line or number in self._empty:
            self._link(before, leave)

    def _watched(self) -> set[int]:
        """Find the structures whose failure, or that of what they are in, is watched."""
        stack = [
            number for number, part in enumerate(self._order)
            if isinstance(part, Structure) and any(state is State.FAILED for _, state in after(part))
        ]  # fmt: skip
        found: set[int] = set()
        while stack:
            number = stack.pop()
            if number not in found:
                found.add(number)
                stack += [self._parts[i] for i in items_of(self._order[number]) if isinstance(i, Structure)]
        return found

    def _ordered_gates(self) -> list[int]:
        """Order the gates so that each comes after those that lead to it."""
        waits: dict[int, int] = {}
        followers: dict[int, list[int]] = {}
        for target, sources in self._into.items():
            if target >= self._first_gate:
                waits.setdefault(target, 0)
                for source, _ in sources:
                    if source >= self._first_gate:
                        waits.setdefault(source, 0)
                        waits[target] += 1
                        followers.setdefault(source, []).append(target)
            else:
                waits |= {
                    source: 0 for source, _ in sources if source >= self._first_gate and source not in waits
                }
        ready = [gate for gate, count in waits.items() if not count]
        for gate in ready:
            for follower in followers.get(gate, ()):
                waits[follower] -= 1
                if not waits[follower]:
                    ready.append(follower)
        if len(ready) < len(waits):
            stuck = min(gate for gate, count in waits.items() if count)
            self._refuse_circle([(stuck - self._first_gate) // _GATES])
        return ready

    def _fan_out(self, gates: Sequence[int]) -> dict[int, int]:
        """Count what follows each gate, as far as a job comes of it."""
        count = dict.fromkeys(gates, 0)
        for number in range(self._count):
            for source, _ in self._into.get(number, ()):
                if source in count:
                    count[source] += 1
        for gate in reversed(gates):
            if count[gate]:
                for source, _ in self._into.get(gate, ()):
                    if source in count:
                        count[source] += 1
        return count

    def _pass_gates(self, gates: Sequence[int], fan_out: dict[int, int]) -> None:
        """Let each gate hand on the jobs that lead to it."""
        for gate in gates:
            if not fan_out[gate]:
                continue
            found = self._plain(self._collect(gate, fan_out))
            if len(found) * fan_out[gate] > len(found) + fan_out[gate]:
                found = [self._join(found)]
            self._sources[gate] = found

    def _collect(self, target: int, fan_out: dict[int, int]) -> list[_Source]:
        """Gather the jobs that lead to a gate or job."""
        lists: list[list[_Source]] = []
        own: list[_Source] = []
        for source, failed in self._into.pop(target, ()):
            if source < self._count:
                own.append((source, failed))
            elif fan_out[source] == 1:
                lists.append(self._sources.pop(source))  # nobody else wants it: no copy
            else:
                own += self._sources[source]
        lists.append(own)
        # The smaller into the larger: gates nested deeply would else be copied again and again.
        largest = max(lists, key=len)
        for some in lists:
            if some is not largest:
                largest += some
        return largest

    def _join(self, sources: list[_Source]) -> _Source:
        number = self._count + len(self._joins)
        if sources[0][1]:
            self._alarms.add(number)
        # It stands in line right after the last one that it waits for.
        self._joins.append(((max(self._place(s)[0] for s, _ in sources), len(self._joins) + 1), sources))
        return (number, False)

    def _is_alarm(self, source: _Source) -> bool:
        """Tell whether a failure leads to it."""
        vertex, failed = source
        return failed or vertex in self._alarms

    def _plain(self, sources: list[_Source]) -> list[_Source]:
        """Look through a join of failures that has others beside it: the first failure of all counts."""
        if not self._alarms or len(sources) < 2 or self._alarms.isdisjoint(vertex for vertex, _ in sources):
            return sources
        plain: list[_Source] = []
        for source in sources:
            if source[0] in self._alarms:
                plain += self._joins[source[0] - self._count][1]
            else:
                plain.append(source)
        return plain

    def _place(self, vertex: int) -> tuple[int, int]:
        return (vertex, 0) if vertex < self._count else self._joins[vertex - self._count][0]

    # -- numbers -----------------------------------------------------------------------

    def _number(self) -> Layout:
        fan_out = dict.fromkeys(self._sources, 2)  # what is left is looked at, not taken
        parents: dict[int, dict[int, bool]] = {}
        for number, part in enumerate(self._order):
            if isinstance(part, Prepared):
                parents[number] = self._unique(number, self._collect(number, fan_out))
        for index, (_, sources) in enumerate(self._joins):
            parents[self._count + index] = self._unique(self._count + index, sources)
        order = self._sorted(parents)
        position = {vertex: index for index, vertex in enumerate(order)}
        edges = [
            (position[parent], position[child], State.FAILED if failed else State.DONE)
            for child in order
            for parent, failed in parents[child].items()
        ]
        found = (self._order[vertex] if vertex < self._count else None for vertex in order)
        calls = [part if isinstance(part, Prepared) else None for part in found]
        return Layout(self._order, calls, edges)

    def _unique(self, child: int, sources: list[_Source]) -> dict[int, bool]:
        """Give each job that is waited for once.

        Raises:
            JobDefinitionError: When both ends of others are waited for.
        """
        sources = self._plain(sources)
        found = dict(sources)
        if len({self._is_alarm(source) for source in sources}) > 1:
            raise JobDefinitionError(
                f"{self._names([child])} waits for the success and for the failure of others, which does not "
                f"happen together: prepare one call for on_done and another one for on_failure"
            )
        return found

    def _sorted(self, parents: dict[int, dict[int, bool]]) -> list[int]:
        """Put each job after those it waits for, and else as it is written.

        Raises:
            JobDefinitionError: When that cannot be.
        """  # noqa: DOC502 - raised by what is called
        order = sorted(parents, key=self._place)
        if all(self._place(p) < self._place(child) for child in order for p in parents[child]):
            return order
        children: dict[int, list[int]] = {}
        for child in order:
            for parent in parents[child]:
                children.setdefault(parent, []).append(child)
        waits = {vertex: len(found) for vertex, found in parents.items()}
        ready = [(self._place(vertex), vertex) for vertex in order if not waits[vertex]]
        heapify(ready)
        order = []
        while ready:
            _, vertex = heappop(ready)
            order.append(vertex)
            for child in children.get(vertex, ()):
                waits[child] -= 1
                if not waits[child]:
                    heappush(ready, (self._place(child), child))
        if len(order) < len(parents):
            self._refuse_circle(_circle(parents, set(order)))
        return order

    def _refuse_circle(self, vertices: Sequence[int]) -> None:
        raise JobDefinitionError(f"jobs wait for each other in a circle: {self._names(vertices)}")

    def _names(self, vertices: Sequence[int]) -> str:
        """Name parts, for a message; a join has no name."""
        names = [repr(self._order[vertex]) for vertex in vertices if vertex < self._count] or ["a group"]
        return " -> ".join([*names[:10], *(["..."] if len(names) > 10 else [])])


def _circle(parents: dict[int, dict[int, bool]], sound: set[int]) -> list[int]:
    """Find one circle, in the order of waiting."""
    stuck = iter(vertex for vertex in parents if vertex not in sound)
    path: dict[int, None] = {}
    vertex = next(stuck)
    while vertex not in path:
        path[vertex] = None
        vertex = next(parent for parent in parents[vertex] if parent not in sound)
    found = list(path)
    circle = found[found.index(vertex) :][::-1]
    start = circle.index(min(circle))
    return [*circle[start:], *circle[:start], circle[start]]
