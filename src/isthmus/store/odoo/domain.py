"""Domains and orders on their way to a server: checked, spelled in its version, as JSON."""

from collections.abc import Callable
from datetime import UTC, datetime, time
from types import MappingProxyType
from typing import Any, Final

from isthmus.env import X2MANY, Field
from isthmus.env.domain import AllOf, AnyOf, Leaf, Node, Not, check_order, check_paths, to_list
from isthmus.errors import DomainError
from isthmus.store.odoo.dialect import Spelling
from isthmus.store.odoo.wire import to_wire
from isthmus.store.operand import TEXTS, operand

_PATTERNS: Final = frozenset({"like", "not like", "ilike", "not ilike", "=like", "=ilike"})
_NUMBERS: Final = frozenset({"integer", "float", "monetary", "decimal"})
_INVERSE: Final = MappingProxyType({"<": ">=", "<=": ">", ">": "<=", ">=": "<"})
_MEMBERS: Final = frozenset({"in", "not in"})
_ON_LISTS: Final = frozenset({"=", "!=", *_MEMBERS, "like", "not like", "ilike", "not ilike"})


class Terms:
    """Translates the domains and orders of one server's models.

    Args:
        spelling: Gives the spelling of a model.
    """

    def __init__(self, spelling: Callable[[str], Spelling]) -> None:
        self._spelling = spelling

    def domain(self, model: str, domain: AllOf) -> list[Any]:
        """Give a domain as the server takes it.

        Raises:
            UnknownFieldError: When a path leads nowhere; names near fields.
            DomainError: When an operator or value does not fit its field.
        """  # noqa: DOC502 - raised by what is called
        check_paths(model, domain, lambda name: self._spelling(name).fields)
        terms: list[Any] = to_wire(to_list(self._node(model, domain)))
        return terms

    def order(self, model: str, order: str | None) -> str:
        """Give an order as the server takes it; equal records come in the order of their keys.

        Raises:
            UnknownFieldError: When it names no field.
            DomainError: When it is malformed.
        """  # noqa: DOC502 - raised by what is called
        spelling = self._spelling(model)
        terms = check_order(model, order, spelling.fields)
        named = [f"{spelling.there(name)} {direction}" for name, direction in terms]
        if all(name != "id" for name, _ in terms):
            named.append("id asc")
        return ", ".join(named)

    def _node(self, model: str, node: Node) -> Node:
        if isinstance(node, Leaf):
            return self._leaf(model, node)
        if isinstance(node, Not):
            return self._opposite(model, node.node)
        kind = AllOf if isinstance(node, AllOf) else AnyOf
        return kind(tuple(self._node(model, child) for child in node.nodes))

    def _opposite(self, model: str, node: Node) -> Node:
        """Negate: what is empty is not greater than anything, so it belongs to the opposite."""
        if isinstance(node, Not):
            return self._node(model, node.node)
        if isinstance(node, Leaf):
            found = Not(self._node(model, node))
            # An empty number reads as 0, and is compared as one.
            number = (
                self._spelling(model).fields[node.path[-1]].type in _NUMBERS if len(node.path) == 1 else True
            )
            if node.operator in _INVERSE and not number:
                inverse = self._leaf(model, Leaf(node.path, _INVERSE[node.operator], node.value))
                return AnyOf((inverse, self._leaf(model, Leaf(node.path, "=", None))))
            return found
        kind = AnyOf if isinstance(node, AllOf) else AllOf
        return kind(tuple(self._opposite(model, child) for child in node.nodes))

    def _is_number(self, model: str, name: str) -> bool:
        """Tell whether a field is one whose empty value reads as 0, and is compared as that."""
        return self._spelling(model).fields[name].type in _NUMBERS

    def _leaf(self, model: str, leaf: Leaf) -> Node:
        path = []
        for name in leaf.path[:-1]:
            spelling = self._spelling(model)
            path.append(spelling.there(name))
            model = str(spelling.fields[name].relation)
        last = leaf.path[-1]
        word = self._spelling(model).words[last]
        field = word.field
        path.append(word.told.name)

        def made(operator: str, value: Any) -> Leaf:
            return Leaf(tuple(path), operator, value)

        if leaf.operator in _PATTERNS:
            return made(leaf.operator, _pattern(model, field, leaf))
        if field.type in X2MANY and leaf.operator not in _ON_LISTS:
            raise DomainError(f"operator {leaf.operator!r} does not fit the list {model}.{last}")
        key = int if field.relation is not None or last == "id" else None

        def value_of(value: Any) -> Any:
            return _bounded(field, operand(model, field, value, key))

        def compared(operator: str, value: Any) -> Leaf:
            return made(operator, word.back(value))

        is_day = field.type == "datetime" and word.told.type == "date"
        if leaf.operator not in _MEMBERS:
            value = value_of(leaf.value)
            if is_day and _within_day(value):
                return _day_compared(leaf.operator, value, compared)
            return compared(leaf.operator, value)
        given = [value_of(value) for value in leaf.value]
        values = [word.back(v) for v in given if not (is_day and _within_day(v))]
        if None not in values or field.type == "boolean":
            return made(leaf.operator, values)
        if field.type in _NUMBERS:
            return made(leaf.operator, [value for value in values if value is not None])
        # Not every version knows an empty value in a list of keys.
        present = [value for value in values if value is not None]
        if leaf.operator == "in":
            return AnyOf((made("in", present), made("=", None)))
        return AllOf((made("not in", present), made("!=", None)))


def _within_day(value: Any) -> bool:
    """Tell whether a value is an instant at which no day begins."""
    return isinstance(value, datetime) and value.astimezone(UTC).time() != time()


def _day_compared(operator: str, instant: Any, made: Callable[[str, Any], Node]) -> Node:
    """Compare days, which begin at midnight, with an instant in the middle of one."""
    if operator in {"=", "=?"}:
        return Leaf(("id",), "=", 0)
    if operator == "!=":
        return AllOf(())
    return made({"<": "<=", ">=": ">"}.get(operator, operator), instant)


def _pattern(model: str, field: Field, leaf: Leaf) -> str:
    if field.type not in TEXTS and field.relation is None:
        raise DomainError(f"operator {leaf.operator!r} does not fit {model}.{field.name} ({field.type})")
    if leaf.value is None or leaf.value is False:
        return ""
    if not isinstance(leaf.value, str):
        raise DomainError(
            f"operator {leaf.operator!r} for {model}.{field.name} needs text, not {leaf.value!r}"
        )
    return leaf.value


def _bounded(field: Field, value: Any) -> Any:
    """Keep an integer within what the server's database can compare with."""
    if field.type == "integer" and isinstance(value, int) and not isinstance(value, bool):
        return max(min(value, 2**31 - 1), -(2**31))
    return value
