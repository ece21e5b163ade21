"""Signs of life: what tells a slow job from a dead worker."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Self

logger = logging.getLogger("isthmus.job")


class Heartbeat:
    """Does something again and again in a thread of its own, as long as its ``with`` block lasts.

    Args:
        beat: What is done. One that fails is logged, and tried again the next time.
        every: The time between two.
    """

    def __init__(self, beat: Callable[[], None], every: timedelta) -> None:
        self._beat = beat
        self._every = every
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="isthmus-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self._every.total_seconds()):
            try:
                self._beat()
            except Exception as exc:  # noqa: BLE001 - the thread must outlive it
                logger.warning("a sign of life could not be given: %s", type(exc).__name__)
