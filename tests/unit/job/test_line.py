"""The queue's own connections: one a thread, and a new one after trouble."""

import threading
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import OperationalError, ProgrammingError

from isthmus.errors import DatabaseBusyError
from isthmus.job.line import Line
from isthmus.job.table import JOBS
from isthmus.testing.databases import Kind

on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])
NOTE = "unit.job.note"
COUNT = select(func.count()).select_from(JOBS)


def driver_of(line: Line) -> Any:
    """Give the driver's connection of this thread."""
    with line.connection() as connection:
        return connection.connection.driver_connection


def test_each_statement_is_there_for_all_at_once(by_hand: Any, line: Line) -> None:
    """
    Nobody has to commit it.
    """
    job_id = by_hand.job()
    line.execute(update(JOBS).values(state="done"))

    assert by_hand.states() == {job_id: "done"}


def test_a_thread_keeps_its_connection(line: Line) -> None:
    """
    Another thread has another one.
    """
    mine = [driver_of(line) for _ in range(2)]
    theirs: list[Any] = []
    thread = threading.Thread(target=lambda: (theirs.append(driver_of(line)), line.close()))
    thread.start()
    thread.join()

    assert mine[0] is mine[1]
    assert theirs[0] is not mine[0]


def test_a_thread_gives_its_connection_back(by_hand: Any, line: Line) -> None:
    """
    Then it is the pool's, and the next statement takes one again.
    """
    driver_of(line)
    kept = by_hand.engine.pool.checkedout()
    line.close()
    given_back = by_hand.engine.pool.checkedout()

    assert (kept, given_back) == (1, 0)
    assert line.execute(COUNT).scalar() == 0


def test_after_an_error_there_is_a_new_connection(line: Line) -> None:
    """
    Whatever state the old one is in.
    """
    with pytest.raises((OperationalError, ProgrammingError)):
        line.execute(text("SELECT nothing_like_it FROM isthmus_job"))

    assert line.execute(COUNT).scalar() == 0
    assert line.stuck(-1) == []


@on_postgresql
def test_a_connection_that_was_cut_is_replaced(line: Line, by_hand: Any) -> None:
    """
    The statement that finds out says that the database is away; the next one goes well.
    """
    pid = line.execute(text("SELECT pg_backend_pid()")).scalar()
    with by_hand.engine.begin() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    with pytest.raises(DatabaseBusyError):
        line.execute(COUNT)

    assert line.execute(COUNT).scalar() == 0


def test_a_transaction_is_undone_as_a_whole(by_hand: Any, line: Line) -> None:
    """
    When its block raises.
    """
    job_id = by_hand.job()

    def fail() -> None:
        with line.transaction() as connection:
            connection.execute(update(JOBS).values(state="done"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert by_hand.states() == {job_id: "pending"}


def test_reading_waits_for_no_writer(by_hand: Any, line: Line) -> None:
    """
    Also on SQLite, where another transaction would wait until the writer has ended.
    """
    by_hand.job()
    with line.transaction() as writer:
        writer.execute(update(JOBS).values(state="done"))
        with line.reading() as reader:
            found = reader.scalar(select(JOBS.c.state))

    assert found == "pending"


def test_a_statement_under_way_is_told_by_how_long(line: Line) -> None:
    """
    One that has ended is not under way, however it ended.
    """
    with line.connection() as connection:
        driver = connection.connection.driver_connection
        during = [line.stuck(-1), line.stuck(100)]
    after = line.stuck(-1)

    assert during == [[driver], []]
    assert after == []


@on_postgresql
def test_idle_connections_are_given_up_when_one_of_them_was_dead(by_hand: Any, line: Line) -> None:
    """
    The pool would lend the others, of the same age, to the next who ask.
    """
    driver = driver_of(line)
    line.close()
    line.distrust()

    assert driver.closed
    assert driver_of(line) is not driver


@on_postgresql
def test_one_that_was_in_use_then_is_closed_when_it_is_given_back(line: Line) -> None:
    """
    Its pool is not in use any more, and would keep it open.
    """
    driver = driver_of(line)
    line.distrust()
    line.close()

    assert driver.closed


class TestFork:
    def test_a_child_has_a_connection_of_its_own(self, by_hand: Any, line: Line, in_fork: Any) -> None:
        """
        What it does with it, and that it ends, is nothing to its parent.
        """
        mine = driver_of(line)

        def child() -> Any:
            own = driver_of(line) is not mine
            line.execute(update(JOBS).values(state="done"))
            line.close_all()
            by_hand.engine.dispose()
            return own

        job_id = by_hand.job()
        own = in_fork(child)

        assert own
        assert by_hand.states() == {job_id: "done"}
        assert driver_of(line) is mine
        assert line.execute(COUNT).scalar() == 1

    def test_giving_back_in_a_child_leaves_the_parent_s_alone(
        self, by_hand: Any, line: Line, in_fork: Any
    ) -> None:
        """
        One that has no connection yet gives none back.
        """
        mine = driver_of(line)
        waits = line._engine.connect()  # another thread's, as far as the child sees
        waits.close()

        in_fork(line.close)
        in_fork(line.close_all)
        in_fork(by_hand.engine.dispose)

        assert driver_of(line) is mine
        assert line.execute(COUNT).scalar() == 0

    def test_a_fork_while_a_statement_is_under_way_is_none_in_the_child(
        self, line: Line, in_fork: Any
    ) -> None:
        """
        Nobody there waits for its answer.
        """

        def child() -> Any:
            line.execute(COUNT)
            return len(line.stuck(-1))

        with line.connection():
            here, there = len(line.stuck(-1)), in_fork(child)

        assert (here, there) == (1, 0)

    def test_a_child_delays_jobs_beside_its_parent(
        self, open_hub: Any, database_kind: Kind, in_fork: Any
    ) -> None:
        """
        A web server that is loaded first and then forked; no number is given twice.
        """
        hub = open_hub(database_kind)

        def delay() -> list[int]:
            numbers = []
            for _ in range(3):
                with hub.env() as env:
                    numbers.append(int(env[NOTE].with_delay().copy("a").id))
            return numbers

        delayed = [*delay(), *in_fork(delay), *delay(), *in_fork(delay)]

        assert len(set(delayed)) == 12
        assert sorted(job.id for job in hub.queue.list()) == sorted(delayed)
        assert hub.queue.run_pending() == 12
