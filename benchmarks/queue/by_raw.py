"""The least one could do: loops over one table with psycopg, one for each shape.

They claim, fence and finish as a queue must, and do nothing else: no retries, no liveness, no lanes.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

import tally
from child import Child
from contestant import BATCH, BATCH_ROW, NOOP, PICKUP, ROW, Put, Setup, SqlContestant

_TABLES = """
CREATE TABLE raw_job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state text NOT NULL DEFAULT 'pending',
    channel text NOT NULL DEFAULT 'root',
    payload text NOT NULL,
    priority integer NOT NULL DEFAULT 10,
    eta timestamptz,
    attempt integer NOT NULL DEFAULT 0,
    worker integer
);
CREATE INDEX raw_job_ready ON raw_job (channel, priority, id) WHERE state = 'pending' AND eta IS NULL;
CREATE INDEX raw_job_future ON raw_job (eta) WHERE state = 'pending' AND eta IS NOT NULL;
CREATE INDEX raw_job_started ON raw_job (worker) WHERE state = 'started';
CREATE TABLE raw_row (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number bigint NOT NULL)
"""

_CLAIM = """
UPDATE raw_job SET state = 'started', attempt = attempt + 1, worker = %s
WHERE id = ANY (ARRAY(
    SELECT id FROM raw_job WHERE state = 'pending' AND eta IS NULL AND channel = 'root'
    ORDER BY priority, id LIMIT %s FOR UPDATE SKIP LOCKED
))
RETURNING id, attempt, payload
"""
_DONE = """
UPDATE raw_job SET state = 'done', worker = NULL WHERE id = %s AND attempt = %s AND state = 'started'
"""
_ALL_DONE = """
UPDATE raw_job SET state = 'done', worker = NULL
FROM unnest(%s::bigint[], %s::integer[]) AS mine (id, attempt)
WHERE raw_job.id = mine.id AND raw_job.attempt = mine.attempt AND raw_job.state = 'started'
"""
_PUT = "INSERT INTO raw_job (payload) VALUES (%s)"
_ROW = "INSERT INTO raw_row (number) VALUES (%s)"

_Jobs = list[tuple[int, int, str]]


class Raw(SqlContestant):
    """The raw loops."""

    name = "raw"
    setups = {
        NOOP: (Setup(1, 4, 10), Setup(2, 2, 10), Setup(4, 1, 10)),
        ROW: (Setup(1, 4, 10), Setup(2, 2, 10), Setup(4, 1, 10)),
        BATCH: (Setup(1, 4, 100), Setup(2, 2, 100)),
        BATCH_ROW: (Setup(1, 4, 100), Setup(2, 2, 100), Setup(4, 1, 100)),
        PICKUP: (Setup(1, 1, 10),),
    }
    clear_sql = "TRUNCATE raw_job, raw_row"
    left_sql = """
    SELECT EXISTS (SELECT FROM raw_job WHERE state = 'pending' AND eta IS NULL)
        OR EXISTS (SELECT FROM raw_job WHERE state = 'started')
    """
    finished_sql = {
        "": "SELECT count(*) FROM raw_job WHERE state = 'done'",
        ROW: "SELECT count(*) FROM raw_row",
        BATCH_ROW: "SELECT count(*) FROM raw_row",
    }

    def install(self) -> None:
        self.connection.execute(_TABLES)

    def fill(self, kind: str, count: int) -> None:  # noqa: ARG002 - the workers know what they do
        sql = "INSERT INTO raw_job (payload) SELECT '{}' FROM generate_series(1, %s)"
        self.connection.execute(sql, [count])

    # -- workers -----------------------------------------------------------------------

    def work(self, kind: str, setup: Setup, child: Child) -> None:
        if kind == PICKUP:
            self._listen(setup, child)
            return
        run = {NOOP: _noop, ROW: _row, BATCH: _batch, BATCH_ROW: _batch_row}[kind]
        connections = [psycopg.connect(self.url, autocommit=True) for _ in range(setup.at_once)]
        threads = [
            threading.Thread(target=_drain, args=(connection, run, setup.batch, number), daemon=True)
            for number, connection in enumerate(connections)
        ]
        child.ready()
        for thread in threads:
            thread.start()
        child.stop.wait()
        for thread in threads:
            thread.join()
        for connection in connections:
            connection.close()

    def _listen(self, setup: Setup, child: Child) -> None:
        """Wait for a notification, run what there is, wait again."""
        with (
            psycopg.connect(self.url, autocommit=True) as listening,
            psycopg.connect(self.url, autocommit=True) as connection,
        ):
            listening.execute("LISTEN raw_job")
            child.ready()
            while not child.stop.is_set():
                while jobs := _claim(connection, setup.batch, 0):
                    for job_id, attempt, payload in jobs:
                        tally.picked_up(int(payload))
                        connection.execute(_DONE, [job_id, attempt])
                for _ in listening.notifies(timeout=0.5, stop_after=1):
                    pass

    # -- producers ---------------------------------------------------------------------

    @contextmanager
    def producer(self, kind: str) -> Iterator[Put]:
        with psycopg.connect(self.url, autocommit=True) as connection:

            def put(number: int) -> None:
                connection.execute("BEGIN")
                connection.execute(_PUT, [str(number) if kind == PICKUP else "{}"])
                connection.execute("NOTIFY raw_job")
                connection.execute("COMMIT")

            yield put

    @contextmanager
    def bulk(self) -> Iterator[Put]:
        sql = "INSERT INTO raw_job (payload) SELECT unnest(%s::text[]) RETURNING id"
        with psycopg.connect(self.url, autocommit=True) as connection:
            yield lambda count: connection.execute(sql, [["{}"] * count]).fetchall()


def _claim(connection: psycopg.Connection, batch: int, number: int) -> _Jobs:
    return connection.execute(_CLAIM, [number, batch]).fetchall()


def _drain(
    connection: psycopg.Connection, run: Callable[[psycopg.Connection, _Jobs], None], batch: int, number: int
) -> None:
    while jobs := _claim(connection, batch, number):
        run(connection, jobs)


def _noop(connection: psycopg.Connection, jobs: _Jobs) -> None:
    for job_id, attempt, _ in jobs:
        tally.ran()
        connection.execute(_DONE, [job_id, attempt])


def _row(connection: psycopg.Connection, jobs: _Jobs) -> None:
    for job_id, attempt, _ in jobs:
        connection.execute("BEGIN")
        connection.execute(_ROW, [job_id])
        tally.ran()
        connection.execute(_DONE, [job_id, attempt])
        connection.execute("COMMIT")


def _batch(connection: psycopg.Connection, jobs: _Jobs) -> None:
    for _ in jobs:
        tally.ran()
    _all_done(connection, jobs)


def _batch_row(connection: psycopg.Connection, jobs: _Jobs) -> None:
    connection.execute("BEGIN")
    for job_id, _, _ in jobs:
        connection.execute("SAVEPOINT job")
        connection.execute(_ROW, [job_id])
        tally.ran()
        connection.execute("RELEASE job")
    _all_done(connection, jobs)
    connection.execute("COMMIT")


def _all_done(connection: psycopg.Connection, jobs: _Jobs) -> None:
    connection.execute(_ALL_DONE, [[job[0] for job in jobs], [job[1] for job in jobs]])
