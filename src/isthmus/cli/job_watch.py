"""``isthmus jobs watch``: the queue as it moves."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from isthmus.cli.command import command
from isthmus.cli.output import shown
from isthmus.cli.session import Session
from isthmus.errors import DatabaseBusyError

if TYPE_CHECKING:  # see isthmus.cli.session
    from rich.console import Group

    from isthmus.job.desk.overview import Overview

_LANES: Final = ("lane", "waiting", "later", "held", "running", "failed", "oldest", "ended/s")
_WORKERS: Final = ("worker", "takes", "threads", "running", "last sign", "")
_RATE_OVER: Final = timedelta(seconds=5)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "watch",
        examples=(
            "isthmus jobs watch",
            "isthmus jobs watch --once",
            "isthmus jobs watch --json    # a line for each change",
        ),
    )(watch)


def watch(
    session: Session,
    every: Annotated[
        float, typer.Option("--every", min=0.1, metavar="SECONDS", help="Time between two looks.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
) -> int:
    """Show lanes and workers until Ctrl-C: what waits, runs and has failed, how old, how fast."""
    hub = session.hub
    overview = hub.queue.desk.overview
    before: Any = None
    with _screen(session, once=once) as show:
        try:
            while True:
                found = look(overview) | {"run": session.run_id}
                moved = _moving(found)
                if not session.out.as_json:
                    show(found)
                elif moved != before:
                    session.out.document(found)
                before = moved
                if once:
                    break
                hub.clock.sleep(every)
        except KeyboardInterrupt:
            pass  # that is how it ends
    return 0


def look(overview: "Overview") -> dict[str, Any]:
    """Look at the queue once; while the database is away that is what is told."""
    try:
        now = overview.now()
        rates = overview.rates(_RATE_OVER)
        lanes = {load.lane: load for load in overview.lanes()}
        workers = overview.workers()
    except DatabaseBusyError as exc:
        return {"at": None, "away": str(exc), "lanes": [], "workers": []}
    rows = []
    for lane in sorted({*lanes, *(name for name, rate in rates.items() if rate)}):
        load = lanes.get(lane)
        oldest = load.oldest if load is not None else None
        rows.append({
            "lane": lane,
            "waiting": load.ready if load else 0,
            "later": load.later if load else 0,
            "held": load.held if load else 0,
            "running": load.running if load else 0,
            "failed": load.failed if load else 0,
            "oldest_s": None if oldest is None else max((now - oldest).total_seconds(), 0.0),
            "ended_per_s": rates.get(lane, 0.0),
        })
    return {
        "at": now,
        "away": None,
        "lanes": rows,
        "workers": [
            {
                "worker": worker.name,
                "channels": list(worker.channels),
                "threads": worker.threads,
                "running": worker.running,
                "silent_s": worker.silent.total_seconds(),
                "state": "gone" if not worker.alive else "leaving" if worker.leaving else "alive",
            }
            for worker in workers
        ],
    }


def _moving(found: dict[str, Any]) -> Any:
    """Give what a change shows in: not how time goes by."""
    still = {"oldest_s", "ended_per_s", "silent_s"}
    return (
        found["away"],
        [{key: value for key, value in row.items() if key not in still} for row in found["lanes"]],
        [{key: value for key, value in row.items() if key not in still} for row in found["workers"]],
    )


@contextmanager
def _screen(session: Session, *, once: bool) -> Iterator[Any]:
    """Give what shows a look: in place on a terminal, else one after the other."""
    if session.out.as_json:
        yield None
        return
    if once or not sys.stdout.isatty():

        def print_it(found: dict[str, Any]) -> None:
            lanes, workers = _rows(found)
            session.out.table(_LANES, lanes)
            session.out.table(_WORKERS, workers)
            for line in _lines(found):
                session.out.say(line)

        yield print_it
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(highlight=False, emoji=False), auto_refresh=False, screen=False) as live:
        yield lambda found: live.update(_drawn(found), refresh=True)


def _drawn(found: dict[str, Any]) -> "Group":
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = []
    for columns, rows in zip((_LANES, _WORKERS), _rows(found), strict=True):
        table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for row in rows:
            table.add_row(*(Text(shown(cell)) for cell in row))
        if rows:
            parts.append(table)
    parts += [Text(line) for line in _lines(found)]
    return Group(*parts)


def _rows(found: dict[str, Any]) -> tuple[list[list[Any]], list[list[Any]]]:
    lanes = [
        [
            row["lane"],
            *(f"{row[name]:,}" for name in ("waiting", "later", "held", "running", "failed")),
            _age(row["oldest_s"]),
            f"{row['ended_per_s']:,.1f}" if row["ended_per_s"] else "",
        ]
        for row in found["lanes"]
    ]
    workers = [
        [
            row["worker"],
            ", ".join(row["channels"]) or "all",
            row["threads"],
            row["running"],
            _age(row["silent_s"]),
            "" if row["state"] == "alive" else row["state"],
        ]
        for row in found["workers"]
    ]
    return lanes, workers


def _lines(found: dict[str, Any]) -> list[str]:
    if found["away"]:
        return [found["away"]]
    lines = [] if found["workers"] else ["no worker is running: isthmus worker"]
    return lines if found["lanes"] else [*lines, "there is nothing to do"]


def _age(seconds: float | None) -> str:
    from isthmus.job.desk.diagnosis import spell

    return "" if seconds is None else spell(timedelta(seconds=seconds))
