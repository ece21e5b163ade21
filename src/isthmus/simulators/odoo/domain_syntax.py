"""Domains as Odoo reads them: prefix operators and leaves, and its texts for what is malformed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.simulators.odoo import errors
from isthmus.simulators.odoo.release import Release

_TERMS = frozenset({
    "=", "!=", "<=", "<", ">", ">=", "=?", "=like", "=ilike", "like", "not like", "ilike", "not ilike",
    "in", "not in", "child_of", "parent_of",
})  # fmt: skip
NEGATED = {
    "<": ">=", ">": "<=", "<=": ">", ">=": "<", "=": "!=", "!=": "=", "in": "not in", "not in": "in",
    "like": "not like", "not like": "like", "ilike": "not ilike", "not ilike": "ilike",
    "any": "not any", "not any": "any",
}  # fmt: skip
_TRIPLE = 3


@dataclass(frozen=True)
class Leaf:
    """One condition, as it came."""

    left: Any
    operator: str
    right: Any

    def __str__(self) -> str:
        """Show it as Odoo's messages do."""
        return str((self.left, self.operator, self.right))


@dataclass(frozen=True)
class Junction:
    """Two conditions, both ("&") or one of them ("|")."""

    operator: str
    first: "Node"
    second: "Node"


@dataclass(frozen=True)
class Negation:
    """What must not hold."""

    node: "Node"


Node = Leaf | Junction | Negation | None
"""None: everything."""


def operators(release: Release) -> frozenset[str]:
    """List the operators of a version.

    >>> sorted(operators(Release(17)) - operators(Release(16)))
    ['any', 'not any']
    """
    known = _TERMS | (frozenset({"any", "not any"}) if release.major >= 17 else frozenset())
    # 19 knows the negations of =like and =ilike and takes "==" with a warning.
    return known | (frozenset({"not =like", "not =ilike", "=="}) if release.major >= 19 else frozenset())


def parse(domain: Any, release: Release) -> Node:
    """Read a domain.

    Raises:
        _malformed: As Odoo refuses.
        builtin: One of Python's own errors, as Odoo's.
    """
    if not isinstance(domain, (list, tuple)):
        if release.major >= 19:
            raise errors.builtin("TypeError", f"Domain() invalid argument type for domain: {domain!r}")
        raise errors.builtin(
            "AssertionError",
            "Domains to normalize must have a 'domain' form: a list or tuple of domain components",
        )
    stack: list[Node] = []
    for item in reversed(domain):
        if item in ("&", "|", "!"):
            if len(stack) < (1 if item == "!" else 2):
                raise _malformed(domain, release)
            if item == "!":
                stack.append(negated(stack.pop(), paths=release.major <= 15))
            else:
                stack.append(Junction(item, stack.pop(), stack.pop()))
        else:
            stack.append(_leaf(item, release))
    node: Node = None
    for term in reversed(stack):
        node = term if node is None else Junction("&", node, term)
    return node


def negated(node: Node, *, paths: bool = False) -> Node:
    """Turn a condition round, as Odoo does: the operator where it has an opposite.

    Recorded: 14.0 does so with *paths* too, 17.0 and later do not.
    """
    if isinstance(node, Negation):
        return node.node
    if isinstance(node, Junction):
        return Junction(
            "|" if node.operator == "&" else "&",
            negated(node.first, paths=paths),
            negated(node.second, paths=paths),
        )
    if isinstance(node, Leaf) and isinstance(node.left, str) and (paths or "." not in node.left):
        opposite = NEGATED.get(node.operator)
        if opposite:
            return Leaf(node.left, opposite, node.right)
    return Negation(node)


def _malformed(domain: Sequence[Any], release: Release) -> errors.OdooError:
    if release.major >= 19:
        return errors.value_error(f"Domain() malformed domain {domain!r}")
    return errors.value_error(f"Domain {domain!r} is syntactically not correct.")


def _leaf(item: Any, release: Release) -> Leaf:
    if not isinstance(item, (list, tuple)):
        if release.major >= 19:
            raise errors.value_error(f"Domain() invalid item in domain: {item!r}")
        raise errors.builtin("IndexError", "string index out of range")
    if len(item) != _TRIPLE:
        if release.major >= 19:
            raise errors.value_error(f"Domain() invalid item in domain: {item!r}")
        text = (
            f"not enough values to unpack (expected 3, got {len(item)})"
            if len(item) < _TRIPLE
            else "too many values to unpack (expected 3)"
        )
        raise errors.value_error(text)
    left, operator, right = item
    spelt = str(operator).lower()
    spelt = "!=" if spelt == "<>" else spelt
    if spelt not in operators(release) or not isinstance(left, (str, int)):
        if release.major >= 19:
            raise errors.value_error(f"Invalid operator in condition {tuple(item)!r}")
        raise errors.value_error(f"Invalid leaf {tuple(item)!r}")
    if isinstance(right, (list, tuple, set)) and spelt in {"=", "!="}:
        spelt = "in" if spelt == "=" else "not in"
    elif spelt == "==":
        spelt = "="
    if spelt in {"in", "not in"} and not isinstance(right, (list, tuple, set)):
        if right is not None and not isinstance(right, bool):
            raise errors.value_error(f"Invalid domain term {(left, spelt, right)!r}")
        spelt = "=" if spelt == "in" else "!="
    return Leaf(left, spelt, right)
