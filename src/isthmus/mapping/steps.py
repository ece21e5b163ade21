"""What each declaration of a mapper does, as an entry of its plan and as lines of code.

A mapper is compiled to one function per selection of entries (see ``program.py``). Nothing of
a declaration is put into the code but field names, and these as ``repr`` writes them;
functions are reached by names made here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from isthmus.errors import MappingError
from isthmus.mapping.marks import MethodMark
from isthmus.mapping.modifiers import ModifierFunction, source_field
from isthmus.mapping.plan import MappingEntry
from isthmus.mapping.trouble import located, mapping_error

Copy: TypeAlias = tuple[str, str]
"""A source field copied as it is, and its target field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One entry, and what it does.

    Attributes:
        entry: The entry of the plan.
        copy: Set when it only copies: neighbours of this kind become one block of code.
        code: Otherwise lines of code; they know ``mapper``, ``source``, ``values`` and *names*.
        names: What the lines use; no other step has one of these names.
        shown: Texts that stand in the connector's code, and so may be quoted in an error.
    """

    entry: MappingEntry
    copy: Copy | None = None
    code: tuple[str, ...] = ()
    names: Mapping[str, Any] = field(default_factory=dict)
    shown: tuple[Any, ...] = ()

    def blame(self, mapper: Any, fault: Exception) -> Exception:
        """Make the error that says that *fault* happened here."""
        if self.entry.kind == "method":
            return located(mapper, fault, shown=self.shown, method=self.entry.name)
        if self.entry.kind == "child" and isinstance(fault, MappingError):
            return fault
        source = self.entry.reads[0] if self.entry.reads else self.entry.name
        return located(mapper, fault, shown=self.shown, field=source)


def direct_step(number: int, source: str | ModifierFunction, target: str, *, payload: bool) -> Step:
    """Compile one pair of `direct`."""
    name = source_field(source)
    entry = MappingEntry(
        kind="direct",
        name=target,
        reads=() if name is None else (name,),
        writes=(target,),
        two_way=name is not None,
    )
    if isinstance(source, str):
        return Step(entry=entry, copy=(source, target))
    lines = [f"values[{target!r}] = modifier_{number}(mapper, source, {target!r})"]
    return Step(
        entry=entry,
        code=_if_present(entry.reads if payload else (), lines),
        names={f"modifier_{number}": source},
        shown=entry.reads,
    )


def method_step(
    number: int, function: Callable[..., Any], name: str, mark: MethodMark, *, payload: bool
) -> Step:
    """Compile one mapping method."""
    reads, writes = mark.ends or ((), ())
    entry = MappingEntry(
        kind="method",
        name=name,
        reads=reads,
        writes=writes,
        changed_by=mark.changed_by,
        only_create=mark.only_create,
        two_way=bool(reads or writes),
    )
    lines = [f"found = method_{number}(mapper, source)", "if found:"]
    merge = f"merge_{number}(mapper, found, values)"
    if mark.ends is None:
        lines += [
            "    if type(found) is dict:",
            "        values.update(found)",
            "    else:",
            f"        {merge}",
        ]
    elif len(writes) == 1:
        # The common case, without a loop.
        (key,) = writes
        lines += [
            f"    if type(found) is dict and len(found) == 1 and {key!r} in found:",
            f"        values[{key!r}] = found[{key!r}]",
            "    else:",
            f"        {merge}",
        ]
    else:
        lines += [f"    {merge}"]
    return Step(
        entry=entry,
        code=_if_present(reads if payload else (), lines),
        names={
            f"method_{number}": function,
            f"merge_{number}": _merge_of(name, None if mark.ends is None else writes),
        },
        shown=text_constants(function),
    )


def child_step(source: str, target: str, model_name: str, *, payload: bool) -> Step:
    """Compile one entry of `children`."""
    entry = MappingEntry(kind="child", name=target, reads=(source,), writes=(target,))
    lines = [
        f"values[{target!r}] = mapper._map_child(mapper._current, {source!r}, {target!r}, {model_name!r})"
    ]
    return Step(
        entry=entry,
        code=_if_present((source,) if payload else (), lines),
        shown=(source,),
    )


def text_constants(function: Callable[..., Any]) -> tuple[str, ...]:
    """List the texts that stand in a function's code: they are no values of any record.

    >>> text_constants(lambda record: record["name"])
    ('name',)
    """
    code = getattr(function, "__code__", None)
    return () if code is None else tuple(c for c in code.co_consts if isinstance(c, str))


def _if_present(reads: tuple[str, ...], lines: list[str]) -> tuple[str, ...]:
    """Put a condition above lines; a step whose sources are all absent does nothing."""
    if not reads:
        return tuple(lines)
    condition = " or ".join(f"{name!r} in source" for name in reads)
    return (f"if {condition}:", *(f"    {line}" for line in lines))


def _merge_of(name: str, writes: tuple[str, ...] | None) -> Callable[[Any, Any, dict[str, Any]], None]:
    allowed = None if writes is None else frozenset(writes)

    def merge(mapper: Any, found: Any, values: dict[str, Any]) -> None:
        if not isinstance(found, Mapping):
            what = f"must return a dict of target fields, or None; it returned a {type(found).__name__}"
            raise mapping_error(mapper, what, method=name)
        if allowed is not None and not found.keys() <= allowed:
            wrong = next(key for key in found if key not in allowed)
            what = f"returned {wrong!r}, which is not among its writes {list(writes or ())}; add it there"
            raise mapping_error(mapper, what, method=name)
        values.update(found)

    return merge
