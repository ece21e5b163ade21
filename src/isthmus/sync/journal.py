"""The journal: what sync did to each record, added in the transaction that did it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import Table

from isthmus.env import Env, plain
from isthmus.store.sql import insert_rows
from isthmus.sync.table import JournalEntry

_TABLE: Final = cast(Table, JournalEntry.__table__)
_OWN: Final = ("model", "record_id", "external_id", "direction", "operation", "reason", "changes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal; the fields are those of `JournalEntry`."""

    model: str
    direction: str
    operation: str
    reason: str
    record_id: str | None = None
    external_id: str | None = None
    changes: dict[str, Any] | None = None


def changes_of(before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
    """Describe values field by field.

    >>> changes_of({"name": "a"}, {"name": "b"})
    {'name': {'before': 'a', 'after': 'b'}}
    >>> changes_of(None, {"name": "b"})
    {'name': {'after': 'b'}}
    """
    if before is None:
        return {name: {"after": plain(value)} for name, value in after.items()}
    return {name: {"before": plain(before.get(name)), "after": plain(value)} for name, value in after.items()}


def write(env: Env, backend_id: int, entries: Sequence[Entry]) -> None:
    """Add entries by one statement."""
    if not entries:
        return
    rows = [
        (e.model, e.record_id, e.external_id, e.direction, e.operation, e.reason, e.changes) for e in entries
    ]
    same = {
        "at": env.now(),
        "run_id": env.run_id,
        "job_id": env.job_id,
        "actor": env.user,
        "backend_id": backend_id,
    }
    env.transaction.mark("journal")
    insert_rows(env.session.connection(), _TABLE, _OWN, rows, same)
