"""Additions and removals of sets."""

from hypothesis import given
from hypothesis import strategies as st

from isthmus.sync.sets import SetChange

elements = st.lists(st.integers(0, 9), unique=True)


@given(before=elements, after=elements)
def test_a_change_applied_to_what_it_was_made_of_gives_what_became_of_it(
    before: list[int], after: list[int]
) -> None:
    """
    A change is all that lies between two states.
    """
    change = SetChange.between(before, after)

    assert set(change.apply(before)) == set(after)


@given(base=elements, ours=elements, theirs=elements)
def test_two_changes_give_the_same_in_either_order(
    base: list[int], ours: list[int], theirs: list[int]
) -> None:
    """
    Whoever comes first, both sides end with the same set, and no addition of either is lost.
    """
    here, there = SetChange.between(base, ours), SetChange.between(base, theirs)

    merged = set(there.apply(ours))

    assert merged == set(here.apply(theirs))
    assert set(here.added) | set(there.added) <= merged
    assert not merged & (set(here.removed) | set(there.removed))
