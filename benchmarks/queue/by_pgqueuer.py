"""pgqueuer: several managers on connections of their own in one event loop, as in its own benchmark."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

import tally
from child import Child
from contestant import BATCH, NOOP, PICKUP, Put, Setup, SqlContestant

_CHUNK = 10_000


class PgQueuer(SqlContestant):
    """Jobs are taken and finished in batches; a finished one is deleted and leaves a line in a log."""

    name = "pgqueuer"
    packages = ("pgqueuer", "asyncpg", "uvloop")
    setups = {
        BATCH: (Setup(2, 1, 1_000), Setup(2, 2, 1_000), Setup(1, 5, 1_000)),
        NOOP: (Setup(2, 3, 10), Setup(1, 5, 10)),
        PICKUP: (Setup(1, 1, 10),),
    }
    clear_sql = "TRUNCATE pgqueuer, pgqueuer_log, pgqueuer_statistics"
    left_sql = "SELECT EXISTS (SELECT FROM pgqueuer)"
    finished_sql = {
        "": """
        SELECT (SELECT count(*) FROM pgqueuer_log WHERE status = 'successful' AND NOT aggregated)
            + (SELECT coalesce(sum(count), 0)::bigint FROM pgqueuer_statistics WHERE status = 'successful')
        """
    }

    def install(self) -> None:
        async def install(queries: Any) -> None:
            await queries.install()

        self._run(install)

    def fill(self, kind: str, count: int) -> None:
        async def fill(queries: Any) -> None:
            for start in range(0, count, _CHUNK):
                size = min(_CHUNK, count - start)
                await queries.enqueue([kind] * size, [None] * size, [0] * size)

        self._run(fill)

    def _run(self, what: Callable[[Any], Any]) -> None:
        import asyncpg
        from pgqueuer.queries import Queries

        async def run() -> None:
            connection = await asyncpg.connect(self.url)
            try:
                await what(Queries.from_asyncpg_connection(connection))
            finally:
                await connection.close()

        asyncio.run(run())

    # -- workers -----------------------------------------------------------------------

    def work(self, kind: str, setup: Setup, child: Child) -> None:
        import uvloop

        uvloop.run(self._work(kind, setup, child))

    async def _work(self, kind: str, setup: Setup, child: Child) -> None:
        import asyncpg
        from pgqueuer import PgQueuer as Manager

        loop = asyncio.get_running_loop()
        connections = [await asyncpg.connect(self.url) for _ in range(setup.at_once)]
        managers = [Manager.from_asyncpg_connection(connection) for connection in connections]
        for manager in managers:
            _declare(manager, kind)

        def end() -> None:
            for manager in managers:
                manager.shutdown.set()

        child.at_stop(lambda: loop.call_soon_threadsafe(end))
        await asyncio.to_thread(child.ready)
        await asyncio.gather(*(manager.run(batch_size=setup.batch) for manager in managers))
        for connection in connections:
            await connection.close()

    # -- producers ---------------------------------------------------------------------

    @contextmanager
    def producer(self, kind: str) -> Iterator[Put]:
        from pgqueuer.db import SyncPsycopgDriver
        from pgqueuer.queries import SyncQueries

        with psycopg.connect(self.url, autocommit=True) as connection:
            queries = SyncQueries(SyncPsycopgDriver(connection))
            if kind == PICKUP:
                yield lambda number: queries.enqueue(kind, str(number).encode())
            else:
                yield lambda _: queries.enqueue(kind, None)

    @contextmanager
    def bulk(self) -> Iterator[Put]:
        import asyncpg
        import uvloop
        from pgqueuer.queries import Queries

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            connection = runner.run(asyncpg.connect(self.url))
            queries = Queries.from_asyncpg_connection(connection)
            yield lambda count: runner.run(queries.enqueue([NOOP] * count, [None] * count, [0] * count))
            runner.run(connection.close())


def _declare(manager: Any, kind: str) -> None:
    @manager.entrypoint(kind)
    async def run(job: Any) -> None:
        if kind == PICKUP:
            tally.picked_up(int(job.payload))
        else:
            tally.ran()
