"""Waiting for what another process does: by looking, since no `isthmus.testing.Probe` can be hung there."""

import threading
import time
from collections.abc import Callable


def until(
    condition: Callable[[], object],
    what: str = "another process has done its work",
    patience_s: float = 60.0,
) -> None:
    """Look again and again until something is so.

    >>> until(lambda: True)
    >>> until(lambda: False, "pigs fly", patience_s=0)
    Traceback (most recent call last):
    TimeoutError: waited in vain until pigs fly

    Args:
        condition: Is asked until what it answers counts as true.
        what: Completes the message when it never does.
        patience_s: Seconds after which nobody looks again; only a test that is going to fail waits that long.

    Raises:
        TimeoutError: When the patience is at its end.
    """
    pause, end = threading.Event(), time.monotonic() + patience_s
    while not condition():
        if time.monotonic() >= end:
            raise TimeoutError(f"waited in vain until {what}")
        pause.wait(0.02)
