"""A hub with a model of its own, whose methods are jobs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.env import Env, ModelExtension
from isthmus.hub import Hub
from isthmus.job import job
from isthmus.settings import Settings
from isthmus.store.sql import SqlModel
from isthmus.testing import FrozenClock

NOTE = "unit.job.note"


class Note(SqlModel):
    """A record that jobs are called on."""

    __tablename__ = "unit_job_note"
    _name = NOTE

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class NoteJobs(ModelExtension):
    """The jobs."""

    _inherit = NOTE

    @job(default_channel="notes", retry_pattern={1: 10}, max_retries=7)
    def copy(self, text: str, *more: Any, times: int = 1, **others: Any) -> str:
        """Write the text once more.

        And again.
        """
        for _ in range(times):
            self.env[NOTE].create({"text": text})
        return text

    @job(description="Copy later")
    def copy_later(self, text: str) -> None:
        self.env[NOTE].with_delay().copy(text)

    def plain(self) -> None:
        """Be no job."""


class MoreNoteJobs(ModelExtension):
    """Extends a job."""

    _inherit = NOTE

    def copy_later(self, text: str) -> None:
        super().copy_later(text + "!")  # type: ignore[misc]


@pytest.fixture
def clock() -> FrozenClock:
    """Stands."""
    return FrozenClock()


@pytest.fixture
def hub(tmp_path: Path, clock: FrozenClock) -> Iterator[Hub]:
    """A hub over a SQLite file."""
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'unit.db'}", plugins=(), models=())
    with Hub(
        settings, plugins=[], models={NOTE: Note}, extensions=[NoteJobs, MoreNoteJobs], clock=clock
    ) as made:
        SqlModel.metadata.create_all(made.engine)
        yield made


@pytest.fixture
def env(hub: Hub) -> Iterator[Env]:
    """A unit of work."""
    with hub.env(user="anna") as made:
        yield made


@pytest.fixture
def notes(env: Env) -> Any:
    """The model."""
    return env[NOTE]
