"""What jobs say when they run: counted in shared files, so that it costs next to nothing and no database.

Every contestant's job calls `ran` (or `picked_up`), and the process that measures reads along.
"""

import mmap
import os
from itertools import count
from pathlib import Path
from time import monotonic_ns

_WIDTH = 8
_PICKUPS = "pickups"


class _Writer:
    """The files of this process, and of each process that is forked from it."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self._pid = 0

    def ran(self) -> None:
        if os.getpid() != self._pid:
            self._open()
        # One step under the interpreter's lock gives each thread a number of its own; a smaller one that is
        # written later hides the larger for a moment, and the database has the last word anyway.
        self._count[0] = next(self._numbers)

    def picked_up(self, number: int) -> None:
        if os.getpid() != self._pid:
            self._open()
        self._instants[number] = monotonic_ns()

    def _open(self) -> None:
        if self.folder is None:
            raise RuntimeError("a job ran in a process that was not told where to count")
        mine = self.folder / f"ran-{os.getpid()}"
        mine.write_bytes(bytes(_WIDTH))
        self._count = _map(mine)
        self._numbers = count(1)
        if (self.folder / _PICKUPS).exists():
            self._instants = _map(self.folder / _PICKUPS)
        self._pid = os.getpid()


_writer = _Writer()
ran = _writer.ran
picked_up = _writer.picked_up


def count_in(folder: Path) -> None:
    """Say where the jobs of this process are counted."""
    _writer.folder = folder


def _map(path: Path) -> memoryview:
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 0)).cast("q")


class Reader:
    """Reads what the processes of one measurement count.

    Args:
        folder: Theirs, new and empty.
        pickups: How many jobs say when they were picked up.
    """

    def __init__(self, folder: Path, pickups: int = 0) -> None:
        self._folder = folder
        if pickups:
            (folder / _PICKUPS).write_bytes(bytes(_WIDTH * pickups))

    def ran(self) -> int:
        """Tell how many jobs have run."""
        return sum(int.from_bytes(file.read_bytes(), "little") for file in self._folder.glob("ran-*"))

    def picked_up(self) -> list[int]:
        """Tell when each job was picked up, in nanoseconds of the monotonic clock; 0 for not yet."""
        return list(memoryview((self._folder / _PICKUPS).read_bytes()).cast("q"))
