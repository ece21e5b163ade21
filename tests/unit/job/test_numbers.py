"""New jobs have their numbers at once, and no two the same."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from isthmus.clock import SystemClock
from isthmus.job import numbers as module
from isthmus.job.line import Line
from isthmus.job.moves import Times
from isthmus.job.numbers import Numbers
from isthmus.store.sql import make_engine
from isthmus.testing import Databases, FrozenClock
from isthmus.testing.tables import make_tables

DAY = timedelta(days=1)


@pytest.fixture
def postgresql(databases: Databases) -> Iterator[Engine]:
    """An engine of PostgreSQL."""
    with databases.fresh("postgresql", make_tables) as url:
        made = make_engine(url)
        yield made
        made.dispose()


@pytest.fixture
def start(postgresql: Engine) -> Iterator[Callable[[], Numbers]]:
    """Start a process that takes numbers."""
    lines: list[Line] = []

    def make() -> Numbers:
        lines.append(Line(postgresql))
        clock = SystemClock()
        return Numbers(postgresql, lines[-1], Times(postgresql, clock), clock)

    yield make
    for line in lines:
        line.close_all()


@pytest.fixture
def asked(postgresql: Engine) -> list[str]:
    """The statements that the database is asked."""
    heard: list[str] = []
    event.listen(postgresql, "before_cursor_execute", lambda *call: heard.append(call[2]))
    return heard


class TestBlocks:
    def test_they_grow_while_they_are_used_up_quickly(
        self, start: Any, asked: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        The first job takes one number; of many that come at once each asks more seldom.
        """
        monkeypatch.setattr(module, "_VALID_S", 600.0)
        numbers = start()
        numbers._reserved_at = -600.0

        taken = [numbers.take(1, None)[0] for _ in range(1 + 4 + 16 + 64)]

        assert taken == list(range(1, 86))
        assert len(asked) == 4

    def test_a_forked_child_has_its_own(
        self, start: Any, in_fork: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        What is left of the parent's block is its parent's; that another thread was taking numbers when it was
        forked keeps it from none.
        """
        monkeypatch.setattr(module, "_VALID_S", 600.0)
        numbers = start()
        first = [numbers.take(1, None)[0] for _ in range(6)]
        with numbers._lock:
            theirs = in_fork(lambda: [*numbers.take(10, None), numbers.now() and numbers.take(1, None)[0]])
        ours = numbers.take(10, None)

        assert len({*first, *theirs, *ours}) == 6 + 11 + 10
        assert list(ours) == list(range(first[-1] + 1, first[-1] + 11))

    def test_they_do_not_grow_for_ever(
        self, start: Any, asked: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Numbers that are not used are gone, so no block has more than a thousand.
        """
        monkeypatch.setattr(module, "_VALID_S", 600.0)
        numbers = start()
        for _ in range(5_000):
            numbers.take(1, None)

        assert len(numbers._block) == 1_000
        assert len(asked) == 5 + 5  # of 1, 4, 16, 64, 256, and then of 1000 each

    def test_what_is_older_than_a_second_is_let_go(
        self, start: Any, asked: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        A job that is delayed later has a higher number than those others have delayed meanwhile.
        """
        first, other = start(), start()
        monkeypatch.setattr(module, "_VALID_S", 600.0)
        kept = [first.take(1, None)[0] for _ in range(2)]
        (theirs,) = other.take(1, None)
        monkeypatch.setattr(module, "_VALID_S", 0.0)

        (later,) = first.take(1, None)

        assert kept[-1] < theirs < later
        assert numbers_left(first) == 0

    def test_many_are_taken_with_one_question(self, start: Any, asked: list[str]) -> None:
        """
        Of ten thousand jobs none asks for itself.
        """
        taken = start().take(10_000, None)

        assert len(set(taken)) == 10_000
        assert len(asked) == 1

    def test_numbers_that_are_not_in_a_row_are_as_good(self, start: Any, postgresql: Engine) -> None:
        """
        As when others take some in between: here every second number is somebody else's.
        """
        with postgresql.begin() as connection:
            connection.execute(text("ALTER SEQUENCE isthmus_job_id_seq INCREMENT BY 2"))
        numbers = start()

        taken = [*numbers.take(3, None), *numbers.take(2, None)]

        assert len(taken) == 5
        assert taken == sorted(taken)
        assert not {number + 1 for number in taken} & set(taken)


def numbers_left(numbers: Numbers) -> int:
    """Count the numbers that are reserved and not taken."""
    return len(numbers._block) - numbers._used


def test_two_processes_never_have_the_same_number(start: Any) -> None:
    """
    Nor two threads of one process, however they take them.
    """
    processes = [start(), start()]
    taken: list[int] = []
    barrier = threading.Barrier(4)

    def take(numbers: Numbers, most: int) -> None:
        mine: list[int] = []
        barrier.wait(10)
        for count in range(1, most):
            mine.extend(numbers.take(count, None))
        numbers._line.close()
        taken.extend(mine)

    threads = [threading.Thread(target=take, args=[processes[n % 2], 30 + n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == sum(sum(range(1, 30 + n)) for n in range(4))
    assert len(set(taken)) == len(taken)


class TestTime:
    def test_it_is_the_database_s(self, start: Any, postgresql: Engine) -> None:
        """
        The instant of a job lies between two readings of the database's clock, which may be a day ahead.
        """
        set_ahead(postgresql)
        numbers = start()
        told = []
        with postgresql.connect() as connection:
            for _ in range(3):
                told.append(connection.scalar(text("SELECT clock_timestamp()")))
                told.append(numbers.now())
            told.append(connection.scalar(text("SELECT clock_timestamp()")))

        assert told[1] - datetime.now(UTC) > DAY / 2
        assert told[0] <= told[1] <= told[2]
        assert told[-1] >= told[-2]

    def test_it_comes_with_the_numbers(self, start: Any, asked: list[str]) -> None:
        """
        A job costs no second question.
        """
        numbers = start()
        numbers.take(1, None)
        numbers.now()

        assert len(asked) == 1

    def test_it_is_asked_again_after_a_while(
        self, start: Any, asked: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Our own clock may run faster or slower; it counts for a second at most.
        """
        numbers = start()
        numbers.now()
        monkeypatch.setattr(module, "_VALID_S", -1.0)
        before = len(asked)
        numbers.now()

        assert (before, len(asked)) == (1, 2)

    def test_a_clock_of_ours_counts_on_both(self, by_hand: Any, clock: FrozenClock) -> None:
        """
        It is asked, and no database.
        """
        line = Line(by_hand.engine)
        heard: list[str] = []
        event.listen(by_hand.engine, "before_cursor_execute", lambda *call: heard.append(call[2]))

        told = Numbers(by_hand.engine, line, by_hand.times, clock).now()

        assert (told, heard) == (clock.now(), [])


def set_ahead(engine: Engine) -> None:
    """Let the database's clock run a day ahead."""
    event.listen(engine, "connect", _find_our_clock)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
                "$$ SELECT pg_catalog.clock_timestamp() + interval '1 day' $$"
            )
        )
    engine.dispose()


def _find_our_clock(connection: Any, _record: Any) -> None:
    connection.execute("SET search_path = public, pg_catalog")
    connection.commit()


class TestSqlite:
    @pytest.fixture
    def engine(self, databases: Databases) -> Iterator[Engine]:
        """An engine of SQLite."""
        with databases.fresh("sqlite", make_tables) as url:
            made = make_engine(url)
            yield made
            made.dispose()

    @pytest.fixture
    def numbers(self, engine: Engine, clock: FrozenClock) -> Numbers:
        """Numbers of SQLite."""
        return Numbers(engine, Line(engine), Times(engine, clock), clock)

    def test_numbers_belong_to_the_transaction(self, engine: Engine, numbers: Numbers) -> None:
        """
        One that is not committed gives them back.
        """
        with Session(engine) as session:
            given_back = list(numbers.take(3, session))
            session.rollback()
        with Session(engine) as session:
            kept = list(numbers.take(2, session))
            session.commit()
        with Session(engine) as session:
            next_ones = list(numbers.take(1, session))

        assert (given_back, kept, next_ones) == ([1, 2, 3], [1, 2], [3])

    def test_numbers_go_on_after_jobs_that_others_have_written(
        self, engine: Engine, numbers: Numbers
    ) -> None:
        """
        SQLite counts with us: what it numbers itself and what we number are never the same.
        """
        row = (
            "INSERT INTO isthmus_job (model, method, payload, ctx, user_name, run_id, description, "
            "created_at, state, channel) VALUES ('', '', '', '', '', '', '', '', 'done', 'root') RETURNING id"
        )
        with Session(engine) as session:
            taken = [*numbers.take(2, session), session.execute(text(row)).scalar_one()]
            session.execute(text("DELETE FROM isthmus_job"))
            taken += numbers.take(1, session)

        assert taken == [1, 2, 3, 4]
