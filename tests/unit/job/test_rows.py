"""New jobs are stored as they were made, whichever way the database takes them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, select

from isthmus.job.driver import execute
from isthmus.job.options import storable
from isthmus.job.payload import dump_arguments
from isthmus.job.rows import INSERT_ONE, NOTIFY, Row, Rows, wake_idle, write_edges, write_rows
from isthmus.job.table import EDGES, JOBS

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
NASTY = ["a\tb", "\nb\r\n", "\\", "\\N", "\\.", "a\\tb", "", " ", "'\"", "é 漢 😀 \u2028", "%(id)s :id %"]
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])


def row(number: int, **values: Any) -> Row:
    """Make a job."""
    given = {
        "id": number, "state": "pending", "model": "m", "record_id": None, "method": "f", "payload": "{}",
        "ctx": "{}", "user_name": "anna", "run_id": "r", "description": "d", "channel": "root",
        "priority": 10, "eta": None, "identity_key": None, "key_states": "pending", "max_retries": 5,
        "created_at": NOW, "graph_id": None, "waits": 0,
    }  # fmt: skip
    return Row(**given | values)


def nasty_rows() -> list[Row]:
    """Make jobs with every text that is hard to write, in every column of text."""
    return [
        row(
            number, model=text, record_id=text, method=text, payload=text, ctx=text, user_name=text,
            run_id=text, description=text, channel=text, eta=NOW + timedelta(microseconds=number),
            identity_key=f"{text}{number}", priority=0, graph_id=2**40, waits=3,
        )
        for number, text in enumerate(NASTY, 1)
    ]  # fmt: skip


def stored(engine: Engine) -> list[Row]:
    """Read the jobs."""
    with engine.begin() as connection:
        columns = [JOBS.c[name] for name in Row._fields]
        return [Row._make(found) for found in connection.execute(select(*columns).order_by(JOBS.c.id))]


class TestRows:
    def test_few_are_stored_as_they_are(self, by_hand: Any) -> None:
        """
        Tabs, lines, backslashes and what looks like nothing are text like any other.
        """
        rows = nasty_rows()
        with by_hand.engine.begin() as connection:
            write_rows(connection, rows, [])

        assert len(rows) < 20
        assert stored(by_hand.engine) == rows

    def test_many_are_stored_as_they_are(self, by_hand: Any) -> None:
        """
        PostgreSQL takes them as lines of COPY, in which those characters mean something.
        """
        rows = [*nasty_rows(), *(row(number) for number in range(100, 1_500))]
        with by_hand.engine.begin() as connection:
            write_rows(connection, rows, [])

        assert stored(by_hand.engine) == rows

    def test_none_is_nothing_to_write(self, by_hand: Any) -> None:
        """
        A transaction that in the end delayed nothing writes nothing.
        """
        with by_hand.engine.begin() as connection:
            write_rows(connection, [], [])
            write_edges(connection, [])

        assert stored(by_hand.engine) == []

    @on_postgresql
    def test_one_is_stored_by_a_statement_of_the_driver(self, by_hand: Any) -> None:
        """
        PostgreSQL: a single job is written, and committed, with one round trip.
        """
        rows = nasty_rows()
        with by_hand.engine.begin() as connection:
            for one in rows:
                execute(connection, INSERT_ONE, one._asdict())

        assert stored(by_hand.engine) == rows


class TestBlocks:
    def test_each_job_has_its_number_and_arguments(self, by_hand: Any) -> None:
        """
        Everything else is that of the row that they are like.
        """
        like = nasty_rows()[5]._replace(identity_key=None)
        payloads = [dump_arguments("m.f", ("text",), (text,), {"k": text}) for text in NASTY]
        numbers = range(11, 11 + len(payloads))
        with by_hand.engine.begin() as connection:
            write_rows(connection, [row(1)], [Rows(numbers, payloads, like), Rows([5], ["{}"], like)])

        expected = [
            like._replace(id=number, payload=text) for number, text in zip(numbers, payloads, strict=True)
        ]
        assert stored(by_hand.engine) == [row(1), like._replace(id=5, payload="{}"), *expected]

    @pytest.mark.parametrize("text", [*NASTY, "0", "0\t0", storable("a\x00b")])
    def test_lines_are_those_of_the_rows(self, text: str) -> None:
        """
        The quick way to write many like jobs writes what the plain way would.
        """
        like = row(7, model=text, record_id=text, description=text, user_name=text, priority=0)
        block = Rows([1, 20], ["{}", '"\\\\n\\n"'], like)

        plain = Rows([1], ["{}"], like).lines(), Rows([20], ['"\\\\n\\n"'], like).lines()

        assert list(block.lines()) == [line for lines in plain for line in lines]
        assert [line.count("\t") for line in block.lines()] == [len(Row._fields) - 1] * 2
        assert [one.id for one in block] == [1, 20]


@pytest.mark.parametrize("count", [1, 19, 20, 1_500])
def test_edges_are_stored_however_many_there_are(by_hand: Any, count: int) -> None:
    """
    Few with a statement, many by COPY.
    """
    edges = [(1, number, "done" if number % 2 else "failed") for number in range(2, 2 + count)]
    with by_hand.engine.begin() as connection:
        write_rows(connection, [row(number) for number in range(1, 2 + count)], [])
        write_edges(connection, edges)
        columns = (EDGES.c.parent_id, EDGES.c.child_id, EDGES.c.on_state)
        found = connection.execute(select(*columns).order_by(EDGES.c.child_id)).all()

    assert [tuple(edge) for edge in found] == edges


@on_postgresql
class TestWaking:
    @pytest.fixture
    def listener(self, by_hand: Any) -> Iterator[Any]:
        """An idle worker's connection to PostgreSQL."""
        url = by_hand.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"LISTEN {NOTIFY}")
            yield connection

    def calls(self, listener: Any) -> int:
        """Count the calls that have come."""
        listener.execute("SELECT 1")  # what was sent before the answer is there with it
        return len(list(listener.notifies(timeout=0)))

    def test_idle_workers_are_called_by_the_commit(self, by_hand: Any, listener: Any) -> None:
        """
        Once, however many are idle; not before, since there would be nothing to see.
        """
        by_hand.worker(idle=True, owner="a")
        by_hand.worker(idle=True, owner="b")
        with by_hand.engine.begin() as connection:
            wake_idle(connection)
            wake_idle(connection)
            before = self.calls(listener)

        assert (before, self.calls(listener)) == (0, 1)

    def test_nobody_is_called_when_all_are_busy(self, by_hand: Any, listener: Any) -> None:
        """
        Calls cost those who commit, since PostgreSQL puts them into one line.
        """
        by_hand.worker(idle=False)
        with by_hand.engine.begin() as connection:
            wake_idle(connection)
            execute(connection, INSERT_ONE, row(1)._asdict())

        assert self.calls(listener) == 0

    def test_a_single_job_calls_too(self, by_hand: Any, listener: Any) -> None:
        """
        With the statement that writes it.
        """
        by_hand.worker(idle=True)
        with by_hand.engine.begin() as connection:
            execute(connection, INSERT_ONE, row(1)._asdict())

        assert self.calls(listener) == 1
