"""Isthmus, through its public doors only: marked methods, ``with_delay``, `isthmus.job.Worker`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import func, select, text
from sqlalchemy.orm import Mapped, mapped_column

import tally
from child import Child
from contestant import BATCH, BATCH_ROW, NOOP, PICKUP, ROW, Contestant, Put, Setup
from isthmus.env import ModelExtension
from isthmus.hub import Hub
from isthmus.job import Job, State, Worker, job
from isthmus.settings import Settings
from isthmus.store.sql import SqlModel

_QUEUE_TABLES = ("isthmus_job", "isthmus_job_edge", "isthmus_worker")


class BenchRow(SqlModel):
    """What jobs write."""

    __tablename__ = "bench_row"
    _name = "bench.row"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]


class BenchMethods(ModelExtension):
    """The jobs."""

    _inherit = "bench.row"

    @job
    def noop(self) -> None:
        tally.ran()

    @job
    def row(self) -> None:
        self.env["bench.row"].create({"number": 1})
        tally.ran()

    @job(batch=1_000)
    def batch(self) -> None:
        tally.ran()

    @job(batch=100)
    def batch_row(self) -> None:
        self.env["bench.row"].create({"number": 1})
        tally.ran()

    @job
    def pickup(self, number: int) -> None:
        tally.picked_up(number)


class Isthmus(Contestant):
    """Worker processes with some threads each.

    Args:
        url: Of a PostgreSQL or SQLite database.
        grown: True keeps what is in the table: the jobs of `grow` and those of earlier runs.
    """

    name = "isthmus"
    setups = {
        NOOP: (Setup(1, 4), Setup(2, 2), Setup(4, 1)),
        ROW: (Setup(2, 2), Setup(4, 1)),
        BATCH: (Setup(2, 1), Setup(2, 2)),
        BATCH_ROW: (Setup(2, 2), Setup(4, 1)),
        PICKUP: (Setup(1, 4),),
    }

    def __init__(self, url: str, *, grown: bool = False) -> None:
        super().__init__(url)
        self._grown = grown
        self._hub: Hub | None = None

    @property
    def hub(self) -> Hub:
        """The hub of this process."""
        if self._hub is None:
            url = self.url.replace("postgresql://", "postgresql+psycopg://")
            settings = Settings(database_url=url, plugins=(), models=())
            self._hub = Hub(settings, models={"bench.row": BenchRow}, extensions=[BenchMethods])
        return self._hub

    def install(self) -> None:
        self.hub.upgrade()
        SqlModel.metadata.create_all(self.hub.engine, tables=[BenchRow.__table__])  # type: ignore[list-item]

    def clear(self) -> None:
        if self._grown:
            return
        there = [table for table in _QUEUE_TABLES if table in SqlModel.metadata.tables]
        with self.hub.engine.begin() as connection:
            for table in (*there, "bench_row"):
                word = "DELETE FROM" if connection.dialect.name == "sqlite" else "TRUNCATE"
                connection.execute(text(f"{word} {table}"))

    def fill(self, kind: str, count: int) -> None:
        self._copy(kind, count, {})

    def grow(self, done: int, future: int) -> None:
        """Put in jobs that are done and jobs of next month; they stay."""
        ended = {"state": "'done'", "attempt": "1", "started_at": "created_at", "finished_at": "created_at"}
        self._copy(NOOP, done, ended)
        self._copy(NOOP, future, {"eta": "created_at + interval '30 days' + n * interval '1 second'"})

    def _copy(self, kind: str, count: int, instead: Mapping[str, str]) -> None:
        """Delay one job as everybody does, and copy its row: that is how all the others would look."""
        with self.producer(kind) as put:
            put(0)
        table = SqlModel.metadata.tables["isthmus_job"]
        names = [column.name for column in table.columns if column.name != "id"]
        values = ", ".join(instead.get(name, f'"{name}"') for name in names)
        columns = ", ".join(f'"{name}"' for name in names)
        with self.hub.engine.begin() as connection:
            newest = connection.scalar(select(func.max(table.c.id)))
            connection.execute(
                text(
                    f"INSERT INTO isthmus_job ({columns})"
                    " WITH RECURSIVE numbers (n) AS"
                    " (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)"
                    f" SELECT {values} FROM isthmus_job, numbers WHERE id = :newest"
                ),
                {"count": count, "newest": newest},
            )
            connection.execute(text("DELETE FROM isthmus_job WHERE id = :newest"), {"newest": newest})

    def left(self) -> bool:
        # Written out, so that the partial indexes answer.
        waiting = select(Job.id).where(text("state = 'pending' AND eta IS NULL")).limit(1)
        running = select(Job.id).where(text("state = 'started'")).limit(1)
        with self.hub.engine.connect() as connection:
            return connection.execute(waiting).first() is not None or (
                connection.execute(running).first() is not None
            )

    def finished(self, kind: str) -> int:
        done = select(func.count()).select_from(Job).where(Job.state == State.DONE.value)
        rows = select(func.count()).select_from(BenchRow)
        with self.hub.engine.connect() as connection:
            count = connection.scalar(done) or 0
            written = (connection.scalar(rows) or 0) if kind in {ROW, BATCH_ROW} else count
        return min(count, written)

    def close(self) -> None:
        if self._hub is not None:
            self._hub.close()
            self._hub = None

    # -- in child processes ------------------------------------------------------------

    def work(self, kind: str, setup: Setup, child: Child) -> None:  # noqa: ARG002 - all kinds are known
        with self.hub as hub:
            with hub.env(readonly=True) as env:
                env["bench.row"].search_count([])
            child.ready()
            with Worker(hub.queue, threads=setup.at_once):
                child.stop.wait()

    @contextmanager
    def producer(self, kind: str) -> Iterator[Put]:
        hub = self.hub

        def put(number: int) -> None:
            with hub.env() as env:
                delayed = getattr(env["bench.row"].with_delay(), kind)
                if kind == PICKUP:
                    delayed(number)
                else:
                    delayed()

        yield put

    @contextmanager
    def bulk(self) -> Iterator[Put]:
        hub = self.hub

        def put_all(count: int) -> None:
            with hub.env() as env:
                env["bench.row"].with_delay().noop.map([()] * count)

        yield put_all


class IsthmusOnSqlite(Isthmus):
    """The same on SQLite, with the two processes that are asked for."""

    setups = {ROW: (Setup(2, 1), Setup(2, 2), Setup(2, 4))}
