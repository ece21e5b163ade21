"""procrastinate: one asynchronous worker with several jobs at a time; jobs are delayed synchronously."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tally
from child import Child
from contestant import NOOP, PICKUP, Put, Setup, SqlContestant

_CHUNK = 1_000


class Procrastinate(SqlContestant):
    """A worker as its documentation has it: asynchronous tasks, LISTEN, finished jobs are kept."""

    name = "procrastinate"
    packages = ("procrastinate",)
    setups = {NOOP: (Setup(1, 10), Setup(2, 5), Setup(2, 10)), PICKUP: (Setup(1, 10),)}
    clear_sql = "TRUNCATE procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers"
    left_sql = """
    SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'todo')
        OR EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'doing')
    """
    finished_sql = {"": "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'"}

    def install(self) -> None:
        with self._delaying() as app:
            app.schema_manager.apply_schema()

    def fill(self, kind: str, count: int) -> None:
        with self._delaying() as app:
            for start in range(0, count, _CHUNK):
                jobs = [{} for _ in range(min(_CHUNK, count - start))]
                app.tasks[kind].batch_defer(*jobs)

    # -- workers -----------------------------------------------------------------------

    def work(self, kind: str, setup: Setup, child: Child) -> None:  # noqa: ARG002 - all kinds are known
        asyncio.run(self._work(setup, child))

    async def _work(self, setup: Setup, child: Child) -> None:
        from procrastinate import PsycopgConnector

        # One for each job at a time, one for the fetching, one that listens.
        size = setup.at_once + 2
        app = _app(PsycopgConnector(conninfo=self.url, min_size=size, max_size=size))
        loop = asyncio.get_running_loop()
        async with app.open_async():
            stopped = asyncio.Event()
            child.at_stop(lambda: loop.call_soon_threadsafe(stopped.set))
            await asyncio.to_thread(child.ready)
            worker = asyncio.create_task(
                app.run_worker_async(concurrency=setup.at_once, install_signal_handlers=False)
            )
            ended = asyncio.create_task(stopped.wait())
            await asyncio.wait([worker, ended], return_when=asyncio.FIRST_COMPLETED)
            worker.cancel()
            await asyncio.wait([worker])
            if not worker.cancelled():
                worker.result()

    # -- producers ---------------------------------------------------------------------

    @contextmanager
    def producer(self, kind: str) -> Iterator[Put]:
        with self._delaying() as app:
            task = app.tasks[kind]
            if kind == PICKUP:
                yield lambda number: task.defer(number=number)
            else:
                yield lambda _: task.defer()

    @contextmanager
    def bulk(self) -> Iterator[Put]:
        with self._delaying() as app:
            task = app.tasks[NOOP]
            yield lambda count: task.batch_defer(*[{} for _ in range(count)])

    @contextmanager
    def _delaying(self) -> Iterator[Any]:
        from procrastinate import SyncPsycopgConnector

        app = _app(SyncPsycopgConnector(conninfo=self.url, min_size=1, max_size=1))
        with app.open():
            yield app


def _app(connector: Any) -> Any:
    from procrastinate import App

    app = App(connector=connector)

    @app.task(name=NOOP)
    async def noop() -> None:
        tally.ran()

    @app.task(name=PICKUP)
    async def pickup(number: int) -> None:
        tally.picked_up(number)

    return app
