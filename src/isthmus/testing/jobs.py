"""Jobs in tests: see what is delayed without storing it, and run it when the test says so."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from isthmus.env import Env
from isthmus.hub import Hub
from isthmus.job import JobRef
from isthmus.job.call import Call
from isthmus.job.delay import Delayable, DelayProxy
from isthmus.job.payload import browse, load_arguments, load_context


class TrappedJobs:
    """What was delayed while jobs are trapped; made by `trap_jobs`.

    Attributes:
        calls: The calls that were delayed, in order. One that is equal by its identity key to one
            that was not performed yet is left out, as it is when jobs are stored.
    """

    calls: list[Call]

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.calls = []
        self._refs: dict[str, JobRef] = {}
        self._performed = 0

    # -- Delayer -----------------------------------------------------------------------

    def with_delay(self, target: Any, **options: Any) -> DelayProxy:
        """Give a proxy whose method calls are trapped."""
        return DelayProxy(self._put, target, **options)

    def delayable(self, target: Any, **options: Any) -> Delayable:
        """Give a proxy on which a call is prepared; its ``delay()`` is trapped."""
        return Delayable(self._put, target, **options)

    def _put(self, call: Call) -> JobRef:
        key = call.identity_key()
        if key is not None and key in self._refs:
            first = self._refs[key]
            return JobRef(first.id, first.description, is_duplicate=True)
        self.calls.append(call)
        ref = JobRef(len(self.calls), call.description)
        if key is not None:
            self._refs[key] = ref
        return ref

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

    def _listed(self) -> str:
        lines = [
            f"  {call.label} on {call.target!r} with {tuple(call.args)!r}, {dict(call.kwargs)!r}"
            for call in self.calls
        ]
        return "\n".join(lines) or "  none is trapped"

    # -- running -----------------------------------------------------------------------

    def perform_enqueued_jobs(self, env: Env | None = None) -> int:
        """Run the trapped jobs that were not performed yet, and those that they create.

        The more urgent go first, then the older ones. An ``eta`` is not waited for; an error is the caller's.

        Args:
            env: Where they run; None gives each an env of its own, as a worker does. An env that has
                written and is still open would lock such an env out.

        Returns:
            How many were run.
        """
        count = 0
        while batch := self.calls[self._performed :]:
            self._performed = len(self.calls)
            self._refs.clear()
            for call in sorted(batch, key=lambda c: c.priority):
                self._perform(call, env)
                count += 1
        return count

    def _perform(self, call: Call, env: Env | None) -> None:
        if env is not None:
            self._call(call, env)
            return
        ctx = load_context(call.context())
        with self._hub.env(user=call.env.user, run_id=call.env.run_id, **ctx) as own:
            self._call(call, own)

    @staticmethod
    def _call(call: Call, env: Env) -> None:
        target = env[call.model] if call.record_id is None else browse(env, call.model, call.record_id)
        args, kwargs = load_arguments(call.payload, env)
        getattr(target, call.method)(*args, **kwargs)


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
