"""Jobs that keep coming back: after a hundred returns at no cost a person is told."""

from typing import Any

from isthmus.backend import BackendRecord
from isthmus.env import Env
from isthmus.job import Claimed
from isthmus.job.payload import browse, load_arguments
from isthmus.sync.checkpoint import add_checkpoint
from isthmus.sync.table import CheckpointKind


def tell_of_returns(env: Env, job: Claimed, reason: str) -> None:
    """Put a job that keeps coming back into the inbox of the backend that it is about.

    It may wait for a record that somebody holds for good. A job about no backend is only in the log.

    Args:
        env: The env whose transaction it becomes part of.
        job: The job.
        reason: Why it came back the last time.
    """
    backend = _backend_of(env, job)
    if backend is None:
        return
    add_checkpoint(
        env,
        CheckpointKind.REVIEW,
        backend_id=backend.id,
        model=job.model,
        topic=f"job/{job.method}/{job.record_id or ''}",
        summary=f"job {job.id} ({job.label}) has come back {job.deferrals + 1} times: {reason}",
        detail={"job": job.id, "method": job.method, "record": job.record_id},
    )


def _backend_of(env: Env, job: Claimed) -> Any:
    """Find the backend that a job is on, that its binding belongs to, or that it was given."""
    if job.record_id is not None:
        record = browse(env, job.model, job.record_id)
        if isinstance(record, BackendRecord):
            return record
        if hasattr(env[job.model], "binds") and record.exists():
            return record.backend
    args, kwargs = load_arguments(job.payload, env)
    return next((value for value in (*args, *kwargs.values()) if isinstance(value, BackendRecord)), None)
