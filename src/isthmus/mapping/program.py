"""A mapper compiled: one function per selection of its entries, without reflection per record."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from types import CodeType
from typing import Any, Final, TypeAlias

from isthmus.errors import MappingError
from isthmus.mapping.plan import MappingPlan
from isthmus.mapping.steps import Copy, Step
from isthmus.mapping.trouble import DATA_FAULTS, mapping_error

Run: TypeAlias = Callable[[Any, Any, dict[str, Any]], None]
"""Gets the mapper, the source and an empty dict, and fills this with values."""

_FUNCTIONS_KEPT: Final = 64
_NOTHING_TO_DO: Final = ["pass"]


class Program:
    """The steps of a mapper.

    Attributes:
        plan: Their entries, to read.
    """

    __slots__ = ("_functions", "_payload", "_steps", "for_create", "for_update", "plan")

    def __init__(self, steps: Iterable[Step], *, payload: bool) -> None:
        """Compile steps.

        Args:
            steps: In the order they run.
            payload: True when a source is a payload, in which fields may be absent.
        """
        self._steps = tuple(steps)
        self._payload = payload
        self._functions: dict[tuple[bool, frozenset[str]], Run] = {}
        self.plan = MappingPlan(tuple(step.entry for step in self._steps))
        self.for_create = self._function(for_create=True)
        self.for_update = self._function(for_create=False)

    def run(self, for_create: bool, fields: frozenset[str]) -> Run:
        """Give the function for some of the entries.

        Args:
            for_create: Whether entries for new records only are among them.
            fields: Source fields that changed; none of them takes all.
        """
        if not fields:
            return self.for_create if for_create else self.for_update
        key = (for_create, fields)
        function = self._functions.get(key)
        if function is None:
            if len(self._functions) >= _FUNCTIONS_KEPT:
                self._functions.clear()
            function = self._functions[key] = self._function(for_create, fields)
        return function

    def _function(self, for_create: bool, fields: frozenset[str] = frozenset()) -> Run:
        steps = self._steps
        chosen = [
            number
            for number, step in enumerate(steps)
            if (for_create or not step.entry.only_create) and (not fields or step.entry.concerns(fields))
        ]
        names: dict[str, Any] = {"FAULTS": (MappingError, *DATA_FAULTS), "blame": self._blame}
        body: list[str] = []
        copies: list[Copy] = []
        for number in chosen:
            step = steps[number]
            if step.copy is not None:
                copies.append(step.copy)
                continue
            body += self._copying(copies, names)
            copies = []
            body += [f"at = {number}", *step.code]
            names.update(step.names)
        body += self._copying(copies, names)
        lines = [
            "def run(mapper, source, values):",
            "    at = None",
            "    try:",
            *(f"        {line}" for line in body or _NOTHING_TO_DO),
            "    except FAULTS as fault:",
            "        blame(mapper, at, fault)",
        ]
        # The text is made here: field names come into it as repr writes them, nothing else does.
        exec(_compiled("\n".join(lines)), names)  # noqa: S102
        function: Run = names["run"]
        return function

    def _copying(self, copies: list[Copy], names: dict[str, Any]) -> list[str]:
        """Write a block that copies fields: fast when all are there, which is the rule."""
        if not copies:
            return []
        slow = f"copy_{len(names)}"
        names[slow] = _copy_present(tuple(copies)) if self._payload else _copy_all(tuple(copies))
        return [
            "at = None",
            "try:",
            *(f"    values[{target!r}] = source[{name!r}]" for name, target in copies),
            "except KeyError:",
            f"    {slow}(mapper, source, values)",
        ]

    def _blame(self, mapper: Any, at: int | None, fault: Exception) -> None:
        if at is None:
            raise fault
        error = self._steps[at].blame(mapper, fault)
        if error is fault:
            raise fault
        raise error from fault.__cause__ or fault


@lru_cache(maxsize=256)
def _compiled(text: str) -> CodeType:
    return compile(text, "<mapping>", "exec")


def _copy_present(copies: tuple[Copy, ...]) -> Run:
    def copy(mapper: Any, source: Any, values: dict[str, Any]) -> None:  # noqa: ARG001
        for name, target in copies:
            if name in source:
                values[target] = source[name]

    return copy


def _copy_all(copies: tuple[Copy, ...]) -> Run:
    def copy(mapper: Any, source: Any, values: dict[str, Any]) -> None:
        for name, target in copies:
            try:
                values[target] = source[name]
            except KeyError as fault:
                raise mapping_error(mapper, "is not in the source", field=name) from fault

    return copy
