"""Jobs that take too long, are cancelled, fail in each way or come back, on both databases."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import update

from isthmus.env import ModelExtension
from isthmus.errors import (
    DatabaseBusyError,
    FailError,
    InvalidDataError,
    JobTimeoutError,
    MappingError,
    NetworkRetryableError,
    RateLimitedError,
    RecordLockedError,
    RetryableJobError,
)
from isthmus.hub import Hub
from isthmus.job import Claimed, Outcome, State, Worker, job
from isthmus.job.table import JOBS, WORKERS
from isthmus.settings import JobSettings, Settings
from isthmus.testing import FrozenClock, Probe

NAME = "contract.queue.entry"
TIMEOUT = f"{JobTimeoutError.__module__}.{JobTimeoutError.__qualname__}"

During = dict[str, Callable[[Any], Any]]
DURING: During = {}


class RunningJobs(ModelExtension):
    """Jobs that do not end by themselves, and jobs whose failure is told."""

    _inherit = NAME

    def ask_for_ever(self) -> None:
        """Call another system again and again."""
        pause = threading.Event()
        with self.env.outside():
            for _ in range(2_000):
                pause.wait(0.01)
                self.env.external_call("ask again")

    @job
    def ask(self) -> None:
        """Call another system again and again, and write a row."""
        self.ask_for_ever()
        self.env[NAME].create({"text": "asked"})

    @job(timeout=0.1)
    def ask_for_a_moment(self) -> None:
        """Do the same, but not for long."""
        self.ask()

    @job(timeout=0.05)
    def dawdle(self, during: str) -> None:
        """Do something that takes long and leaves the env alone."""
        self.do(during)

    @job(timeout=0.05)
    def hold(self, during: str) -> None:
        """Write a row, then do something that takes long."""
        self.env[NAME].create({"text": "never"})
        self.env.flush()
        self.do(during)

    @job
    def hold_long(self, during: str) -> None:
        """Do the same, without a limit."""
        self.hold(during)

    @job
    def wait(self, during: str) -> None:
        """Do something that takes long, then write a row."""
        self.do(during)
        self.env[NAME].create({"text": "waited"})

    @job(on_fail="tell")
    def told(self, during: str) -> None:
        """Write a row and do something that fails."""
        self.env[NAME].create({"text": "never"})
        self.do(during)

    @job(on_fail="tell", max_retries=2, retry_pattern={1: 5})
    def told_in_the_end(self, during: str) -> None:
        """Do something that fails and is tried again."""
        self.do(during)

    @job(on_fail="tell_badly")
    def told_badly(self, during: str) -> None:
        """Do something that fails."""
        self.do(during)

    @job(max_retries=4)
    def attempt(self, during: str) -> None:
        """Write a row and do something that fails."""
        self.env[NAME].create({"text": "never"})
        self.do(during)

    def do(self, during: str) -> None:
        """Do what the test wants."""
        DURING[during](self)

    def tell(self, kind: str, message: str) -> None:
        """Hear of a failure."""
        self.env[NAME].create({"text": f"{kind}: {message}"})

    def tell_badly(self, kind: str, message: str) -> None:
        """Hear of a failure and fail."""
        self.env[NAME].create({"text": f"{kind}: {message}"})
        raise LookupError("whom to tell")


@pytest.fixture
def during() -> Iterator[During]:
    """What jobs do, by the name that they are given."""
    yield DURING
    DURING.clear()


@pytest.fixture
def make(queue_url: str, program: Any) -> Iterator[Callable[..., Hub]]:
    """Makes hubs on one database."""
    hubs: list[Hub] = []

    def made(clock: FrozenClock | None = None, **options: Any) -> Hub:
        settings = Settings(database_url=queue_url, plugins=(), models=(), job=JobSettings(**options))
        extensions = [program.EntryJobs, RunningJobs]
        models = {NAME: program.Entry}
        hubs.append(Hub(settings, plugins=[], models=models, extensions=extensions, clock=clock))
        return hubs[-1]

    yield made
    for hub in hubs:
        hub.close()


def delay(hub: Hub, method: str, *args: Any, **options: Any) -> int:
    """Delay a call in a transaction of its own; gives the job's number."""
    with hub.env() as env:
        ref = getattr(env[NAME].with_delay(**options), method)(*args)
    return int(ref.id)


def rows(hub: Hub) -> list[str]:
    """Read the rows that jobs have written."""
    with hub.env(readonly=True) as env:
        return [str(entry.text) for entry in env[NAME].search(order="id")]


class TestStopping:
    def test_a_job_that_takes_too_long_stops_at_the_next_use_of_its_env(
        self, make: Callable[..., Hub]
    ) -> None:
        """
        It fails with its limit in the message, and its thread runs the next job.
        """
        hub = make()
        long, next_one = delay(hub, "ask_for_a_moment"), delay(hub, "nothing")
        finished = Probe[Outcome]("job finished")
        worker = Worker(hub.queue, 1)
        worker.on_finished = finished
        with worker:
            finished.wait()
            finished.wait()

        found = hub.queue.show(long)
        assert (found.state, found.error_type, found.retry) == (State.FAILED, TIMEOUT, 0)
        assert found.error == f"{NAME}.ask_for_a_moment took longer than its timeout of 0.1 s"
        assert hub.queue.show(next_one).state == State.DONE
        assert rows(hub) == []

    def test_a_job_that_ends_too_late_fails_all_the_same(
        self, make: Callable[..., Hub], during: During
    ) -> None:
        """
        Also when it never used its env after its time.
        """
        hub = make()

        def until_told(_: Any) -> None:
            (execution,) = hub.queue.runner.executions.values()
            pause = threading.Event()
            while execution.stopped is None:
                pause.wait(0.01)
                hub.queue.watch.look()

        during["wait"] = until_told
        late = delay(hub, "dawdle", "wait")

        hub.queue.run_pending()

        assert (hub.queue.show(late).state, hub.queue.show(late).error_type) == (State.FAILED, TIMEOUT)

    def test_a_cancelled_job_stops_at_the_next_use_of_its_env(self, make: Callable[..., Hub]) -> None:
        """
        It stays cancelled, nothing of it is committed, and its thread runs the next job.
        """
        hub = make()
        ref = delay(hub, "ask")
        claimed, finished = Probe[Claimed]("job claimed"), Probe[Outcome]("job finished")
        worker = Worker(hub.queue, 1)
        worker.on_claimed, worker.on_finished = claimed, finished
        with worker:
            claimed.wait()
            hub.queue.cancel([ref], by="anna")
            outcome = finished.wait()
            next_one = delay(hub, "nothing")
            finished.wait()

        found = hub.queue.show(ref)
        assert (found.state, found.error) == (State.CANCELLED, "cancelled by anna")
        assert outcome.state is None
        assert hub.queue.show(next_one).state == State.DONE
        assert rows(hub) == []

    @pytest.mark.parametrize("why", ["too long", "cancelled"])
    def test_a_job_that_does_not_stop_is_given_up_with_its_process(
        self, make: Callable[..., Hub], during: During, why: str
    ) -> None:
        """
        The process is to end: it claims nothing more, and the others that it runs are handed back uncounted.
        """
        hub = make(force_s=0.1, grace_s=0.1)
        begun, over = Probe[str]("job begun"), threading.Event()

        def be_deaf(_: Any) -> None:
            begun("deaf")
            over.wait(30)

        during["be deaf"] = be_deaf
        deaf = delay(hub, "dawdle" if why == "too long" else "wait", "be deaf")
        other = delay(hub, "wait", "be deaf")
        stuck = Probe[None]("stuck")
        worker = Worker(hub.queue, 2)
        worker.on_stuck = lambda: stuck(None)
        with worker:
            begun.wait()
            begun.wait()
            if why == "cancelled":
                hub.queue.cancel([deaf], by="anna")
            stuck.wait()
            states = [hub.queue.show(number).state for number in (deaf, other)]
            later = delay(hub, "nothing")
            over.set()

        neighbour = hub.queue.show(other)
        assert states == [State.FAILED if why == "too long" else State.CANCELLED, State.PENDING]
        assert hub.queue.show(deaf).error_type == (TIMEOUT if why == "too long" else None)
        assert (neighbour.state, neighbour.retry, neighbour.rescues) == (State.PENDING, 0, 0)
        assert hub.queue.show(later).state == State.PENDING
        assert rows(hub) == []

    def test_a_job_that_hangs_in_its_transaction_loses_it(
        self, make: Callable[..., Hub], during: During
    ) -> None:
        """
        Its locks are free, and its end is written, before its thread comes back: on SQLite nobody could
        write otherwise.
        """
        hub = make(force_s=0.1, grace_s=0.1)
        over = threading.Event()
        during["hang"] = lambda _: over.wait(30)
        hangs = delay(hub, "hold", "hang")
        stuck, finished = Probe[None]("stuck"), Probe[Outcome]("job finished")
        worker = Worker(hub.queue, 1)
        worker.on_stuck, worker.on_finished = lambda: stuck(None), finished
        with worker:
            stuck.wait()
            found = hub.queue.show(hangs)
            delay(hub, "nothing")
            over.set()
            outcome = finished.wait()

        assert (found.state, found.error_type) == (State.FAILED, TIMEOUT)
        assert outcome.state is None
        assert hub.queue.run_pending() == 1
        assert rows(hub) == []

    def test_a_job_in_its_transaction_is_handed_back_at_once(
        self, make: Callable[..., Hub], during: During
    ) -> None:
        """
        A process that ends does not wait for it: the job is pending again at no cost, nothing of it is there.
        """
        hub = make()
        begun, over = Probe[str]("job begun"), threading.Event()

        def be_slow(_: Any) -> None:
            begun("slow")
            over.wait(30)

        during["be slow"] = be_slow
        slow = delay(hub, "hold_long", "be slow")
        finished = Probe[Outcome]("job finished")
        worker = Worker(hub.queue, 1)
        worker.on_finished = finished
        with worker:
            begun.wait()
            worker.stop()
            handed_back = hub.queue.hand_back()
            found = hub.queue.show(slow)
            over.set()
            outcome = finished.wait()

        assert handed_back == 1
        assert (found.state, found.retry, found.rescues) == (State.PENDING, 0, 0)
        assert outcome.state is None
        assert rows(hub) == []


class TestOnFail:
    def test_a_failure_is_told_in_a_transaction_of_its_own(
        self, make: Callable[..., Hub], during: During
    ) -> None:
        """
        What the job wrote is undone, what the hook writes is there.
        """
        hub = make()
        during["fail"] = raiser(ValueError("no such list"))
        delay(hub, "told", "fail")

        hub.queue.run_pending()

        assert rows(hub) == ["ValueError: no such list"]

    def test_the_loss_of_the_last_worker_is_told(self, make: Callable[..., Hub], during: During) -> None:
        """
        A job that took its workers with it cannot tell itself; who finds it calls the hook.
        """
        hub = make()
        delay(hub, "told_in_the_end", "never run")
        while hub.queue.claim() is not None:
            gone = f"{str(hub.owner).partition(':')[0]}:1:0123456789abcdef"
            with hub.engine.begin() as connection:
                connection.execute(update(WORKERS).values(owner=gone))

        assert rows(hub) == [
            "isthmus.errors.MaxRetriesError: its worker ended, or gave no sign, while running it (2 times)"
        ]

    def test_a_hook_that_fails_changes_nothing(
        self, make: Callable[..., Hub], during: During, caplog: Any
    ) -> None:
        """
        The job has failed with its own error; the hook's is logged, and what it wrote is undone.
        """
        hub = make()
        during["fail"] = raiser(ValueError("no such list"))
        ref = delay(hub, "told_badly", "fail")

        hub.queue.run_pending()

        found = hub.queue.show(ref)
        assert (found.state, found.error_type, found.error) == (State.FAILED, "ValueError", "no such list")
        assert rows(hub) == []
        assert f"on_fail of job {ref} ({NAME}.told_badly) failed: whom to tell" in caplog.text

    def test_only_the_last_failure_is_told(
        self, make: Callable[..., Hub], during: During, clock: FrozenClock
    ) -> None:
        """
        A job that is tried again has not failed; the hook hears the error itself, not that it was the last.
        """
        hub = make(clock)
        during["fail"] = raiser(NetworkRetryableError("the shop does not answer"))
        delay(hub, "told_in_the_end", "fail")
        hub.queue.run_pending()
        after_one = rows(hub)
        clock.sleep(5)

        hub.queue.run_pending()

        assert after_one == []
        assert rows(hub) == ["isthmus.errors.NetworkRetryableError: the shop does not answer"]


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "wait_s"),
        [
            (RetryableJobError("later"), 600),
            (RetryableJobError("later", retry_in=timedelta(seconds=7)), 7),
            (NetworkRetryableError("no answer"), 10),
            (RateLimitedError("slow down", retry_in=timedelta(seconds=33)), 33),
            (DatabaseBusyError("busy"), 10),
            (psycopg.errors.DeadlockDetected("deadlock detected"), 10),
            (psycopg.errors.SerializationFailure("could not serialize access"), 10),
            (psycopg.errors.LockNotAvailable("lock timeout"), 10),
            (sqlite3.OperationalError("database is locked"), 10),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
    )
    def test_what_may_pass_is_tried_again(
        self, make: Callable[..., Hub], during: During, clock: FrozenClock,
        error: Exception, wait_s: float,
    ) -> None:  # fmt: skip
        """
        It costs one of its tries and comes back when the error says, or after its kind's wait.
        """
        hub = make(clock)
        during["fail"] = raiser(error)
        ref = delay(hub, "attempt", "fail")

        hub.queue.run_pending()

        found = hub.queue.show(ref)
        assert (found.state, found.retry, found.deferrals) == (State.PENDING, 1, 0)
        assert found.eta == clock.now() + timedelta(seconds=wait_s)
        assert str(error).partition("\n")[0] in str(found.error)
        assert rows(hub) == []

    @pytest.mark.parametrize(
        "error",
        [
            ValueError("no such list"), FailError("wrong"), MappingError("no such state"),
            InvalidDataError("no name"), psycopg.errors.UndefinedTable("no such table"),
            sqlite3.OperationalError("no such table"), SystemExit("3"), RecursionError("too deep"),
        ],
        ids=lambda error: type(error).__name__,
    )  # fmt: skip
    def test_anything_else_fails_at_once(
        self, make: Callable[..., Hub], during: During, error: BaseException
    ) -> None:
        """
        With its type, its message and where it came from; the next job of the same thread is run.
        """
        hub = make()
        during["fail"] = raiser(error)
        ref, after = delay(hub, "attempt", "fail"), delay(hub, "nothing")

        hub.queue.run_pending()

        found = hub.queue.show(ref)
        assert (found.state, found.retry, found.error) == (State.FAILED, 0, str(error))
        assert str(found.error_type).endswith(type(error).__name__)
        assert "in raise_it" in str(found.traceback)
        assert hub.queue.show(after).state == State.DONE
        assert rows(hub) == []

    @pytest.mark.parametrize(
        "error", [RecordLockedError("locked"), RetryableJobError("not my turn", ignore_retry=True)]
    )
    def test_what_costs_no_retry_is_told_after_a_hundred_times(
        self, make: Callable[..., Hub], during: During, clock: FrozenClock,
        error: Exception,
    ) -> None:  # fmt: skip
        """
        It comes back again and again, and who wants to know gets a unit of work to write it down; most of
        the times are not played.
        """
        hub = make(clock)
        during["fail"] = raiser(error)
        ref = delay(hub, "attempt", "fail")
        told: list[tuple[int, int, str]] = []

        def tell(env: Any, claimed: Claimed, message: str) -> None:
            told.append((claimed.id, claimed.deferrals + 1, message))
            env[NAME].create({"text": "told"})

        hub.queue.runner.on_many_deferrals = tell
        for number in range(5):
            hub.queue.run_pending()
            clock.sleep(60)
            if number == 1:
                with hub.engine.begin() as connection:
                    connection.execute(update(JOBS).values(deferrals=98))

        found = hub.queue.show(ref)
        assert (found.state, found.retry, found.deferrals) == (State.PENDING, 0, 101)
        assert told == [(ref, 100, str(error))]
        assert rows(hub) == ["told"]


class TestSlowJobs:
    def test_what_stands_behind_a_slow_job_is_given_to_others(
        self, make: Callable[..., Hub], during: During
    ) -> None:
        """
        A process claims many quick jobs at once; when the first turns out slow, another gets the rest.
        """
        slow, quick = make(), make()
        slow.queue.claimer._size = 1  # ten at a time, as after quick jobs
        over = threading.Event()
        during["wait"] = lambda _: over.wait(30)
        first = delay(slow, "wait", "wait")
        others = [delay(slow, "nothing") for _ in range(9)]
        claimed, finished = Probe[Claimed]("job claimed"), Probe[Outcome]("job finished")
        at_it, helper = Worker(slow.queue, 1), Worker(quick.queue, 1)
        at_it.on_claimed, helper.on_finished = claimed, finished
        with at_it:
            claimed.wait()
            with helper:
                done = {finished.wait().job_id for _ in others}
                still = slow.queue.show(first).state
            over.set()

        found = [slow.queue.show(number) for number in others]
        assert still == State.STARTED
        assert done == set(others)
        assert {(job.state, job.attempt, job.retry) for job in found} == {("done", 2, 0)}


@pytest.fixture
def clock() -> FrozenClock:
    """Stands until a test moves it."""
    return FrozenClock()


def raiser(error: BaseException) -> Callable[[Any], Any]:
    """Make what raises an error."""

    def raise_it(_: Any) -> None:
        raise error

    return raise_it
