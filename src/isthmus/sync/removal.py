"""Removing a backend: all that Isthmus keeps of it goes, the records on both sides stay."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete

from isthmus.backend import Backend
from isthmus.binding import Binding
from isthmus.env import Env
from isthmus.errors import JobStateError
from isthmus.store.sql import SqlModel
from isthmus.sync.table import Checkpoint, Cursor, Effect


def remove_backend(env: Env, backend: Any) -> Mapping[str, int]:
    """Delete a backend with its bindings, cursors, effects and inbox; the journal stays.

    Jobs on its bindings that wait are cancelled. No record of ours and nothing there is touched.

    Args:
        env: The unit of work.
        backend: The backend's record, of its own type.

    Returns:
        How many rows of which model went.
    """
    gone: Counter[str] = Counter()
    mapped = [env[name].store.mapped(name) for name in env.services.stores if hasattr(env[name], "binds")]
    bindings = [cls for cls in mapped if issubclass(cls, Binding)]
    env.after_commit(_cancel(env, backend, [cls._name for cls in bindings]))
    tables: list[type[SqlModel]] = [*bindings, Cursor, Effect, Checkpoint]
    for cls in tables:
        # Core statements: nobody listens to what Isthmus keeps for itself.
        statement = delete(cls.__table__).where(cls.__table__.c.backend_id == backend.id)  # type: ignore[arg-type]  # a mapped class's table
        gone[cls._name] = env.session.connection().execute(statement).rowcount
    env.session.connection().execute(delete(Backend.__table__).where(Backend.__table__.c.id == backend.id))  # type: ignore[arg-type]  # as above
    return {name: count for name, count in gone.items() if count}


def _cancel(env: Env, backend: Any, models: list[str]) -> Any:
    """Make what cancels the jobs of the bindings that go."""
    queue: Any = env.delayer
    ids = {
        (model, str(binding.id))
        for model in models
        for binding in env[model].search([("backend_id", "=", backend.id)])
    }
    jobs = env["isthmus.job"].search([("model", "in", models), ("state", "in", ["pending", "failed"])])
    doomed = [job.id for job in jobs if (job["model"], job["record_id"]) in ids]

    def cancel() -> None:
        for job_id in doomed:
            try:
                queue.cancel([job_id], by="removal of its backend")
            except JobStateError:
                continue  # it ended in between

    return cancel
