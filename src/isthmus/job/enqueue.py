"""New jobs: written as the last thing before the commit of the transaction that causes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import psycopg
from sqlalchemy import Connection, Engine, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from isthmus.env import Env
from isthmus.errors import DatabaseBusyError, OutsideError
from isthmus.job.call import Call, JobRef, JobRefs
from isthmus.job.driver import execute
from isthmus.job.graph.dependents import settle
from isthmus.job.line import Line
from isthmus.job.moves import Times
from isthmus.job.numbers import Numbers
from isthmus.job.options import Options, storable
from isthmus.job.rows import INSERT_ONE, Row, Rows, wake_idle, write_edges, write_rows
from isthmus.job.state import State
from isthmus.job.table import JOBS, KEY_HELD

_ROUNDS: Final = 20
_CHUNK: Final = 500
"""Rows of one statement: with all their columns below the number of parameters that databases take."""

_ENDS: Final = frozenset({State.DONE.value, State.FAILED.value, State.CANCELLED.value})
Edge = tuple[int, int, State]
"""Index of the parent, index of the child, and the parent's state that the child waits for."""
NumberedEdge = tuple[int, int, str]
"""Number of the parent, number of the child, and the parent's state that the child waits for."""


@dataclass(slots=True)
class _Entry:
    """What one call of the enqueuer wants to write."""

    rows: list[Row] = field(default_factory=list)
    block: Rows | None = None
    refs: Sequence[JobRef] = ()
    edges: Sequence[Edge] = ()


class Enqueuer:
    """Writes jobs.

    Those with identity keys are written together, sorted by key: two transactions that wait for each
    other's keys in opposite order would be a deadlock.

    Args:
        engine: The hub's engine.
        line: The queue's connections.
        numbers: Where the jobs' numbers come from.
        nudge: Wakes this process's own idle worker.
    """

    def __init__(self, engine: Engine, line: Line, numbers: Numbers, nudge: Callable[[], None]) -> None:
        self._engine = engine
        self._line = line
        self._numbers = numbers
        self._nudge = nudge

    def put(self, call: Call) -> JobRef:
        """Write a job, in the transaction of the call's env.

        Returns:
            The job. The number of one with an identity key is that of an equal job, if there is one
            when the transaction is committed.
        """
        outbox = self._outbox(call.env, call.label)
        row = self._row(call, self._take(call.env, 1)[0])
        ref = JobRef(row.id, row.description)
        outbox.add(_Entry([row], refs=[ref]))
        return ref

    def put_graph(self, env: Env, calls: Sequence[Call], edges: Sequence[Edge]) -> list[JobRef]:
        """Write jobs of which some wait for others.

        One that is equal, by its identity key, to a job that is there already is replaced by it: what
        waits for it waits for that job then, and what it would have waited for has no say any more.

        Args:
            env: In whose transaction.
            calls: The jobs.
            edges: Which wait for which; no circle.

        Returns:
            The jobs, in the order of the calls.
        """
        if not calls:
            return []
        outbox = self._outbox(env, calls[0].label)
        numbers = self._take(env, len(calls))
        waits = [0] * len(calls)
        for _, child, _state in edges:
            waits[child] += 1
        graph = numbers[0] if edges else None
        rows = [
            self._row(call, number, graph, waiting)
            for call, number, waiting in zip(calls, numbers, waits, strict=True)
        ]
        refs = [JobRef(row.id, row.description) for row in rows]
        outbox.add(_Entry(rows, refs=refs, edges=edges))
        return refs

    def put_block(self, call: Call, payloads: Sequence[str]) -> JobRefs:
        """Write jobs that differ from a call in their arguments only.

        Args:
            call: What they have in common; it has no identity key.
            payloads: The arguments of each.
        """
        if not payloads:
            return JobRefs((), call.description)
        outbox = self._outbox(call.env, call.label)
        numbers = self._take(call.env, len(payloads))
        outbox.add(_Entry(block=Rows(numbers, payloads, self._row(call, numbers[0]))))
        return JobRefs(numbers, call.description)

    # -- parts -------------------------------------------------------------------------

    def _outbox(self, env: Env, label: str) -> "_Outbox":
        """Give the outbox of an env's transaction.

        Raises:
            OutsideError: Inside ``env.outside()``.
        """
        what = f"delay of {label}"
        env.check_writable(what)
        if env.is_outside:
            raise OutsideError(
                f"{what}: there is no transaction inside env.outside() that it could belong to; delay it "
                f"before the block, or after it"
            )
        transaction = env.transaction
        transaction.mark(what)
        if transaction.outbox is None:
            transaction.outbox = _Outbox(
                self._line, self._nudge, self._engine.dialect.name, self._numbers.times
            )
        outbox: _Outbox = transaction.outbox
        return outbox

    def _take(self, env: Env, count: int) -> Sequence[int]:
        session = None if self._engine.dialect.name == "postgresql" else env.session
        return self._numbers.take(count, session)

    def _row(self, call: Call, number: int, graph: int | None = None, waits: int = 0) -> Row:
        now = self._numbers.now()
        return Row(
            id=number,
            state=(State.WAIT_DEPENDENCIES if waits else State.PENDING).value,
            model=call.model,
            record_id=call.record_id,
            method=call.method,
            payload=call.payload,
            ctx=call.context(),
            user_name=storable(call.env.user),
            run_id=call.env.run_id,
            description=call.description,
            channel=call.channel,
            priority=call.priority,
            eta=_instant(call.options, now),
            identity_key=call.identity_key(),
            key_states=call.definition.mark.identity_states,
            max_retries=call.max_retries,
            created_at=now,
            graph_id=graph,
            waits=waits,
        )


def _instant(options: Options, now: datetime) -> datetime | None:
    return now + options.eta if isinstance(options.eta, timedelta) else options.eta


class _Outbox:
    """The jobs of one transaction.

    Args:
        line: The queue's connections.
        nudge: Is called when they are committed.
        dialect: Name of the database.
        times: Whose time counts.
    """

    def __init__(self, line: Line, nudge: Callable[[], None], dialect: str, times: Times) -> None:
        self._line = line
        self._nudge = nudge
        self._dialect = dialect
        self._times = times
        self._held = text(KEY_HELD[dialect])
        self._entries: list[_Entry] = []

    def add(self, entry: _Entry) -> None:
        """Take jobs in."""
        self._entries.append(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def keep(self, length: int) -> None:
        """Forget what came after the first so many."""
        del self._entries[length:]

    def written(self) -> None:
        """Wake this process's own idle worker."""
        self._nudge()

    def write_alone(self) -> bool:
        """Write a single job as a statement that commits by itself; False when it is not that simple."""
        if self._dialect != "postgresql" or len(self._entries) != 1:
            return False
        entry = self._entries[0]
        if entry.block is not None or len(entry.rows) != 1 or entry.rows[0].identity_key is not None:
            return False
        with self._line.connection() as connection:
            execute(connection, INSERT_ONE, entry.rows[0]._asdict())
        return True

    def write(self, session: Session) -> None:
        """Write all.

        Raises:
            DatabaseBusyError: When the database is away.
        """
        connection = session.connection()
        entries, self._entries = self._entries, []
        rows = {row.id: row for entry in entries for row in entry.rows}
        refs = {ref.id: ref for entry in entries for ref in entry.refs if ref.id is not None}
        keyed = [row for row in rows.values() if row.identity_key is not None]
        winners = self._write_keyed(connection, keyed) if keyed else {}
        for number, winner in winners.items():
            refs[number].resolve(winner)
            del rows[number]
        edges = [edge for entry in entries if entry.edges for edge in _numbered(entry, winners)]
        ended: dict[State, list[int]] = {}
        if winners and edges:
            edges, ended = self._hang_on_winners(connection, rows, edges, set(winners.values()))
        plain = [row for row in rows.values() if row.identity_key is None]
        try:
            write_rows(connection, plain, [entry.block for entry in entries if entry.block is not None])
            write_edges(connection, edges)
        except psycopg.OperationalError as exc:  # of COPY, which SQLAlchemy does not see
            raise DatabaseBusyError("the database is busy or away while jobs are written") from exc
        for state, jobs in ended.items():
            settle(connection.execute, jobs, state, self._times)
        wake_idle(connection)

    # -- identity keys -----------------------------------------------------------------

    def _write_keyed(self, connection: Connection, keyed: Sequence[Row]) -> dict[int, int]:
        """Write jobs with identity keys; gives the equal job of those that were not written.

        Raises:
            DatabaseBusyError: When equal jobs come and go too fast.
        """
        waiting = {row.id: row for row in keyed}
        winners: dict[int, int] = {}
        for _ in range(_ROUNDS):
            rows = sorted(waiting.values(), key=lambda row: (row.identity_key or "", row.id))
            for start in range(0, len(rows), _CHUNK):
                for written in self._insert_new(connection, rows[start : start + _CHUNK]):
                    del waiting[written]
            if waiting:
                winners |= self._find_winners(connection, waiting)
            if not waiting:
                return winners
        keys = ", ".join(sorted({row.identity_key or "" for row in waiting.values()})[:3])
        raise DatabaseBusyError(f"jobs with the identity keys {keys} come and go too fast")

    def _insert_new(self, connection: Connection, rows: Sequence[Row]) -> list[int]:
        kind = pg_insert if self._dialect == "postgresql" else sqlite_insert
        statement = (
            kind(JOBS)
            .values([row._asdict() for row in rows])
            .on_conflict_do_nothing(index_elements=[JOBS.c.identity_key], index_where=self._held)
            .returning(JOBS.c.id)
        )
        return [int(number) for number in connection.execute(statement).scalars()]

    def _find_winners(self, connection: Connection, waiting: dict[int, Row]) -> dict[int, int]:
        """Take the jobs whose equal is found out of *waiting*; others' equal ended meanwhile: tried again."""
        found: dict[int, int] = {}
        rows = list(waiting.values())
        for start in range(0, len(rows), _CHUNK):
            keys = {row.identity_key for row in rows[start : start + _CHUNK]}
            holders = select(JOBS.c.identity_key, JOBS.c.id).where(JOBS.c.identity_key.in_(keys), self._held)
            winners = {key: int(number) for key, number in connection.execute(holders)}
            for row in rows[start : start + _CHUNK]:
                if row.identity_key in winners:
                    found[row.id] = winners[row.identity_key]
                    del waiting[row.id]
        return found

    def _hang_on_winners(
        self,
        connection: Connection,
        rows: dict[int, Row],
        edges: list[tuple[int, int, str]],
        winners: set[int],
    ) -> tuple[list[NumberedEdge], dict[State, list[int]]]:
        """Let new jobs wait for jobs that were there; gives the edges that are left, and who ended already.

        Their rows are locked from here on: whoever ends one of them sees that something waits for it.
        """
        children = {child for _, child, _ in edges}
        graph = min(children | {parent for parent, _, _ in edges})
        known = [row.id for row in rows.values()]
        states: dict[int, str] = {}
        others = sorted({parent for parent, _, _ in edges} & (winners - set(known)))
        for start in range(0, len(others), _CHUNK):
            some = JOBS.c.id.in_(others[start : start + _CHUNK])
            locked = select(JOBS.c.id, JOBS.c.state).where(some).order_by(JOBS.c.id).with_for_update()
            states |= {int(number): state for number, state in connection.execute(locked)}
            connection.execute(
                update(JOBS).where(some).values(graph_id=func.coalesce(JOBS.c.graph_id, graph))
            )
        left = [edge for edge in edges if edge[1] in rows]
        waits = dict.fromkeys(rows, 0)
        for _, child, _ in left:
            waits[child] += 1
        for number, row in rows.items():
            if row.waits == waits[number]:
                continue
            state = (State.WAIT_DEPENDENCIES if waits[number] else State.PENDING).value
            rows[number] = row._replace(waits=waits[number], state=state)
            if row.identity_key is not None:  # written already
                mine = update(JOBS).where(JOBS.c.id == number)
                connection.execute(mine.values(waits=waits[number], state=state))
        ended: dict[State, list[int]] = {}
        for number, state in states.items():
            if state in _ENDS:
                ended.setdefault(State(state), []).append(number)
        return left, ended


def _numbered(entry: _Entry, winners: dict[int, int]) -> list[NumberedEdge]:
    numbers = [winners.get(row.id, row.id) for row in entry.rows]
    found = {
        (numbers[parent], numbers[child]): state.value
        for parent, child, state in entry.edges
        # One that was there before waits for nothing that is new.
        if numbers[child] == entry.rows[child].id and numbers[parent] != numbers[child]
    }
    return [(parent, child, state) for (parent, child), state in found.items()]
