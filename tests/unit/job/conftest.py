"""A hub with a model of its own, whose methods are jobs."""

import os
import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.env import Env, ModelExtension
from isthmus.hub import Hub
from isthmus.job import job
from isthmus.job.claim import Claimer
from isthmus.job.lane.lanes import Lanes
from isthmus.job.line import Line
from isthmus.job.members import Members
from isthmus.job.moves import Times
from isthmus.job.outcome import Outcomes
from isthmus.job.table import EDGES, JOBS, WORKERS
from isthmus.settings import JobSettings, Settings
from isthmus.store.sql import Owner, SqlModel, make_engine
from isthmus.testing import Databases, FrozenClock
from isthmus.testing.databases import Kind
from isthmus.testing.tables import make_tables

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
def open_hub(databases: Databases) -> Iterator[Callable[..., Hub]]:
    """Open a hub over a new database of a kind; ``clock`` and settings of the queue may be given."""
    with ExitStack() as stack:

        def make(kind: Kind, clock: FrozenClock | None = None, **options: Any) -> Hub:
            url = stack.enter_context(databases.fresh(kind, make_tables))
            settings = Settings(database_url=url, plugins=(), models=(), job=JobSettings(**options))
            parts = {"models": {NOTE: Note}, "extensions": [NoteJobs, MoreNoteJobs]}
            return stack.enter_context(Hub(settings, plugins=[], clock=clock, **parts))

        yield make


@pytest.fixture
def in_fork() -> Callable[[Callable[[], Any]], Any]:
    """Call something in a forked child, and give what it returned; the child ends without tidying up."""

    def call(function: Callable[[], Any]) -> Any:
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a process that may have threads
            child = os.fork()
        if child == 0:
            try:
                result: Any = function()
            except BaseException as exc:  # noqa: BLE001 - the parent raises it
                result = exc
            finally:
                os.write(writer, pickle.dumps(result))
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            result = pickle.loads(pipe.read())
        os.waitpid(child, 0)
        if isinstance(result, BaseException):
            raise result
        return result

    return call


@pytest.fixture
def env(hub: Hub) -> Iterator[Env]:
    """A unit of work."""
    with hub.env(user="anna") as made:
        yield made


@pytest.fixture
def notes(env: Env) -> Any:
    """The model."""
    return env[NOTE]


class ByHand:
    """A database with every table in which jobs, workers and edges are written by hand."""

    def __init__(self, engine: Engine, clock: FrozenClock) -> None:
        self.engine = engine
        self.clock = clock
        self.times = Times(engine, clock)

    def job(self, **values: Any) -> int:
        """Write a job; gives its number."""
        row = {
            "model": NOTE, "method": "copy", "payload": '{"args":[],"kwargs":{}}', "ctx": "{}",
            "user_name": "anna", "run_id": "r", "description": "Copy", "created_at": self.clock.now(),
        }  # fmt: skip
        with self.engine.begin() as connection:
            return int(
                connection.execute(insert(JOBS).values(row | values).returning(JOBS.c.id)).scalar_one()
            )

    def jobs(self, count: int, **values: Any) -> list[int]:
        """Write equal jobs; gives their numbers."""
        return [self.job(**values) for _ in range(count)]

    def worker(self, **values: Any) -> int:
        """Write a worker that lives; gives its number."""
        now = self.clock.now()
        row = {
            "owner": f"elsewhere:1:{values}", "host": "elsewhere", "pid": 1, "started_at": now,
            "seen_at": now, "lease_until": now + timedelta(seconds=60),
        }  # fmt: skip
        with self.engine.begin() as connection:
            made = insert(WORKERS).values(row | values).returning(WORKERS.c.id)
            return int(connection.execute(made).scalar_one())

    def edge(self, parent: int, child: int, on: str = "done") -> None:
        """Let a job wait for another."""
        with self.engine.begin() as connection:
            connection.execute(insert(EDGES).values(parent_id=parent, child_id=child, on_state=on))

    def states(self) -> dict[int, str]:
        """Read the state of every job."""
        with self.engine.begin() as connection:
            return {row[0]: row[1] for row in connection.execute(select(JOBS.c.id, JOBS.c.state))}


class Process:
    """What a process that claims jobs is made of; several live in one test.

    Args:
        by_hand: The database.
        folder: Of lock files: processes with the same one know of each other whether they live.
        channels: The settings of lanes.
        batches: How many jobs may share a transaction, by method.
    """

    def __init__(
        self, by_hand: ByHand, folder: Path, channels: dict[str, Any], batches: Mapping[str, int]
    ) -> None:
        engine, times = by_hand.engine, by_hand.times
        lease = timedelta(seconds=60)
        self.line = Line(engine)
        self.lanes = Lanes(engine, times, JobSettings(channels=channels))
        self.outcomes = Outcomes(self.line, by_hand.clock, times, engine.dialect)
        self.owner = Owner(folder)
        self.members = Members(
            self.line, times, self.owner, self.outcomes, self.lanes, lease, engine.dialect.name,
            lambda _model, method: batches.get(method, 1),
        )  # fmt: skip
        self.claimer = Claimer(
            self.line, times, self.members, self.outcomes, self.lanes, lease, engine.dialect.name
        )

    @property
    def gone(self) -> str:
        """An owner of which this process knows that it is dead."""
        return f"{str(self.owner).partition(':')[0]}:1:0123456789abcdef"


@pytest.fixture
def by_hand(databases: Databases, database_kind: Kind, clock: FrozenClock) -> Iterator[ByHand]:
    """Jobs written by hand, in a database of each kind."""
    with databases.fresh(database_kind, make_tables) as url:
        engine = make_engine(url)
        yield ByHand(engine, clock)
        engine.dispose()


@pytest.fixture
def line(by_hand: ByHand) -> Iterator[Line]:
    """The connections of a process; none may be left in use."""
    made = Line(by_hand.engine)
    yield made
    made.close_all()
    assert by_hand.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.fixture
def start_process(by_hand: ByHand, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start a process; ``batches`` and settings of ``channels`` may be given."""
    started: list[Process] = []

    def start(
        channels: dict[str, Any] | None = None, batches: Mapping[str, int] | None = None, place: str = "here"
    ) -> Process:
        started.append(Process(by_hand, tmp_path / place, channels or {}, batches or {}))
        return started[-1]

    yield start
    for process in started:
        process.line.close_all()
    assert by_hand.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.fixture
def process(start_process: Callable[..., Process]) -> Process:
    """A process that claims jobs."""
    return start_process()
