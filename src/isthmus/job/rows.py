"""Rows of new jobs, and the fastest way in which each database takes many."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, insert, text

from isthmus.job.table import EDGES, JOBS

NOTIFY: Final = "isthmus_job"
"""PostgreSQL's channel on which idle workers listen."""

_MANY: Final = 20
"""From so many rows on PostgreSQL's COPY is faster."""
_CHUNK: Final = 1_000
"""Lines that go to COPY at a time."""


class Row(NamedTuple):
    """A new job; the columns of `isthmus.job.Job` that have no default."""

    id: int
    state: str
    model: str
    record_id: str | None
    method: str
    payload: str
    ctx: str
    user_name: str
    run_id: str
    description: str
    channel: str
    priority: int
    eta: datetime | None
    identity_key: str | None
    key_states: str
    max_retries: int
    created_at: datetime
    graph_id: int | None
    waits: int


class Rows(NamedTuple):
    """New jobs that differ in number and arguments only.

    Attributes:
        numbers: Their numbers.
        payloads: Their arguments.
        like: A row of which the other columns are taken.
    """

    numbers: Sequence[int]
    payloads: Sequence[str]
    like: Row

    def __iter__(self) -> Iterator[Any]:
        """Give the rows one by one."""
        for number, payload in zip(self.numbers, self.payloads, strict=True):
            yield self.like._replace(id=number, payload=payload)

    def lines(self) -> Iterator[str]:
        """Give the rows as lines of COPY."""
        line = _line(self.like._replace(id=0, payload="\x00"))
        before, after = line.removeprefix("0").split("\x00")
        # JSON text has no characters but the backslash that mean something to COPY.
        for number, payload in zip(self.numbers, self.payloads, strict=True):
            written = payload.replace("\\", "\\\\") if "\\" in payload else payload
            yield f"{number}{before}{written}{after}"


INSERT_ONE: Final = (
    f"WITH made AS (INSERT INTO isthmus_job ({', '.join(Row._fields)}) "  # noqa: S608 - names of columns
    f"VALUES ({', '.join(f'%({name})s' for name in Row._fields)})) "
    f"SELECT pg_notify('{NOTIFY}', %(channel)s) FROM isthmus_worker WHERE idle LIMIT 1"
)
"""Writes a job and wakes idle workers, as one statement of PostgreSQL's driver."""
_WAKE: Final = text(f"SELECT pg_notify('{NOTIFY}', :lane) FROM isthmus_worker WHERE idle LIMIT 1")  # noqa: S608 - a constant
_INSERT: Final = insert(JOBS)
_COPY: Final = f"COPY isthmus_job ({', '.join(Row._fields)}) FROM STDIN"


def write_rows(connection: Connection, rows: Sequence[Row], blocks: Sequence[Rows]) -> None:
    """Write new jobs.

    Args:
        connection: Where; its transaction is the caller's.
        rows: Jobs.
        blocks: Jobs, as blocks of like ones.
    """
    if connection.dialect.name == "postgresql":
        if len(rows) >= _MANY or blocks:
            _copy(connection, _COPY, chain(map(_line, rows), *(block.lines() for block in blocks)))
            return
    else:
        rows = [*rows, *(row for block in blocks for row in block)]
    if rows:
        connection.execute(_INSERT, [row._asdict() for row in rows])


def write_edges(connection: Connection, edges: Sequence[tuple[int, int, str]]) -> None:
    """Write which jobs wait for which: number of the parent, of the child, and the parent's state."""
    if connection.dialect.name == "postgresql" and len(edges) >= _MANY:
        lines = (f"{parent}\t{child}\t{state}\n" for parent, child, state in edges)
        _copy(connection, "COPY isthmus_job_edge (parent_id, child_id, on_state) FROM STDIN", lines)
    elif edges:
        connection.execute(
            insert(EDGES),
            [{"parent_id": parent, "child_id": child, "on_state": state} for parent, child, state in edges],
        )


def wake_idle(connection: Connection, lane: str = "") -> None:
    """Let the commit wake idle workers of all machines, on PostgreSQL and when there are any.

    Args:
        connection: With the transaction.
        lane: Where there is work; empty when that is in several or not known.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_WAKE, {"lane": lane})


def _copy(connection: Connection, statement: str, lines: Iterable[str]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        chunk: list[str] = []
        for line in lines:
            chunk.append(line)
            if len(chunk) == _CHUNK:
                copy.write("".join(chunk))
                chunk.clear()
        if chunk:
            copy.write("".join(chunk))


_ESCAPED: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _line(row: Row) -> str:
    return "\t".join([_field(value) for value in row]) + "\n"


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPED)
    return value.isoformat() if isinstance(value, datetime) else str(value)
