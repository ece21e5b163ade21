"""Running jobs are told to stop when they take too long or are cancelled, and given up when they do not."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from isthmus.errors import DatabaseBusyError, JobCancelledError, JobTimeoutError
from isthmus.hub import Hub
from isthmus.job import watch as module
from isthmus.job.run import Execution
from isthmus.job.table import JOBS
from isthmus.job.watch import Watch
from isthmus.testing import Probe
from isthmus.testing.databases import Kind

NOTE = "unit.job.note"
LONG = timedelta(seconds=600)
NONE = timedelta(0)


class Running:
    """Jobs of a queue that are claimed and under way, as far as who looks after them sees."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.queue = hub.queue

    def begin(self, count: int = 1, timeout: timedelta | None = None) -> Execution:
        """Delay jobs, claim them, and begin them together."""
        for _ in range(count):
            with self.hub.env() as env:
                env[NOTE].with_delay().copy("a")
        jobs = []
        for _ in range(count):
            group = self.queue.claim(one=True)
            assert group is not None
            jobs.append(group.take())
        execution = Execution([job for job in jobs if job is not None], timeout)
        execution.since -= 1
        self.queue.runner.executions[len(self.queue.runner.executions)] = execution
        return execution

    def watch(self, force_s: float = 3_600.0) -> Watch:
        """Look after them."""
        queue = self.queue
        return Watch(queue.line, queue.claimer, queue.runner, queue._outcomes, force_s)


@pytest.fixture
def running(open_hub: Any, database_kind: Kind) -> Iterator[Running]:
    """A queue of each kind of database."""
    made = Running(open_hub(database_kind))
    yield made
    made.queue.runner.executions.clear()


class TestStop:
    def test_a_job_that_takes_too_long_is_told_to_stop(self, running: Running) -> None:
        """
        One that may take longer, or as long as it likes, is not.
        """
        late, slow, free = running.begin(timeout=NONE), running.begin(timeout=LONG), running.begin()

        running.watch().look()

        assert isinstance(late.stopped, JobTimeoutError)
        assert str(late.stopped) == "unit.job.note.copy took longer than its timeout of 0 s"
        assert (slow.stopped, free.stopped) == (None, None)

    @pytest.mark.parametrize("change", [{"state": "cancelled"}, {"attempt": 9}, {"state": "pending"}])
    def test_a_job_that_is_ours_no_more_is_told_to_stop(
        self, running: Running, change: dict[str, Any]
    ) -> None:
        """
        It was cancelled, taken over, or given back; what it does cannot be committed.
        """
        gone, other = running.begin(), running.begin()
        with running.hub.engine.begin() as connection:
            connection.execute(update(JOBS).where(JOBS.c.id == gone.jobs[0].id).values(change))

        running.watch().look()

        assert isinstance(gone.stopped, JobCancelledError)
        assert "was cancelled or taken over while it ran" in str(gone.stopped)
        assert other.stopped is None

    def test_a_job_whose_row_is_gone_is_told_to_stop(self, running: Running) -> None:
        """
        Somebody has removed it.
        """
        execution = running.begin()
        with running.hub.engine.begin() as connection:
            connection.execute(text("DELETE FROM isthmus_job"))

        running.watch().look()

        assert isinstance(execution.stopped, JobCancelledError)

    def test_a_job_that_has_just_ended_is_left_alone(self, running: Running) -> None:
        """
        Its end is written before its thread says so.
        """
        execution = running.begin()
        running.queue._outcomes.done(execution.jobs[0], None)

        running.watch().look()

        assert execution.stopped is None


class TestTend:
    def stand_in_line(self, running: Running) -> list[bool]:
        """Delay a job until now, let the next look be due, and tell whether it stands in line after each."""
        watch = running.watch()
        found = []
        for _ in range(3):
            with running.hub.env() as env:
                env[NOTE].with_delay().copy("late")
            with running.hub.engine.begin() as connection:
                waiting = update(JOBS).where(JOBS.c.state == "pending")
                connection.execute(waiting.values(eta=running.hub.clock.now() - LONG))
            running.queue.claimer._line_up_at = 0.0
            watch.look()
            with running.hub.engine.begin() as connection:
                found.append(connection.scalar(text("SELECT count(eta) FROM isthmus_job")) == 0)
        return found

    def test_jobs_whose_time_has_come_are_looked_for_at_each_look_while_jobs_run(
        self, running: Running
    ) -> None:
        """
        Not once a second only, of which each line-up would be the share: a busy worker's claims find other
        work first.
        """
        running.begin()

        assert running.queue.is_busy
        assert self.stand_in_line(running) == [True, True, True]

    def test_an_idle_worker_is_not_disturbed(self, running: Running) -> None:
        """
        It claims when the next job is due, and looks then itself.
        """
        running.queue.claimer.tended = True

        assert not running.queue.is_busy
        assert self.stand_in_line(running) == [True, False, False]


class TestForce:
    def stop(self, execution: Execution, reason: Any) -> None:
        """Tell a job to stop, a while ago."""
        execution.stop(reason)
        execution.stopped_at -= 100

    def test_who_has_time_to_stop_is_not_given_up(self, running: Running) -> None:
        """
        The database, or the other system, may answer in a moment.
        """
        execution = running.begin(timeout=NONE)
        watch = running.watch(force_s=3_600)
        told: list[str] = []
        watch.on_stuck = lambda: told.append("stuck")
        watch.look()

        assert execution.stopped is not None
        assert watch.others_run
        assert running.hub.queue.show(execution.jobs[0].id).state == "started"
        assert told == []

    def test_one_that_took_too_long_and_does_not_stop_fails(self, running: Running) -> None:
        """
        Its process is told that it can only be ended with it, once.
        """
        execution = running.begin()
        self.stop(execution, JobTimeoutError("it took too long"))
        watch = running.watch(force_s=1)
        told: list[str] = []
        watch.on_stuck = lambda: told.append("stuck")
        watch.look()
        watch.look()

        job = running.queue.show(execution.jobs[0].id)
        assert (job.state, job.error) == ("failed", "it took too long")
        assert told == ["stuck"]
        assert not watch.others_run

    def test_one_that_was_cancelled_stays_so(self, running: Running) -> None:
        """
        Its end is written by who cancelled it.
        """
        execution = running.begin()
        running.queue.cancel([execution.jobs[0].id])
        self.stop(execution, JobCancelledError("it was cancelled"))
        running.watch(force_s=1).look()

        assert running.queue.show(execution.jobs[0].id).state == "cancelled"

    def test_those_that_share_a_transaction_run_again_alone(self, running: Running) -> None:
        """
        Which of them does not stop is not known; none is charged.
        """
        execution = running.begin(count=2)
        self.stop(execution, JobTimeoutError("they took too long"))
        running.watch(force_s=1).look()

        jobs = [running.queue.show(job.id) for job in execution.jobs]
        assert [(job.state, job.alone, job.retry) for job in jobs] == [("pending", True, 0)] * 2

    def test_others_that_run_are_known(self, running: Running) -> None:
        """
        They are given time before the process ends.
        """
        stuck, other = running.begin(), running.begin()
        self.stop(stuck, JobTimeoutError("it took too long"))
        watch = running.watch(force_s=1)
        watch.look()

        assert watch.others_run
        assert other.stopped is None


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_statement_without_an_answer_is_cut(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    PostgreSQL: the thread that waits for it goes on, with an error that says the database is away; the next
    statement gets a new connection.
    """
    monkeypatch.setattr(module, "_ANSWER_S", -1.0)
    watch = running.watch()
    line = running.queue.line
    ended = Probe[Any]("the statement ended")
    under_way = threading.Event()

    def wait_for_ever() -> None:
        caught: Any = None
        try:
            with line.connection() as connection:
                under_way.set()
                connection.execute(text("SELECT pg_sleep(600)"))
        except DatabaseBusyError as exc:
            caught = exc
        found = line.execute(text("SELECT 1")).scalar()
        line.close()
        ended((caught, found))

    thread = threading.Thread(target=wait_for_ever, daemon=True)
    thread.start()
    under_way.wait(10)
    watch.cut_dead_connections()
    caught, found = ended.wait()
    thread.join()
    # The server would find out in ten minutes that nobody waits for its answer.
    line.execute(
        text(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'"
        )
    )
    line.close()

    assert isinstance(caught, DatabaseBusyError)
    assert found == 1
