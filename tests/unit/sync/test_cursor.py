"""Cursors, and walks that begin with the newest."""

import json

from hypothesis import given
from hypothesis import strategies as st
from memory_connector import TwoSides

from isthmus.sync import CursorBook, NewestFirst


def test_a_mark_is_kept_per_backend_and_stream(sides: TwoSides) -> None:
    """Saved with the transaction, read by the next one; a reset forgets."""
    with sides.hub.env() as env:
        book = CursorBook(env, sides.backend_id)
        book.save("things", {"at": 1})
        book.save("kinds", {"at": 2})
        book.save("things", {"at": 3})
    with sides.hub.env() as env:
        book = CursorBook(env, sides.backend_id)
        loaded = (book.load("things"), book.load("kinds"), book.load("others"))
        count = (book.reset("things"), book.reset(), book.reset())

    assert loaded == ({"at": 3}, {"at": 2}, None)
    assert count == (1, 1, 0)


def test_a_mark_that_was_loaded_may_be_changed_and_saved(sides: TwoSides) -> None:
    """What `load` gives is a copy: to change it alone saves nothing, to save it does."""
    with sides.hub.env() as env:
        CursorBook(env, sides.backend_id).save("things", {"seen": [1]})
    with sides.hub.env() as env:
        mark = dict(CursorBook(env, sides.backend_id).load("things") or {})
        mark["seen"].append(2)
        CursorBook(env, sides.backend_id).save("things", mark)
    with sides.hub.env() as env:
        assert CursorBook(env, sides.backend_id).load("things") == {"seen": [1, 2]}


def test_a_mark_is_lost_with_its_transaction(sides: TwoSides) -> None:
    """The page was not committed, so the cursor has not moved."""
    try:
        with sides.hub.env() as env:
            CursorBook(env, sides.backend_id).save("things", {"at": 1})
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    with sides.hub.env() as env:
        assert CursorBook(env, sides.backend_id).load("things") is None


@given(
    growth=st.lists(st.integers(0, 6), min_size=1, max_size=8),
    size=st.integers(1, 3),
    crash=st.sets(st.integers(0, 30)),
)
def test_a_walk_sees_every_entry_through_crashes(growth: list[int], size: int, crash: set[int]) -> None:
    """Entries are added between pages, pages are lost: each is read, and `since` never passes one unread."""
    entries: list[int] = []
    read: set[int] = set()
    walk = NewestFirst()
    for step, added in enumerate([*growth, *[0] * 60]):
        entries += range(len(entries), len(entries) + added)
        known = -1 if walk.since is None else int(walk.since)
        assert read >= set(range(known + 1))
        top = len(entries) if walk.before is None else int(walk.before)
        page = [n for n in reversed(entries) if known < n < top][:size]
        after = walk.after_page([str(n) for n in page], full=len(page) == size)
        if step in crash:
            walk = NewestFirst.load(json.loads(json.dumps(walk.mark())))
        else:
            read |= set(page)
            walk = NewestFirst.load(json.loads(json.dumps(after.mark())))

    assert read == set(entries)
