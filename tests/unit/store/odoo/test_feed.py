"""The change feed, over a list that stands for a server's table."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from isthmus.store.odoo.feed import Feed, Row
from isthmus.testing import FrozenClock

LAG = timedelta(minutes=5)
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Table:
    """Records with the instant of their last write; the server's clock may be wrong."""

    def __init__(self, clock: FrozenClock, offset: timedelta) -> None:
        self.clock = clock
        self.offset = offset
        self.stamps: dict[int, datetime] = {}
        self.searches = 0

    def write(self, *keys: int, ago: timedelta = timedelta()) -> None:
        """Write records, in a transaction that began some time ago."""
        self.stamps |= dict.fromkeys(keys, self.clock.now() + self.offset - ago)

    def search(self, domain: list[Any], order: str, limit: int) -> list[Row]:
        """Find rows as the server does: compared exactly, told to the second."""
        self.searches += 1
        rows = [
            {"id": key, "exact": stamp, "write_date": stamp.replace(microsecond=0)}
            for key, stamp in self.stamps.items()
        ]
        for field, operator, value in domain:
            if operator == "!=":
                continue  # all of these have a stamp
            name = "exact" if field == "write_date" else field
            rows = [
                row
                for row in rows
                if {">=": row[name] >= value, "<": row[name] < value, ">": row[name] > value}[operator]
            ]
        keys = {"id": lambda r: r["id"]}.get(order, lambda r: (r["exact"], r["id"]))
        return sorted(rows, key=keys, reverse=order.endswith("desc"))[:limit]


@pytest.fixture
def clock() -> FrozenClock:
    """Our clock."""
    return FrozenClock(START)


@pytest.fixture(params=[0, -3_600, 3_600], ids=["right", "an hour behind", "an hour ahead"])
def table(request: pytest.FixtureRequest, clock: FrozenClock) -> Table:
    """A table on a server whose clock is right, or wrong."""
    return Table(clock, timedelta(seconds=request.param))


def walk(table: Table, mark: Any, limit: int = 3) -> tuple[list[int], Any]:
    """Read to the end; the mark goes through JSON."""
    told: list[int] = []
    feed = Feed(table.search, lag=LAG, now=table.clock.now)
    while True:
        rows, mark = feed.page(json.loads(json.dumps(mark)), limit)
        told += [row["id"] for row in rows]
        if len(rows) < limit:
            return told, mark


def test_a_walk_tells_each_record_once_whatever_the_server_s_clock(table: Table, clock: FrozenClock) -> None:
    """Ties within a second and pages that end in one are no trouble."""
    for second in range(4):
        table.write(*range(second * 10, second * 10 + 7))
        clock.advance(timedelta(seconds=1, microseconds=17))

    told, _ = walk(table, None)

    assert sorted(told) == sorted(table.stamps)
    assert len(told) == len(set(told))


def test_a_write_after_a_quiet_time_is_told_whatever_the_server_s_clock(
    table: Table, clock: FrozenClock
) -> None:
    """The mark never runs ahead of what the server stamps next."""
    table.write(1)
    mark: Any = None
    for _ in range(6):
        _, mark = walk(table, mark)
        clock.advance(timedelta(minutes=3))
    quiet, mark = walk(table, mark)

    table.write(2)
    told, _ = walk(table, mark)

    assert (quiet, told) == ([], [2])


def test_a_late_commit_is_told(table: Table, clock: FrozenClock) -> None:
    """A transaction is stamped with its beginning, and shows at its end, up to the lag later."""
    table.write(1)
    clock.advance(timedelta(minutes=10))
    _, mark = walk(table, None)
    clock.advance(timedelta(minutes=4))
    table.write(2)
    _, mark = walk(table, mark)

    table.write(3, ago=timedelta(minutes=4, seconds=59))
    told, _ = walk(table, mark)

    assert 3 in told


def test_a_late_commit_behind_a_long_walk_is_told(table: Table, clock: FrozenClock) -> None:
    """What the walk had passed already when it was committed is told by the next one."""
    table.write(*range(9))
    clock.advance(timedelta(minutes=10))
    feed = Feed(table.search, lag=LAG, now=clock.now)
    _, mark = feed.page(None, 3)
    clock.advance(timedelta(minutes=20))
    table.write(20)
    _, mark = walk(table, mark)

    table.write(21, ago=timedelta(minutes=20))
    told, _ = walk(table, mark)

    assert {20, 21} <= set(told)


def test_a_poll_with_nothing_new_is_one_search(table: Table, clock: FrozenClock) -> None:
    """Whether or not the last window is told again."""
    table.write(1, 2)
    _, mark = walk(table, None)
    searches = []
    for _ in range(4):
        table.searches = 0
        told, mark = walk(table, mark)
        searches.append((told, table.searches))
        clock.advance(timedelta(minutes=5))

    assert searches == [([1, 2], 1), ([1, 2], 1), ([], 1), ([], 1)]


def test_a_mark_of_now_begins_with_the_lag_window(table: Table, clock: FrozenClock) -> None:
    """What is long settled is not told."""
    table.write(1)
    clock.advance(timedelta(minutes=10))
    table.write(2)

    told, _ = walk(table, Feed(table.search, lag=LAG, now=clock.now).mark_now())

    assert told == [2]


def test_a_server_whose_clock_was_ahead_and_is_put_right_is_followed(clock: FrozenClock) -> None:
    """The mark lies in its future then; what is written now lies before it."""
    table = Table(clock, timedelta(hours=1))
    table.write(1)
    feed = Feed(table.search, lag=LAG, now=clock.now, server_now=lambda: clock.now() + table.offset)
    mark: Any = None
    for _ in range(3):
        _, mark = feed.page(mark, 5)
        clock.advance(timedelta(minutes=6))
    table.offset = timedelta()
    _, mark = feed.page(mark, 5)

    table.write(2)
    told, mark = feed.page(mark, 5)

    assert 2 in [row["id"] for row in told]
