"""Signs of life: what tells a slow job from a dead worker."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Self

logger = logging.getLogger("isthmus.job")

_GUARD_EVERY: Final = timedelta(seconds=1)


class Heartbeat:
    """Does something again and again in a thread of its own, as long as its ``with`` block lasts.

    Args:
        beat: What is done. One that fails is logged, and tried again the next time.
        every: The time between two.
        guard: Frees whoever waits for a database that never answers, be it *beat*: done every second, in
            another thread. None for nothing.
    """

    def __init__(
        self, beat: Callable[[], None], every: timedelta, guard: Callable[[], None] | None = None
    ) -> None:
        self._end = threading.Event()
        self._threads = [self._thread("isthmus-heartbeat", beat, every)]
        if guard is not None:
            self._threads.append(self._thread("isthmus-guard", guard, _GUARD_EVERY))

    def _thread(self, name: str, action: Callable[[], None], every: timedelta) -> threading.Thread:
        return threading.Thread(target=self._run, name=name, args=(action, every), daemon=True)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _run(self, action: Callable[[], None], every: timedelta) -> None:
        while not self._end.wait(every.total_seconds()):
            try:
                action()
            except Exception as exc:  # noqa: BLE001 - the thread must outlive it
                logger.warning("a sign of life could not be given: %s", type(exc).__name__)
