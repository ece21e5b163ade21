"""Removing a backend: all that Isthmus keeps of it goes, the records on both sides stay."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import column, delete, inspect, table

from isthmus.backend import Backend
from isthmus.binding import Binding
from isthmus.env import Env
from isthmus.errors import JobStateError
from isthmus.store.sql import SqlModel
from isthmus.sync.table import Checkpoint, Cursor, Effect

_OF_A_BINDING: Final = frozenset({"backend_id", "external_id", "record_id", "sync_date", "state"})


def remove_backend(env: Env, backend: Any) -> Mapping[str, int]:
    """Delete a backend with its bindings, cursors, effects and inbox; the journal stays.

    Jobs on its bindings that wait are cancelled. No record of ours and nothing there is touched.

    Args:
        env: The unit of work.
        backend: The backend's record; as a ``connector.backend`` where nobody declares its type.

    Returns:
        How many rows of which model went; of which table where nobody declares the model.
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
    for left in _undeclared(env, {cls.__tablename__ for cls in tables}):
        statement = delete(left).where(left.c.backend_id == backend.id)
        gone[left.name] = env.session.connection().execute(statement).rowcount
    env.session.connection().execute(delete(Backend.__table__).where(Backend.__table__.c.id == backend.id))  # type: ignore[arg-type]  # as above
    return {name: count for name, count in gone.items() if count}


def _undeclared(env: Env, declared: set[str]) -> Iterator[Any]:
    """Find the tables of bindings that no model is here for: their plugin is not enabled (any more)."""
    inspector = inspect(env.session.connection())
    for (_, name), keys in inspector.get_multi_foreign_keys().items():
        refers = any(key["referred_table"] == Backend.__tablename__ for key in keys)
        # An application's own table may refer to a backend, too.
        if (
            refers
            and name not in declared
            and _OF_A_BINDING.issubset(c["name"] for c in inspector.get_columns(name))
        ):
            yield table(name, column("backend_id"))


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
