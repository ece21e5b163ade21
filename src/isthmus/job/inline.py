"""Running delayed calls at once, instead of storing them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from isthmus.env import Env
from isthmus.errors import SkipRecord
from isthmus.job.call import Call, JobRef
from isthmus.job.failure import Failure
from isthmus.job.join import is_join
from isthmus.job.layout import Edge
from isthmus.job.parents import Parent
from isthmus.job.payload import dump_result, load_arguments, load_result
from isthmus.job.run import LARGEST_RESULT
from isthmus.job.state import State


@dataclass(frozen=True, slots=True)
class End:
    """What became of a call: done or failed, and what it returned or why."""

    state: State
    result: Any = None
    error: str | None = None


class Walk:
    """Goes through the calls of a graph in order, with what came of those before.

    Args:
        calls: What waits comes after what it waits for.
        edges: Positions in *calls*: who is waited for, who waits, and for which end.

    Attributes:
        ends: What became of each call; None when it was not run.
    """

    def __init__(self, calls: Sequence[Call], edges: Sequence[Edge] = ()) -> None:
        self.ends: list[End | None] = [None] * len(calls)
        self._calls = calls
        self._before: dict[int, list[tuple[int, State]]] = {}
        self._watched: set[int] = set()
        for parent, child, on in edges:
            self._before.setdefault(child, []).append((parent, on))
            if on is State.FAILED:
                self._watched.add(parent)

    def run(self, index: int, perform: Callable[[Call, Sequence[Parent]], Any]) -> None:
        """Run one call, if what it waits for ended as it should.

        An error is the caller's, unless another call of the graph waits for the failure of this one.

        Args:
            index: Its position; all before it were run.
            perform: Makes a call, given what it waited for.
        """
        if not self._is_released(index):
            return
        call = self._calls[index]
        try:
            result = perform(call, self._parents(index))
        except SkipRecord as skip:
            result = str(skip)
        except Exception as exc:
            if index not in self._watched:
                raise
            self.ends[index] = End(State.FAILED, error=Failure.of(exc).message)
        else:
            self.ends[index] = End(State.DONE, result)

    def _is_released(self, index: int) -> bool:
        before = self._before.get(index, ())
        on_done = [parent for parent, on in before if on is State.DONE]
        on_failure = [parent for parent, on in before if on is State.FAILED]
        failed = any(self._is(State.FAILED, parent) for parent in on_failure)
        return all(self._is(State.DONE, parent) for parent in on_done) and (failed or not on_failure)

    def _is(self, state: State, index: int) -> bool:
        end = self.ends[index]
        return end is not None and end.state is state

    def _parents(self, index: int) -> list[Parent]:
        """List what came of the calls before, of those before a join instead of the join."""
        found: dict[int, Parent] = {}
        stack = [index]
        while stack:
            for parent, _ in self._before.get(stack.pop(), ()):
                if is_join(self._calls[parent].model, self._calls[parent].method):
                    stack.append(parent)
                else:
                    found[parent] = self._seen(parent)
        return [found[parent] for parent in sorted(found)]

    def _seen(self, index: int) -> Parent:
        """Show a call's end as those that wait for it see it: through the stored form and back."""
        call, end = self._calls[index], self.ends[index] or End(State.CANCELLED)
        result = dump_result(call.label, end.result, LARGEST_RESULT)
        return Parent(None, load_result(result, call.env), end.error)


def run_at_once(calls: Sequence[Call], edges: Sequence[Edge] = ()) -> list[JobRef]:
    """Run calls in their env, those of a graph in its order.

    An error is the caller's, and what was to come is not run; but where a graph has something to do on a
    failure that is done instead.

    Args:
        calls: What waits comes after what it waits for.
        edges: Positions in *calls*: who is waited for, who waits, and for which end.

    Returns:
        What stands for the jobs; `JobRef.result` is what the method returned.
    """
    walk = Walk(calls, edges)
    refs: list[JobRef] = []
    for index, call in enumerate(calls):
        walk.run(index, _perform)
        end = walk.ends[index]
        refs.append(JobRef(None, call.description, result=end and end.result))
    return refs


def _perform(call: Call, parents: Sequence[Parent]) -> Any:
    # Through the stored form and back, so that the call is the one that a worker would make.
    args, kwargs = load_arguments(call.payload, call.env)
    with seeing(call.env, parents):
        return getattr(call.target, call.method)(*args, **kwargs)


@contextmanager
def seeing(env: Env, parents: Sequence[Parent]) -> Iterator[None]:
    """Let an env tell for a block what a job waited for."""
    before, env.parents = env.parents, parents
    try:
        yield
    finally:
        env.parents = before
