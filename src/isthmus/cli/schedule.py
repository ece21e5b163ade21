"""``isthmus schedule``: what is run by the clock."""

from dataclasses import asdict
from typing import Annotated, Final

import typer

from isthmus.cli.command import command, group
from isthmus.cli.session import Session

app = group("schedule", help="What is run by the clock: when it is due, and what became of it last.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Model and method, as list shows them.")]

_COLUMNS: Final = ("schedule", "due", "next", "last", "last job", "ended")


@command(app, "list", examples=("isthmus schedule list", "isthmus schedule list --json"))
def list_(session: Session) -> None:
    """List the schedules with their times, and how the last job of each ended."""
    schedules = session.hub.queue.schedules.list()
    session.out.document({"schedules": [asdict(schedule) for schedule in schedules], "run": session.run_id})
    session.out.table(
        _COLUMNS,
        [
            (
                schedule.name,
                f"{schedule.spec} (set)" if schedule.overridden else schedule.spec,
                "paused" if schedule.paused else schedule.next_at or "",
                schedule.last_at or "never",
                schedule.last_job_id,
                schedule.last_state,
            )
            for schedule in schedules
        ],
    )
    session.out.say(
        "times of cron expressions are those of their zone, the others are yours"
        if schedules
        else "there are no schedules: no enabled plugin marks a method with @cron"
    )


@command(app, "run", examples=("isthmus schedule run trello.backend.walk   # now, and as planned",))
def run(session: Session, name: Name) -> None:
    """Make the jobs of a schedule now, whenever it is due; a worker runs them."""
    made = session.hub.queue.schedules.run(name)
    session.out.document({"schedule": name, "jobs": list(made), "run": session.run_id})
    numbers = ", ".join(str(job_id) for job_id in made)
    session.out.say(
        f"{name}: job{'s' if len(made) > 1 else ''} {numbers} will run"
        if made
        else f"{name}: there is nothing that it is about"
    )


@command(app, "pause", examples=("isthmus schedule pause trello.backend.poll",))
def pause(session: Session, name: Name) -> None:
    """Make no more jobs of a schedule, anywhere, until it is resumed."""
    session.hub.queue.schedules.pause(name)
    session.out.document({"schedule": name, "paused": True, "run": session.run_id})
    session.out.say(f"{name} is paused: isthmus schedule resume {name}")


@command(app, "resume", examples=("isthmus schedule resume trello.backend.poll",))
def resume(session: Session, name: Name) -> None:
    """Go on with a paused schedule; what was missed is not made up for."""
    session.hub.queue.schedules.resume(name)
    session.out.document({"schedule": name, "paused": False, "run": session.run_id})
    session.out.say(f"{name} goes on")
