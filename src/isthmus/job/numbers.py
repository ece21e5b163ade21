"""Numbers and instants of new jobs, taken from the database some at a time."""

import os
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from isthmus.clock import Clock
from isthmus.job.line import Line
from isthmus.job.moves import Times

_VALID_S: Final = 1.0
"""Seconds after which numbers that were not used are let go: an older job has a smaller number."""
_LARGEST: Final = 1_000

_RESERVE: Final = text(
    "SELECT min(n), max(n), clock_timestamp() FROM "
    "(SELECT nextval(pg_get_serial_sequence('isthmus_job', 'id')) AS n FROM generate_series(1, :count)) AS s"
)
_RESERVE_SCATTERED: Final = text(
    "SELECT nextval(pg_get_serial_sequence('isthmus_job', 'id')) FROM generate_series(1, :count)"
)
_BEGIN_COUNTING: Final = text(
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'isthmus_job', 0 "
    "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'isthmus_job')"
)
_COUNT: Final = text("UPDATE sqlite_sequence SET seq = seq + :count WHERE name = 'isthmus_job' RETURNING seq")


class Numbers:
    """Gives new jobs their numbers at once, although they are written later.

    On PostgreSQL numbers are reserved in blocks, without the caller's transaction: one round trip for
    many jobs, and the database's time comes with it. On SQLite they belong to the transaction, whose end
    without a commit gives them back.

    Args:
        engine: The hub's engine.
        line: The queue's connections.
        times: Whose time counts.
        clock: The time where the database's does not count.

    Attributes:
        times: Whose time counts.
    """

    def __init__(self, engine: Engine, line: Line, times: Times, clock: Clock) -> None:
        self._line = line
        self.times = times
        self._clock = clock
        self._on_postgresql = engine.dialect.name == "postgresql"
        self._begin()

    def _begin(self) -> None:
        # The lock too: in a forked child another thread of the parent may hold it, for ever.
        self._lock = threading.Lock()
        self._block: Sequence[int] = ()
        self._used = 0
        self._reserved_at = -_VALID_S
        self._size = 1
        self._offset: datetime | None = None
        self._pid = os.getpid()

    def take(self, count: int, session: Session | None) -> Sequence[int]:
        """Take numbers.

        Args:
            count: How many.
            session: The session of the caller's transaction; only SQLite needs it.
        """
        if not self._on_postgresql:
            return _count(session, count) if session is not None else ()
        if self._pid != os.getpid():
            self._begin()  # the block is the parent's
        with self._lock:
            fresh = time.monotonic() - self._reserved_at < _VALID_S
            left = len(self._block) - self._used if fresh else 0
            if left < count:
                self._size = min(self._size * 4, _LARGEST) if fresh else 1
                # What is left over is older: to mix it in would be no gain.
                self._reserve(max(count, self._size))
            taken = self._block[self._used : self._used + count]
            self._used += count
            return taken

    def now(self) -> datetime:
        """Tell the time by the database's clock where that counts, to within a second's drift of ours."""
        if not self.times.by_database:
            return self._clock.now()
        if self._pid != os.getpid():
            self._begin()
        with self._lock:
            if self._offset is None or time.monotonic() - self._reserved_at > _VALID_S:
                self._reserve(1)
            offset = self._offset or datetime.now(UTC)
            return offset + timedelta(seconds=time.monotonic())

    def _reserve(self, count: int) -> None:
        row: Any = self._line.execute(_RESERVE, {"count": count}).one()
        first, last = int(row[0]), int(row[1])
        if last - first + 1 == count:
            self._block = range(first, last + 1)
        else:  # others took some in between
            with self._line.connection() as connection:
                numbers = connection.execute(_RESERVE_SCATTERED, {"count": count}).scalars().all()
            self._block = sorted(int(number) for number in numbers)
        self._used = 0
        self._reserved_at = time.monotonic()
        self._offset = row[2].astimezone(UTC) - timedelta(seconds=self._reserved_at)


def _count(session: Session, count: int) -> Sequence[int]:
    session.execute(_BEGIN_COUNTING)
    last = int(session.execute(_COUNT, {"count": count}).scalar_one())
    return range(last - count + 1, last + 1)
