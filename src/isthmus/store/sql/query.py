"""Domains and orders as SQL."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, false, func, not_, or_, select, true
from sqlalchemy.orm import Mapper, RelationshipProperty
from sqlalchemy.sql.elements import UnaryExpression

from isthmus.env import X2MANY, Field
from isthmus.env.domain import AllOf, Leaf, Node, Not, check_order
from isthmus.errors import DomainError, UnknownFieldError
from isthmus.store.operand import TEXTS, operand

_PATTERNS: Final = frozenset({"like", "not like", "ilike", "not ilike", "=like", "=ilike"})


class Query:
    """Translates domains for the models of one store.

    Args:
        mapper_of: Gives the mapper of a model's name.
        fields_of: Gives the fields of a model's name.
    """

    def __init__(
        self, mapper_of: Callable[[str], Mapper[Any]], fields_of: Callable[[str], Mapping[str, Field]]
    ) -> None:
        self._mapper_of = mapper_of
        self._fields_of = fields_of

    def where(self, model: str, node: Node) -> ColumnElement[bool]:
        """Give the condition of a domain's node.

        Raises:
            UnknownFieldError: When a path names no field.
            DomainError: When a path goes through a field that is no relation, or a value or operator does
                not fit its field.
        """  # noqa: DOC502 - raised by what is called
        if isinstance(node, Leaf):
            return self._leaf(model, node.path, node)
        if isinstance(node, Not):
            return not_(func.coalesce(self.where(model, node.node), false()))
        parts = [self.where(model, child) for child in node.nodes]
        return and_(true(), *parts) if isinstance(node, AllOf) else or_(*parts)

    def order(self, model: str, order: str | None) -> list[UnaryExpression[Any] | ColumnElement[Any]]:
        """Give the ORDER BY of ``"name, id desc"``, ended by the key so that it is stable.

        Empty values come last, or first when descending, on both databases.
        """
        key = self._mapper_of(model).primary_key[0]
        terms: list[Any] = []
        for name, direction in check_order(model, order, self._fields_of(model)):
            column = self._column(model, name)
            term = column.desc() if direction == "desc" else column.asc()
            if column.expression.nullable:
                term = term.nulls_first() if direction == "desc" else term.nulls_last()
            terms.append(term)
        return [*terms, key.asc()]

    def _check(self, model: str, name: str) -> Field:
        fields = self._fields_of(model)
        if name not in fields:
            raise UnknownFieldError(model, name, fields)
        return fields[name]

    def _column(self, model: str, name: str) -> Any:
        attribute = getattr(self._mapper_of(model).class_, name)
        if isinstance(attribute.property, RelationshipProperty):
            mapper = self._mapper_of(model)
            column = next(iter(attribute.property.local_columns))
            return getattr(mapper.class_, mapper.get_property_by_column(column).key)
        return attribute

    def _key_type(self, model: str, field: Field) -> type:
        kind: type = self._mapper_of(field.relation or model).primary_key[0].type.python_type
        return kind

    def _leaf(self, model: str, path: tuple[str, ...], leaf: Leaf) -> ColumnElement[bool]:
        name, rest = path[0], path[1:]
        field = self._check(model, name)
        if not rest and field.relation is not None and leaf.operator in _PATTERNS:
            return self._by_name(model, field, leaf)
        if not rest and field.type not in X2MANY:
            return self._compare(model, field, leaf)
        if field.relation is None:
            raise DomainError(f"{model}.{name} is no relation, so {'.'.join(leaf.path)!r} leads nowhere")
        target = self._mapper_of(field.relation)
        if field.type in X2MANY:
            return self._many(model, target, field, rest, leaf)
        inner = self._leaf(field.relation, rest, leaf)
        subquery: Select[Any] = select(target.primary_key[0]).where(inner)
        inside: ColumnElement[bool] = self._column(model, name).in_(subquery)
        return inside

    def _by_name(self, model: str, field: Field, leaf: Leaf) -> ColumnElement[bool]:
        """Compare a relation with a pattern: its name counts, as in Odoo.

        Raises:
            DomainError: When the other model has no name.
        """
        if "name" not in self._fields_of(str(field.relation)):
            raise DomainError(f"{field.relation} has no field 'name', so {field.name!r} has no text")
        positive = Leaf((field.name, "name"), leaf.operator.removeprefix("not "), leaf.value)
        node: Node = Not(positive) if leaf.operator.startswith("not ") else positive
        return self.where(model, node)

    def _many(
        self, model: str, target: Mapper[Any], field: Field, rest: tuple[str, ...], leaf: Leaf
    ) -> ColumnElement[bool]:
        attribute = getattr(self._mapper_of(model).class_, field.name)
        if rest:
            through: ColumnElement[bool] = attribute.any(self._leaf(str(field.relation), rest, leaf))
            return through
        if leaf.operator not in {"=", "!=", "in", "not in"}:
            raise DomainError(f"operator {leaf.operator!r} does not fit the list {model}.{field.name}")
        kind = self._key_type(model, field)
        asked = leaf.value if isinstance(leaf.value, (list, tuple, set, frozenset)) else [leaf.value]
        keys = [operand(model, field, value, kind) for value in asked]
        some: list[ColumnElement[bool]] = []
        if present := [key for key in keys if key is not None]:
            some.append(attribute.any(target.primary_key[0].in_(present)))
        if len(present) < len(keys):
            some.append(not_(attribute.any()))
        found = or_(false(), *some)
        return found if leaf.operator in {"=", "in"} else not_(found)

    def _compare(self, model: str, field: Field, leaf: Leaf) -> ColumnElement[bool]:
        """Compare as Odoo does: unequal includes empty, False is empty but for booleans.

        Raises:
            DomainError: When a pattern is compared with what is no text.
        """
        column, operator = self._column(model, field.name), leaf.operator
        if operator in _PATTERNS:
            if field.type not in TEXTS:
                raise DomainError(f"operator {operator!r} does not fit {model}.{field.name} ({field.type})")
            return _pattern(column, operator, leaf.value)
        is_key = field.relation is not None or field.readonly
        kind = self._key_type(model, field) if is_key else None
        if operator in {"in", "not in"}:
            return _membership(column, operator, [operand(model, field, v, kind) for v in leaf.value])
        value = operand(model, field, leaf.value, kind)
        if operator == "=?":
            operator = "="
            if value is None:
                return true()
        if operator == "=":
            same: ColumnElement[bool] = column.is_(None) if value is None else column == value
            return same
        if operator == "!=":
            other: ColumnElement[bool] = (
                column.is_not(None) if value is None else or_(column != value, column.is_(None))
            )
            return other
        if value is None:
            return false()
        compare = {"<": column < value, ">": column > value, "<=": column <= value, ">=": column >= value}
        result: ColumnElement[bool] = compare[operator]
        return result


def _membership(column: Any, operator: str, values: list[Any]) -> ColumnElement[bool]:
    present = [value for value in values if value is not None]
    has_empty = len(present) < len(values)
    inside = column.in_(present)
    if operator == "in":
        found: ColumnElement[bool] = or_(inside, column.is_(None)) if has_empty else inside
        return found
    outside = and_(column.not_in(present), column.is_not(None))
    return outside if has_empty else or_(column.not_in(present), column.is_(None))


def _pattern(column: Any, operator: str, value: Any) -> ColumnElement[bool]:
    negative = operator.startswith("not ")
    bare = operator.removeprefix("not ")
    if value is None or value is False:
        # As Odoo: no pattern at all is contained in everything.
        value = ""
    pattern = str(value) if bare.startswith("=") else f"%{value}%"
    # SQLite has no escape character unless told; PostgreSQL's default is this one.
    compare = column.ilike if bare.endswith("ilike") else column.like
    found = compare(pattern, escape="\\")
    return or_(not_(found), column.is_(None)) if negative else found
