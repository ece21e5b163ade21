"""Walks bring each item once and end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.adapter import in_chunks, walk_before, walk_cursor, walk_numbered
from isthmus.errors import InvalidDataError

KEYS = st.lists(st.integers(), unique=True, max_size=60).map(sorted)
SIZES = st.integers(min_value=1, max_value=12)

# A busy machine is no failure of ours.
unhurried = settings(deadline=None)


@unhurried
@given(keys=KEYS, size=SIZES, newest_first=st.booleans())
def test_walking_back_brings_each_item_once(keys, size, newest_first):
    """
    Whatever the page size and the order inside a page.
    """

    def fetch(before):
        page = [key for key in keys if before is None or key < before][-size:]
        return page[::-1] if newest_first else page

    walked = [key for page in walk_before(fetch, key=lambda key: key, size=size) for key in page]

    assert sorted(walked) == keys


@unhurried
@given(keys=KEYS, size=SIZES, data=st.data())
def test_walking_back_misses_nothing_while_people_edit(keys, size, data):
    """
    What is there from the first to the last page is brought, whatever is added or removed meanwhile.
    """
    there = list(keys)
    removed = set()

    def fetch(before):
        page = [key for key in there if before is None or key < before][-size:]
        if there:
            gone = data.draw(st.sampled_from(there))
            removed.add(gone)
            there.remove(gone)
        there.append(max(there, default=0) + 1)
        return page

    pages = walk_before(fetch, key=lambda key: key, size=size)
    walked = [key for _, page in zip(range(200), pages, strict=False) for key in page]

    assert set(keys) - removed <= set(walked)
    assert len(walked) == len(set(walked))


def test_a_server_that_ignores_the_key_does_not_hold_us_for_ever():
    """
    The same page again is an error, not an endless walk.
    """
    walk = walk_before(lambda before: [1, 2, 3], key=lambda key: key, size=3)

    with pytest.raises(InvalidDataError, match="does not page by that key"):
        list(walk)


def test_a_server_that_includes_the_key_itself_is_no_trouble():
    """
    "Before" read as "up to and with" repeats one item, which is left out.
    """

    def fetch(before):
        return [key for key in range(7) if before is None or key <= before][-3:]

    assert list(walk_before(fetch, key=lambda key: key, size=3)) == [[4, 5, 6], [2, 3], [0, 1]]


@unhurried
@given(items=KEYS, size=SIZES, tells_total=st.booleans())
def test_numbered_pages_end_although_the_last_one_repeats(items, size, tells_total):
    """
    Some servers give the last page for every number behind it.
    """
    pages = [list(page) for page in in_chunks(items, size)] or [[]]

    def fetch(number):
        return pages[min(number, len(pages)) - 1], len(items) if tells_total else None

    walked = [item for page in walk_numbered(fetch, key=lambda item: item) for item in page]

    assert walked == items


@unhurried
@given(items=KEYS, size=SIZES)
def test_marked_pages_are_walked_to_the_end(items, size):
    """
    Each page names the next, the last names none.
    """
    pages = [list(page) for page in in_chunks(items, size)] or [[]]

    def fetch(mark):
        number = int(mark or 0)
        return pages[number], str(number + 1) if number + 1 < len(pages) else None

    assert [item for page in walk_cursor(fetch) for item in page] == items


def test_a_mark_that_comes_again_ends_the_walk():
    """
    A circle of pages is an error.
    """
    with pytest.raises(InvalidDataError, match="a second time"):
        list(walk_cursor(lambda mark: ([1], "a")))
