"""The command ``isthmus demo``."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.command import command
from isthmus.cli.session import Session
from isthmus.errors import UsageError, near

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.cli.demo.side import OurSide
    from isthmus.cli.demo.story import Story

_SIDES = ("sql", "odoo")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "demo",
        examples=(
            "isthmus demo",
            "isthmus demo --with odoo    # our side is in an Odoo",
            "isthmus demo --keep         # and play on, in another terminal",
        ),
    )(demo)


def demo(
    session: Session,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep database and server for playing, until Ctrl-C.")
    ] = False,
    with_: Annotated[
        str,
        typer.Option(
            "--with", metavar="SIDE", help="Where our side is: sql, the hub's own database, or odoo."
        ),
    ] = "sql",
    odoo_version: Annotated[str, typer.Option("--odoo-version", help="Which Odoo it is.")] = "18.0",
) -> int:
    """See two-way sync work, in under a minute, without an account anywhere.

    A database in a temporary folder, or a simulated Odoo, and a simulated Trello on 127.0.0.1 are filled,
    changed on both sides, brought into conflict, and workers are killed in the worst moment. At the end
    both sides are read afresh and compared field by field.

    Raises:
        UsageError: When there is no such side or version.
    """
    if with_ not in _SIDES:
        raise UsageError(f"our side is one of {', '.join(_SIDES)}, not {with_!r}{near(with_, _SIDES)}")
    from isthmus.cli.demo.story import Story
    from isthmus.simulators.trello import TrelloSimulator

    session.start_log("ERROR")
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="isthmus-demo-"))
    try:
        with (
            _our_side(session, with_, odoo_version) as ours,
            TrelloSimulator() as trello,
            Story(folder, trello, ours, session.run_id) as story,
        ):
            steps = _tell(session, story)
            agrees = _show_result(session, story, steps, time.monotonic() - began)
            if keep:
                _stay(session, story)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if agrees else 1


@contextmanager
def _our_side(session: Session, kind: str, odoo_version: str) -> Iterator["OurSide"]:
    """Make our side.

    Raises:
        UsageError: When there is no such Odoo.
    """
    if kind == "sql":
        from isthmus.cli.demo.side import SqlSide

        yield SqlSide(session.run_id)
        return
    from isthmus.cli.demo.odoo import OdooSide
    from isthmus.simulators.odoo import OdooSimulator

    try:
        odoo = OdooSimulator(odoo_version)
    except ValueError as error:
        raise UsageError(str(error)) from error
    with odoo:
        yield OdooSide(odoo)


def _tell(session: Session, story: "Story") -> list[dict[str, Any]]:
    steps = []
    for number, step in enumerate(story.steps(), start=1):
        began = time.monotonic()
        session.out.say(f"{number}. {step.title}")
        lines = step.play()
        seconds = time.monotonic() - began
        for line in lines:
            session.out.say(f"   {line}")
        session.out.say(f"   ({seconds:.1f} s)")
        steps.append({"title": step.title, "lines": lines, "seconds": round(seconds, 3)})
    return steps


def _show_result(session: Session, story: "Story", steps: list[dict[str, Any]], seconds: float) -> bool:
    out = session.out
    found = story.compare()
    out.say("\nBoth sides, read afresh and compared field by field, without bindings:")
    out.table(
        ("kind", "on Trello", story.ours.place, "values compared", "different"),
        [(t.kind, t.there, t.here, t.compared, t.different) for t in found.totals],
    )
    for difference in found.differences[:20]:
        out.say(f"  differs: {difference}")
    compared = sum(total.compared for total in found.totals)
    agrees = not found.differences
    verdict = "both sides agree" if agrees else f"{len(found.differences)} values differ"
    out.say(f"\n{verdict}: {compared} values compared, {seconds:.1f} s in all")
    out.document({
        "with": story.ours.title,
        "steps": steps,
        "agree": agrees,
        "compared": compared,
        "differences": found.differences,
        "totals": [
            {
                "kind": t.kind,
                "there": t.there,
                "here": t.here,
                "compared": t.compared,
                "different": t.different,
            }
            for t in found.totals
        ],
        "seconds": round(seconds, 3),
        "run": session.run_id,
    })
    return agrees


def _stay(session: Session, story: "Story") -> None:
    """Serve on, and say what can be tried."""
    program = f"isthmus --settings {story.settings_file}"
    hints = "".join(f"  {hint}\n" for hint in story.ours.hints())
    edit = '{"do": "update_card", "args": ["' + story.a_card() + '"], "values": {"name": "Edited there"}}'
    session.out.say(
        f"\nTrello is simulated at {story.trello.url}, the database is in {story.folder}.\n"
        f"In another terminal:\n"
        f"  {program} status\n"
        f"  {program} worker -v\n"
        f"  {program} sync {story.name} --watch --every 2\n"
        f"  curl -d '{edit}' -H 'Content-Type: application/json' {story.trello.url}/_control/edit\n"
        f"{hints}"
        f"Ctrl-C ends the server; the folder stays."
    )
    try:
        story.trello.wait()
    except KeyboardInterrupt:
        session.out.say(f"\nthe server has stopped; remove the folder when you like: rm -r {story.folder}")
