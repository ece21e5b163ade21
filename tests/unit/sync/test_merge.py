"""The merge of one field group, by its whole truth table and its laws."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from isthmus.sync.merge import Side, Verdict, advance, judge

FIELDS = st.sampled_from(["a", "b", "c"])
VALUES = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "x"])
IMAGES = st.dictionaries(FIELDS, VALUES)


def verdict(there: bool, here: bool, importable: bool, exportable: bool, agree: bool) -> Verdict:
    """Judge a group of one field on each side."""
    return judge(
        Side({"title": "old"}, {"title": "theirs" if there else "old"}),
        Side({"name": "old"}, {"name": "ours" if here else "old"}),
        their_fields=["title"],
        our_fields=["name"],
        importable=importable,
        exportable=exportable,
        agree=lambda: agree,
    )


@given(st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_the_truth_table(there: bool, here: bool, importable: bool, exportable: bool, agree: bool) -> None:
    """A change counts where its direction is mapped; only two that count can agree or conflict."""
    counts = (there and importable, here and exportable)
    expected = {
        (False, False): Verdict.NOTHING,
        (True, False): Verdict.IMPORT,
        (False, True): Verdict.EXPORT,
        (True, True): Verdict.AGREE if agree else Verdict.CONFLICT,
    }

    assert verdict(there, here, importable, exportable, agree) is expected[counts]


def test_agreement_is_asked_only_when_both_changed() -> None:
    """To map costs, and may fail."""

    def never() -> bool:
        raise AssertionError

    for there, here in ((False, False), (True, False), (False, True)):
        judge(
            Side({"t": 1}, {"t": 2 if there else 1}),
            Side({"n": 1}, {"n": 2 if here else 1}),
            their_fields=["t"],
            our_fields=["n"],
            importable=True,
            exportable=True,
            agree=never,
        )


@given(IMAGES, IMAGES)
def test_a_field_that_was_not_read_is_no_change(seen: dict[str, Any], now: dict[str, Any]) -> None:
    """Only what is there now can have changed, and only from what was seen."""
    changed = Side(seen, now).changed("abc")

    assert set(changed) == {n for n in now if n not in seen or seen[n] != now[n]}


@given(IMAGES)
def test_a_side_that_was_never_seen_has_changed_as_a_whole(now: dict[str, Any]) -> None:
    """Without an image everything counts."""
    assert set(Side(None, now).changed("abc")) == set(now)


@given(IMAGES, IMAGES, IMAGES)
def test_a_value_we_wrote_ourselves_is_no_change(
    seen: dict[str, Any], now: dict[str, Any], written: dict[str, Any]
) -> None:
    """What an open effect may have written is ours; another value is theirs."""
    changed = Side(seen, now, written).changed("abc")

    assert set(changed) == {
        n for n in Side(seen, now).changed("abc") if n not in written or written[n] != now[n]
    }


@given(IMAGES, IMAGES, st.sets(FIELDS))
def test_to_advance_takes_the_named_fields_and_no_others(
    seen: dict[str, Any], now: dict[str, Any], fields: set[str]
) -> None:
    """The image after it has nothing of these fields left to tell, and the others are as before."""
    image = advance(seen, now, fields)

    assert Side(image, now).changed(fields) == []
    assert {n: v for n, v in image.items() if n not in fields} == {
        n: v for n, v in seen.items() if n not in fields
    }


@given(IMAGES, IMAGES, st.sets(FIELDS), st.sets(FIELDS))
def test_to_advance_step_by_step_is_to_advance_at_once(
    seen: dict[str, Any], now: dict[str, Any], one: set[str], two: set[str]
) -> None:
    """Idempotent, and in any order; the image that is given stays as it was."""
    before = dict(seen)

    assert advance(advance(seen, now, one), now, two) == advance(seen, now, one | two)
    assert advance(advance(seen, now, one), now, one) == advance(seen, now, one)
    assert seen == before


@given(IMAGES, st.sets(FIELDS))
def test_to_advance_from_nothing_makes_an_image(now: dict[str, Any], fields: set[str]) -> None:
    """A first image has the named fields that there are."""
    assert advance(None, now, fields) == {n: v for n, v in now.items() if n in fields}
