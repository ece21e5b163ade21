"""A delayed call before it is stored, and what its caller gets for it."""

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, overload

from isthmus.env import Env, Record
from isthmus.errors import JobArgumentError
from isthmus.job.definition import Definition, find_definition
from isthmus.job.options import Options, checked_key, storable
from isthmus.job.payload import dump_arguments, dump_context

CONTEXT_KEYS: Final = ("lang", "tz", "allowed_company_ids", "active_test")
"""The keys of the context that go along. One such as ``connector_no_export`` belongs to the moment."""


@dataclass(slots=True, eq=False)
class JobRef:
    """What delaying a call gives: the job, before and after its transaction is committed.

    Attributes:
        id: The job's number. That of the equal job which was there first, once the commit has found
            that out. None when the call was run at once (``no_delay``).
        description: What it does.
        is_duplicate: True when `id` is another job's, with the same identity key.
        result: What the method returned when it was run at once.
    """

    id: int | None
    description: str = ""
    is_duplicate: bool = False
    result: Any = field(default=None, repr=False)

    def resolve(self, winner_id: int) -> None:
        """Stand for the equal job that was there first."""
        self.id = winner_id
        self.is_duplicate = True


class JobRefs(Sequence[JobRef]):
    """The jobs of a call that was delayed for many arguments; each `JobRef` is made when it is looked at.

    Args:
        numbers: The jobs' numbers.
        description: What they do.
    """

    def __init__(self, numbers: Sequence[int], description: str) -> None:
        self.numbers = numbers
        self._description = description

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> JobRef: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[JobRef]: ...
    def __getitem__(self, index: int | slice) -> JobRef | Sequence[JobRef]:
        """Give one job, or some."""
        if isinstance(index, slice):
            return JobRefs(self.numbers[index], self._description)
        return JobRef(self.numbers[index], self._description)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A method call that is to become a job; checked, not stored.

    Attributes:
        target: The model or record.
        definition: The marked method.
        args: Positional arguments.
        kwargs: Keyword arguments.
        options: How it is to be run.
        payload: The arguments as JSON.
    """

    target: Any
    definition: Definition
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    options: Options
    payload: str

    @classmethod
    def make(
        cls, target: Any, method: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: Options
    ) -> "Call":
        """Check a call.

        Raises:
            JobDefinitionError: When the method is not marked.
            JobArgumentError: When the arguments do not fit the method, or cannot be stored.
        """  # noqa: DOC502 - raised by what is called
        definition = find_definition(target, method)
        label = f"{target._name}.{method}"
        try:
            definition.signature.bind(target, *args, **kwargs)
        except TypeError as exc:
            raise JobArgumentError(f"job {label} cannot be called like this: {exc}") from None
        payload = dump_arguments(label, positional(definition.signature), args, kwargs)
        return cls(
            target=target, definition=definition, args=args, kwargs=kwargs, options=options, payload=payload
        )

    @property
    def env(self) -> Env:
        """The unit of work in which it was delayed."""
        env: Env = self.target.env
        return env

    @property
    def model(self) -> str:
        """Name of the model."""
        return str(self.target._name)

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.definition.name

    @property
    def label(self) -> str:
        """Model and method."""
        return f"{self.model}.{self.method}"

    @property
    def record_id(self) -> str | None:
        """Text form of the record's key; None when the call is on the model."""
        return str(self.target.id) if isinstance(self.target, Record) else None

    @property
    def description(self) -> str:
        """What it does, for people."""
        return self.options.description or storable(self.definition.description) or self.label

    @property
    def channel(self) -> str:
        """Full name of its lane."""
        return self.options.channel or self.definition.mark.default_channel

    @property
    def max_retries(self) -> int:
        """Executions in total; 0 sets no limit."""
        given = self.options.max_retries
        return self.definition.mark.max_retries if given is None else given

    @property
    def priority(self) -> int:
        """0 is the most urgent."""
        return self.options.priority

    def identity_key(self) -> str | None:
        """Give the identity key, made now when the option is a function; None for none."""
        given = self.options.identity_key
        made = given(self) if callable(given) else given
        return None if made is None else checked_key(made)

    def context(self) -> str:
        """Give the context keys that go along, as JSON."""
        ctx = self.env.ctx
        return dump_context({key: ctx[key] for key in CONTEXT_KEYS if key in ctx})


def positional(signature: inspect.Signature) -> list[str]:
    """List the parameters that may be given by position, without ``self``."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in signature.parameters.values() if p.kind in kinds][1:]


def identity_exact(call: Call) -> str:
    """Make the identity key under which jobs with equal model, record, method and arguments are the same.

    An argument given by position and the same one given by name are equal.

    ``record.with_delay(identity_key=identity_exact).export_record()``
    """
    bound = call.definition.signature.bind(call.target, *call.args, **call.kwargs)
    args, kwargs = bound.args[1:], bound.kwargs
    names = positional(call.definition.signature)
    arguments = dump_arguments(call.label, names, args, kwargs, canonical=True)
    parts = "\n".join([call.model, call.record_id or "", call.method, arguments])
    return hashlib.sha256(parts.encode()).hexdigest()
