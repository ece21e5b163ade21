"""The change feed over plain searches: a walk by last write, and by key within a second.

The wire shows whole seconds while the server orders by more, so a position is a second and the
last key in it: a second is walked by key, from its beginning if the page before ended inside it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from isthmus.env import Key
from isthmus.testing.remote_wire import to_wire

Search = Callable[[list[Any], str, int], list[Key]]
"""Finds keys: domain, order, limit; archived records too."""
Stamps = Callable[[list[Key]], dict[Key, datetime]]
"""Reads the instants of the last write, to the second; missing records are left out."""

_SECOND: Final = timedelta(seconds=1)
_SKEW: Final = timedelta(minutes=1)


class Feed:
    """Reads a change feed page by page.

    A mark is a mapping. *settled*: where a walk begins; what was written before it is known. *newest*: the
    last write seen. In a walk that goes on also *began*: our time at its start, and its
    position: *start*, or *second* and *key*.

    Args:
        search: See `Search`.
        stamps: See `Stamps`.
        lag: How long a transaction there may last: it stamps its start, and shows at its end.
    """

    def __init__(self, search: Search, stamps: Stamps, *, lag: timedelta) -> None:
        self._search = search
        self._stamps = stamps
        self._lag = lag

    def mark_now(self) -> dict[str, Any]:
        """Give the mark behind the newest write, less the lag window."""
        newest = self._search([], "write_date desc", 1)
        stamps = self._stamps(newest)
        settled = max(stamps.values()) - self._lag if stamps else None
        return {"settled": settled and settled.isoformat()}

    def page(
        self, since: dict[str, Any] | None, limit: int, now: datetime
    ) -> tuple[list[tuple[Key, datetime]], dict[str, Any]]:
        """Give the next rows and the mark behind them; fewer than *limit* ends the walk."""
        walk = _Walk.resume(since, now)
        rows: list[tuple[Key, datetime]] = []
        while len(rows) < limit and not walk.done:
            rows += self._step(walk, limit - len(rows))
        if rows:
            walk.newest = max([stamp for _, stamp in rows] + ([walk.newest] if walk.newest else []))
        return rows, walk.mark(self._lag) if len(rows) < limit else walk.position()

    def _step(self, walk: "_Walk", limit: int) -> list[tuple[Key, datetime]]:
        if walk.second is not None:
            return self._within_second(walk, walk.second, limit)
        domain = [("write_date", ">=", to_wire(walk.start))] if walk.start else []
        found = self._search(domain, "write_date, id", limit)
        stamps = self._stamps(found)
        rows = [(key, stamps[key]) for key in found if key in stamps]
        if len(found) < limit:
            walk.done = True
            return rows
        if rows:
            # The last second of a full page may go on: it is walked by key.
            walk.second, walk.key = rows[-1][1], None
            return [row for row in rows if row[1] < walk.second]
        return rows  # all were deleted meanwhile: the same search finds others

    def _within_second(self, walk: "_Walk", second: datetime, limit: int) -> list[tuple[Key, datetime]]:
        domain: list[Any] = [
            ("write_date", ">=", to_wire(second)),
            ("write_date", "<", to_wire(second + _SECOND)),
        ]
        if walk.key is not None:
            domain.append(("id", ">", walk.key))
        found = self._search(domain, "id", limit)
        if len(found) < limit:
            walk.start, walk.second, walk.key = second + _SECOND, None, None
        else:
            walk.key = found[-1]
        return [(key, second) for key in found]


class _Walk:
    """One walk: where it stands."""

    def __init__(self, settled: datetime | None, began: datetime) -> None:
        self.settled = settled
        self.began = began
        self.start = settled
        self.newest: datetime | None = None
        self.second: datetime | None = None
        self.key: Any = None
        self.done = False

    @classmethod
    def resume(cls, mark: dict[str, Any] | None, now: datetime) -> "_Walk":
        """Take a walk up at its mark, or begin a new one."""
        mark = mark or {}
        began = _instant(mark.get("began"))
        walk = cls(_instant(mark.get("settled")), began or now)
        walk.newest = _instant(mark.get("newest"))
        if began is not None:
            walk.start = _instant(mark.get("start"))
            walk.second, walk.key = _instant(mark.get("second")), mark.get("key")
        return walk

    def position(self) -> dict[str, Any]:
        """Give the mark of a walk that goes on."""
        return {
            "settled": self.settled and self.settled.isoformat(),
            "began": self.began.isoformat(),
            "newest": self.newest and self.newest.isoformat(),
            "start": self.start and self.start.isoformat(),
            "second": self.second and self.second.isoformat(),
            "key": to_wire(self.key) if self.key is not None else None,
        }

    def mark(self, lag: timedelta) -> dict[str, Any]:
        """Give the mark of a walk that has come to its end.

        Behind the newest write less the lag, or, when nothing has happened for a while, behind our own
        time less the lag and a minute for clocks that differ: else a quiet feed would tell its last
        window again forever.
        """
        known = [at for at in (self.settled, self.newest and self.newest - lag) if at]
        if known:
            known.append(self.began - lag - _SKEW)
        settled = max(known, default=None)
        return {"settled": settled and settled.isoformat(), "newest": self.newest and self.newest.isoformat()}


def _instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
