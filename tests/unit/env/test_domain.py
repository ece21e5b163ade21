"""A domain is parsed once, and the tree can be written down again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.env import Domain, Field, parse
from isthmus.env.domain import AllOf, AnyOf, Leaf, Node, Not, check_order, check_paths, leaves, to_list
from isthmus.errors import DomainError, UnknownFieldError

FIELDS = {
    "sale": {
        "name": Field(name="name", type="char"),
        "partner_id": Field(name="partner_id", type="many2one", relation="partner"),
    },
    "partner": {"city": Field(name="city", type="char"), "tags": Field(name="tags", type="many2many")},
}

_leaf = st.builds(lambda name, value: (name, "=", value), st.sampled_from(["a", "b.c"]), st.integers())
_term = st.recursive(
    _leaf.map(lambda leaf: [leaf]),
    lambda inner: st.one_of(
        inner.map(lambda term: ["!", *term]),
        st.tuples(st.sampled_from("&|"), inner, inner).map(lambda t: [t[0], *t[1], *t[2]]),
    ),
)


def value_of(node: Node, facts: dict[tuple[object, ...], bool]) -> bool:
    """Say whether a tree is true, given which of its leaves are."""
    match node:
        case Leaf():
            return facts[node.path, node.value]
        case Not():
            return not value_of(node.node, facts)
        case AllOf():
            return all(value_of(child, facts) for child in node.nodes)
        case AnyOf():
            return any(value_of(child, facts) for child in node.nodes)


@given(st.lists(_term, max_size=4), st.randoms())
def test_a_tree_written_down_means_the_same(terms: list[Domain], random: object) -> None:
    """
    What a remote store sends on selects what was asked for.
    """
    tree = parse([token for term in terms for token in term])
    facts = {(leaf.path, leaf.value): random.random() < 0.5 for leaf in leaves(tree)}  # type: ignore[attr-defined]

    again = parse(to_list(tree))

    assert value_of(again, facts) == value_of(tree, facts)


def test_a_path_is_followed_through_relations() -> None:
    """
    Each part is looked up in the model it leads to.
    """
    check_paths("sale", parse([("partner_id.city", "=", "x")]), FIELDS.__getitem__)

    with pytest.raises(UnknownFieldError) as unknown:
        check_paths("sale", parse(["!", ("partner_id.ctiy", "=", "x")]), FIELDS.__getitem__)
    with pytest.raises(DomainError) as nowhere:
        check_paths("sale", parse([("name.city", "=", "x")]), FIELDS.__getitem__)

    assert str(unknown.value) == "model 'partner' has no field 'ctiy'; did you mean 'city'?"
    assert str(nowhere.value) == "sale.name is no relation, so 'name.city' leads nowhere"


def test_an_order_is_read_into_pairs() -> None:
    """
    Ascending unless said otherwise; spaces and case do not matter.
    """
    assert check_order("partner", " city DESC ,city", FIELDS["partner"]) == [
        ("city", "desc"),
        ("city", "asc"),
    ]
    assert check_order("partner", None, FIELDS["partner"]) == []


@pytest.mark.parametrize("order", ["nmae", "tags", "city up", "city asc desc"])
def test_an_order_that_means_nothing_is_refused(order: str) -> None:
    """
    Unknown fields, lists, other words than asc and desc.
    """
    with pytest.raises((UnknownFieldError, DomainError)):
        check_order("partner", order, FIELDS["partner"])
