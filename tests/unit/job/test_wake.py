"""An idle worker sleeps until there may be work, and no longer."""

import gc
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from isthmus.job import wake as module
from isthmus.job.line import Line
from isthmus.job.rows import wake_idle
from isthmus.job.wake import Wake
from isthmus.store.sql.cut import shut
from isthmus.testing import Probe
from isthmus.testing.databases import Kind

on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])
on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
FOR_EVER = 3_600.0


@pytest.fixture(autouse=True)
def _deep_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only a call wake a sleeper, so that a test that misses one fails."""
    monkeypatch.setattr(module, "_LONGEST_S", FOR_EVER)
    monkeypatch.setattr(module, "_LONGEST_SQLITE_S", FOR_EVER)


@pytest.fixture
def wake(by_hand: Any, line: Line) -> Iterator[Wake]:
    """What its idle worker sleeps with."""
    made = Wake(by_hand.engine, line)
    yield made
    made.close()


class Sleeper:
    """A thread that sleeps once."""

    def __init__(self, wake: Wake, line: Line, *, fresh: bool) -> None:
        self._wake = wake
        self._line = line
        self._fresh = fresh
        self.woken = Probe[str | None]("the sleeper woke")
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        if not self._fresh:
            self._wake._version = self._wake._data_version()
        lane = self._wake.sleep(None)
        self._line.close()
        self.woken(lane)


@pytest.fixture
def sleeping(wake: Wake, line: Line, by_hand: Any) -> Callable[..., Any]:
    """Lend a sleeper, who sleeps when the block begins."""

    @contextmanager
    def sleep(*, soundly: bool = True) -> Iterator[Sleeper]:
        sleeper = Sleeper(wake, line, fresh=by_hand.engine.dialect.name == "postgresql")
        sleeper.thread.start()
        assert not soundly or wake._sleeping.wait(10)
        yield sleeper
        sleeper.woken.wait()
        sleeper.thread.join()

    return sleep


def commit(by_hand: Any, lane: str = "root.a") -> None:
    """Call idle workers, as a commit that delays a job does."""
    with by_hand.engine.begin() as connection:
        wake_idle(connection, lane)


class TestNudge:
    def test_it_ends_a_sleep(self, sleeping: Any, wake: Wake) -> None:
        """
        The program that delays jobs wakes its own worker at once.
        """
        with sleeping() as sleeper:
            before = list(sleeper.woken.seen)
            wake.nudge()

        assert (before, sleeper.woken.seen) == ([], [None])
        assert not wake.is_sleeping

    def test_before_the_sleep_it_counts_too(self, wake: Wake, by_hand: Any, line: Line) -> None:
        """
        Between the last look for work and the sleep there may have come some.
        """
        woken = Probe[None]("woke")
        wake.nudge()
        thread = threading.Thread(target=lambda: (woken(wake.sleep(None)), line.close()), daemon=True)
        thread.start()
        woken.wait()
        thread.join()

        assert not wake.is_sleeping

    def test_it_counts_once(self, wake: Wake, sleeping: Any) -> None:
        """
        The sleep after the one it ended is a sleep again.
        """
        wake.nudge()
        wake.sleep(None)
        with sleeping() as sleeper:
            before = list(sleeper.woken.seen), wake.is_sleeping
            wake.nudge()

        assert before == ([], True)

    def test_a_hundred_thousand_disturb_nobody(self, sleeping: Any, wake: Wake) -> None:
        """
        One that finds the pipe full is not needed, and the next sleeper hears of none of them.
        """
        wake._sleeping.set()
        for _ in range(100_000):
            wake.nudge()
        wake.sleep(None)
        with sleeping() as sleeper:
            before = list(sleeper.woken.seen)
            wake.nudge()

        assert before == []


def test_it_wakes_in_a_program_with_many_files(
    high_file_numbers: None, by_hand: Any, line: Line, database_kind: Kind
) -> None:
    """
    The numbers of the pipe and of the connection are beyond those that ``select`` knows.
    """
    by_hand.worker(idle=True)
    wake = Wake(by_hand.engine, line)
    wake.listen()
    woken = Probe[str | None]("woke")
    called = threading.Event()

    def sleep() -> None:
        if database_kind == "sqlite":
            wake._version = wake._data_version()
        woken(wake.sleep(None))
        called.wait(10)
        woken(wake.sleep(None))
        line.close()

    thread = threading.Thread(target=sleep, daemon=True)
    thread.start()
    wake._sleeping.wait(10)
    wake.nudge()
    woken.wait()
    by_hand.job()
    commit(by_hand, "root.orders")
    called.set()
    woken.wait()
    thread.join()
    wake.close()

    assert wake._reader > 1_023
    assert woken.seen == [None, "root.orders" if database_kind == "postgresql" else None]


def test_a_sleep_ends_by_itself(wake: Wake) -> None:
    """
    When the next job is due.
    """
    assert wake.sleep(0.001) is None
    assert wake.sleep(0.0) is None


@on_postgresql
class TestPostgresql:
    def test_a_commit_wakes_and_tells_the_lane(self, by_hand: Any, wake: Wake, sleeping: Any) -> None:
        """
        Of whatever process, when some worker has said that it is idle.
        """
        by_hand.worker(idle=True)
        wake.listen()
        with sleeping() as sleeper:
            commit(by_hand, "root.orders")

        assert sleeper.woken.seen == ["root.orders"]

    def test_a_commit_before_the_sleep_wakes_too(self, by_hand: Any, wake: Wake, sleeping: Any) -> None:
        """
        From the moment it listens nothing is missed.
        """
        by_hand.worker(idle=True)
        wake.listen()
        commit(by_hand)
        with sleeping(soundly=False) as sleeper:
            pass

        assert sleeper.woken.seen == ["root.a"]

    def test_calls_that_came_at_once_wake_once(self, by_hand: Any, wake: Wake, sleeping: Any) -> None:
        """
        The last of them tells where to begin.
        """
        by_hand.worker(idle=True)
        wake.listen()
        commit(by_hand, "root.a")
        commit(by_hand, "")
        commit(by_hand, "root.b")
        with sleeping(soundly=False) as first:
            pass
        with sleeping() as second:
            before = list(second.woken.seen)
            wake.nudge()

        assert first.woken.seen == ["root.b"]
        assert before == []

    def test_a_lost_connection_wakes_and_is_made_anew(
        self, by_hand: Any, wake: Wake, sleeping: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Who cannot be called any more looks for itself, and listens on a new connection; it is no error.
        """
        by_hand.worker(idle=True)
        wake.listen()
        lost = wake._connection.connection.dbapi_connection
        with sleeping(), by_hand.engine.begin() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": lost.info.backend_pid})
        while wake._connection is not None:  # the farewell comes before the end
            with sleeping(soundly=False):
                pass
        wake.listen()
        with sleeping() as sleeper:
            commit(by_hand)

        assert sleeper.woken.seen == ["root.a"]
        assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == []
        assert lost.closed

    def test_a_connection_that_was_lost_unheard_is_found(self, by_hand: Any, wake: Wake) -> None:
        """
        A sleep that nobody ended asks whether the wire still carries anything.
        """
        wake.listen()
        kept = wake._connection
        wake.sleep(0.0)
        still = wake._connection is kept
        shut(kept.connection.dbapi_connection)
        wake.sleep(0.0)

        assert still
        assert wake._connection is None

    def test_listening_twice_is_listening_once(self, by_hand: Any, wake: Wake) -> None:
        """
        One connection a process, which is not one of the pool's.
        """
        wake.listen()
        first = wake._connection
        wake.listen()

        assert wake._connection is first
        assert by_hand.engine.pool.checkedout() == 0


@on_sqlite
class TestSqlite:
    def test_a_commit_of_another_process_wakes(self, by_hand: Any, sleeping: Any) -> None:
        """
        It calls nobody, but the file has changed.
        """
        program = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
            "c.execute(\"INSERT INTO isthmus_channel (name) VALUES ('root.x')\"); c.commit()"
        )
        with sleeping() as sleeper:
            before = list(sleeper.woken.seen)
            subprocess.run([sys.executable, "-c", program, by_hand.engine.url.database], check=True)

        assert before == []
        assert sleeper.woken.seen == [None]

    def test_a_rollback_of_another_wakes_nobody(self, by_hand: Any, sleeping: Any, wake: Wake) -> None:
        """
        There is nothing new.
        """
        with sleeping() as sleeper:
            other = sqlite3.connect(by_hand.engine.url.database)
            other.execute("INSERT INTO isthmus_channel (name) VALUES ('root.x')")
            other.rollback()
            other.close()
            before = list(sleeper.woken.seen)
            wake.nudge()

        assert before == []


def test_nothing_is_left_open(by_hand: Any, line: Line) -> None:
    """
    Programs that make hubs again and again do not run out of files.
    """

    def count() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    for _ in range(10):
        wake = Wake(by_hand.engine, line)
        wake.close()
        del wake

    assert count() <= before
