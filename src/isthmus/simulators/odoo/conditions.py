"""From a domain to what tells whether a row fulfils it."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from typing import Any

from isthmus.simulators.odoo import errors
from isthmus.simulators.odoo.domain_syntax import Junction, Leaf, Negation, Node, parse
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Field, Row
from isthmus.simulators.odoo.html import sanitized
from isthmus.simulators.odoo.model import Model
from isthmus.simulators.odoo.patterns import matcher

Test = Callable[[Row], bool]

_DAY = 10
_NUMBERS = frozenset({"integer", "float", "monetary"})
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def everything(row: Row) -> bool:  # noqa: ARG001 - a test
    """Take every row."""
    return True


def nothing(row: Row) -> bool:  # noqa: ARG001 - a test
    """Take no row."""
    return False


def condition_test(env: Environment, model: Model, node: Node) -> Test:
    """Make the test of a condition."""
    if node is None:
        return everything
    if isinstance(node, Negation):
        inner = condition_test(env, model, node.node)
        if isinstance(node.node, Leaf) and node.node.operator in {"=like", "=ilike"}:
            # PostgreSQL's NOT of an empty value is no more than that.
            field = model.fields.get(str(node.node.left))
            get = value_getter(env, field) if field and field.column else everything
            return lambda row: not inner(row) and get(row) is not None
        return lambda row: not inner(row)
    if isinstance(node, Junction):
        first, second = condition_test(env, model, node.first), condition_test(env, model, node.second)
        if node.operator == "&":
            return lambda row: first(row) and second(row)
        return lambda row: first(row) or second(row)
    return _Condition(env, model, node).test()


def matching(env: Environment, model: Model, domain: Any, *, archived: bool) -> frozenset[int]:
    """Find the IDs that fulfil a domain, without record rules."""
    test = with_active(env, model, parse(domain, env.release), archived=archived)
    return frozenset(row["id"] for row in env.rows(model.name).values() if test(row))


def with_active(env: Environment, model: Model, node: Node, *, archived: bool) -> Test:
    """Make the test of a condition that leaves archived records out, unless it names the field."""
    test = condition_test(env, model, node)
    if archived or not model.has_active or _names_active(node):
        return test
    return lambda row: bool(row.get("active")) and test(row)


def named(env: Environment, model: Model, name: Any, operator: str) -> frozenset[int]:
    """Find by name, archived ones too."""
    return matching(env, model, model.name_domain(name, operator), archived=True)


def _names_active(node: Node) -> bool:
    if isinstance(node, Leaf):
        return bool(node.left == "active")
    if isinstance(node, Negation):
        return _names_active(node.node)
    return isinstance(node, Junction) and (_names_active(node.first) or _names_active(node.second))


class _Condition:
    """One leaf on its way to a test."""

    def __init__(self, env: Environment, model: Model, leaf: Leaf) -> None:
        self.env = env
        self.model = model
        self.leaf = leaf

    def test(self) -> Test:
        left, operator, right = self.leaf.left, self.leaf.operator, self.leaf.right
        if isinstance(left, int):
            return everything if (left == right) == (operator == "=") else nothing
        name, _, rest = left.partition(".")
        field = self.model.fields.get(name)
        if field is None:
            raise self._unknown(name)
        if rest:
            if not field.relational:
                raise self._no_relation(left)
            return self._any(field, [[rest, operator, right]])
        if operator == "=?":
            if not right and not field.many:
                return everything
            return _Condition(self.env, self.model, Leaf(left, "=", right)).test()
        if operator in {"any", "not any"}:
            if not field.relational:
                raise errors.OdooError("builtins.KeyError", "None", [None])
            test = self._any(field, right)
            return test if operator == "any" else lambda row: not test(row)
        if operator in {"child_of", "parent_of"}:
            return self._hierarchy(field)
        if field.compute is not None:
            return self._computed(field)
        if field.many:
            return self._many(field)
        if field.type == "many2one":
            return self._many2one(field)
        return self._scalar(field)

    # -- refusals ----------------------------------------------------------------------

    def _unknown(self, name: str) -> errors.OdooError:
        where = "condition" if self.env.release.major >= 19 else "leaf"
        return errors.value_error(f"Invalid field {self.model.name}.{name} in {where} {self.leaf}")

    def _no_relation(self, left: str) -> errors.OdooError:
        if self.env.release.major >= 19:
            return errors.value_error(f"Invalid field {self.model.name}.{left} in condition {self.leaf}")
        return errors.builtin("AssertionError", f"Invalid field {left!r} in domain term {self.leaf}")

    # -- relations ---------------------------------------------------------------------

    def _comodel(self, field: Field) -> Model:
        comodel: Model = self.env.registry[field.relation or ""]
        return comodel

    def _any(self, field: Field, domain: Any) -> Test:
        archived = field.type == "many2one" or field.all_records or not self.env.active_test
        ids = matching(self.env, self._comodel(field), domain, archived=archived)
        return self._in(field, ids)

    def _in(self, field: Field, ids: frozenset[int]) -> Test:
        if field.many:
            return lambda row: not ids.isdisjoint(self.env.related(field, row["id"]))
        get = value_getter(self.env, field)
        return lambda row: get(row) in ids

    def _hierarchy(self, field: Field) -> Test:
        comodel = self.model if field.name == "id" else self._comodel(field)
        if comodel.parent_field not in comodel.fields:
            raise errors.OdooError("builtins.KeyError", comodel.parent_field)
        given = self.leaf.right if isinstance(self.leaf.right, (list, tuple)) else [self.leaf.right]
        found: set[int] = set()
        for item in given:
            found |= named(self.env, comodel, item, "ilike") if isinstance(item, str) else {item or 0}
        rows, todo = self.env.rows(comodel.name), list(found)
        table = self.env.table(comodel.name)
        while todo:
            record = todo.pop()
            if self.leaf.operator == "child_of":
                further: Iterable[int] = table.by(comodel.parent_field, record)
            else:
                parent = rows.get(record, {}).get(comodel.parent_field)
                further = (parent,) if parent else ()
            fresh = set(further) - found
            found |= fresh
            todo.extend(fresh)
        ids = frozenset(found & rows.keys())
        own = field.name == "id" or (field.name == comodel.parent_field and comodel is self.model)
        return (lambda row: row["id"] in ids) if own else self._in(field, ids)

    def _wanted(self, field: Field) -> tuple[frozenset[int], bool]:
        """Read IDs or names: the IDs, and whether an empty value is wanted too.

        Raises:
            postgres: An error of the database.
        """
        right = self.leaf.right
        several = isinstance(right, (list, tuple, set))
        given = list(right) if several else [right]
        empty = any(item is None or item is False for item in given)
        texts = [item for item in given if isinstance(item, str)]
        numbers = frozenset(int(i) for i in given if isinstance(i, (int, float)) and not isinstance(i, bool))
        if any(item is True for item in given):
            raise errors.postgres("UndefinedFunction", "operator does not exist: integer = boolean\n")
        # 19.0 looks up names beside IDs and False, versions before do not.
        mixed = self.env.release.major <= 18
        if mixed and texts and (numbers or empty or (field.many and several)):
            raise errors.postgres(
                "InvalidTextRepresentation", f'invalid input syntax for type integer: "{texts[0]}"\n'
            )
        if field.many and several and empty and self.env.release.major <= 18:
            if field.link is None:
                raise errors.postgres("UndefinedFunction", "operator does not exist: integer = boolean\n")
            # Recorded at 18.0: False in a list says nothing about an empty many2many.
            empty = False
        for text in texts:
            numbers |= named(self.env, self._comodel(field), text, "=")
        return numbers, empty

    def _many2one(self, field: Field) -> Test:
        operator, right = self.leaf.operator, self.leaf.right
        get = value_getter(self.env, field)
        if "like" in operator:
            if self.env.release.major >= 19:
                return self._named_like(field)
            if operator.startswith("=") and not isinstance(right, str):
                return self._like_exactly_many2one(get)
            if not right:
                if operator.startswith("not ") and self.env.release.major <= 17:
                    return lambda row: get(row) is None
                return nothing if operator.startswith(("not", "=")) else everything
            return self._named_like(field)
        if operator in _COMPARE and not isinstance(right, str):
            if right is None or isinstance(right, bool):
                return nothing
            compare, number = _COMPARE[operator], _number("integer", right)
            return lambda row: bool(value := get(row)) and compare(value, number)
        # A name beside "<" and its like is looked up as beside "=".
        ids, empty = self._wanted(field)
        if operator in {"!=", "not in"}:
            return lambda row: (value := get(row)) not in ids and not (empty and not value)
        return lambda row: (value := get(row)) in ids or (empty and not value)

    def _like_exactly_many2one(self, get: Callable[[Row], Any]) -> Test:
        if self.leaf.right:
            sign = "~~*" if "ilike" in self.leaf.operator else "~~"
            raise errors.postgres("UndefinedFunction", f"operator does not exist: text {sign} integer\n")
        return lambda row: get(row) is None

    def _named_like(self, field: Field) -> Test:
        """Look up names, or the ID that a number is."""
        operator, right = self.leaf.operator, self.leaf.right
        if self.env.release.major >= 19:
            # A number is a name like any other, and nothing is in every name there is.
            ids = named(self.env, self._comodel(field), str(right or ""), operator.removeprefix("not "))
        elif isinstance(right, (int, float)):
            ids = frozenset({int(right)})
        else:
            ids = named(self.env, self._comodel(field), right, operator.removeprefix("not "))
        test = self._in(field, ids)
        return (lambda row: not test(row)) if operator.startswith("not ") else test

    def _many(self, field: Field) -> Test:
        operator, right, env = self.leaf.operator, self.leaf.right, self.env
        negative = operator.startswith(("not", "!"))
        if isinstance(right, str) and operator not in {"=", "!="}:
            return self._named_like(field)
        if "like" in operator and self.env.release.major >= 19:
            return self._named_like(field)
        ids, empty = self._wanted(field)

        def one_of(row: Row) -> bool:
            related = env.related(field, row["id"])
            return not ids.isdisjoint(related) or (empty and not related)

        return (lambda row: not one_of(row)) if negative else one_of

    def _computed(self, field: Field) -> Test:
        operator, right = self.leaf.operator, self.leaf.right
        if field.name == "display_name" and self.env.release.major >= 18:
            names = self.model.name_domain(right, operator)
            return condition_test(self.env, self.model, parse(names, self.env.release))
        if field.path:
            return condition_test(self.env, self.model, Leaf(field.path, operator, right))
        if field.type != "boolean":
            # Odoo logs that such a field cannot be searched, and goes on without the condition.
            return everything
        if self.env.release.major >= 19 and operator in {"=", "!=", "in", "not in"}:
            return self._boolean(value_getter(self.env, field))
        if operator not in {"=", "!="} or not isinstance(right, bool):
            raise errors.builtin(
                "NotImplementedError", f"The search does not support operator {operator} or value {right}."
            )
        get = value_getter(self.env, field)
        return lambda row: (bool(get(row)) == right) == (operator == "=")

    # -- values ------------------------------------------------------------------------

    def _scalar(self, field: Field) -> Test:
        operator, right = self.leaf.operator, self.leaf.right
        get = value_getter(self.env, field)
        if "like" in operator:
            return self._like(field, get)
        if field.type == "boolean":
            return self._boolean(get)
        if operator in {"=", "in", "!=", "not in"}:
            given = list(right) if isinstance(right, (list, tuple, set)) else [right]
            wanted = self._values(field, given)
            if operator in {"=", "in"}:
                return lambda row: get(row) in wanted
            return lambda row: get(row) not in wanted
        if not right and (right is None or right is False):
            if field.type not in _NUMBERS or field.name == "id":
                return nothing
            right = 0
        bound = self._bound(field, operator, right)
        compare = _COMPARE[operator]
        if field.type in _NUMBERS and self.env.release.major >= 18:
            return lambda row: compare(get(row) or 0, bound)
        return lambda row: (value := get(row)) is not None and compare(value, bound)

    def _values(self, field: Field, given: list[Any]) -> frozenset[Any]:
        wanted: set[Any] = set()
        for item in given:
            if item is None or item is False:
                wanted.add(None)
            else:
                wanted.add(constant(field, item))
        falsy: Any = 0 if field.type in _NUMBERS else "" if field.type in {"char", "text", "html"} else None
        # Recorded: up to 17.0 an empty column is not the same as 0 or "".
        falsy = falsy if self.env.release.major >= 18 else None
        if falsy is not None and (None in wanted or falsy in wanted):
            wanted |= {None, falsy}
        return frozenset(wanted)

    @staticmethod
    def _bound(field: Field, operator: str, right: Any) -> Any:
        bound = constant(field, right)
        day = field.type == "datetime" and isinstance(right, str) and len(right) == _DAY
        # A day stands for its end where that keeps it on its own side of the comparison.
        return datetime.combine(bound, time(23, 59, 59)) if day and operator in {">", "<="} else bound

    def _like(self, field: Field, get: Callable[[Row], Any]) -> Test:
        operator, right = self.leaf.operator, self.leaf.right
        negative = operator.startswith("not ")
        if operator.startswith("="):
            return self._like_exactly(field, get)
        old = self.env.release.major <= 17
        if not right and not (old and right == 0 and right is not False):
            # PostgreSQL is not even asked; up to 17.0 it is, and only what is empty is not like "%".
            return (lambda row: get(row) is None) if negative and old else nothing if negative else everything
        day = field.type == "datetime" and isinstance(right, str) and len(right) == _DAY
        if day and self.env.release.major <= 18:
            right += " 00:00:00"
        match = matcher(operator, str(right))
        return (lambda row: not match(get(row))) if negative else (lambda row: match(get(row)))

    def _like_exactly(self, field: Field, get: Callable[[Row], Any]) -> Test:
        operator, right = self.leaf.operator, self.leaf.right
        if field.type in _NUMBERS or field.type == "boolean":
            sign = "~~*" if "ilike" in operator else "~~"
            kind = {"integer": "integer", "boolean": "boolean"}.get(field.type, "numeric")
            raise errors.postgres("UndefinedFunction", f"operator does not exist: text {sign} {kind}\n")
        if right is None or right is False:
            return lambda row: get(row) is None
        if right == "":
            return lambda row: get(row) in {None, ""}
        match = matcher(operator, str(constant(field, right) if field.type == "html" else right))
        return lambda row: match(get(row))

    def _boolean(self, get: Callable[[Row], Any]) -> Test:
        right = self.leaf.right
        compare = _COMPARE.get(self.leaf.operator)
        if compare is not None:
            return lambda row: compare(bool(get(row)), bool(right))
        given = right if isinstance(right, (list, tuple, set)) else [right]
        wanted = frozenset(bool(item) for item in given)
        if self.leaf.operator in {"=", "in"}:
            return lambda row: bool(get(row)) in wanted
        return lambda row: bool(get(row)) not in wanted


def value_getter(env: Environment, field: Field) -> Callable[[Row], Any]:
    """Make what gives a row's value of a field, computed if it has no column."""
    if field.column:
        name = field.name
        return lambda row: row.get(name)
    if field.compute is None:
        return lambda row: None  # noqa: ARG005 - a getter
    compute = field.compute
    return lambda row: compute(env, row) or None


def constant(field: Field, value: Any) -> Any:
    """Turn a domain's value into the kind that the column keeps.

    Raises:
        postgres: An error of the database.
    """
    if field.type in _NUMBERS:
        if field.name == "id" and isinstance(value, str) and not value.lstrip("-").isdecimal():
            raise errors.postgres(
                "InvalidTextRepresentation", f'invalid input syntax for type integer: "{value}"\n'
            )
        return _number(field.type, value)
    if field.type in {"date", "datetime"}:
        return _instant(field, value)
    # An html column is compared with what would be kept.
    return sanitized(str(value)) if field.type == "html" else str(value)


def _number(kind: str, value: Any) -> Any:
    try:
        return int(value) if kind == "integer" and not isinstance(value, float) else float(value)
    except (ValueError, TypeError) as error:
        raise errors.value_error(str(error)) from error


def _instant(field: Field, value: Any) -> date | datetime:
    try:
        moment = datetime.fromisoformat(value).replace(tzinfo=None)
    except (ValueError, TypeError) as error:
        kind = "timestamp" if field.type == "datetime" else "date"
        raise errors.postgres(
            "InvalidDatetimeFormat", f'invalid input syntax for type {kind}: "{value}"\n'
        ) from error
    return moment if field.type == "datetime" else moment.date()
