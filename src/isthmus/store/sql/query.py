"""Domains and orders as SQL."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, not_, or_, select, true
from sqlalchemy.orm import Mapper, RelationshipProperty
from sqlalchemy.sql.elements import UnaryExpression

from isthmus.env import X2MANY
from isthmus.env.domain import AllOf, Leaf, Node, Not, check_order
from isthmus.errors import DomainError, UnknownFieldError


class Query:
    """Translates domains for the models of one store.

    Args:
        mapper_of: Gives the mapper of a model's name.
        fields_of: Gives the fields of a model's name.
    """

    def __init__(
        self, mapper_of: Callable[[str], Mapper[Any]], fields_of: Callable[[str], Mapping[str, Any]]
    ) -> None:
        self._mapper_of = mapper_of
        self._fields_of = fields_of

    def where(self, model: str, node: Node) -> ColumnElement[bool]:
        """Give the condition of a domain's node.

        Raises:
            UnknownFieldError: When a path names no field.
            DomainError: When a path goes through a field that is no relation.
        """  # noqa: DOC502 - raised by what is called
        if isinstance(node, Leaf):
            return self._leaf(model, node.path, node)
        if isinstance(node, Not):
            return not_(func.coalesce(self.where(model, node.node), false()))
        parts = [self.where(model, child) for child in node.nodes]
        return and_(true(), *parts) if isinstance(node, AllOf) else or_(*parts)

    def order(self, model: str, order: str | None) -> list[UnaryExpression[Any] | ColumnElement[Any]]:
        """Give the ORDER BY of ``"name, id desc"``, ended by the key so that it is stable."""
        mapper = self._mapper_of(model)
        key = mapper.class_.__mapper__.primary_key[0]
        terms: list[Any] = []
        for name, direction in check_order(model, order, self._fields_of(model)):
            column = self._column(model, name)
            terms.append(column.desc() if direction == "desc" else column.asc())
        return [*terms, key.asc()]

    def _check(self, model: str, name: str) -> Any:
        fields = self._fields_of(model)
        if name not in fields:
            raise UnknownFieldError(model, name, fields)
        return fields[name]

    def _column(self, model: str, name: str) -> Any:
        field = self._check(model, name)
        if field.type in X2MANY:
            raise DomainError(f"{model}.{name} is a list of records and has no order")
        attribute = getattr(self._mapper_of(model).class_, name)
        if isinstance(attribute.property, RelationshipProperty):
            return next(iter(attribute.property.local_columns))
        return attribute

    def _leaf(self, model: str, path: tuple[str, ...], leaf: Leaf) -> ColumnElement[bool]:
        name, rest = path[0], path[1:]
        field = self._check(model, name)
        cls = self._mapper_of(model).class_
        attribute = getattr(cls, name)
        if not rest and field.type not in X2MANY:
            return _compare(self._column(model, name), leaf.operator, leaf.value, field.type)
        if field.relation is None:
            raise DomainError(f"{model}.{name} is no relation, so {'.'.join(leaf.path)!r} leads nowhere")
        target = self._mapper_of(field.relation)
        if field.type in X2MANY:
            return self._many(attribute, target, field, rest, leaf)
        inner = self._leaf(field.relation, rest, leaf)
        subquery: Select[Any] = select(target.primary_key[0]).where(inner)
        inside: ColumnElement[bool] = self._column(model, name).in_(subquery)
        return inside

    def _many(
        self, attribute: Any, target: Mapper[Any], field: Any, rest: tuple[str, ...], leaf: Leaf
    ) -> ColumnElement[bool]:
        if rest:
            through: ColumnElement[bool] = attribute.any(self._leaf(field.relation, rest, leaf))
            return through
        key = target.primary_key[0]
        operator, value = leaf.operator, leaf.value
        if operator in {"=", "!="} and (value is None or value is False):
            empty: ColumnElement[bool] = not_(attribute.any())
            return empty if operator == "=" else not_(empty)
        if operator in {"=", "in"}:
            some: ColumnElement[bool] = attribute.any(_compare(key, operator, value, "integer"))
            return some
        if operator in {"!=", "not in"}:
            positive = "=" if operator == "!=" else "in"
            none: ColumnElement[bool] = not_(attribute.any(_compare(key, positive, value, "integer")))
            return none
        raise DomainError(f"operator {operator!r} does not fit the list {field.name!r}")


def _compare(column: Any, operator: str, value: Any, kind: str) -> ColumnElement[bool]:
    """Compare as Odoo does: unequal includes empty, False is empty but for booleans."""
    value = getattr(value, "id", value) if hasattr(value, "_name") else value
    if value is False and kind != "boolean":
        value = None
    if operator == "=?":
        return true() if value is None else _compare(column, "=", value, kind)
    if operator == "=":
        same: ColumnElement[bool] = column.is_(None) if value is None else column == value
        return same
    if operator == "!=":
        other: ColumnElement[bool] = (
            column.is_not(None) if value is None else or_(column != value, column.is_(None))
        )
        return other
    if operator in {"in", "not in"}:
        return _membership(column, operator, list(value), kind)
    if operator in {"<", ">", "<=", ">="}:
        compare = {"<": column < value, ">": column > value, "<=": column <= value, ">=": column >= value}
        result: ColumnElement[bool] = compare[operator]
        return result
    return _pattern(column, operator, value)


def _membership(column: Any, operator: str, values: list[Any], kind: str) -> ColumnElement[bool]:
    has_empty = any(v is None or (v is False and kind != "boolean") for v in values)
    present = [v for v in values if v is not None and not (v is False and kind != "boolean")]
    inside = column.in_(present)
    if operator == "in":
        found: ColumnElement[bool] = or_(inside, column.is_(None)) if has_empty else inside
        return found
    outside = and_(column.not_in(present), column.is_not(None))
    return outside if has_empty else or_(column.not_in(present), column.is_(None))


def _pattern(column: Any, operator: str, value: Any) -> ColumnElement[bool]:
    negative = operator.startswith("not ")
    bare = operator.removeprefix("not ")
    pattern = str(value) if bare.startswith("=") else f"%{value}%"
    found = column.ilike(pattern) if bare.endswith("ilike") else column.like(pattern)
    return or_(not_(found), column.is_(None)) if negative else found
