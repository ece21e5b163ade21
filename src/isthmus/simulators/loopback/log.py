"""What was asked, in order, for tests that count it."""

import threading
from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

E = TypeVar("E")


class Log(Sequence[E]):
    """Entries since the start or the last `clear`; any thread may add one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[E] = []

    @overload
    def __getitem__(self, index: int) -> E: ...

    @overload
    def __getitem__(self, index: slice) -> list[E]: ...

    def __getitem__(self, index: int | slice) -> E | list[E]:
        return self._entries[index]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[E]:
        return iter(list(self._entries))

    def append(self, entry: E) -> None:
        """Add an entry."""
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        """Forget all entries."""
        with self._lock:
            self._entries.clear()
