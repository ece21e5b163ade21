"""A statement without an answer is told from a slow one."""

import select
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from isthmus.job.deaf import Deaf
from isthmus.job.line import Line
from isthmus.store.sql.engine import answers

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"])
LOCK = "SELECT pg_advisory_lock(742)"


class Transaction:
    """A job's, with a connection of its own."""

    def __init__(self, url: str) -> None:
        self.driver = psycopg.connect(url.replace("+psycopg", ""))
        self.is_cut = False

    def cut(self) -> None:
        """Be cut."""
        self.is_cut = True


@pytest.fixture
def transaction(by_hand: Any) -> Iterator[Transaction]:
    """A transaction."""
    made = Transaction(by_hand.engine.url.render_as_string(hide_password=False))
    yield made
    made.driver.close()


def test_an_answer_that_was_given_and_does_not_arrive_cuts_the_connection(
    line: Line, transaction: Transaction
) -> None:
    """
    PostgreSQL's process is idle all the time while we wait; it is ended, with the locks that it holds.
    """
    deaf = Deaf(line)
    wire = transaction.driver.pgconn
    wire.send_query(b"BEGIN; SELECT 1")
    select.select([wire.socket], [], [])  # nobody reads it
    deaf.look([transaction], 0)
    seen_once = transaction.is_cut
    deaf.look([transaction], 0)

    assert (seen_once, transaction.is_cut) == (False, True)
    assert not answers(transaction.driver)


def test_a_slow_statement_is_left_alone(line: Line, transaction: Transaction) -> None:
    """
    PostgreSQL works on it, or waits for a lock.
    """
    deaf = Deaf(line)
    with line.connection() as connection:
        connection.exec_driver_sql(LOCK)
        transaction.driver.pgconn.send_query(LOCK.encode())
        for _ in range(3):
            deaf.look([transaction], 0)

    assert not transaction.is_cut


def test_a_connection_between_two_statements_is_left_alone(line: Line, transaction: Transaction) -> None:
    """
    Its job thinks.
    """
    deaf = Deaf(line)
    transaction.driver.execute("SELECT 1")
    for _ in range(3):
        deaf.look([transaction], 0)

    assert not transaction.is_cut
    assert answers(transaction.driver)


def test_the_process_of_a_connection_that_was_given_up_is_ended(line: Line, transaction: Transaction) -> None:
    """
    It would keep its locks for minutes.
    """
    deaf = Deaf(line)
    deaf.leave(transaction.driver)
    deaf.look([], 0)

    assert not answers(transaction.driver)
