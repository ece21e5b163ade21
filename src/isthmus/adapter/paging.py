"""Walking a list that a server gives in pages, whichever way it counts them."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar

from isthmus.errors import InvalidDataError

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def walk_before(
    fetch: Callable[[K | None], Sequence[T]], *, key: Callable[[T], K], size: int
) -> Iterator[list[T]]:
    """Walk backwards through a list by "give me what lies before this key".

    Stable while people add at the new end and remove anywhere: a page is found by a key, not
    by a count.

    Args:
        fetch: Gives the page before a key, the newest page for None. At most *size* items,
            in any order.
        key: The key of an item; keys grow with age's opposite, newest is greatest.
        size: How many items a full page has: a shorter one is the last.

    Yields:
        Each page, as the server ordered it, without items that came before.

    Raises:
        InvalidDataError: When a page brings nothing new: the server does not page by key, and
            the walk would never end.

    >>> ages = list(range(7))
    >>> def fetch(before):
    ...     return [n for n in ages if before is None or n < before][-3:]
    >>> list(walk_before(fetch, key=lambda n: n, size=3))
    [[4, 5, 6], [1, 2, 3], [0]]
    """
    before: K | None = None
    while True:
        page = list(fetch(before))
        fresh = page if before is None else [item for item in page if key(item) < before]  # type: ignore[operator]  # keys of one list compare
        if fresh:
            yield fresh
        if len(page) < size:
            return
        if not fresh:
            msg = f"the page before {before!r} brings nothing older: the server does not page by that key"
            raise InvalidDataError(msg)
        before = min(key(item) for item in fresh)  # type: ignore[type-var]  # keys of one list compare


def walk_numbered(
    fetch: Callable[[int], tuple[Sequence[T], int | None]], *, key: Callable[[T], Hashable], first: int = 1
) -> Iterator[list[T]]:
    """Walk pages by their number, for servers that know nothing better.

    Some give the last page again for every number behind it, so a page that brings nothing
    new ends the walk, and so does the total where the server tells it.

    Args:
        fetch: Gives a page and the total number of items, None where it is not told.
        key: What makes an item the same item on another page.
        first: The number of the first page.

    Yields:
        Each page without the items that came before (a list that shrinks meanwhile moves
        others under the walk: a later full walk finds those).

    Source:
        magento/magento2 #25619 for the repeated last page.

    >>> pages = {1: ["a", "b"], 2: ["c"]}
    >>> list(walk_numbered(lambda n: (pages.get(n, ["c"]), None), key=str))
    [['a', 'b'], ['c']]
    """
    seen: set[Hashable] = set()
    number = first
    while True:
        page, total = fetch(number)
        fresh = []
        for item in page:
            if (name := key(item)) not in seen:
                seen.add(name)
                fresh.append(item)
        if not fresh:
            return
        yield fresh
        if total is not None and len(seen) >= total:
            return
        number += 1


def walk_cursor(fetch: Callable[[str | None], tuple[Sequence[T], str | None]]) -> Iterator[list[T]]:
    """Walk pages by the mark that each one gives for the next.

    Args:
        fetch: Gives the page at a mark (None: the first) and the next mark (None: the end).

    Yields:
        Each page that is not empty.

    Raises:
        InvalidDataError: When a mark comes twice: the walk would never end.

    >>> pages = {None: ([1, 2], "x"), "x": ([3], None)}
    >>> list(walk_cursor(pages.__getitem__))
    [[1, 2], [3]]
    """
    seen: set[str | None] = set()
    mark: str | None = None
    while True:
        seen.add(mark)
        page, mark = fetch(mark)
        if page:
            yield list(page)
        if mark is None:
            return
        if mark in seen:
            msg = f"the server gives the page mark {mark!r} a second time"
            raise InvalidDataError(msg)


def in_chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a list into parts that one request can carry.

    Args:
        items: The whole.
        size: The longest part, positive.

    Yields:
        The parts in order; none for an empty list.

    >>> list(in_chunks("abcde", 2))
    ['ab', 'cd', 'e']
    """
    for start in range(0, len(items), size):
        yield items[start : start + size]
