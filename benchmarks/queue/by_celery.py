"""Celery with Redis: a prefork pool. Not durable as the others are; here because everybody knows it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tally
from child import Child
from contestant import NOOP, PICKUP, Contestant, Put, Setup

_QUEUE = "celery"


class Celery(Contestant):
    """A worker with Celery's defaults, without a result backend."""

    name = "celery"
    packages = ("celery", "redis")
    setups = {NOOP: (Setup(1, 2), Setup(1, 4)), PICKUP: (Setup(1, 2),)}

    def _redis(self) -> Any:
        import redis

        return redis.Redis.from_url(self.url)

    def install(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._redis().flushdb()

    def fill(self, kind: str, count: int) -> None:
        with self.producer(kind) as put:
            for number in range(count):
                put(number)

    def left(self) -> bool:
        store = self._redis()
        return bool(store.llen(_QUEUE) or store.hlen("unacked"))

    def finished(self, kind: str) -> None:  # noqa: ARG002
        return None  # it keeps nothing: what jobs have counted themselves is all there is

    def work(self, kind: str, setup: Setup, child: Child) -> None:  # noqa: ARG002
        app = _app(self.url)
        child.at_stop(lambda: os.kill(os.getpid(), signal.SIGTERM))
        child.ready()
        app.worker_main([
            "worker", "--pool", "prefork", "--concurrency", str(setup.at_once), "--loglevel", "ERROR",
            "--without-gossip", "--without-mingle",
        ])  # fmt: skip

    @contextmanager
    def producer(self, kind: str) -> Iterator[Put]:
        app = _app(self.url)
        with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
            task = app.tasks[kind]
            if kind == PICKUP:
                yield lambda number: task.apply_async((number,), producer=producer)
            else:
                yield lambda _: task.apply_async((), producer=producer)


def _app(url: str) -> Any:
    from celery import Celery as App

    app = App("bench", broker=url)
    app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)

    @app.task(name=NOOP)
    def noop() -> None:
        tally.ran()

    @app.task(name=PICKUP)
    def pickup(number: int) -> None:
        tally.picked_up(number)

    return app
