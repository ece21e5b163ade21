"""Search domains: the field's own list syntax, parsed once into a tree that stores translate.

A domain is a list of leaves ``(path, operator, value)`` joined by a silent "and", with the
prefix operators ``"&"``, ``"|"`` (two operands) and ``"!"`` (one operand).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from isthmus.env.field import X2MANY, Field
from isthmus.errors import DomainError, UnknownFieldError, near

Domain: TypeAlias = Sequence[Any]
"""What callers write: ``[("name", "ilike", "login"), "|", (...), (...)]``."""

OPERATORS: Final = (
    "=", "!=", "<", ">", "<=", ">=", "=?", "in", "not in",
    "like", "not like", "ilike", "not ilike", "=like", "=ilike",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison: a dotted path, an operator, a value."""

    path: tuple[str, ...]
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of one node."""

    node: "Node"


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of these nodes; none at all is always true."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of these nodes."""

    nodes: tuple["Node", ...]


Node: TypeAlias = Leaf | Not | AllOf | AnyOf


def parse(domain: Domain) -> AllOf:
    """Turn a domain into its tree.

    Args:
        domain: The list as a caller wrote it; an empty one selects everything.

    Returns:
        The conjunction of its terms.

    Raises:
        DomainError: When an operator lacks an operand, is unknown, or a leaf is no triple.

    >>> parse([("name", "=", "a")]).nodes[0].path
    ('name',)
    >>> parse(["|", ("a", "=", 1), ("b", "=", 2)]).nodes[0].__class__.__name__
    'AnyOf'
    """
    if isinstance(domain, str) or not isinstance(domain, Iterable):
        raise DomainError(f"a domain is a list of (field, operator, value), not {domain!r}")
    tokens = iter(list(domain))
    # The operands of an operator are taken from the same iterator.
    return AllOf(tuple([_node(token, tokens, domain) for token in tokens]))


def _node(token: Any, rest: Iterator[Any], domain: Domain) -> Node:
    if token in {"&", "|"} if isinstance(token, str) else False:
        left, right = _operand(token, rest, domain), _operand(token, rest, domain)
        return AllOf((left, right)) if token == "&" else AnyOf((left, right))  # noqa: S105 - an operator
    if token == "!":  # noqa: S105 - an operator
        return Not(_operand(token, rest, domain))
    return _leaf(token, domain)


def _operand(operator: str, rest: Iterator[Any], domain: Domain) -> Node:
    for token in rest:
        return _node(token, rest, domain)
    raise DomainError(f"operator {operator!r} lacks an operand in domain {list(domain)!r}")


def _leaf(token: Any, domain: Domain) -> Leaf:
    if not isinstance(token, (tuple, list)) or len(token) != 3 or not isinstance(token[0], str):
        raise DomainError(
            f"{token!r} is neither '&', '|', '!' nor (field, operator, value) in domain {list(domain)!r}"
        )
    path, operator, value = token
    operator = {"==": "=", "<>": "!="}.get(operator, operator)
    if operator not in OPERATORS:
        raise DomainError(f"unknown operator {operator!r} for field {path!r}{near(str(operator), OPERATORS)}")
    if operator in {"in", "not in"} and (isinstance(value, str) or not isinstance(value, Iterable)):
        raise DomainError(f"operator {operator!r} for field {path!r} needs a list, not {value!r}")
    return Leaf(tuple(path.split(".")), operator, value)


def leaves(node: Node) -> Iterator[Leaf]:
    """Walk over all comparisons of a tree."""
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, Not):
        yield from leaves(node.node)
    else:
        for child in node.nodes:
            yield from leaves(child)


def to_list(node: Node) -> list[Any]:
    """Turn a tree back into the list that `parse` reads, for stores that send it on.

    >>> to_list(parse(["|", ("a", "=", 1), "!", ("b.c", "in", [2])]))
    ['|', ('a', '=', 1), '!', ('b.c', 'in', [2])]
    """
    if isinstance(node, Leaf):
        return [(".".join(node.path), node.operator, node.value)]
    if isinstance(node, Not):
        # "!" takes one operand: a conjunction of several must become one.
        return ["!", *_joined("&", (node.node,))]
    if isinstance(node, AnyOf):
        return _joined("|", node.nodes)
    return [token for child in node.nodes for token in to_list(child)]


def _joined(operator: str, nodes: Sequence[Node]) -> list[Any]:
    tokens: list[Any] = [operator] * (len(nodes) - 1)
    for node in nodes:
        tokens += _joined("&", node.nodes) if isinstance(node, AllOf) else to_list(node)
    return tokens


def check_paths(model: str, node: Node, fields_of: Callable[[str], Mapping[str, Field]]) -> None:
    """Refuse paths that lead nowhere, for stores that do not translate the domain themselves.

    Args:
        model: Where the paths start.
        node: The tree.
        fields_of: Gives the fields of a model.

    Raises:
        UnknownFieldError: When a part of a path names no field; names near ones.
        DomainError: When a path goes through a field that is no relation.
    """
    for leaf in leaves(node):
        here = model
        for position, name in enumerate(leaf.path):
            fields = fields_of(here)
            if name not in fields:
                raise UnknownFieldError(here, name, fields)
            if position == len(leaf.path) - 1:
                break
            relation = fields[name].relation
            if relation is None:
                raise DomainError(f"{here}.{name} is no relation, so {'.'.join(leaf.path)!r} leads nowhere")
            here = relation


def check_order(model: str, order: str | None, fields: Mapping[str, Field]) -> list[tuple[str, str]]:
    """Read an order, ``"name, id desc"``, into pairs of field and direction.

    Raises:
        UnknownFieldError: When it names no field.
        DomainError: When a direction is neither asc nor desc, or the field is a list.

    >>> check_order("doc", "name desc", {"name": Field(name="name", type="char")})
    [('name', 'desc')]
    """
    terms: list[tuple[str, str]] = []
    for part in (order or "").split(","):
        words = part.split()
        if not words:
            continue
        name, direction = words[0], (words[1].lower() if len(words) > 1 else "asc")
        if name not in fields:
            raise UnknownFieldError(model, name, fields)
        if fields[name].type in X2MANY:
            raise DomainError(f"{model}.{name} is a list of records and has no order")
        if direction not in {"asc", "desc"} or len(words) > 2:
            raise DomainError(f"order {order!r} of {model}: {part.strip()!r} is not '<field> [asc|desc]'")
        terms.append((name, direction))
    return terms
