"""``isthmus channel``: the lanes of the queue and their rules."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from isthmus.cli.command import command, group
from isthmus.cli.session import Session
from isthmus.errors import UsageError

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.job.lane.desk import LaneDesk, LaneView

app = group("channel", help="The lanes of the queue: how many jobs of one run at the same time, and which.")

Name = Annotated[str, typer.Argument(metavar="CHANNEL", help="The lane; root. may be left out.")]
T = TypeVar("T")


@command(app, "list", examples=("isthmus channel list", "isthmus channel list --json"))
def list_(session: Session) -> None:
    """List the lanes that have jobs or rules, and what keeps one from beginning its next job."""
    lanes = _desk(session).list()
    session.out.document({"channels": [_facts(view) for view in lanes], "run": session.run_id})
    session.out.table(
        ("channel", "capacity", "running", "waiting", "failed", "rules", "now"),
        [
            (
                view.name,
                "" if view.rule.capacity is None else f"{view.held} of {view.rule.capacity}",
                view.load.running,
                view.load.waiting,
                view.load.failed,
                ", ".join(_rules(view)),
                view.closed.because if view.closed is not None else "",
            )
            for view in lanes
        ],
    )


@command(app, "show", examples=("isthmus channel show root.trello", "isthmus channel show trello --json"))
def show(session: Session, name: Name) -> None:
    """Show one lane: its rules, where each comes from, its jobs, and why none could begin now."""
    desk = _desk(session)
    view = desk.show(name)
    session.out.document({"channel": _facts(view), "run": session.run_id})
    _show(session, view)
    if unknown := desk.unknown(name):
        session.out.say(f"! {unknown}")


@command(
    app,
    "set",
    examples=(
        "isthmus channel set root.trello --capacity 2 --throttle 1s",
        "isthmus channel set root.trello --paused",
        "isthmus channel set root.trello --no-paused --keep-done 7d",
        "isthmus channel set root.orders --sequential      # one after the other, none past a failed one",
    ),
)
def set_(
    session: Session,
    name: Name,
    capacity: Annotated[
        str | None,
        typer.Option("--capacity", metavar="N", help="At most so many jobs at the same time, anywhere."),
    ] = None,
    unlimited: Annotated[
        bool, typer.Option("--unlimited", help="Any number of jobs at the same time.")
    ] = False,
    paused: Annotated[
        bool | None, typer.Option("--paused/--no-paused", help="Begin no job, here and in lanes below.")
    ] = None,
    sequential: Annotated[
        bool | None,
        typer.Option("--sequential/--no-sequential", help="One after the other, none past a failed one."),
    ] = None,
    throttle: Annotated[
        str | None,
        typer.Option("--throttle", metavar="TIME", help="At least between two beginnings; 0 for none."),
    ] = None,
    keep_done: Annotated[
        str | None,
        typer.Option("--keep-done", metavar="TIME", help="Remove ended jobs after it, such as 30d."),
    ] = None,
    default_capacity: Annotated[
        str | None,
        typer.Option(
            "--default-capacity", metavar="N", help="Capacity of lanes directly below that have none."
        ),
    ] = None,
    default_sequential: Annotated[
        bool | None,
        typer.Option(
            "--default-sequential/--no-default-sequential", help="Whether lanes directly below are."
        ),
    ] = None,
) -> None:
    """Set rules of a lane; what is not named stays. Workers follow within about a second.

    These rules win over those of the settings, until `isthmus channel reset`.

    Raises:
        UsageError: When nothing is named, or a value cannot be read; names the option.
    """
    from isthmus.job.lane.rules import Wishes
    from isthmus.settings import seconds

    if unlimited and capacity is not None:
        raise UsageError("--capacity and --unlimited contradict each other: name one")
    wishes = Wishes(
        capacity=_capacity("--capacity", "unlimited" if unlimited else capacity),
        paused=paused,
        sequential=sequential,
        throttle_s=_read("--throttle", seconds, throttle),
        keep_done_s=_read("--keep-done", seconds, keep_done),
        default_capacity=_capacity("--default-capacity", default_capacity),
        default_sequential=default_sequential,
    )
    if wishes == Wishes():
        raise UsageError("name what to set, such as --capacity 2; isthmus channel set --help lists it")
    desk = _desk(session)
    unknown = desk.unknown(name)
    desk.set(name, wishes)
    view = desk.show(name)
    session.out.document({
        "channel": _facts(view), "unknown_so_far": bool(unknown), "run": session.run_id,
    })  # fmt: skip
    _show(session, view)
    if unknown:
        session.out.say(f"! {unknown}")


@command(app, "reset", examples=("isthmus channel reset root.trello",))
def reset(session: Session, name: Name) -> None:
    """Forget what was set of a lane: the settings count again."""
    desk = _desk(session)
    was_set = desk.reset(name)
    view = desk.show(name)
    session.out.document({"channel": _facts(view), "reset": was_set, "run": session.run_id})
    if not was_set:
        session.out.say(f"nothing changed: nothing was set of {view.name}")
    _show(session, view)


def _desk(session: Session) -> "LaneDesk":
    from isthmus.job.lane.desk import LaneDesk

    hub = session.hub
    return LaneDesk(hub.engine, hub.clock, hub.settings.job)


def _read(option: str, read: Callable[[Any], T], value: str | None) -> T | None:
    try:
        return None if value is None else read(value)
    except ValueError as exc:
        raise UsageError(f"{option}: {exc}") from None


def _capacity(option: str, value: str | None) -> int | None:
    from isthmus.job.lane.rules import UNLIMITED
    from isthmus.settings import capacity

    if value is not None and re.fullmatch("0+", value):
        stop = "--paused" if option == "--capacity" else "isthmus channel set CHANNEL --paused for each lane"
        raise UsageError(f"{option} 0 could mean two things: to stop say {stop}; or say unlimited")
    number = _read(option, capacity, value)
    return UNLIMITED if number == "unlimited" else number


def _facts(view: "LaneView") -> dict[str, Any]:
    rule, load = view.rule, view.load
    closed = view.closed
    return {
        "name": view.name,
        "capacity": rule.capacity,
        "paused": rule.paused,
        "sequential": rule.sequential,
        "throttle_s": None if rule.throttle is None else rule.throttle.total_seconds(),
        "keep_done_s": rule.keep_done.total_seconds(),
        "default_capacity": _limit(view.wishes.default_capacity),
        "default_sequential": view.wishes.default_sequential,
        "sources": {name: source for name, source in view.sources.items() if source},
        "slots_held": view.held,
        "running": load.running,
        "waiting": load.waiting,
        "failed": load.failed,
        "closed": None if closed is None else {"reason": closed.reason, "because": closed.because},
    }


def _limit(capacity: int | None) -> int | str | None:
    return "unlimited" if capacity is not None and capacity < 0 else capacity


def _rules(view: "LaneView") -> list[str]:
    """Say the rules in words."""
    rule, wishes = view.rule, view.wishes
    said = []
    if rule.paused:
        said.append("paused")
    if rule.sequential:
        said.append("sequential")
    if rule.throttle is not None:
        said.append(f"one begins in {_time(rule.throttle.total_seconds())}")
    if view.sources["keep_done_s"]:
        said.append(f"ended jobs kept {_time(rule.keep_done.total_seconds())}")
    if wishes.default_capacity is not None:
        said.append(f"capacity below: {_limit(wishes.default_capacity)}")
    if wishes.default_sequential is not None:
        said.append(f"sequential below: {'yes' if wishes.default_sequential else 'no'}")
    return said


def _show(session: Session, view: "LaneView") -> None:
    rule = view.rule
    limit = "unlimited" if rule.capacity is None else f"{rule.capacity}, {view.held} held"
    values: list[tuple[str, str, Any]] = [
        ("capacity", "capacity", limit),
        ("paused", "paused", rule.paused),
        ("sequential", "sequential", rule.sequential),
        ("throttle", "throttle_s", _time(rule.throttle.total_seconds()) if rule.throttle else "none"),
        ("keep done", "keep_done_s", _time(rule.keep_done.total_seconds())),
        ("default capacity", "default_capacity", _limit(view.wishes.default_capacity)),
        ("default sequential", "default_sequential", view.wishes.default_sequential),
    ]
    words = {"set": "set here", "settings": "settings", "sequential": "since sequential", "": "default"}
    shown = [
        (label, _worded(value), words.get(source := view.sources[name], f"from {source}"))
        for label, name, value in values
        if value is not None
    ]
    load = view.load
    jobs = f"{load.running} running, {load.waiting} waiting, {load.failed} failed"
    session.out.facts([
        ("channel", view.name),
        *((label, f"{value} ({source})") for label, value, source in shown),
        ("jobs", jobs),
        ("now", view.closed.because if view.closed is not None else "its next job may begin"),
    ])


def _worded(value: Any) -> Any:
    return ("yes" if value else "no") if isinstance(value, bool) else value


def _time(length_s: float) -> str:
    """Write a length of time in its largest whole unit.

    >>> _time(2_592_000), _time(90), _time(0.5)
    ('30d', '90s', '0.5s')
    """
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if length_s and length_s % size == 0:
            return f"{length_s / size:g}{unit}"
    return f"{length_s:g}s"
