"""What ``with_delay`` and ``delayable`` give: proxies whose method calls become jobs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, Protocol, Self

from isthmus.env import Env
from isthmus.errors import JobArgumentError, JobDefinitionError
from isthmus.job.call import Call, JobRef, positional
from isthmus.job.definition import find_definition
from isthmus.job.graph.part import Part, Prepared, hand_over
from isthmus.job.graph.plan import Chain, Group, delay_all
from isthmus.job.options import Options, read_options
from isthmus.job.payload import dump_positional
from isthmus.job.state import State

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
_PLAIN: Final = Options()
"""Shared by all that give no option."""
_OWN: Final = frozenset({"_after", "_call", "_given", "_gone", "_queue", "_target", "_whole"})
"""Attributes that are not set yet while one is made."""


class Takes(Protocol):
    """What makes calls jobs: the queue, or what stands for it in tests."""

    def put(self, call: Call) -> JobRef:
        """Take one."""
        ...

    def put_many(self, calls: Sequence[Call]) -> Sequence[JobRef]:
        """Take many at once."""
        ...

    def put_block(self, call: Call, payloads: Sequence[str]) -> Sequence[JobRef]:
        """Take calls that differ in their arguments only.

        Args:
            call: What they have in common; it has no identity key.
            payloads: The arguments of each, as they are stored.
        """
        ...

    def put_graph(
        self, env: Env, calls: Sequence[Call], edges: Sequence[tuple[int, int, State]], /
    ) -> Sequence[JobRef]:
        """Take calls of one env that wait for each other.

        Args:
            env: The unit of work.
            calls: What waits comes after what it waits for.
            edges: Positions in *calls*: who is waited for, who waits, and for which end.
        """
        ...


class DelayProxy:
    """A model or record whose marked methods become jobs when they are called."""

    __slots__ = ("_options", "_queue", "_target")

    def __init__(self, queue: Takes, target: Any, **options: Any) -> None:
        self._queue = queue
        self._target = target
        self._options = read_options(options) if options else _PLAIN

    def __getattr__(self, name: str) -> "DelayedMethod":
        """Give what delays a method.

        Raises:
            AttributeError: For Python's own special names, so that copying and the like behave.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        find_definition(self._target, name)
        return DelayedMethod(self._queue, self._target, name, self._options)

    def __repr__(self) -> str:
        return f"<with_delay of {self._target!r}>"


class DelayedMethod:
    """A method whose calls become jobs.

    ``model.with_delay().import_record(backend, "5f3c")`` makes one job,
    ``model.with_delay().import_record.map((backend, key) for key in keys)`` many with one statement.
    """

    __slots__ = ("_name", "_options", "_queue", "_target")

    def __init__(self, queue: Takes, target: Any, name: str, options: Options) -> None:
        self._queue = queue
        self._target = target
        self._name = name
        self._options = options

    def __call__(self, *args: Any, **kwargs: Any) -> JobRef:
        """Make a call a job."""
        return self._queue.put(self._call(args, kwargs))

    def map(self, arguments: Iterable[tuple[Any, ...]]) -> Sequence[JobRef]:
        """Make many calls jobs, all in one go.

        Args:
            arguments: The positional arguments of each call; those of a call with one are ``(value,)``.

        Returns:
            The jobs, in the same order.

        Raises:
            JobArgumentError: When one is no tuple, or does not fit the method.
        """
        rows = list(arguments)
        for args in rows:
            if not isinstance(args, (tuple, list)):
                raise JobArgumentError(
                    f"map of job {self._target._name}.{self._name} takes a tuple of arguments for each call, "
                    f"such as (7,), not {type(args).__name__}"
                )
        if self._options.identity_key is not None:
            return self._queue.put_many([self._call(args) for args in rows])
        # Whether positional arguments fit is a matter of their number.
        calls = {count: self._call(args) for count, args in {len(args): args for args in rows}.items()}
        if not calls:
            return []
        call = calls[len(rows[0])]
        names = positional(call.definition.signature)
        return self._queue.put_block(call, [dump_positional(call.label, names, args) for args in rows])

    def _call(self, args: Sequence[Any], kwargs: Mapping[str, Any] = _NONE) -> Call:
        return Call.make(self._target, self._name, tuple(args), kwargs, self._options)


class Delayable(Prepared):
    """A call that is prepared now and delayed by `delay`, alone or as part of a chain or group.

    ``card.delayable(priority=5).export_record().delay()``
    """

    __slots__ = ("_call", "_given", "_target")

    def __init__(self, queue: Takes, target: Any, **options: Any) -> None:
        self._call: Call | None = None
        super().__init__()
        self._queue = queue
        self._target = target
        self._given = options or _NONE
        read_options(options)

    def __getattr__(self, name: str) -> "Callable[..., Delayable]":
        """Give what prepares the call of a method.

        Raises:
            AttributeError: For Python's own special names, so that copying and the like behave.
        """
        if name.startswith("__") or name in _OWN:
            raise AttributeError(name)
        find_definition(self._target, name)

        def prepare(*args: Any, **kwargs: Any) -> Delayable:
            self._check_unused()
            options = read_options(self._given) if self._given else _PLAIN
            self._call = Call.make(self._target, name, args, kwargs or _NONE, options)
            return self

        return prepare

    def set(self, **options: Any) -> Self:
        """Change options (those of ``with_delay``).

        Raises:
            JobArgumentError: When an option is unknown or does not fit.
        """  # noqa: DOC502 - raised by what is called
        given = {**self._given, **options}
        checked = read_options(given)
        self._given = given
        if self._call is not None:
            self._call = replace(self._call, options=checked)
        return self

    def delay(self) -> JobRef:
        """Make it a job, and jobs of all that follows it.

        Returns:
            The job of the call itself.

        Raises:
            JobDefinitionError: When no method was called on it, when it was delayed before, when jobs
                wait for each other in a circle, and when it is part of something larger.
        """  # noqa: DOC502 - raised by what is called
        if self._after is None and self._whole is None:
            self._check_unused()
            ref: JobRef = self._queue.put(self._prepared())
            self._gone = True
            return ref
        return next(ref for part, ref in delay_all(self) if part is self)

    def split(self, size: int, chain: bool = False) -> Group | Chain:
        """Make several calls of one whose first argument is a list: each gets a slice of it.

        ``env["trello.card"].delayable().import_many(keys).split(100).delay()``

        What was to follow the call follows all of them. An identity key that is text gets the number of
        the slice; one that is a function is made from each call.

        Args:
            size: Items of a slice, from 1 on; the last one may have fewer.
            chain: True lets them run one after the other instead of beside each other.

        Returns:
            The calls; empty when the list is.

        Raises:
            JobArgumentError: When the first argument is no list, or *size* no number from 1 on.
            JobDefinitionError: When no method was called yet, or the call is part of a structure.
        """  # noqa: DOC502 - raised by what is called
        call = self._prepared()
        self._check_unused()
        if type(size) is not int or size < 1:
            raise JobArgumentError(f"split of job {call.label} takes a size from 1 on, not {size!r}")
        bound = call.definition.signature.bind(self._target, *call.args, **call.kwargs)
        items = bound.args[1] if len(bound.args) > 1 else None
        if not isinstance(items, (list, tuple)):
            raise JobArgumentError(
                f"split of job {call.label} takes slices of its first argument, which is to be a list of ids "
                f"or records, not {type(items).__name__}"
            )
        starts = range(0, len(items), size)
        parts: list[Part] = []
        for number, start in enumerate(starts, 1):
            mark = f" (split {number}/{len(starts)})"
            given = {**self._given, "description": call.description + mark}
            if isinstance(call.options.identity_key, str):
                given["identity_key"] = call.options.identity_key + mark
            part = Delayable(self._queue, self._target, **given)
            arguments = (items[start : start + size], *bound.args[2:])
            parts.append(getattr(part, call.method)(*arguments, **bound.kwargs))
        whole = Chain(parts) if chain else Group(parts)
        hand_over(self, whole)
        return whole

    def _prepared(self) -> Call:
        """Give the checked call.

        Raises:
            JobDefinitionError: When no method was called yet.
        """
        if self._call is None:
            raise JobDefinitionError(f"{self!r} has nothing to delay: call a method on it first")
        return self._call

    def _would_be_lost(self) -> bool:
        return self._call is not None or self._after is not None

    def __repr__(self) -> str:
        method = f".{self._call.method}" if self._call else ""
        return f"<delayable {self._target!r}{method}>"
