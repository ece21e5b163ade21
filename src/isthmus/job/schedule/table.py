"""The table of schedules."""

from datetime import datetime
from typing import Final, cast

from sqlalchemy import BigInteger, Index, Integer, Table, false, text
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.store.sql import SqlModel

_DUE: Final = text("next_at IS NOT NULL")


class ScheduleRow(SqlModel):
    """One method that is run by the clock; beside it a row for each record that it was called on."""

    __tablename__ = "isthmus_schedule"

    model: Mapped[str] = mapped_column(primary_key=True)
    """Name of the model."""
    method: Mapped[str] = mapped_column(primary_key=True)
    """Name of the method."""
    record_id: Mapped[str] = mapped_column(primary_key=True, default="")
    """Empty for the schedule itself; else text form of a record's key, and only `last_at` and `last_job_id`
    say something."""
    spec: Mapped[str] = mapped_column(default="")
    """When it is due, as the code says."""
    override: Mapped[str | None]
    """When it is due, as the settings say, which wins."""
    tz: Mapped[str] = mapped_column(default="UTC", server_default="UTC")
    """Whose wall clock that is about."""
    next_at: Mapped[datetime | None]
    """When it is due next; None while it is paused or off."""
    last_at: Mapped[datetime | None]
    """When its last job was made."""
    last_job_id: Mapped[int | None] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"))
    """That job."""
    paused: Mapped[bool] = mapped_column(default=False, server_default=false())
    """True when a person said so."""

    __table_args__ = (
        Index("ix_isthmus_schedule_next_at", "next_at", postgresql_where=_DUE, sqlite_where=_DUE),
    )


SCHEDULES: Final = cast(Table, ScheduleRow.__table__)
