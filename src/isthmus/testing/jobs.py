"""Jobs in tests: see what is delayed without storing it, and run it when the test says so."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from heapq import heapify, heappop, heappush
from typing import Any

from isthmus.env import Env
from isthmus.hub import Hub
from isthmus.job import JobRef, State
from isthmus.job.call import Call
from isthmus.job.delay import Delayable, DelayProxy
from isthmus.job.graph.inline import Seen, Walk, make
from isthmus.job.graph.join import is_join
from isthmus.job.graph.layout import Edge
from isthmus.job.payload import load_arguments, load_context


class TrappedJobs:
    """What was delayed while jobs are trapped; made by `trap_jobs`.

    Attributes:
        calls: The calls that were delayed, in order, those of a graph as they would run. One that is
            equal by its identity key to one that was not performed yet is left out, as it is when jobs
            are stored.
    """

    calls: list[Call]

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.calls = []
        self._walk = Walk()
        self._waiting: dict[str, int] = {}
        self._keys: dict[int, str] = {}
        self._refs: list[JobRef] = []
        self._performed = 0

    # -- Delayer -----------------------------------------------------------------------

    def with_delay(self, target: Any, **options: Any) -> DelayProxy:
        """Give a proxy whose method calls are trapped."""
        return DelayProxy(self, target, **options)

    def delayable(self, target: Any, **options: Any) -> Delayable:
        """Give a proxy on which a call is prepared; its ``delay()`` is trapped."""
        return Delayable(self, target, **options)

    def put(self, call: Call) -> JobRef:
        """Trap a call."""
        return self._put(call)[1]

    def put_many(self, calls: Sequence[Call]) -> list[JobRef]:
        """Trap calls."""
        return [self.put(call) for call in calls]

    def put_block(self, call: Call, payloads: Sequence[str]) -> list[JobRef]:
        """Trap calls that differ in their arguments only."""
        loaded = ((payload, load_arguments(payload, call.env)) for payload in payloads)
        return [
            self.put(replace(call, payload=payload, args=args, kwargs=kwargs))
            for payload, (args, kwargs) in loaded
        ]

    def put_graph(self, _env: Env, calls: Sequence[Call], edges: Sequence[Edge]) -> list[JobRef]:
        """Trap calls that wait for each other."""
        before: dict[int, list[tuple[int, State]]] = {}
        for parent, child, on in edges:
            before.setdefault(child, []).append((parent, on))
        places: list[int] = []
        refs: list[JobRef] = []
        for index, call in enumerate(calls):
            place, ref = self._put(call, [(places[parent], on) for parent, on in before.get(index, ())])
            places.append(place)
            refs.append(ref)
        return refs

    def _put(self, call: Call, before: Sequence[tuple[int, State]] = ()) -> tuple[int, JobRef]:
        key = call.identity_key()
        if key is not None and key in self._waiting:
            place = self._waiting[key]
            first = self._refs[place]
            return place, JobRef(first.id, first.description, is_duplicate=True)
        place = self._walk.add(call, before)
        self._refs.append(JobRef(place + 1, call.description))
        if not _is_join(call):
            self.calls.append(call)
        if key is not None:
            self._waiting[key], self._keys[place] = place, key
        return place, self._refs[place]

    # -- looking -----------------------------------------------------------------------

    def jobs_count(self, only: Callable[..., Any] | str | None = None) -> int:
        """Count the trapped jobs.

        Args:
            only: Counts those of this method alone: ``record.export_record`` or its name.
        """
        return sum(_is(call, only) for call in self.calls)

    def assert_jobs_count(self, expected: int, only: Callable[..., Any] | str | None = None) -> None:
        """Fail unless so many jobs are trapped.

        Raises:
            AssertionError: Lists the jobs.
        """
        found = self.jobs_count(only)
        if found != expected:
            raise AssertionError(f"{found} jobs are trapped instead of {expected}:\n{self._listed()}")

    def assert_enqueued_job(
        self,
        method: Callable[..., Any] | str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        """Fail unless a job is trapped that makes this call.

        Args:
            method: The method: of a record (``card.export_record``), whose record counts then, of a
                model, or a name.
            args: All its positional arguments.
            kwargs: All its keyword arguments.
            properties: Options of ``with_delay`` that count; the others may be anything.

        Raises:
            AssertionError: Lists the jobs.
        """
        for call in self.calls:
            same = _is(call, method) and tuple(call.args) == tuple(args) and call.kwargs == dict(kwargs or {})
            if same and all(_property(call, name) == value for name, value in (properties or {}).items()):
                return
        name = method if isinstance(method, str) else method.__name__
        raise AssertionError(
            f"no job {name} with {tuple(args)!r}, {dict(kwargs or {})!r} and {dict(properties or {})!r} is "
            f"trapped:\n{self._listed()}"
        )

    def parents_of(self, call: Call) -> list[Call]:
        """List the calls that one of `calls` waits for, in their order."""
        place = next(n for n, known in enumerate(self._walk.calls) if known is call)
        return [self._walk.calls[n] for n in self._walk.before(place)]

    def _listed(self) -> str:
        lines = [
            f"  {call.label} on {call.target!r} with {tuple(call.args)!r}, {dict(call.kwargs)!r}"
            for call in self.calls
        ]
        return "\n".join(lines) or "  none is trapped"

    # -- running -----------------------------------------------------------------------

    def perform_enqueued_jobs(self, env: Env | None = None) -> int:
        """Run the trapped jobs that were not performed yet, and those that they create.

        The more urgent go first, then the older ones; in a graph each after those that it waits for. An
        ``eta`` is not waited for. An error is the caller's, unless a graph has something to do on it.

        Args:
            env: Where they run; None gives each an env of its own, as a worker does. An env that has
                written and is still open would lock such an env out.

        Returns:
            How many were run.
        """
        count = 0
        while self._performed < len(self._walk.calls):
            batch = range(self._performed, len(self._walk.calls))
            self._performed = batch.stop
            count += sum(self._perform(place, env) for place in self._in_order(batch))
        return count

    def _in_order(self, batch: range) -> Iterator[int]:
        """Give the calls of a batch, each after those that it waits for."""
        waits = {place: sum(n in batch for n in self._walk.parents(place)) for place in batch}
        ready = [(self._walk.calls[place].priority, place) for place in batch if not waits[place]]
        heapify(ready)
        while ready:
            _, place = heappop(ready)
            yield place
            for child in self._walk.children(place):
                if child in waits:
                    waits[child] -= 1
                    if not waits[child]:
                        heappush(ready, (self._walk.calls[child].priority, child))

    def _perform(self, place: int, env: Env | None) -> bool:
        """Run one call, if what it waits for ended as it should; tells whether it counts."""
        call = self._walk.calls[place]
        self._waiting.pop(self._keys.pop(place, ""), None)
        return self._walk.run(place, lambda made, seen: self._make(made, env, seen)) and not _is_join(call)

    def _make(self, call: Call, env: Env | None, seen: Seen) -> Any:
        if env is not None:
            return make(call, env, seen)
        ctx = load_context(call.context())
        with self._hub.env(user=call.env.user, run_id=call.env.run_id, **ctx) as own:
            return make(call, own, seen)


def _is_join(call: Call) -> bool:
    return is_join(call.model, call.method)


def _is(call: Call, method: Callable[..., Any] | str | None) -> bool:
    if method is None:
        return True
    if isinstance(method, str):
        return method in {call.method, call.label}
    target = getattr(method, "__self__", None)
    return method.__name__ == call.method and (target is None or bool(_place(target) == _place(call.target)))


def _place(target: Any) -> tuple[str, Any]:
    return (target._name, getattr(target, "id", None))


def _property(call: Call, name: str) -> Any:
    if name == "identity_key":
        return call.identity_key()
    return getattr(call, name) if name != "eta" else call.options.eta


@contextmanager
def trap_jobs(hub: Hub) -> Iterator[TrappedJobs]:
    """Trap what is delayed in the envs of a hub, instead of storing it.

    ``with trap_jobs(hub) as trap: ...; trap.assert_jobs_count(1); trap.perform_enqueued_jobs()``

    Args:
        hub: The hub; its queue is back in place after the block.
    """
    before = hub.services.delayer
    trap = TrappedJobs(hub)
    hub.services.delayer = trap
    try:
        yield trap
    finally:
        hub.services.delayer = before
