"""A slot for an observer that tests can wait on, instead of waiting for a while."""

import queue
from datetime import timedelta
from typing import Generic, TypeVar

T = TypeVar("T")


class Probe(Generic[T]):
    """A callable to hang on any observer slot; tests wait on it.

    What is called first is waited for first; a call before the wait is not lost. Calls may come
    from any thread.

    >>> claimed = Probe[int]("job claimed")
    >>> claimed(7)
    >>> claimed.wait()
    7

    Args:
        name: What is observed, as the message says it when nothing comes.
        patience: How long `wait` waits; only a test that is going to fail waits that long.

    Attributes:
        seen: Every value so far, in order, whether waited for or not.
    """

    seen: list[T]

    def __init__(self, name: str, *, patience: timedelta = timedelta(seconds=10)) -> None:
        self.name = name
        self.patience = patience
        self.seen = []
        self._waiting: queue.SimpleQueue[T] = queue.SimpleQueue()

    def __call__(self, value: T) -> None:
        """Observe *value*."""
        self.seen.append(value)
        self._waiting.put(value)

    def wait(self) -> T:
        """Wait for the next value that no earlier `wait` has returned.

        Raises:
            TimeoutError: If none came within the probe's patience; names the probe.
        """
        try:
            return self._waiting.get(timeout=self.patience.total_seconds())
        except queue.Empty:
            times = f"{len(self.seen)} before" if self.seen else "none ever"
            msg = f"waited {self.patience.total_seconds():g} s for {self.name!r} and nothing came ({times})"
            raise TimeoutError(msg) from None

    def __repr__(self) -> str:
        return f"Probe({self.name!r}, seen {len(self.seen)})"
