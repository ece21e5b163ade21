"""Clocks that stand still until a test moves them, or looks."""

import threading
from datetime import UTC, datetime, timedelta


class FrozenClock:
    """A `Clock` whose hands move only by `advance` and `sleep`; may be shared by threads.

    >>> clock = FrozenClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    >>> clock.sleep(90)
    >>> clock.advance(timedelta(hours=1))
    >>> clock.now().isoformat()
    '2026-03-01T13:01:30+00:00'
    >>> clock.slept
    [90]

    Args:
        start: The first instant, aware. Any time zone; `now` answers in UTC.

    Attributes:
        slept: What `sleep` was asked for, in seconds, in order. `advance` is not in it.
    """

    slept: list[float]

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        if start.tzinfo is None:
            msg = f"a clock starts at an aware instant, not at {start!r}"
            raise ValueError(msg)
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()
        self.slept = []

    def now(self) -> datetime:
        """Tell the instant at which the clock stands, aware, in UTC."""
        with self._lock:
            return self._now

    def advance(self, by: timedelta) -> None:
        """Move the hands forward.

        Args:
            by: How far; zero or more.

        Raises:
            ValueError: If *by* is negative: the code under test may rely on time not going back.
        """
        if by < timedelta(0):
            msg = f"a clock goes forward, not by {by!r}"
            raise ValueError(msg)
        with self._lock:
            self._now += by

    def sleep(self, seconds: float) -> None:
        """Return at once, with the hands moved by *seconds*, zero or more."""
        self.advance(timedelta(seconds=seconds))
        self.slept.append(seconds)

    def __repr__(self) -> str:
        return f"FrozenClock({self.now().isoformat()})"


class SteppingClock(FrozenClock):
    """Moves by a millisecond whenever somebody looks: no two edits are at the same instant.

    >>> clock = SteppingClock()
    >>> clock.now() < clock.now()
    True
    """

    def now(self) -> datetime:
        """Tell the next instant."""
        with self._lock:
            self._now += timedelta(milliseconds=1)
            return self._now
