"""One job as it is shown: its row, and what belongs to it elsewhere."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from isthmus.cli.session import Session

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.job import Job

SHORT: Final = ("id", "state", "description", "retry", "eta", "created_at", "error")
"""Columns of the table."""
LISTED: Final = (
    "id", "state", "model", "record_id", "method", "description", "user", "run_id", "channel", "priority",
    "eta", "identity_key", "superseded_by", "created_at", "started_at", "finished_at", "attempt", "retry",
    "max_retries", "rescues", "deferrals", "worker_id", "graph_id", "waits", "error_type", "error",
)  # fmt: skip
"""Fields of the document."""


def row(job: "Job", names: Sequence[str]) -> dict[str, Any]:
    """Give some fields of a job."""
    return {name: getattr(job, name) for name in names}


def describe(session: Session, job: "Job") -> dict[str, Any]:
    """Give all that is known of a job."""
    from isthmus.job import State

    desk = session.hub.queue.desk
    worker, graph = desk.worker_of(job), desk.graph_of(job)
    shown: dict[str, Any] = row(job, LISTED)
    shown["worker"] = None if worker is None else f"{worker.host}:{worker.pid}"
    shown["arguments"] = json.loads(job.payload)
    shown["context"] = json.loads(job.ctx)
    shown["result"] = None if job.result is None else json.loads(job.result)
    shown["related"] = _related(session, job)
    shown["graph"] = None
    if graph is not None:
        shown["graph"] = {
            "id": graph.graph_id,
            "jobs": graph.jobs,
            "counts": {str(state): graph.counts[state] for state in State if graph.counts.get(state)},
            "parents": [_neighbour(one) for one in graph.parents],
            "parent_count": graph.parent_count,
            "children": [_neighbour(one) for one in graph.children],
            "child_count": graph.child_count,
        }
    shown["traceback"] = job.traceback
    return shown


def _neighbour(one: Any) -> dict[str, Any]:
    return {"id": one.job_id, "job": one.label, "state": str(one.state), "on": str(one.on)}


def _related(session: Session, job: "Job") -> Any:
    from isthmus.job.desk.related import related_action

    try:
        with session.env(readonly=True) as env:
            return related_action(env, job)
    except Exception as exc:  # noqa: BLE001 - somebody's method, or a model that is gone: the job is shown all the same
        return {"error": f"{type(exc).__name__}: {exc}"}


def facts(shown: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Give what is known of a job as lines for people."""
    graph = shown["graph"]
    lines = {name: value for name, value in shown.items() if name not in {"graph", "graph_id"}}
    lines["related"] = _spelled(shown["related"])
    if graph is not None:
        counts = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in graph["counts"].items())
        lines["graph"] = f"{graph['jobs']:,} jobs: {counts}"
        lines["waits for"] = _listed(graph["parents"], graph["parent_count"])
        lines["waited for by"] = _listed(graph["children"], graph["child_count"])
    # The traceback is long: it comes last.
    lines["traceback"] = lines.pop("traceback")
    return [(name, value) for name, value in lines.items() if value is not None]


def _listed(jobs: Sequence[Mapping[str, Any]], count: int) -> str | None:
    lines = [
        f"{job['id']} {job['job']}, {job['state'].replace('_', ' ')}"
        f"{' (if it fails)' if job['on'] == 'failed' else ''}"
        for job in jobs
    ]
    if count > len(jobs):
        lines.append(f"and {count - len(jobs):,} more")
    return "\n".join(lines) or None


def _spelled(related: Any) -> Any:
    if isinstance(related, dict) and "name" in related:
        return " ".join(str(related[key]) for key in ("name", "url") if related.get(key))
    return related
