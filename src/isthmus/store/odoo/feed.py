"""The change feed over plain searches: a walk by last write, and by key within a second.

The wire shows whole seconds while the server orders by more, so a position is a second and the
last key in it: a second is walked by key, from its beginning if the page before ended inside it.
Instants of the two sides are never compared: our clock only measures how long something took.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from isthmus.env import Key

Row = dict[str, Any]
"""A record's ``id``, ``write_date`` and whatever else was asked for."""
Search = Callable[[list[Any], str, int], list[Row]]
"""Finds and reads records: domain, order, limit; archived records too."""

_SECOND: Final = timedelta(seconds=1)
_STAMPED: Final = [("write_date", "!=", None)]
"""What was never written through the ORM has no stamp, and shows in no feed."""


class Feed:
    """Reads a change feed page by page.

    A mark is a mapping. *settled*: where a walk begins; what was written before it is known. *newest*:
    the last write seen, and *seen*: our time when it was. In a walk that goes on also *began*: our time at
    its start, and its position: *start*, or *second* and *key*.

    Args:
        search: See `Search`.
        lag: How long a transaction there may last: it stamps its start, and shows at its end.
        now: Our time.
        server_now: About the time there, where it is known: a mark that lies ahead of it was made by a clock
            that has been put right since.
    """

    def __init__(
        self,
        search: Search,
        *,
        lag: timedelta,
        now: Callable[[], datetime],
        server_now: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        self._search = search
        self._lag = lag
        self._now = now
        self._server_now = server_now

    def mark_now(self) -> dict[str, Any]:
        """Give the mark behind the newest write, less the lag window."""
        newest = self._search(_STAMPED, "write_date desc", 1)
        settled = newest[0]["write_date"] - self._lag if newest else None
        return {"settled": settled and settled.isoformat()}

    def page(self, since: dict[str, Any] | None, limit: int) -> tuple[list[Row], dict[str, Any]]:
        """Give the next rows and the mark behind them; fewer than *limit* ends the walk."""
        walk = _Walk.resume(since, self._now())
        walk.put_right(self._server_now(), self._lag)
        rows: list[Row] = []
        while len(rows) < limit and not walk.done:
            rows += self._step(walk, limit - len(rows))
        if rows:
            walk.met(max(row["write_date"] for row in rows), self._now())
        if len(rows) < limit:
            return rows, walk.mark(self._lag, self._now())
        return rows, walk.position()

    def _step(self, walk: "_Walk", limit: int) -> list[Row]:
        if walk.second is not None:
            return self._within_second(walk, walk.second, limit)
        domain = [("write_date", ">=", walk.start)] if walk.start else _STAMPED
        found = self._search(domain, "write_date, id", limit)
        if len(found) < limit:
            walk.done = True
            return found
        # The last second of a full page may go on: it is walked by key.
        walk.second, walk.key = found[-1]["write_date"], None
        return [row for row in found if row["write_date"] < walk.second]

    def _within_second(self, walk: "_Walk", second: datetime, limit: int) -> list[Row]:
        domain: list[Any] = [("write_date", ">=", second), ("write_date", "<", second + _SECOND)]
        if walk.key is not None:
            domain.append(("id", ">", walk.key))
        found = self._search(domain, "id", limit)
        if len(found) < limit:
            walk.start, walk.second, walk.key = second + _SECOND, None, None
        else:
            walk.key = found[-1]["id"]
        return found


class _Walk:
    """One walk: where it stands."""

    def __init__(self, settled: datetime | None, began: datetime) -> None:
        self.settled = settled
        self.began = began
        self.start = settled
        self.newest: datetime | None = None
        self.seen: datetime | None = None
        self.second: datetime | None = None
        self.key: Key = None
        self.done = False

    @classmethod
    def resume(cls, mark: dict[str, Any] | None, now: datetime) -> "_Walk":
        """Take a walk up at its mark, or begin a new one."""
        mark = mark or {}
        began = _instant(mark.get("began"))
        walk = cls(_instant(mark.get("settled")), began or now)
        walk.newest, walk.seen = _instant(mark.get("newest")), _instant(mark.get("seen"))
        if began is not None:
            walk.start = _instant(mark.get("start"))
            walk.second, walk.key = _instant(mark.get("second")), mark.get("key")
        return walk

    def put_right(self, server_now: datetime | None, lag: timedelta) -> None:
        """Go back behind the present of a server whose clock was ahead before."""
        if server_now is None or self.settled is None or self.settled <= server_now:
            return
        self.settled = self.start = server_now - lag
        self.newest = self.seen = self.second = self.key = None

    def met(self, newest: datetime, now: datetime) -> None:
        """Note the last write of a page."""
        if self.newest is None or newest > self.newest:
            self.newest, self.seen = newest, now

    def position(self) -> dict[str, Any]:
        """Give the mark of a walk that goes on."""
        return {
            **self._known(),
            "settled": _text(self.settled),
            "began": _text(self.began),
            "start": _text(self.start),
            "second": _text(self.second),
            "key": str(self.key) if hasattr(self.key, "hex") else self.key,
        }

    def mark(self, lag: timedelta, now: datetime) -> dict[str, Any]:
        """Give the mark of a walk that has come to its end.

        What was written longer than the lag before the newest write of this walk, and before the walk
        began, was there to be seen. Once the newest write is known for longer than the lag, all that is
        not newer was: else a quiet feed would tell its last window forever.
        """
        known = [self.settled] if self.settled else []
        if self.newest is not None and self.seen is not None:
            if self.began - self.seen >= lag:
                known.append(self.newest + _SECOND)
            else:
                known.append(self.newest - lag - (now - self.began))
        return {**self._known(), "settled": _text(max(known, default=None))}

    def _known(self) -> dict[str, Any]:
        return {"newest": _text(self.newest), "seen": _text(self.seen)}


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
