"""Progress of long work: how much is done, how fast, how long it will take; on terminals only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Report = Callable[[str, int, int | None], None]
"""Is told what is done, how many of it, and of how many, where that is known."""


@contextmanager
def progress() -> Iterator[Report]:
    """Show bars on standard error while the block runs; nothing unless that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None  # noqa: ARG005 - nobody looks
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(file=sys.stderr),
        transient=True,
    )
    tasks: dict[str, Any] = {}

    def report(what: str, done: int, total: int | None) -> None:
        if what not in tasks or done < bars.tasks[tasks[what]].completed:
            # A second round of the same work (the next board) begins anew.
            tasks[what] = bars.add_task(what, total=total, rate="")
        task = bars.tasks[tasks[what]]
        bars.update(tasks[what], completed=done, total=total)
        speed = task.finished_speed or task.speed
        bars.update(tasks[what], rate=f"{speed:,.0f}/s" if speed else "")

    with bars:
        yield report
