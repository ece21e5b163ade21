"""Search domains: the field's own list syntax, parsed once into a tree that stores translate.

A domain is a list of leaves ``(path, operator, value)`` joined by a silent "and", with the
prefix operators ``"&"``, ``"|"`` (two operands) and ``"!"`` (one operand).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from isthmus.errors import DomainError, near

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
    nodes: list[Node] = []
    for token in tokens:
        nodes.append(_node(token, tokens, domain))
    return AllOf(tuple(nodes))


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
