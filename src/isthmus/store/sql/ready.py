"""Waiting until files can be read or written, whatever their numbers: ``select`` ends at 1,023."""

import select
from collections.abc import Sequence


def readable(files: Sequence[int], seconds: float) -> list[int]:
    """Wait until one of some files has something to read, or has ended.

    Args:
        files: Their numbers.
        seconds: At most so long.

    Returns:
        Those that have; none when the time is over.
    """
    return _wait(files, select.POLLIN, seconds)


def is_writable(file: int, seconds: float) -> bool:
    """Wait until a file takes something in, or has ended; false when the time is over."""
    return bool(_wait([file], select.POLLOUT, seconds))


def _wait(files: Sequence[int], event: int, seconds: float) -> list[int]:
    poll = select.poll()
    for file in files:
        poll.register(file, event)
    # Also what is broken or was closed: the next use of it tells.
    return [file for file, _ in poll.poll(seconds * 1_000)]
