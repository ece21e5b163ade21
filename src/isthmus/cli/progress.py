"""Progress of long work: how much is done, how fast, how long it will take; on terminals only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from isthmus.clock import Clock, SystemClock

Report = Callable[[str, int, int | None], None]
"""Is told what is done, how many of it, and of how many, where that is known."""


class Pace:
    """How fast one kind of work goes on, over its rounds (one per board, say), each of which counts anew.

    Args:
        clock: Tells the time.
        began_at: When the work began, which is before the first of it was done.

    Attributes:
        done: How many are done, in all rounds.
    """

    def __init__(self, clock: Clock, began_at: datetime) -> None:
        self._clock = clock
        self._began_at = began_at
        self._rounds_before = 0
        self.done = 0

    def told(self, done: int) -> None:
        """Take in how many are done in this round."""
        if self._rounds_before + done < self.done:
            self._rounds_before = self.done
        self.done = self._rounds_before + done

    def whole(self, total: int | None) -> int | None:
        """Give how many there will be, from the total of this round; None when nobody knows."""
        return None if total is None else self._rounds_before + total

    @property
    def rate(self) -> float:
        """How many are done in a second; 0 before that can be told."""
        passed = (self._clock.now() - self._began_at).total_seconds()
        return self.done / passed if passed > 0 else 0.0


@contextmanager
def progress() -> Iterator[Report]:
    """Show bars on standard error while the block runs; nothing unless that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None  # noqa: ARG005 - nobody looks
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=Console(file=sys.stderr),
        transient=True,
    )
    clock = SystemClock()
    heard_at = clock.now()
    shown: dict[str, tuple[Any, Pace]] = {}

    def report(what: str, done: int, total: int | None) -> None:
        nonlocal heard_at
        if what not in shown:
            # One kind of work begins where the one before it ended.
            shown[what] = bars.add_task(what, total=total, rate="", left=""), Pace(clock, heard_at)
        heard_at = clock.now()
        task, pace = shown[what]
        pace.told(done)
        whole, rate = pace.whole(total), pace.rate
        left = f"{(whole - pace.done) / rate:,.0f} s left" if whole is not None and rate else ""
        bars.update(task, completed=pace.done, total=whole, rate=f"{rate:,.0f}/s" if rate else "", left=left)

    with bars:
        yield report
