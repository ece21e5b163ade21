"""The time as a dependency: who needs it gets a clock, tests give a frozen one."""

import threading
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the rest of Isthmus asks for the time."""

    def now(self) -> datetime:
        """Tell the present instant, aware, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let *seconds* pass (a frozen clock moves its hands instead)."""
        ...


class SystemClock:
    """The machine's own clock.

    >>> SystemClock().now().tzinfo
    datetime.timezone.utc
    """

    def now(self) -> datetime:
        """Tell the present instant, aware, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Block this thread for *seconds*."""
        threading.Event().wait(seconds)
