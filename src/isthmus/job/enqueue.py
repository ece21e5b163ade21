"""Writing jobs in the transaction that causes them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import insert, select, text
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from isthmus.env import Env
from isthmus.errors import DatabaseBusyError
from isthmus.job.call import Call, JobRef
from isthmus.job.moves import Times
from isthmus.job.options import storable
from isthmus.job.state import State
from isthmus.job.table import JOBS, KEY_HELD

_ROUNDS: Final = 20
_CHUNK: Final = 500
"""Rows of one statement: with all their columns below the number of parameters that databases take."""


@dataclass(slots=True)
class _Batch:
    """The jobs with identity keys of one transaction."""

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    refs: dict[int, JobRef] = field(default_factory=dict)


class Enqueuer:
    """Writes jobs.

    A job without an identity key is written at once. Those with one are written together, sorted by
    key, as the last thing before the commit: two transactions that wait for each other's keys in
    opposite order would be a deadlock.

    Args:
        times: Whose time counts.
    """

    def __init__(self, times: Times) -> None:
        self._times = times
        # By transaction, so that what one prepared dies with it.
        self._batches: WeakKeyDictionary[Any, _Batch] = WeakKeyDictionary()

    def put(self, call: Call) -> JobRef:
        """Write a job, in the transaction of the call's env.

        Returns:
            The job. The number of one with an identity key is that of an equal job, if there is one
            when the transaction is committed.
        """
        env = call.env
        env.check_writable(f"delay of {call.label}")
        session = env.session
        row = self._row(call)
        env.transaction.mark(f"delay of {call.label}")
        if row["identity_key"] is None:
            job_id = session.execute(insert(JOBS).values(row).returning(JOBS.c.id)).scalar_one()
            return JobRef(int(job_id), row["description"])
        ref = JobRef(_reserve(session), row["description"])
        # Included only when the commit comes to it: what is delayed in a savepoint goes with it.
        env.before_commit(lambda: self._include(env, row, ref))
        return ref

    def _row(self, call: Call) -> dict[str, Any]:
        return {
            "state": State.PENDING.value,
            "model": call.model,
            "record_id": call.record_id,
            "method": call.method,
            "payload": call.payload,
            "ctx": call.context(),
            "user_name": storable(call.env.user),
            "run_id": call.env.run_id,
            "description": call.description,
            "channel": call.channel,
            "priority": call.priority,
            "eta": self._eta(call.options.eta),
            "identity_key": call.identity_key(),
            "max_retries": call.max_retries,
            "created_at": self._times.now(),
        }

    def _eta(self, eta: datetime | timedelta | None) -> Any:
        return self._times.after(eta) if isinstance(eta, timedelta) else eta

    def _include(self, env: Env, row: dict[str, Any], ref: JobRef) -> None:
        session = env.session
        transaction = session.get_transaction()
        batch = self._batches.get(transaction)
        if batch is None:
            batch = self._batches[transaction] = _Batch()
            # At the end of the line: after all that are waiting to be included.
            env.before_commit(lambda: self._write(session, transaction))
        job_id = int(ref.id or 0)
        batch.rows[job_id] = {"id": job_id, **row}
        batch.refs[job_id] = ref

    def _write(self, session: Session, transaction: Any) -> None:
        batch = self._batches.pop(transaction)
        for _ in range(_ROUNDS):
            rows = sorted(batch.rows.values(), key=lambda row: (row["identity_key"], row["id"]))
            for start in range(0, len(rows), _CHUNK):
                for written in _insert_new(session, rows[start : start + _CHUNK]):
                    del batch.rows[written]
            if not batch.rows:
                return
            self._resolve(session, batch)
            if not batch.rows:
                return
        keys = ", ".join(sorted({row["identity_key"] for row in batch.rows.values()})[:3])
        raise DatabaseBusyError(f"jobs with the identity keys {keys} come and go too fast")

    @staticmethod
    def _resolve(session: Session, batch: _Batch) -> None:
        """Let losers stand for the winners; one whose winner has been claimed meanwhile is tried again."""
        rows = list(batch.rows.values())
        for start in range(0, len(rows), _CHUNK):
            keys = {row["identity_key"] for row in rows[start : start + _CHUNK]}
            holders = select(JOBS.c.identity_key, JOBS.c.id).where(
                JOBS.c.identity_key.in_(keys), text(KEY_HELD)
            )
            winners = {key: int(job_id) for key, job_id in session.execute(holders)}
            for row in rows[start : start + _CHUNK]:
                if row["identity_key"] in winners:
                    batch.refs[row["id"]].resolve(winners[row["identity_key"]])
                    del batch.rows[row["id"]]


def _insert_new(session: Session, rows: list[dict[str, Any]]) -> list[int]:
    kind = pg_insert if session.get_bind(clause=JOBS).dialect.name == "postgresql" else sqlite_insert
    statement = (
        kind(JOBS)
        .values(rows)
        .on_conflict_do_nothing(index_elements=[JOBS.c.identity_key], index_where=text(KEY_HELD))
        .returning(JOBS.c.id)
    )
    return [int(job_id) for job_id in session.execute(statement).scalars()]


def _reserve(session: Session) -> int:
    """Take the next number before its row is written."""
    if session.get_bind(clause=JOBS).dialect.name == "postgresql":
        sequence = "SELECT nextval(pg_get_serial_sequence('isthmus_job', 'id'))"
        return int(session.execute(text(sequence)).scalar_one())
    # The transaction has written nothing yet that another one could see, and there is one writer.
    session.execute(
        text(
            "INSERT INTO sqlite_sequence (name, seq) SELECT 'isthmus_job', 0 "
            "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'isthmus_job')"
        )
    )
    counted = text("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'isthmus_job' RETURNING seq")
    return int(session.execute(counted).scalar_one())
