"""The decorators that make a method of a mapper a mapping."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, overload

from isthmus.errors import ComponentDefinitionError

MethodT = TypeVar("MethodT", bound=Callable[..., Any])

_MARK: Final = "_isthmus_mark"


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodMark:
    """What the decorators say about one method, or the sum of it along the inheritance.

    Attributes:
        is_mapping: True when ``@mapping`` is among the decorators.
        ends: Source and target fields of a method that works both ways; None when it names none.
        changed_by: Source fields whose change makes the method run.
        only_create: True when it runs for new records only.
    """

    is_mapping: bool = False
    ends: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    changed_by: frozenset[str] = frozenset()
    only_create: bool = False


def _names(names: str | Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _marked(method: MethodT, **changes: Any) -> MethodT:
    mark = replace(vars(method).get(_MARK, MethodMark()), **changes)
    setattr(method, _MARK, mark)
    return method


@overload
def mapping(method: MethodT, /) -> MethodT: ...
@overload
def mapping(*, reads: str | Iterable[str], writes: str | Iterable[str]) -> Callable[[MethodT], MethodT]: ...
def mapping(
    method: MethodT | None = None,
    /,
    *,
    reads: str | Iterable[str] | None = None,
    writes: str | Iterable[str] | None = None,
) -> MethodT | Callable[[MethodT], MethodT]:
    """Make a method a mapping: it gets the source and returns values of the target.

    With both ends named the method works both ways: it takes part in the merge of the fields
    it names, and returning any other key is an error. Bare, it is one-way: it runs on create
    and beside other changes, and never causes a write itself.

    Args:
        method: The method, when used bare.
        reads: Source fields.
        writes: Target fields.

    Raises:
        ComponentDefinitionError: When only one end is named.

    >>> class BoardMapper:
    ...     @mapping(reads="closed", writes="active")
    ...     def active(self, record):
    ...         return {"active": not record["closed"]}
    """
    if method is not None:
        return _marked(method, is_mapping=True)
    if reads is None or writes is None:
        raise ComponentDefinitionError(
            "@mapping() names one end only: write @mapping(reads=(...), writes=(...)), "
            "or @mapping without parentheses for a method that works one way"
        )
    ends = (_names(reads), _names(writes))

    def mark(decorated: MethodT) -> MethodT:
        return _marked(decorated, is_mapping=True, ends=ends)

    return mark


def changed_by(*fields: str) -> Callable[[MethodT], MethodT]:
    """Let a mapping run, among changes, only when one of these source fields changed.

    The fields of all overridden versions of a method add up.
    """

    def mark(method: MethodT) -> MethodT:
        before = vars(method).get(_MARK, MethodMark()).changed_by
        return _marked(method, changed_by=before | frozenset(fields))

    return mark


def only_create(method: MethodT) -> MethodT:
    """Let a mapping run for new records only."""
    return _marked(method, only_create=True)


def collect_marks(cls: type) -> dict[str, MethodMark]:
    """Find the mapping methods of a class, in the order in which they run.

    Inherited ones come first, each class's own in declaration order; an override keeps its
    place. Along the inheritance `changed_by` adds up; an override that names no ends keeps
    those it inherits, one without any decorator keeps everything, and one that is no method
    (``name = None``) removes the mapping. Nothing is written to any class.

    Args:
        cls: A built mapper class.
    """
    found: dict[str, MethodMark] = {}
    for ancestor in reversed(cls.__mro__):
        for name, attribute in vars(ancestor).items():
            before = found.get(name)
            if not callable(attribute):
                found.pop(name, None)
                continue
            own = getattr(attribute, _MARK, None)
            if not isinstance(own, MethodMark) or not (before or own.is_mapping):
                continue
            if before is not None:
                own = MethodMark(
                    is_mapping=True,
                    ends=before.ends if own.ends is None else own.ends,
                    changed_by=before.changed_by | own.changed_by,
                    only_create=own.only_create,
                )
            found[name] = own
    return found


__all__ = ["MethodMark", "changed_by", "collect_marks", "mapping", "only_create"]
