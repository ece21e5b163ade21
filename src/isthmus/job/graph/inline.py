"""Running delayed calls without storing them: at once, or in a test when it says so."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from isthmus.env import Env
from isthmus.errors import SkipRecord
from isthmus.job.call import Call, JobRef
from isthmus.job.failure import Failure
from isthmus.job.graph.join import is_join
from isthmus.job.graph.layout import Edge
from isthmus.job.graph.parents import Parent
from isthmus.job.payload import dump_result, load_arguments, load_result
from isthmus.job.run import LARGEST_RESULT
from isthmus.job.state import State

Seen = Callable[[Env], Sequence[Parent]]
"""Gives what became of the calls that one waited for, with records of the given env."""
Perform = Callable[[Call, Seen], Any]
"""Makes a call."""


@dataclass(frozen=True, slots=True)
class _End:
    """What became of a call: its state, what it returned (also as it would be stored) or why it failed."""

    state: State
    result: Any = None
    stored: str | None = None
    error: str | None = None


class Walk:
    """Calls that wait for each other, and what became of those that were run.

    Attributes:
        calls: All calls. Joins are among them.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._ends: dict[int, _End] = {}
        self._before: dict[int, dict[int, State]] = {}
        self._after: dict[int, dict[int, State]] = {}

    def add(self, call: Call, before: Sequence[tuple[int, State]] = ()) -> int:
        """Take a call in.

        Args:
            call: The call.
            before: Positions of those that it waits for, and for which end.

        Returns:
            Its position.
        """
        index = len(self.calls)
        self.calls.append(call)
        if before:
            self._before[index] = dict(before)
        for parent, on in before:
            self._after.setdefault(parent, {})[index] = on
        return index

    def before(self, index: int) -> list[int]:
        """List the positions of the calls that one waits for; in place of a join those before that."""
        found: set[int] = set()
        stack = [index]
        while stack:
            for parent in self._before.get(stack.pop(), ()):
                if is_join(self.calls[parent].model, self.calls[parent].method):
                    stack.append(parent)
                else:
                    found.add(parent)
        return sorted(found)

    def parents(self, index: int) -> Sequence[int]:
        """List the positions that one waits for directly, joins too."""
        return list(self._before.get(index, ()))

    def children(self, index: int) -> Sequence[int]:
        """List the positions that wait for one directly, joins too."""
        return list(self._after.get(index, ()))

    def result(self, index: int) -> Any:
        """Give what a call returned; None when it failed or was not run."""
        end = self._ends.get(index)
        return end and end.result

    def run(self, index: int, perform: Perform) -> bool:
        """Run a call, if what it waits for ended as it should.

        An error is the caller's, unless another call waits for the failure of this one.

        Args:
            index: Its position; those that it waits for had their turn.
            perform: Makes the call.

        Returns:
            True when it was run.
        """
        if not self._is_released(index):
            return False
        call, after = self.calls[index], self._after.get(index, {})
        try:
            result = perform(call, lambda env: [self._parent(n, env) for n in self.before(index)])
        except SkipRecord as skip:
            result = str(skip)
        except Exception as exc:
            if State.FAILED not in after.values():
                raise
            self._ends[index] = _End(State.FAILED, error=Failure.of(exc).message)
            return True
        stored = dump_result(call.label, result, LARGEST_RESULT) if after else None
        self._ends[index] = _End(State.DONE, result, stored)
        return True

    def _is_released(self, index: int) -> bool:
        before = self._before.get(index, {})
        met = [self._ends[n].state is on if n in self._ends else False for n, on in before.items()]
        # Successes are waited for all, of failures the first one.
        return any(met) if State.FAILED in before.values() else all(met)

    def _parent(self, index: int, env: Env) -> Parent:
        end = self._ends.get(index)
        return Parent(None, load_result(end.stored, env), end.error) if end else Parent(None, None, None)


def run_at_once(calls: Sequence[Call], edges: Sequence[Edge] = ()) -> list[JobRef]:
    """Run calls in their env, those of a graph in its order.

    An error is the caller's, and what was to come is not run; but where a graph has something to do on
    that failure, that is done instead.

    Args:
        calls: What waits comes after what it waits for.
        edges: Positions in *calls*: who is waited for, who waits, and for which end.

    Returns:
        What stands for the jobs; `JobRef.result` is what the method returned.
    """
    before: dict[int, list[tuple[int, State]]] = {}
    for parent, child, on in edges:
        before.setdefault(child, []).append((parent, on))
    walk = Walk()
    for index, call in enumerate(calls):
        walk.add(call, before.get(index, ()))
    refs: list[JobRef] = []
    for index, call in enumerate(calls):
        walk.run(index, lambda made, seen: make(made, made.env, seen))
        refs.append(JobRef(None, call.description, result=walk.result(index)))
    return refs


def make(call: Call, env: Env, seen: Seen) -> Any:
    """Make a call in an env.

    Through the stored form and back, so that the call is the one that a worker would make.

    Args:
        call: The call.
        env: Where; the call's own one, or another with the same models.
        seen: What it waited for.
    """
    args, kwargs = load_arguments(call.payload, env)
    target = call.target
    if env is not call.env:
        target = env[call.model] if call.record_id is None else env[call.model].browse(target.id)
    with _seeing(env, seen(env)):
        return getattr(target, call.method)(*args, **kwargs)


@contextmanager
def _seeing(env: Env, parents: Sequence[Parent]) -> Iterator[None]:
    before, env.parents = env.parents, parents
    try:
        yield
    finally:
        env.parents = before
