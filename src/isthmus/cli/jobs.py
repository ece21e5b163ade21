"""``isthmus jobs``: look at the queue, run failed jobs again, give jobs up."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from isthmus.cli.command import command, group
from isthmus.cli.session import Session
from isthmus.cli.user import user_name
from isthmus.errors import UnknownModelError, UsageError

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.job import Job

app = group("jobs", help="The jobs: what is to be done, is being done, was done and could not be done.")

_SHORT: Final = ("id", "state", "description", "retry", "eta", "created_at", "error")
_LONG: Final = (
    "id", "state", "model", "record_id", "method", "description", "user", "run_id", "channel", "priority",
    "eta", "identity_key", "superseded_by", "created_at", "started_at", "finished_at", "attempt", "retry",
    "max_retries", "rescues", "deferrals", "owner", "lease_until", "error_type", "error",
)  # fmt: skip

Numbers = Annotated[list[int], typer.Argument(metavar="ID", help="Numbers of jobs.")]


@command(
    app,
    "list",
    examples=(
        "isthmus jobs list",
        "isthmus jobs list --state failed",
        "isthmus jobs list --model trello.card --json",
    ),
)
def list_(
    session: Session,
    state: Annotated[str | None, typer.Option("--state", help="Only jobs in this state.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only jobs on this model.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
) -> None:
    """List jobs, newest first.

    Raises:
        UnknownModelError: When no job is on the model because there is no such model.
    """
    queue = session.hub.queue
    found = queue.list(state=state, model=model, limit=limit)
    known = session.hub.services.stores
    if model is not None and not found and model not in known:
        raise UnknownModelError(model, known)
    counts = {str(key): count for key, count in queue.counts().items()}
    jobs = [{name: getattr(job, name) for name in _LONG} for job in found]
    session.out.document({"jobs": jobs, "counts": counts, "run": session.run_id})
    session.out.table(_SHORT, [[job[name] for name in _SHORT] for job in jobs])
    total = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    session.out.say(f"in all: {total}" if total else "there are no jobs")


@command(app, "show", examples=("isthmus jobs show 17", "isthmus jobs show 17 --json"))
def show(session: Session, job_id: Annotated[int, typer.Argument(metavar="ID", help="Its number.")]) -> None:
    """Show one job with all that is known of it, also why and where it failed."""
    job = session.hub.queue.show(job_id)
    shown = {name: getattr(job, name) for name in _LONG} | _hidden(job)
    session.out.document({"job": shown, "run": session.run_id})
    session.out.facts([(name, value) for name, value in shown.items() if value is not None])


def _hidden(job: "Job") -> dict[str, Any]:
    """Give the parts that are stored as text."""
    result = None if job.result is None else json.loads(job.result)
    return {"arguments": json.loads(job.payload), "result": result, "traceback": job.traceback}


@command(
    app,
    "retry",
    examples=("isthmus jobs retry 17 18", "isthmus jobs retry --failed"),
)
def retry(
    session: Session,
    ids: Annotated[list[int] | None, typer.Argument(metavar="ID", help="Numbers of jobs.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that have failed.")] = False,
) -> None:
    """Let jobs run again, or now instead of later, with all their retries.

    Raises:
        UsageError: When neither numbers nor --failed are given, or both.
    """
    if bool(ids) == failed:
        raise UsageError("name the jobs by number, or all failed ones by --failed")
    queue = session.hub.queue
    count = 0
    if ids:
        count = queue.retry(ids)
    while failed and (found := queue.list(state="failed", limit=500)):
        count += queue.retry(job.id for job in found)
    _say(session, count, "will run again")


@command(app, "cancel", examples=("isthmus jobs cancel 17",))
def cancel(session: Session, ids: Numbers) -> None:
    """Give jobs up; what a running one has not committed yet, it cannot commit any more."""
    _say(session, session.hub.queue.cancel(ids, by=user_name()), "cancelled")


@command(app, "done", examples=("isthmus jobs done 17",))
def done(session: Session, ids: Numbers) -> None:
    """Say that jobs need not run: what waits for them goes on."""
    _say(session, session.hub.queue.done(ids, by=user_name()), "set to done")


def _say(session: Session, count: int, what: str) -> None:
    session.out.document({"jobs": count, "run": session.run_id})
    session.out.say(
        f"{count} job{'s' if count != 1 else ''} {what}" if count else "nothing changed: no job has failed"
    )
