"""Projects, their stages and tasks, with Odoo's model and field names.

Source:
    Model and field names of Odoo 18, ``addons/project/models/project_*.py``; `description` is
    HTML there and here.
"""

from datetime import UTC, datetime

from sqlalchemy import Column, ForeignKey, Index, Table, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from isthmus.store.sql import SqlModel


def _now() -> datetime:
    return datetime.now(UTC)


stage_project = Table(
    "project_task_type_rel",
    SqlModel.metadata,
    Column("type_id", ForeignKey("project_task_type.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", ForeignKey("project_project.id", ondelete="CASCADE"), primary_key=True, index=True),
)
"""Which stages which projects use."""


class Project(SqlModel):
    """A project."""

    __tablename__ = "project_project"
    _name = "project.project"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    """Title. Never empty."""
    description: Mapped[str | None] = mapped_column(Text, info={"field": "html"})
    """HTML."""
    sequence: Mapped[int] = mapped_column(default=10)
    """Position among projects, ascending."""
    active: Mapped[bool] = mapped_column(default=True)
    """False when archived: left out of searches unless asked for."""
    create_date: Mapped[datetime] = mapped_column(default=_now)
    """When it was created."""
    write_date: Mapped[datetime] = mapped_column(default=_now, onupdate=_now)
    """When it was last written."""

    type_ids: Mapped[list["TaskType"]] = relationship(secondary=stage_project, back_populates="project_ids")


class TaskType(SqlModel):
    """A stage; several projects may share one."""

    __tablename__ = "project_task_type"
    _name = "project.task.type"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    """Title. Never empty."""
    sequence: Mapped[int] = mapped_column(default=1)
    """Position among stages, ascending."""
    fold: Mapped[bool] = mapped_column(default=False)
    """True when boards show it folded."""
    active: Mapped[bool] = mapped_column(default=True)
    """False when archived."""
    create_date: Mapped[datetime] = mapped_column(default=_now)
    """When it was created."""
    write_date: Mapped[datetime] = mapped_column(default=_now, onupdate=_now)
    """When it was last written."""

    project_ids: Mapped[list[Project]] = relationship(secondary=stage_project, back_populates="type_ids")


class Task(SqlModel):
    """A task."""

    __tablename__ = "project_task"
    _name = "project.task"
    __table_args__ = (Index("ix_project_task_project_stage", "project_id", "stage_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    """Title."""
    description: Mapped[str | None] = mapped_column(Text, info={"field": "html"})
    """HTML."""
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project_project.id"))
    """The project; None for a private task."""
    stage_id: Mapped[int | None] = mapped_column(ForeignKey("project_task_type.id"), index=True)
    """The stage; None before it has one."""
    sequence: Mapped[int] = mapped_column(default=10)
    """Position in its stage, ascending."""
    date_deadline: Mapped[datetime | None]
    """When it is due."""
    active: Mapped[bool] = mapped_column(default=True)
    """False when archived."""
    create_date: Mapped[datetime] = mapped_column(default=_now)
    """When it was created."""
    write_date: Mapped[datetime] = mapped_column(default=_now, onupdate=_now)
    """When it was last written."""
