"""Positions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.simulators.trello.positions import Ordered, place
from isthmus.simulators.trello.refusals import InvalidValueError


def siblings(*positions: float) -> Ordered[tuple[float, str]]:
    """Things that already have these positions."""
    ordered: Ordered[tuple[float, str]] = Ordered()
    for number, position in enumerate(positions):
        ordered.add((position, f"id{number}"))
    return ordered


def test_bottom_is_one_step_below_the_last():
    """
    The distance is the recorded one.
    """
    assert place("bottom", siblings(65535, 131071)) == 196607


def test_top_is_half_of_the_first():
    """
    There is always room above, by halves.
    """
    assert place("top", siblings(65535)) == 32767.5


@pytest.mark.parametrize("wish", [None, "", "top", "bottom"])
def test_the_first_one_gets_the_usual_place(wish):
    """
    In an empty list top and bottom are the same place.
    """
    assert place(wish, siblings()) == 65535


@pytest.mark.parametrize("wish", ["middle", "-1", 0, -3, "nan", "inf", True, [1]])
def test_what_is_no_position_is_refused(wish):
    """
    The refusal names the parameter.
    """
    with pytest.raises(InvalidValueError, match="invalid value for pos"):
        place(wish, siblings())


def test_whole_numbers_have_no_fraction():
    """
    Numbers are written as JavaScript writes them.
    """
    shown = [repr(place(wish, siblings())) for wish in ("7", 7.0, "7.25")]

    assert shown == ["7", "7", "7.25"]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9))))
def test_keys_stay_sorted(steps):
    """
    However keys come and go, they are read in order.
    """
    ordered: Ordered[str] = Ordered()
    known: list[str] = []
    for added, number in steps:
        key = str(number)
        if added and key not in known:
            ordered.add(key)
            known.append(key)
        elif not added:
            ordered.discard(key)
            known = [other for other in known if other != key]

    assert list(ordered) == sorted(known)
    assert list(ordered.newest_first(before="5")) == sorted((k for k in known if k < "5"), reverse=True)
