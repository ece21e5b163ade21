"""What sync keeps: cursors, effects, journal, checkpoints. Always in the hub's own database."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ForeignKey, Index, Text, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.store.sql import SqlModel, new_token


class Cursor(SqlModel):
    """How far an incremental import of one stream has come; committed with the page it describes."""

    __tablename__ = "isthmus_cursor"
    _name = "isthmus.cursor"

    id: Mapped[int] = mapped_column(primary_key=True)
    backend_id: Mapped[int] = mapped_column(ForeignKey("isthmus_backend.id"))
    """The backend."""
    stream: Mapped[str]
    """What is followed, such as ``trello.card/<board>``."""
    mark: Mapped[dict[str, Any]]
    """Where the stream stands; its form is the stream's own (`isthmus.sync.cursor`)."""
    updated_at: Mapped[datetime]
    """When it last moved."""

    __table_args__ = (Index("uq_isthmus_cursor_stream", "backend_id", "stream", unique=True),)


class EffectState(StrEnum):
    """How an intended write stands."""

    OPEN = "open"
    """Committed before its call; after a crash its outcome is unknown until someone looks."""
    ASKED = "asked"
    """Its outcome cannot be found out: a person is asked by a checkpoint."""
    DONE = "done"
    """It took effect, once, and what it made is bound."""
    DROPPED = "dropped"
    """It did not take effect, and nothing will be sent under its key any more."""


class Effect(SqlModel):
    """One intended write on a system without our transaction, recorded before it is made."""

    __tablename__ = "isthmus_effect"
    _name = "isthmus.effect"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_token)
    """Its key: sent along with a create where the other system takes one."""
    backend_id: Mapped[int] = mapped_column(ForeignKey("isthmus_backend.id"))
    """The backend whose binding it serves."""
    target: Mapped[str]
    """``external``: it writes there. Otherwise the name of the remote store it writes to."""
    model: Mapped[str]
    """The binding model."""
    kind: Mapped[str]
    """``create``, ``write`` or ``delete``."""
    record_id: Mapped[str | None]
    """Key of our record; None for a create on a remote store."""
    external_id: Mapped[str | None]
    """Their key; None for a create there."""
    scope: Mapped[str] = mapped_column(default="")
    """Scope of the binding."""
    sealed_values: Mapped[str | None] = mapped_column(Text)
    """What is written, encrypted, since it may be personal."""
    state: Mapped[str] = mapped_column(default=EffectState.OPEN.value)
    """An `EffectState`."""
    created_at: Mapped[datetime]
    """When it was recorded."""
    sent_at: Mapped[datetime | None]
    """When it was last about to be sent; the quiet time counts from here."""
    closed_at: Mapped[datetime | None]
    """When it left the open state."""
    run_id: Mapped[str]
    """The run that recorded it."""

    __table_args__ = (
        Index(
            "ix_isthmus_effect_open",
            "backend_id",
            "model",
            postgresql_where=text("state IN ('open', 'asked')"),
            sqlite_where=text("state IN ('open', 'asked')"),
        ),
    )


# Written into the statement: of a parameter no database can tell that the partial index has the rows.
UNSETTLED: Final = Effect.state.in_([literal_column("'open'"), literal_column("'asked'")])
"""The condition that the outcome of an effect is not settled: it is open, or a person is asked."""


class JournalEntry(SqlModel):
    """What sync did to one record in one operation, field by field. Only ever added to."""

    __tablename__ = "isthmus_journal"
    _name = "isthmus.journal"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    """When the operation was committed."""
    run_id: Mapped[str]
    """The run, as in the log and on the job."""
    job_id: Mapped[str | None]
    """The job; None when a program did it directly."""
    actor: Mapped[str]
    """The env's user."""
    backend_id: Mapped[int]
    """The backend."""
    model: Mapped[str]
    """The binding model."""
    record_id: Mapped[str | None] = mapped_column(index=True)
    """Key of our record."""
    external_id: Mapped[str | None] = mapped_column(index=True)
    """Their key."""
    direction: Mapped[str]
    """``import`` (ours was written), ``export`` (theirs was written) or ``merge`` (neither)."""
    operation: Mapped[str]
    """``create``, ``write``, ``delete``, ``archive``, ``forget``, ``adopt``, ``conflict``, ``resolve``,
    ``park`` or ``orphan``."""
    reason: Mapped[str]
    """Why, in words."""
    changes: Mapped[dict[str, Any] | None]
    """``{field: {"before": .., "after": .., "discarded": ..}}`` in the written side's fields."""


class CheckpointKind(StrEnum):
    """Why a person must look."""

    REVIEW = "review"
    """A record that someone wants looked at."""
    CONFLICT = "conflict"
    """Both sides changed the same field group."""
    DEAD_LETTER = "dead_letter"
    """A record that cannot be synchronised."""
    EFFECT = "effect"
    """A write whose outcome nobody knows."""
    DELETION = "deletion"
    """One side deleted what the other side changed."""


class CheckpointState(StrEnum):
    """How an inbox item stands."""

    OPEN = "open"
    RESOLVED = "resolved"
    IGNORED = "ignored"


class Checkpoint(SqlModel):
    """An item of the inbox."""

    __tablename__ = "isthmus_checkpoint"
    _name = "isthmus.checkpoint"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """A `CheckpointKind`."""
    state: Mapped[str] = mapped_column(default=CheckpointState.OPEN.value)
    """A `CheckpointState`."""
    backend_id: Mapped[int] = mapped_column(ForeignKey("isthmus_backend.id"))
    """The backend."""
    model: Mapped[str]
    """The binding model."""
    record_id: Mapped[str | None]
    """Key of our record, if there is one."""
    external_id: Mapped[str | None]
    """Their key, if there is one."""
    scope: Mapped[str] = mapped_column(default="")
    """Scope of the binding: before its first export nothing else tells it from its siblings."""
    topic: Mapped[str]
    """What it is about within the record: a field group, an effect's key, or empty."""
    summary: Mapped[str]
    """One sentence: what is wrong and what can be done. No payload, no secret."""
    detail: Mapped[dict[str, Any] | None]
    """What a person needs to decide: field names, error type."""
    sealed_payload: Mapped[str | None] = mapped_column(Text)
    """The values concerned, encrypted, since they may be personal."""
    times: Mapped[int] = mapped_column(default=1)
    """How often it came up while open: it is renewed, not doubled."""
    created_at: Mapped[datetime]
    """When it first came up."""
    renewed_at: Mapped[datetime]
    """When it last came up."""
    resolved_at: Mapped[datetime | None]
    """When it left the open state."""
    resolution: Mapped[str | None]
    """``ours``, ``theirs``, ``retry``, ``ignore`` or what the program found by itself."""
    run_id: Mapped[str]
    """The run that last renewed it."""

    __table_args__ = (
        Index(
            "uq_isthmus_checkpoint_open",
            "backend_id",
            "model",
            "kind",
            text("coalesce(record_id, '')"),
            text("coalesce(external_id, '')"),
            "scope",
            "topic",
            unique=True,
            postgresql_where=text("state = 'open'"),
            sqlite_where=text("state = 'open'"),
        ),
    )


IS_OPEN: Final = Checkpoint.state == literal_column("'open'")
"""The condition that an item is open."""
