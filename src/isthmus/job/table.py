"""The tables of the queue."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import BigInteger, Index, Integer, Table, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.job.state import State
from isthmus.store.sql import SqlModel

KEY_HELD: Final[Mapping[str, str]] = {
    "postgresql": "identity_key IS NOT NULL AND strpos(key_states, state) > 0",
    "sqlite": "identity_key IS NOT NULL AND instr(key_states, state) > 0",
}
"""While this is true of a job, no other may have its identity key; by database."""

KEY_STATES: Final = "wait_dependencies,pending"
"""The states in which a job holds its identity key, unless its method says otherwise."""

_LONG = BigInteger().with_variant(Integer, "sqlite")


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": text(condition), "sqlite_where": text(condition)}


class WorkerRow(SqlModel):
    """One process that claims jobs: its signs of life are those of all its jobs and slots."""

    __tablename__ = "isthmus_worker"
    _name = "isthmus.worker"

    id: Mapped[int] = mapped_column(_LONG, primary_key=True)
    owner: Mapped[str] = mapped_column(unique=True)
    """The process (`isthmus.store.sql.Owner`)."""
    host: Mapped[str]
    """Name of its machine."""
    pid: Mapped[int]
    """Its number there."""
    threads: Mapped[int] = mapped_column(default=1, server_default="1")
    """How many jobs it runs at a time."""
    channels: Mapped[str] = mapped_column(Text, default="")
    """The lanes it takes jobs from, with commas; empty for all."""
    started_at: Mapped[datetime]
    """When it came."""
    seen_at: Mapped[datetime]
    """Its last sign of life."""
    lease_until: Mapped[datetime]
    """When its jobs may be taken back although it may live."""
    idle: Mapped[bool] = mapped_column(default=False, server_default=false())
    """True while a thread of it waits for work: a commit that delays jobs wakes it."""
    leaving: Mapped[bool] = mapped_column(default=False, server_default=false())
    """True when it claims nothing more."""

    __table_args__ = ({"sqlite_autoincrement": True},)


class Channel(SqlModel):
    """What was set for a lane at run time; what is None here comes from the settings."""

    __tablename__ = "isthmus_channel"
    _name = "isthmus.channel"

    name: Mapped[str] = mapped_column(primary_key=True)
    """Full name, from ``root`` on."""
    capacity: Mapped[int | None]
    """How many of its jobs, and of those in lanes below it, run at the same time anywhere."""
    paused: Mapped[bool | None]
    """True: none of its jobs is begun, nor of those in lanes below it."""
    sequential: Mapped[bool | None]
    """True: one after the other in order, and none past a failed one."""
    throttle_s: Mapped[float | None]
    """Seconds at least between two beginnings."""
    keep_done_s: Mapped[float | None]
    """Seconds after which its ended jobs are removed."""
    default_capacity: Mapped[int | None]
    """Capacity of each lane directly below it that sets none itself."""
    default_sequential: Mapped[bool | None]
    """The same for `sequential`."""
    next_start_at: Mapped[datetime | None]
    """With a throttle: when the next of its jobs may begin."""
    updated_at: Mapped[datetime | None]
    """When a person last set something."""


class Slot(SqlModel):
    """One place in a lane with a capacity: who holds it runs a job there.

    Its lease stands on its own row: a worker's row read beside it would be read too early.
    """

    __tablename__ = "isthmus_slot"

    channel: Mapped[str] = mapped_column(primary_key=True)
    """The lane."""
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Counts from 1; one above the capacity is not taken."""
    worker_id: Mapped[int | None] = mapped_column(_LONG)
    """The worker that holds it; None when it is free."""
    until: Mapped[datetime | None]
    """When it is free although it is held."""

    __table_args__ = (Index("ix_isthmus_slot_worker_id", "worker_id"),)


class Edge(SqlModel):
    """One job waits for another."""

    __tablename__ = "isthmus_job_edge"

    parent_id: Mapped[int] = mapped_column(_LONG, primary_key=True, autoincrement=False)
    """The job that is waited for."""
    child_id: Mapped[int] = mapped_column(_LONG, primary_key=True, autoincrement=False)
    """The job that waits."""
    on: Mapped[str] = mapped_column("on_state", default=State.DONE.value, server_default="done")
    """The state of the parent that it waits for: done or failed."""

    __table_args__ = (Index("ix_isthmus_job_edge_child_id", "child_id"),)


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
    """Says which jobs are the same; of those only one is in one of its `key_states` at a time."""
    key_states: Mapped[str] = mapped_column(default=KEY_STATES, server_default=KEY_STATES)
    """The states in which it holds its identity key, with commas."""
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
    worker_id: Mapped[int | None] = mapped_column(_LONG)
    """The worker that claimed it (`WorkerRow`); None unless started."""
    claim_no: Mapped[int | None]
    """Which of its worker's claims took it. Jobs of one claim are begun one after the other, by priority and
    id, so the first of them that is left is the one that ran when the worker died."""
    alone: Mapped[bool] = mapped_column(default=False, server_default=false())
    """True after a worker died while running a batch it was in: it is not run in one again."""
    graph_id: Mapped[int | None] = mapped_column(_LONG)
    """The first job of the graph it belongs to, or of one that waits for it; None when nothing waits for it
    and it waits for nothing."""
    waits: Mapped[int] = mapped_column(default=0, server_default="0")
    """How many jobs it waits for still."""
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
        Index(
            "ix_isthmus_job_ready", "channel", "priority", "id", **_where("state = 'pending' AND eta IS NULL")
        ),
        Index("ix_isthmus_job_future", "eta", **_where("state = 'pending' AND eta IS NOT NULL")),
        Index("ix_isthmus_job_started", "worker_id", **_where("state = 'started'")),
        # Blocks a sequential lane: begun before, and to be begun again later.
        Index(
            "ix_isthmus_job_returning",
            "channel",
            **_where("state = 'pending' AND eta IS NOT NULL AND attempt > 0"),
        ),
        Index("ix_isthmus_job_failed", "channel", "id", **_where("state = 'failed'")),
        Index("ix_isthmus_job_ended", "channel", "finished_at", **_where("state IN ('done', 'cancelled')")),
        Index("ix_isthmus_job_graph_id", "graph_id", **_where("graph_id IS NOT NULL")),
        Index(
            "uq_isthmus_job_identity_key",
            "identity_key",
            unique=True,
            postgresql_where=text(KEY_HELD["postgresql"]),
            sqlite_where=text(KEY_HELD["sqlite"]),
        ),
        # Without it SQLite gives the number of a deleted newest job to the next one.
        {"sqlite_autoincrement": True},
    )


JOBS: Final = cast(Table, Job.__table__)
"""The table itself: the queue's own statements are no changes that listeners hear of."""
WORKERS: Final = cast(Table, WorkerRow.__table__)
CHANNELS: Final = cast(Table, Channel.__table__)
SLOTS: Final = cast(Table, Slot.__table__)
EDGES: Final = cast(Table, Edge.__table__)
