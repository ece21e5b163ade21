"""``isthmus jobs``: look at the queue, run failed jobs again, give jobs up, many at a time too."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from isthmus.cli import job_watch
from isthmus.cli.ask import is_interactive
from isthmus.cli.command import command, group
from isthmus.cli.job_filters import Filters, filtered
from isthmus.cli.job_view import LISTED, SHORT, describe, facts, row
from isthmus.cli.progress import progress
from isthmus.cli.session import Session
from isthmus.cli.user import user_name
from isthmus.errors import UsageError

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.job.desk.desk import Changed, Desk
    from isthmus.job.desk.selection import Selection

app = group("jobs", help="The jobs: what is to be done, is being done, was done and could not be done.")

Numbers = Annotated[
    list[int] | None, typer.Argument(metavar="ID", help="Numbers of jobs: all of them or none.")
]
All = Annotated[bool, typer.Option("--all", help="All jobs for which the command is meant.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

_MEANT: Final = {
    "retry": ("failed",),
    "cancel": ("wait_dependencies", "pending", "started"),
    "done": ("failed",),
    "prune": ("done", "cancelled"),
}
"""The states whose jobs are taken when they are chosen by options and no state is named."""


@command(
    app,
    "list",
    examples=(
        "isthmus jobs list",
        "isthmus jobs list --state failed --error-type RateLimitedError",
        "isthmus jobs list --backend trello --older-than 2h --json",
    ),
)
@filtered
def list_(
    session: Session,
    given: Filters,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
) -> None:
    """List jobs, newest first."""
    desk = session.hub.queue.desk
    found = desk.find(given.selection(session), limit=limit)
    counts = desk.counts()
    session.out.document({
        "jobs": [row(job, LISTED) for job in found],
        "counts": {str(state): count for state, count in counts.items()},
        "at_least": sorted(counts.at_least),
        "run": session.run_id,
    })
    session.out.table(SHORT, [list(row(job, SHORT).values()) for job in found])
    total = counts.spelled()
    session.out.say(f"in all: {total}" if total else "there are no jobs")


@command(app, "show", examples=("isthmus jobs show 17", "isthmus jobs show 17 --json"))
def show(session: Session, job_id: Annotated[int, typer.Argument(metavar="ID", help="Its number.")]) -> None:
    """Show one job with all that is known of it.

    Where it runs, what it waits for and what waits for it, where its record is found, why and where it
    failed.
    """
    shown = describe(session, session.hub.queue.show(job_id))
    session.out.document({"job": shown, "run": session.run_id})
    session.out.facts(facts(shown))


@command(
    app,
    "retry",
    examples=(
        "isthmus jobs retry 17 18",
        "isthmus jobs retry --failed",
        "isthmus jobs retry --backend trello --error-type RateLimitedError",
        "isthmus jobs retry --channel root.mail --state pending   # now instead of later",
    ),
)
@filtered
def retry(
    session: Session,
    given: Filters,
    ids: Numbers = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that have failed.")] = False,
    every: All = False,
    yes: Yes = False,
) -> None:
    """Let jobs run again, or now instead of later, with all their retries.

    Chosen by options, those that have failed, unless --state names others.
    """
    queue = session.hub.queue
    _change(
        session,
        "retry",
        given if not failed else given.over(["failed"]),
        ids,
        every or failed,
        yes or not is_interactive(),
        queue.retry,
        queue.desk.retry_selected,
        "will run again",
    )


@command(
    app,
    "cancel",
    examples=("isthmus jobs cancel 17", "isthmus jobs cancel --channel root.mail --older-than 2d"),
)
@filtered
def cancel(
    session: Session, given: Filters, ids: Numbers = None, every: All = False, yes: Yes = False
) -> None:
    """Give jobs up, and what waits for them; what a running one has not committed, it cannot any more.

    Chosen by options, those that wait or run; failed ones only when --state names them.
    """
    queue, by = session.hub.queue, user_name()
    _change(
        session,
        "cancel",
        given,
        ids,
        every,
        yes,
        lambda numbers: queue.cancel(numbers, by=by),
        lambda selection, report: queue.desk.cancel_selected(selection, by, report),
        "cancelled",
    )


@command(
    app, "done", examples=("isthmus jobs done 17", "isthmus jobs done --method export_record --older-than 7d")
)
@filtered
def done(session: Session, given: Filters, ids: Numbers = None, every: All = False, yes: Yes = False) -> None:
    """Say that jobs need not run: what waits for them goes on.

    Chosen by options, those that have failed; waiting ones only when --state names them.
    """
    queue, by = session.hub.queue, user_name()
    _change(
        session,
        "done",
        given,
        ids,
        every,
        yes,
        lambda numbers: queue.done(numbers, by=by),
        lambda selection, report: queue.desk.done_selected(selection, by, report),
        "set to done",
    )


@command(
    app,
    "prune",
    examples=(
        "isthmus jobs prune                    # what a worker removes by itself, now",
        "isthmus jobs prune --older-than 7d",
        "isthmus jobs prune --state failed --model trello.card --yes",
    ),
)
@filtered
def prune(session: Session, given: Filters, every: All = False, yes: Yes = False) -> None:
    """Remove jobs that have ended; ages count from their end.

    Without options, those that are older than their lane keeps them. Chosen by options, done and
    cancelled ones however young; failed ones only when --state names them. A job whose result may still
    be read by one that waits for it stays.

    Raises:
        UsageError: When a state is named in which jobs have not ended.
    """
    queue = session.hub.queue
    if not given.any and not every:
        with queue.line.reading() as connection:
            queue.lanes.refresh(connection)
        return _say(session, queue.cleaner.sweep(), "removed", "no job is older than its lane keeps it")
    if alive := {"wait_dependencies", "pending", "started"} & set(given.state or ()):
        raise UsageError(
            f"--state: jobs that are {' or '.join(sorted(alive))} may still run; cancel them first"
        )
    selection = given.over(_MEANT["prune"]).selection(session, by_end=True)
    count = queue.desk.count(selection)
    if count:
        _sure(f"Remove {_jobs(count)}", count, yes)
    with progress() as report:
        removed = queue.cleaner.prune(selection, lambda at: report("jobs", at, max(count, at)))
    return _say(
        session, removed, "removed", "no such job has ended", kept=max(count - removed, 0), why="still needed"
    )


# -- changing --------------------------------------------------------------------------


def _change(
    session: Session,
    verb: str,
    given: Filters,
    ids: list[int] | None,
    every: bool,
    yes: bool,
    by_number: Callable[[list[int]], int],
    in_bulk: "Callable[[Selection, Callable[[int, int], object]], Changed]",
    word: str,
) -> None:
    """Change jobs that are named by number, or chosen by options.

    Raises:
        UsageError: When neither is given, or both.
    """
    if bool(ids) == (given.any or every):
        raise UsageError(
            "name the jobs by number, or choose them by options (such as --channel, --error-type or --all)"
        )
    if ids:
        return _say(session, by_number(ids), word, "nothing changed")
    desk: Desk = session.hub.queue.desk
    selection = given.over(_MEANT[verb]).selection(session)
    count = desk.count(selection)
    if count:
        _sure(
            f"{verb.capitalize()} {_jobs(count)}" if verb != "done" else f"Set {_jobs(count)} to done",
            count,
            yes,
        )
    with progress() as report:
        changed = in_bulk(selection, lambda at, of: report("jobs", at, of))
    states = " or ".join(state.replace("_", " ") for state in given.over(_MEANT[verb]).state or ())
    return _say(
        session,
        changed.count,
        word,
        f"nothing changed: no such job is {states}",
        kept=changed.skipped,
        why="changed meanwhile, or an equal job waits",
    )


def _sure(question: str, count: int, yes: bool) -> None:
    """Ask, unless it was said already.

    Raises:
        UsageError: When nobody can be asked and --yes is missing.
    """
    if yes:
        return
    if not is_interactive():
        raise UsageError(f"--yes is missing: it says that you mean {_jobs(count)}")
    typer.confirm(f"{question}?", abort=True, err=True)


def _jobs(count: int) -> str:
    return f"{count:,} job{'s' if count != 1 else ''}"


def _say(session: Session, count: int, word: str, nothing: str, *, kept: int = 0, why: str = "") -> None:
    document: dict[str, Any] = {"jobs": count, "run": session.run_id}
    if why:
        document["skipped"] = kept
    session.out.document(document)
    left = f"; {_jobs(kept)} left as they are: {why}" if kept else ""
    session.out.say(f"{_jobs(count)} {word}{left}" if count or kept else nothing)


job_watch.add_to(app)
