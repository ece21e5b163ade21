"""Which methods are jobs: the ``@job`` mark and finding the marked methods of a class."""

import inspect
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, TypeVar, overload
from weakref import WeakKeyDictionary

from isthmus.errors import JobDefinitionError, near
from isthmus.job.channel import full_name

MAX_RETRIES: Final = 5
"""Executions of a job in total, unless it says otherwise."""

_LONGEST_WAIT_S: Final = 10 * 365 * 86_400
_MARK: Final = "_isthmus_job"
_Method = TypeVar("_Method", bound=Callable[..., Any])
Wait = float | Sequence[float]
"""Seconds, or the two ends of a range from which seconds are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMark:
    """What ``@job`` says about a method.

    Attributes:
        default_channel: Full name of the lane of its jobs, unless ``with_delay`` names another.
        retry_pattern: Wait before a retry, by the number of the retry from which on it counts.
        max_retries: Executions in total; 0 sets no limit.
        description: What its jobs do, for people; empty takes the docstring's first line.
    """

    default_channel: str = "root"
    retry_pattern: Mapping[int, Wait] = field(default_factory=dict)
    max_retries: int = MAX_RETRIES
    description: str = ""

    def wait_before(self, retry: int) -> timedelta | None:
        """Tell how long to wait before a retry.

        Args:
            retry: Its number, from 1.

        Returns:
            The wait of the largest key that is not above *retry*; None below the smallest one.

        >>> JobMark(retry_pattern={1: 10, 5: 60}).wait_before(4)
        datetime.timedelta(seconds=10)
        """
        keys = [key for key in self.retry_pattern if key <= retry]
        if not keys:
            return None
        wait = self.retry_pattern[max(keys)]
        if isinstance(wait, Sequence):
            return timedelta(seconds=random.uniform(wait[0], wait[1]))
        return timedelta(seconds=wait)


@dataclass(frozen=True, slots=True)
class Definition:
    """A marked method of one class.

    Attributes:
        name: The method's name.
        mark: What ``@job`` says about it.
        signature: Its parameters, ``self`` first.
        description: What its jobs do, for people; empty when nobody wrote it.
    """

    name: str
    mark: JobMark
    signature: inspect.Signature
    description: str


@overload
def job(method: _Method) -> _Method: ...
@overload
def job(
    *,
    default_channel: str = "root",
    retry_pattern: Mapping[int, Wait] | None = None,
    max_retries: int = MAX_RETRIES,
    description: str = "",
) -> Callable[[_Method], _Method]: ...
def job(
    method: _Method | None = None,
    *,
    default_channel: str = "root",
    retry_pattern: Mapping[int, Wait] | None = None,
    max_retries: int = MAX_RETRIES,
    description: str = "",
) -> Any:
    """Mark a method: only marked ones can be delayed, and run by a worker.

    The methods are those of model extensions, or of a mapped class's own record or model class. A
    method that overrides a marked one is marked too.

    >>> class CardMethods:  # a ModelExtension
    ...     _inherit = "trello.card"
    ...     @job(retry_pattern={1: 10, 5: 60})
    ...     def fetch(self): ...

    Args:
        method: The method, when it is marked without options.
        default_channel: Lane of its jobs; the prefix ``root.`` may be left out.
        retry_pattern: Seconds (or ``[least, most]``) to wait before a retry, by the number of the
            retry from which on that counts, the first retry being 1.
        max_retries: Executions in total, 0 sets no limit.
        description: What its jobs do, for people.

    Raises:
        JobDefinitionError: When an option is malformed; names the method.
    """  # noqa: DOC502 - raised by what is called

    def marked(function: _Method) -> _Method:
        place = f"@job on {function.__module__}.{function.__qualname__}"
        mark = JobMark(
            default_channel=full_name(default_channel, place),
            retry_pattern=_checked_pattern(retry_pattern or {}, place),
            max_retries=_checked_count(max_retries, place),
            description=description,
        )
        setattr(function, _MARK, mark)
        return function

    return marked if method is None else marked(method)


def _checked_count(value: Any, place: str) -> int:
    if type(value) is not int or value < 0:
        raise JobDefinitionError(f"{place}: max_retries is a number from 0 on, not {value!r}")
    return value


def _checked_pattern(pattern: Any, place: str) -> Mapping[int, Wait]:
    if not isinstance(pattern, Mapping):
        raise JobDefinitionError(f"{place}: retry_pattern maps numbers of retries to seconds: {pattern!r}")
    for key, wait in pattern.items():
        if type(key) is not int or key < 1:
            raise JobDefinitionError(f"{place}: retry_pattern has the key {key!r}; the first retry is 1")
        ends = wait if isinstance(wait, (list, tuple)) else (wait, wait)
        seconds = len(ends) == 2 and all(type(end) in {int, float} for end in ends)
        if not seconds or not 0 <= ends[0] <= ends[1] <= _LONGEST_WAIT_S:
            raise JobDefinitionError(
                f"{place}: retry_pattern[{key}] is seconds or [least, most], not {wait!r}"
            )
    return MappingProxyType(dict(pattern))


_definitions: "WeakKeyDictionary[type, dict[str, Definition]]" = WeakKeyDictionary()


def definitions(cls: type) -> Mapping[str, Definition]:
    """List the marked methods of a model's or record's class, by name."""
    found = _definitions.get(cls)
    if found is None:
        found = {}
        for base in cls.__mro__:
            for name, value in vars(base).items():
                if name not in found and isinstance(getattr(value, _MARK, None), JobMark):
                    found[name] = _define(cls, name, getattr(value, _MARK))
        _definitions[cls] = found
    return found


def _define(cls: type, name: str, mark: JobMark) -> Definition:
    method = getattr(cls, name)
    lines = (inspect.getdoc(method) or "").splitlines()
    return Definition(name, mark, inspect.signature(method), mark.description or (lines[0] if lines else ""))


def find_definition(target: Any, name: str) -> Definition:
    """Give the marked method of a model or record.

    Args:
        target: The model or record.
        name: Name of the method.

    Raises:
        JobDefinitionError: When there is none, or it is not marked; names model and method.
    """
    known = definitions(type(target))
    if name in known:
        return known[name]
    model = target._name
    if callable(getattr(type(target), name, None)):
        raise JobDefinitionError(f"{model}.{name} cannot be a job: mark the method with @job")
    if name in target.env[model].fields:
        raise JobDefinitionError(f"{model}.{name} is a field; only methods can be delayed")
    if not known:
        raise JobDefinitionError(f"model {model!r} has no method {name!r}, and none marked with @job")
    raise JobDefinitionError(f"model {model!r} has no job {name!r}{near(name, known)}")
