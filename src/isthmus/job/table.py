"""The table of jobs."""

from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import BigInteger, Index, Integer, Table, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.job.state import State
from isthmus.store.sql import SqlModel

KEY_HELD: Final = "identity_key IS NOT NULL AND state IN ('wait_dependencies', 'pending')"
"""While this is true of a job, no other may have its identity key."""

_LONG = BigInteger().with_variant(Integer, "sqlite")


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


class Job(SqlModel):
    """One delayed method call. The row is written in the transaction that caused it."""

    __tablename__ = "isthmus_job"
    _name = "isthmus.job"

    id: Mapped[int] = mapped_column(_LONG, primary_key=True)
    """Grows; among jobs of equal priority the smaller one runs first."""
    state: Mapped[str] = mapped_column(default=State.PENDING.value, server_default="pending")
    """A `State`; changes only by the steps of `TRANSITIONS`."""
    model: Mapped[str]
    """Name of the model whose method is called."""
    record_id: Mapped[str | None]
    """Text form of the record's key; None when the method is called on the model."""
    method: Mapped[str]
    """Name of the method; it must be marked with ``@job`` when the job is run, too."""
    payload: Mapped[str] = mapped_column(Text)
    """JSON of positional and keyword arguments (`isthmus.job.payload`). Text, since the databases' own JSON
    types reorder keys and refuse some characters."""
    ctx: Mapped[str] = mapped_column(Text)
    """JSON of the context keys that go along."""
    user: Mapped[str] = mapped_column("user_name")
    """Who delayed it; it runs as this user."""
    run_id: Mapped[str]
    """The run that delayed it; it belongs to the same run."""
    description: Mapped[str] = mapped_column(Text)
    """What it does, for people."""
    channel: Mapped[str] = mapped_column(default="root", server_default="root")
    """Full name of its lane, from ``root`` on."""
    priority: Mapped[int] = mapped_column(default=10, server_default="10")
    """0 is the most urgent."""
    eta: Mapped[datetime | None]
    """Not before this instant. A claim clears it when it has come."""
    identity_key: Mapped[str | None]
    """Says which jobs are the same; of those only one waits at a time. A started one does not count."""
    superseded_by: Mapped[int | None] = mapped_column(_LONG)
    """The equal job that took its place while it ran."""
    created_at: Mapped[datetime]
    """When it was delayed, by the database's clock on PostgreSQL."""
    started_at: Mapped[datetime | None]
    """When it was claimed last."""
    finished_at: Mapped[datetime | None]
    """When it became done, failed or cancelled."""
    attempt: Mapped[int] = mapped_column(default=0, server_default="0")
    """Claims so far. It fences: what an earlier attempt still wants to commit is refused."""
    retry: Mapped[int] = mapped_column(default=0, server_default="0")
    """Executions that count against `max_retries`: failures that are retried, and rescues."""
    max_retries: Mapped[int] = mapped_column(default=5, server_default="5")
    """Executions in total; 0 sets no limit to failures."""
    rescues: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often its worker died or gave no sign."""
    deferrals: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often in a row it came back at no cost; the wait grows with it."""
    owner: Mapped[str | None]
    """The process that claimed it (`isthmus.store.sql.Owner`); None unless started."""
    lease_until: Mapped[datetime | None]
    """When it may be claimed again although its owner may live; None unless started."""
    result: Mapped[str | None] = mapped_column(Text)
    """JSON of what the method returned; None for None."""
    error_type: Mapped[str | None]
    """Full name of the last failure's class."""
    error: Mapped[str | None] = mapped_column(Text)
    """The last failure in one message; kept while it is retried."""
    traceback: Mapped[str | None] = mapped_column(Text)
    """Where the last failure came from: places in the code, no values."""

    __table_args__ = (
        # A claim reads one index entry whatever else is in the table: jobs to be run later, running
        # ones and finished ones are in none or in another index.
        Index("ix_isthmus_job_ready", "priority", "id", **_where("state = 'pending' AND eta IS NULL")),
        Index("ix_isthmus_job_future", "eta", **_where("state = 'pending' AND eta IS NOT NULL")),
        Index("ix_isthmus_job_started", "owner", **_where("state = 'started'")),
        Index("uq_isthmus_job_identity_key", "identity_key", unique=True, **_where(KEY_HELD)),
        # Without it SQLite gives the number of a deleted newest job to the next one.
        {"sqlite_autoincrement": True},
    )


JOBS: Final = cast(Table, Job.__table__)
"""The table itself: the queue's own statements are no changes that listeners hear of."""
