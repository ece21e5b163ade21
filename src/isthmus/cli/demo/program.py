"""The command ``isthmus demo``."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.command import command
from isthmus.cli.session import Session

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.cli.demo.story import Story


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app, "demo", examples=("isthmus demo", "isthmus demo --keep    # and play on, in another terminal")
    )(demo)


def demo(
    session: Session,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep database and server for playing, until Ctrl-C.")
    ] = False,
) -> int:
    """See two-way sync work, in under a minute, without an account anywhere.

    A database in a temporary folder and a simulated Trello on 127.0.0.1 are filled, changed on both
    sides, brought into conflict, and a worker is killed in the worst moment. At the end both sides are
    read afresh and compared field by field.
    """
    from isthmus.cli.demo.story import Story
    from isthmus.simulators.trello import TrelloSimulator

    session.start_log("ERROR")
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="isthmus-demo-"))
    try:
        with TrelloSimulator() as trello, Story(folder, trello, session.run_id) as story:
            steps = _tell(session, story)
            agrees = _show_result(session, story, steps, time.monotonic() - began)
            if keep:
                _stay(session, story)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if agrees else 1


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
        ("kind", "on Trello", "here", "values compared", "different"),
        [(t.kind, t.there, t.here, t.compared, t.different) for t in found.totals],
    )
    for difference in found.differences[:20]:
        out.say(f"  differs: {difference}")
    compared = sum(total.compared for total in found.totals)
    agrees = not found.differences
    verdict = "both sides agree" if agrees else f"{len(found.differences)} values differ"
    out.say(f"\n{verdict}: {compared} values compared, {seconds:.1f} s in all")
    out.document({
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
    edit = '{"do": "update_card", "args": ["' + story.a_card() + '"], "values": {"name": "Edited there"}}'
    session.out.say(
        f"\nTrello is simulated at {story.trello.url}, the database is in {story.folder}.\n"
        f"In another terminal:\n"
        f"  {program} status\n"
        f"  {program} worker -v\n"
        f"  {program} sync {story.name} --watch --every 2\n"
        f"  curl -d '{edit}' -H 'Content-Type: application/json' {story.trello.url}/_control/edit\n"
        f"Ctrl-C ends the server; the folder stays."
    )
    try:
        story.trello.wait()
    except KeyboardInterrupt:
        session.out.say(f"\nthe server has stopped; remove the folder when you like: rm -r {story.folder}")
