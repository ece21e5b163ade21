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
from isthmus.job.lane.name import full_name
from isthmus.job.state import State
from isthmus.job.table import KEY_STATES

MAX_RETRIES: Final = 5
"""Executions of a job in total, unless it says otherwise."""

LARGEST_BATCH: Final = 1_000
"""Most jobs of one transaction; also the most that one claim takes."""

_KEY_ORDER: Final = (State.WAIT_DEPENDENCIES, State.PENDING, State.STARTED, State.FAILED, State.DONE)
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
        timeout: How long one execution may take; None sets no limit.
        batch: How many of its jobs may share a transaction.
        identity_states: The states in which a job holds its identity key, with commas.
        on_fail: Name of the method that is told when a job has failed; empty for none.
        related_action: Name of the method that tells where a person finds what a job is about; empty
            for the record itself.
        description: What its jobs do, for people; empty takes the docstring's first line.
    """

    default_channel: str = "root"
    retry_pattern: Mapping[int, Wait] = field(default_factory=dict)
    max_retries: int = MAX_RETRIES
    timeout: timedelta | None = None
    batch: int = 1
    identity_states: str = KEY_STATES
    on_fail: str = ""
    related_action: str = ""
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
    timeout: timedelta | float | None = None,
    batch: int = 1,
    identity_states: Sequence[State | str] | None = None,
    on_fail: str = "",
    related_action: str = "",
    description: str = "",
) -> Callable[[_Method], _Method]: ...
def job(
    method: _Method | None = None,
    *,
    default_channel: str = "root",
    retry_pattern: Mapping[int, Wait] | None = None,
    max_retries: int = MAX_RETRIES,
    timeout: timedelta | float | None = None,
    batch: int = 1,
    identity_states: Sequence[State | str] | None = None,
    on_fail: str = "",
    related_action: str = "",
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
        timeout: How long one execution may take (timedelta or seconds). The next use of its env raises
            then; what does not come to that is ended with its process. Either way the job fails.
        batch: Up to so many jobs (2 to 1,000) that wait in one lane share a transaction. When one of them
            fails they are run again, each that uses its env with a savepoint, so that it takes no other
            with it. For many small jobs that call no other system: in a batch the transaction cannot be left.
        identity_states: In which states an equal identity key makes a new job a duplicate; a beginning
            of ``("wait_dependencies", "pending", "started", "failed", "done")`` that has the first two,
            which are the default.
        on_fail: Name of a method of the same model or record that is called, in a transaction of its own,
            with the type's name and the message of the error when a job has failed for good.
        related_action: Name of a method of the same model or record that returns a mapping which tells
            where a person finds what the job is about (``{"name": ..., "url": ...}``).
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
            timeout=_checked_timeout(timeout, place),
            batch=_checked_batch(batch, place),
            identity_states=_checked_states(identity_states, place),
            on_fail=_checked_name("on_fail", on_fail, place),
            related_action=_checked_name("related_action", related_action, place),
            description=description,
        )
        setattr(function, _MARK, mark)
        return function

    return marked if method is None else marked(method)


def _checked_count(value: Any, place: str) -> int:
    if type(value) is not int or value < 0:
        raise JobDefinitionError(f"{place}: max_retries is a number from 0 on, not {value!r}")
    return value


def _checked_timeout(value: Any, place: str) -> timedelta | None:
    if type(value) in {int, float} and 0 < value <= _LONGEST_WAIT_S:
        value = timedelta(seconds=value)
    if value is not None and not (isinstance(value, timedelta) and value > timedelta(0)):
        raise JobDefinitionError(f"{place}: timeout is a timedelta or seconds above 0, not {value!r}")
    return value


def _checked_batch(value: Any, place: str) -> int:
    if type(value) is not int or not 1 <= value <= LARGEST_BATCH:
        raise JobDefinitionError(f"{place}: batch is a number from 1 to {LARGEST_BATCH}, not {value!r}")
    return value


def _checked_states(value: Any, place: str) -> str:
    if value is None:
        return KEY_STATES
    order = [state.value for state in _KEY_ORDER]
    allowed = [order[:end] for end in range(2, len(order) + 1)]
    given = [str(state) for state in value] if isinstance(value, (list, tuple, set, frozenset)) else []
    chosen = sorted(given, key=lambda state: order.index(state) if state in order else -1)
    if chosen not in allowed:
        raise JobDefinitionError(
            f"{place}: identity_states is a beginning of {', '.join(order)} with the first two in it, "
            f"not {value!r}: a job that came back into one of them would meet its equal there"
        )
    return ",".join(chosen)


def _checked_name(option: str, value: Any, place: str) -> str:
    if not isinstance(value, str) or (value and not value.isidentifier()):
        raise JobDefinitionError(f"{place}: {option} is the name of a method, not {value!r}")
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
    """Read a marked method.

    Raises:
        JobDefinitionError: When a method that its mark names is not there; names both.
    """
    for option, other in (("on_fail", mark.on_fail), ("related_action", mark.related_action)):
        if other and not callable(getattr(cls, other, None)):
            methods = [n for n in dir(cls) if not n.startswith("_") and callable(getattr(cls, n, None))]
            raise JobDefinitionError(
                f"@job on {cls.__qualname__}.{name}: {option} names the method {other!r}, which is not there"
                f"{near(other, methods)}"
            )
    method = getattr(cls, name)
    lines = (inspect.getdoc(method) or "").splitlines()
    return Definition(name, mark, inspect.signature(method), mark.description or (lines[0] if lines else ""))


class Marks:
    """What ``@job`` says of the methods of a hub's models, found without an env.

    Args:
        classes_of: Gives the classes of a model by its name: that of its records and its own; none for a
            model that is not known.
    """

    def __init__(self, classes_of: Callable[[str], Sequence[type]]) -> None:
        self._classes_of = classes_of
        self._known: dict[tuple[str, str], JobMark] = {}

    def of(self, model: str, method: str) -> JobMark:
        """Give the mark of a method; the default one when it is not there or not marked any more."""
        key = (model, method)
        mark = self._known.get(key)
        if mark is None:
            found = [definitions(cls).get(method) for cls in self._classes_of(model)]
            marks = [definition.mark for definition in found if definition is not None]
            mark = self._known[key] = marks[0] if marks else JobMark()
        return mark


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
