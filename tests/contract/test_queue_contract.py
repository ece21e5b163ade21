"""What the queue promises, on both databases."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text, update
from sqlalchemy.orm import Session

from isthmus.errors import JobStateError, ReadonlyError, TransactionError
from isthmus.hub import Hub
from isthmus.job import Claimed, Job, Outcome, State, Worker, identity_exact
from isthmus.job.table import WORKERS
from isthmus.testing import Databases, FrozenClock, Probe
from isthmus.testing.databases import Kind

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> FrozenClock:
    """Stands until a test moves it."""
    return FrozenClock(START)


@pytest.fixture
def hub(queue_url: str, program: Any, clock: FrozenClock) -> Iterator[Hub]:
    """A hub with the tests' model, whose clock stands."""
    with program.make_hub(queue_url, clock=clock) as made:
        yield made


@pytest.fixture
def entries(hub: Hub, program: Any) -> Callable[[], list[str]]:
    """Reads the rows that jobs have written, in order."""

    def read() -> list[str]:
        with hub.env(readonly=True) as env:
            return [str(entry.text) for entry in env[program.NAME].search(order="id")]

    return read


@pytest.fixture
def during(program: Any) -> Iterator[dict[str, Callable[[Any], Any]]]:
    """What jobs do beside writing their row."""
    yield program.DURING
    program.DURING.clear()


def delay(hub: Hub, program: Any, **options: Any) -> Any:
    """Delay a call in a transaction of its own: ``delay(hub, program).add("a")``."""

    class Late:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                with hub.env(user="anna", run_id="run-1") as env:
                    return getattr(env[program.NAME].with_delay(**options), name)(*args, **kwargs)

            return call

    return Late()


class Watcher:
    """Hears of every job that `run_one` runs."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def claimed(self, job: Claimed) -> None:
        """Nothing to note."""

    def finished(self, outcome: Outcome) -> None:
        """Note how it ended."""
        self.outcomes.append(outcome)


class TestDelaying:
    def test_a_job_is_there_when_its_transaction_is_committed(self, hub: Hub, program: Any) -> None:
        """
        Until the caller commits, no worker sees the job; afterwards it waits, and knows who wanted it.
        """
        with hub.env(user="anna", run_id="run-1", lang="fr_FR", connector_no_export=True) as env:
            ref = env[program.NAME].with_delay(priority=3).add("a")

        job = hub.queue.show(ref.id)

        assert (job.state, job.user, job.run_id, job.priority) == (State.PENDING, "anna", "run-1", 3)
        assert job.ctx == '{"lang":"fr_FR"}'
        assert job.description == "Write a row."
        assert job.created_at == START

    def test_a_rolled_back_transaction_leaves_no_job(self, hub: Hub, program: Any) -> None:
        """
        What the caller takes back was never asked for.
        """

        def change_one_s_mind() -> None:
            with hub.env() as env:
                env[program.NAME].with_delay().add("a")
                env[program.NAME].with_delay(identity_key="k").add("b")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            change_one_s_mind()

        assert hub.queue.list() == []

    def test_a_rolled_back_savepoint_takes_its_jobs_along(self, hub: Hub, program: Any) -> None:
        """
        With and without identity key, jobs of a savepoint are undone with it, others stay.
        """
        with hub.env() as env:
            model = env[program.NAME]
            model.with_delay(identity_key="kept").add("kept")
            with suppress(ZeroDivisionError), env.savepoint():
                model.with_delay().add("a")
                model.with_delay(identity_key="k").add("b")
                raise ZeroDivisionError
            model.with_delay().add("also kept")

        assert {job.identity_key for job in hub.queue.list()} == {"kept", None}

    def test_a_commit_that_fails_does_not_hold_back_later_jobs(self, hub: Hub, program: Any) -> None:
        """
        Jobs with keys that a failed commit had prepared neither appear later nor block the next ones.
        """
        with hub.env() as env:
            env[program.NAME].with_delay(identity_key="a").add("a")
            env.before_commit(lambda: 1 / 0)  # type: ignore[arg-type,return-value]
            with pytest.raises(ZeroDivisionError):
                env.transaction.commit()
            env[program.NAME].with_delay(identity_key="b").add("b")

        assert [job.identity_key for job in hub.queue.list()] == ["b"]

    def test_a_readonly_env_delays_nothing(self, hub: Hub, program: Any) -> None:
        """
        A job is a write.
        """
        with hub.env(readonly=True) as env:
            late = env[program.NAME].with_delay()

            with pytest.raises(ReadonlyError, match="this env is readonly"):
                late.add("a")

    def test_an_application_s_session_delays_with_its_own_commit(self, hub: Hub, program: Any) -> None:
        """
        In an env over an application's session jobs come with the application's commit.
        """
        with Session(hub.engine) as session, hub.env(session=session) as env:
            env[program.NAME].with_delay().add("a")
            first, second = (env[program.NAME].with_delay(identity_key="k").add(n) for n in "bc")
            session.commit()

        assert (second.id, second.is_duplicate) == (first.id, True)
        assert len(hub.queue.list(state=State.PENDING)) == 2

    def test_no_delay_runs_the_call_at_once(self, hub: Hub, program: Any) -> None:
        """
        Under the context key the call is made in the caller's transaction, and nothing is stored.
        """
        with hub.env() as env, env.context(job_no_delay=True):
            ref = env[program.NAME].with_delay().add("a")

        assert (ref.id, ref.result) == (None, "A")
        assert hub.queue.list() == []


class TestRunning:
    def test_a_job_runs_as_who_delayed_it(self, hub: Hub, program: Any) -> None:
        """
        User, run and number of the job are those of the env in which it runs, and of what it writes.
        """
        ref = delay(hub, program).add("a")

        ran = hub.queue.run_pending()

        with hub.env() as env:
            (entry,) = env[program.NAME].search()
            assert (entry.user, entry.run, entry.job) == ("anna", "run-1", str(ref.id))
        job = hub.queue.show(ref.id)
        assert ran == 1
        assert (job.state, job.result, job.attempt, job.worker_id) == (State.DONE, '"A"', 1, None)

    def test_a_job_on_a_record_gets_that_record(self, hub: Hub, program: Any, entries: Any) -> None:
        """
        The record of the call is browsed again by its key.
        """
        with hub.env() as env:
            entry = env[program.NAME].create({"text": "old"})
            entry.with_delay().rename("new")

        hub.queue.run_pending()

        assert entries() == ["new"]

    def test_urgent_jobs_come_first_then_old_ones(self, hub: Hub, program: Any, entries: Any) -> None:
        """
        Priority decides, then age; a job whose time has come stands in line as if it had had none.
        """
        delay(hub, program, eta=60).add("second: old")
        delay(hub, program).add("third")
        delay(hub, program, priority=0).add("first")
        hub.clock.sleep(60)

        hub.queue.run_pending()

        assert entries() == ["first", "second: old", "third"]

    @pytest.mark.parametrize("eta", [90, timedelta(seconds=90), START + timedelta(seconds=90)])
    def test_a_job_does_not_run_before_its_time(self, hub: Hub, program: Any, eta: Any) -> None:
        """
        Seconds, a timedelta and an instant say the same.
        """
        delay(hub, program, eta=eta).nothing()

        hub.clock.sleep(89)
        early = hub.queue.run_pending()
        hub.clock.sleep(1)
        late = hub.queue.run_pending()

        assert (early, late) == (0, 1)

    def test_jobs_that_create_jobs_are_run_too(self, hub: Hub, program: Any, entries: Any) -> None:
        """
        A synchronous run ends when nothing is due any more.
        """
        delay(hub, program).with_more(3)

        ran = hub.queue.run_pending()

        assert ran == 4
        assert entries() == ["more 0", "more 1", "more 2"]

    def test_a_job_that_leaves_its_env_alone_costs_one_statement(self, hub: Hub, program: Any) -> None:
        """
        No transaction is opened for a job that needs none; only its end is written.
        """
        ref = delay(hub, program).nothing()
        claimed = hub.queue.claim()
        assert claimed is not None
        begun, statements = [], []
        event.listen(hub.engine, "checkout", lambda *_: begun.append("connection"))
        event.listen(hub.engine, "before_cursor_execute", lambda *a: statements.append(a[2].split()[0]))

        hub.queue.run(claimed)

        assert begun == []
        # Where the driver is given the statement as it is, SQLAlchemy hears of none.
        assert statements in ([], ["UPDATE"])
        assert hub.queue.show(ref.id).state == State.DONE

    def test_parts_around_outside_are_committed_each(
        self, hub: Hub, program: Any, entries: Any, during: Any
    ) -> None:
        """
        Leaving the transaction commits what was done; the job is done with its last part.
        """
        seen: list[Any] = []
        during["look"] = lambda _: seen.append((entries(), hub.queue.list()[0].state))
        delay(hub, program).add_around("look")

        hub.queue.run_pending()

        assert seen == [(["before"], "started")]
        assert entries() == ["before", "after"]
        assert hub.queue.list()[0].state == State.DONE


class TestGrowth:
    def test_a_claim_reads_no_job_that_is_not_due(self, hub: Hub, program: Any) -> None:
        """
        However many jobs are done or wait for their time, no statement of a claim walks over them or sorts.
        """
        fill(hub, 5_000)
        delay(hub, program).nothing()
        seen: dict[str, Any] = {}
        event.listen(hub.engine, "before_cursor_execute", lambda *a: seen.update({a[2]: a[3]}))

        hub.queue.run_one()

        plans = [explain(hub, sql, values) for sql, values in list(seen.items()) if "isthmus_job" in sql]
        assert len(plans) >= 3
        walked = r"Seq Scan on isthmus_job|SCAN isthmus_job$|TEMP B-TREE|Sort"
        assert not [plan for plan in plans if re.search(walked, plan)]
        assert not [plan for plan in plans if "Filter" in plan and "eta <=" in plan.partition("Filter")[2]]


def fill(hub: Hub, count: int) -> None:
    """Write so many done and so many future jobs."""
    row = {
        "model": "m", "method": "f", "payload": "{}", "ctx": "{}", "user_name": "", "run_id": "r",
        "description": "d", "created_at": START,
    }  # fmt: skip
    done = [{**row, "state": "done", "eta": None}] * count
    future = [{**row, "state": "pending", "eta": START + timedelta(days=n + 1)} for n in range(count)]
    with hub.engine.begin() as connection:
        connection.execute(Job.__table__.insert(), done + future)  # type: ignore[attr-defined]
    with hub.engine.connect() as connection, connection.begin():
        connection.execute(text("ANALYZE"))


def explain(hub: Hub, statement: str, values: Any) -> str:
    """Ask the database how it would execute a statement."""
    sqlite = hub.engine.dialect.name == "sqlite"
    with hub.engine.connect() as connection, connection.begin():
        word = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        rows = connection.exec_driver_sql(f"{word} {statement}", values)
        return "\n".join(str(row[3 if sqlite else 0]) for row in rows)


class TestFailing:
    def test_any_other_error_fails_at_once(self, hub: Hub, program: Any, entries: Any) -> None:
        """
        Type, message and places are kept, no values; effects are undone.
        """
        ref = delay(hub, program).broken("hunter2")

        hub.queue.run_pending()

        job = hub.queue.show(ref.id)
        assert (job.state, job.error_type, job.error) == (State.FAILED, "ValueError", "no such list")
        assert "queue_program.py" in str(job.traceback)
        assert "hunter2" not in str(job.traceback)
        assert entries() == []

    def test_values_in_a_database_error_are_not_kept(self, hub: Hub, program: Any, during: Any) -> None:
        """
        A driver shows rows and parameters in its message; the job's error has none of them.
        """
        values = {"id": 1, "text": "hunter2"}
        table = program.Entry.__table__
        during["break"] = lambda self: self.env.session.execute(table.insert().values(values))
        with hub.env() as env:
            env[program.NAME].create({"id": 1, "text": "there"})
        ref = delay(hub, program).add_late("a", "break")

        hub.queue.run_pending()

        job = hub.queue.show(ref.id)
        assert (job.state, job.error_type) == (State.FAILED, "sqlalchemy.exc.IntegrityError")
        assert "hunter2" not in f"{job.error} {job.traceback}"

    def test_a_retryable_error_is_tried_again_by_its_pattern(self, hub: Hub, program: Any) -> None:
        """
        After 10 s each time, until the tries are used up; what it wrote is never there.
        """
        ref = delay(hub, program).unreachable()
        waits = []
        for _ in range(2):
            hub.queue.run_pending()
            eta = hub.queue.show(ref.id).eta
            assert eta is not None
            waits.append(eta - hub.clock.now())
            hub.clock.sleep(10)

        hub.queue.run_pending()

        job = hub.queue.show(ref.id)
        assert waits == [timedelta(seconds=10)] * 2
        assert (job.state, job.attempt, job.error_type) == (State.FAILED, 3, "isthmus.errors.MaxRetriesError")
        assert job.error == "tried 3 times of 3; the last failure: the shop does not answer"

    def test_a_locked_record_costs_no_retry(self, hub: Hub, program: Any) -> None:
        """
        The job comes back as often as need be, after waits that grow to a minute.
        """
        ref = delay(hub, program).locked()
        waits = []
        for _ in range(8):
            hub.queue.run_pending()
            eta = hub.queue.show(ref.id).eta
            assert eta is not None
            waits.append((eta - hub.clock.now()).total_seconds())
            hub.clock.sleep(waits[-1])

        job = hub.queue.show(ref.id)
        assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
        assert (job.state, job.retry, job.deferrals) == (State.PENDING, 0, 8)

    def test_a_skipped_record_is_done_with_its_reason(self, hub: Hub, program: Any, entries: Any) -> None:
        """
        A job that finds nothing to do says why, and leaves nothing behind.
        """
        ref = delay(hub, program).skipped()

        hub.queue.run_pending()

        job = hub.queue.show(ref.id)
        assert (job.state, job.result) == (State.DONE, '"it is up to date"')
        assert entries() == []

    def test_a_concurrency_error_of_the_database_is_tried_again(
        self, hub: Hub, program: Any, during: Any
    ) -> None:
        """
        The same transaction may well go through 10 s later.
        """

        def clash(_: Any) -> None:
            raise psycopg.errors.SerializationFailure("could not serialize access")

        during["clash"] = clash
        ref = delay(hub, program).add_late("a", "clash")

        hub.queue.run_pending()

        job = hub.queue.show(ref.id)
        assert (job.state, job.retry, job.eta) == (State.PENDING, 1, START + timedelta(seconds=10))

    def test_a_swallowed_listener_error_does_not_make_a_job_done(
        self, hub: Hub, program: Any, during: Any, entries: Any
    ) -> None:
        """
        A transaction that is broken cannot be committed, so its job fails.
        """

        def swallow(self: Any) -> None:
            self.env.transaction._broken = ZeroDivisionError("listener")

        during["swallow"] = swallow
        ref = delay(hub, program).add("a", during="swallow")

        hub.queue.run_pending()

        job = hub.queue.show(ref.id)
        assert (job.state, job.error_type) == (
            State.FAILED,
            f"{TransactionError.__module__}.{TransactionError.__qualname__}",
        )
        assert entries() == []

    def test_a_job_whose_method_is_gone_fails_with_a_message(
        self, hub: Hub, program: Any, queue_url: str
    ) -> None:
        """
        A worker of a program without the method says so; the job can be run again by one that has it.
        """
        ref = delay(hub, program).nothing()
        without = Hub(hub.settings, plugins=[], models={program.NAME: program.Entry})

        with without:
            without.queue.run_pending()

        job = hub.queue.show(ref.id)
        assert job.state == State.FAILED
        assert job.error == "model 'contract.queue.entry' has no method 'nothing', and none marked with @job"

    def test_a_result_that_is_too_large_undoes_the_job(self, hub: Hub, program: Any, entries: Any) -> None:
        """
        At most 64 kB are kept; more is an error that says so.
        """
        ref = delay(hub, program).add("x" * 70_000)

        hub.queue.run_pending()

        assert hub.queue.show(ref.id).error == (
            "the result of job contract.queue.entry.add takes 70,002 bytes, at most 64,000 are possible: "
            "return less, or store it"
        )
        assert entries() == []


class TestIdentity:
    def test_of_equal_jobs_one_waits(self, hub: Hub, program: Any) -> None:
        """
        The later one stands for the earlier one, in the same and in another transaction.
        """
        first = delay(hub, program, identity_key=identity_exact).add("a")
        second = delay(hub, program, identity_key=identity_exact).add(text="a")
        other = delay(hub, program, identity_key=identity_exact).add("b")

        assert (second.id, second.is_duplicate) == (first.id, True)
        assert not first.is_duplicate
        assert {job.id for job in hub.queue.list()} == {first.id, other.id}

    def test_a_started_job_does_not_count(self, hub: Hub, program: Any) -> None:
        """
        What happens while a job runs needs another one.
        """
        first = delay(hub, program, identity_key="k").add("a")
        hub.queue.claim()

        second = delay(hub, program, identity_key="k").add("a")

        assert (second.id == first.id, second.is_duplicate) == (False, False)

    def test_a_job_that_comes_back_gives_way_to_its_twin(self, hub: Hub, program: Any) -> None:
        """
        A started job that would be tried again is cancelled when an equal one waits by now.
        """
        first = delay(hub, program, identity_key="k").unreachable()
        claimed = hub.queue.claim()
        assert claimed is not None
        second = delay(hub, program, identity_key="k").unreachable()

        (outcome,) = hub.queue.run(claimed)

        job = hub.queue.show(first.id)
        assert (outcome.state, job.state, job.superseded_by) == (
            State.CANCELLED,
            State.CANCELLED,
            second.id,
        )

    def test_opposite_orders_are_no_deadlock(self, hub: Hub, program: Any) -> None:
        """
        Many transactions at once delay the same keys in any order: one job each, and no error.
        """
        keys = [f"key {n}" for n in range(10)]
        errors: list[BaseException] = []
        barrier = threading.Barrier(4)

        def enqueue(order: int) -> None:
            try:
                barrier.wait(10)
                for _ in range(5):
                    with hub.env() as env:
                        for key in keys[::order]:
                            env[program.NAME].with_delay(identity_key=key).add(key)
            except Exception as exc:  # noqa: BLE001 - the thread's, told to the test
                errors.append(exc)

        threads = [threading.Thread(target=enqueue, args=[1 if n % 2 else -1]) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert errors == []
        assert sorted(str(job.identity_key) for job in hub.queue.list()) == sorted(keys)


class TestByHand:
    def test_a_failed_job_runs_again_with_all_its_retries(self, hub: Hub, program: Any) -> None:
        """
        A person's retry begins to count anew.
        """
        ref = delay(hub, program).broken("x")
        hub.queue.run_pending()

        hub.queue.retry([ref.id])

        job = hub.queue.show(ref.id)
        assert (job.state, job.retry, job.eta) == (State.PENDING, 0, None)
        assert hub.queue.run_pending() == 1

    def test_a_job_that_waits_for_its_time_is_run_now(self, hub: Hub, program: Any) -> None:
        """
        Retrying what waits means: do not wait.
        """
        ref = delay(hub, program, eta=3600).nothing()

        hub.queue.retry([ref.id])

        assert hub.queue.run_pending() == 1

    def test_a_cancelled_running_job_cannot_commit(
        self, hub: Hub, program: Any, during: Any, entries: Any
    ) -> None:
        """
        Cancelling takes a job's claim away, so its effects never come.
        """
        ref = delay(hub, program).add_late("a", "cancel")
        during["cancel"] = lambda _: hub.queue.cancel([ref.id], by="anna")
        watcher = Watcher()

        hub.queue.run_one(watcher)

        job = hub.queue.show(ref.id)
        assert (job.state, job.error) == (State.CANCELLED, "cancelled by anna")
        assert [o.state for o in watcher.outcomes] == [None]
        assert entries() == []

    def test_what_the_state_does_not_allow_is_refused_for_all(self, hub: Hub, program: Any) -> None:
        """
        One job that cannot be cancelled leaves the others as they are.
        """
        first, second = delay(hub, program).nothing(), delay(hub, program).nothing()
        hub.queue.done([second.id])

        with pytest.raises(JobStateError, match=rf"job {second.id} is done and cannot become cancelled"):
            hub.queue.cancel([first.id, second.id])

        assert hub.queue.counts()[State.PENDING] == 1

    def test_a_running_job_cannot_be_retried_by_hand(self, hub: Hub, program: Any) -> None:
        """
        Only its own end or a rescue brings a running job back.
        """
        ref = delay(hub, program).nothing()
        hub.queue.claim()

        with pytest.raises(JobStateError, match="is started and cannot be made pending by hand"):
            hub.queue.retry([ref.id])

    def test_a_retry_does_not_make_a_second_equal_job(self, hub: Hub, program: Any) -> None:
        """
        The one that waits is named.
        """
        first = delay(hub, program, identity_key="k").broken("x")
        hub.queue.run_pending()
        second = delay(hub, program, identity_key="k").broken("x")

        with pytest.raises(JobStateError, match=rf"the equal job {second.id} is waiting to be run"):
            hub.queue.retry([first.id])

    def test_unknown_numbers_and_states_are_named(self, hub: Hub) -> None:
        """
        A typing error is not an empty answer.
        """
        with pytest.raises(JobStateError, match="there is no job 99"):
            hub.queue.show(99)
        with pytest.raises(JobStateError, match="there is no job 99"):
            hub.queue.retry([99])
        with pytest.raises(JobStateError, match=r"'faild' is no state of a job; did you mean 'failed'\?"):
            hub.queue.list(state="faild")

    def test_jobs_are_listed_by_what_they_are(self, hub: Hub, program: Any) -> None:
        """
        By state, method and lane, those below it included.
        """
        a = delay(hub, program, channel="trello.import").nothing()
        b = delay(hub, program).add("b")

        assert [job.id for job in hub.queue.list()] == [b.id, a.id]
        assert [job.id for job in hub.queue.list(method="nothing", state="pending")] == [a.id]
        assert [job.id for job in hub.queue.list(channel="trello")] == [a.id]


class TestRescue:
    def lose(self, hub: Hub) -> None:
        """Let the started jobs look like those of a process that died."""
        gone = f"{str(hub.owner).partition(':')[0]}:1:0123456789abcdef"
        with hub.engine.begin() as connection:
            connection.execute(update(WORKERS).values(owner=gone))

    def test_a_job_that_kills_its_workers_fails_in_the_end(self, hub: Hub, program: Any) -> None:
        """
        Each rescue counts as an execution.
        """
        ref = delay(hub, program, max_retries=3).nothing()
        claims = 0
        while hub.queue.claim() is not None:
            claims += 1
            self.lose(hub)

        job = hub.queue.show(ref.id)
        assert claims == 3
        assert (job.state, job.rescues) == (State.FAILED, 3)
        assert job.error == "its worker ended, or gave no sign, while running it (3 times)"

    def test_a_job_without_limit_is_rescued_five_times(self, hub: Hub, program: Any) -> None:
        """
        Without a limit of retries a job may still not kill workers for ever.
        """
        ref = delay(hub, program, max_retries=0).nothing()
        claims = 0
        while hub.queue.claim() is not None:
            claims += 1
            self.lose(hub)

        assert (claims, hub.queue.show(ref.id).state) == (6, State.FAILED)

    def test_jobs_are_handed_back_uncounted(self, hub: Hub, program: Any, during: Any, entries: Any) -> None:
        """
        A process that ends gives its jobs back; what they still do is not committed.
        """
        ref = delay(hub, program).add_late("a", "leave")
        during["leave"] = lambda _: hub.queue.hand_back()

        hub.queue.run_one()

        job = hub.queue.show(ref.id)
        assert (job.state, job.retry, job.attempt) == (State.PENDING, 0, 1)
        assert entries() == []

    def test_a_living_process_of_this_machine_keeps_its_jobs(
        self, hub: Hub, program: Any, queue_url: str, database_kind: Kind
    ) -> None:
        """
        On SQLite the lock file decides, since a process cannot prolong beside its own transaction; on
        PostgreSQL the lease does.
        """
        delay(hub, program).nothing()
        hub.queue.claim()
        hub.clock.sleep(61)

        with program.make_hub(queue_url, clock=hub.clock) as other:
            claimed = other.queue.claim()

        assert (claimed is None) == (database_kind == "sqlite")

    def test_signs_of_life_keep_a_slow_job(
        self, databases: Databases, program: Any, queue_tables: Any
    ) -> None:
        """
        PostgreSQL: a job that takes much longer than its lease is left to the worker that is alive.
        """
        with databases.fresh("postgresql", queue_tables) as url, two_hubs(program, url) as (slow, other):
            with slow.env() as env:
                env[program.NAME].with_delay().add_late("a", "sleep")
            awake, claimed = threading.Event(), Probe[Claimed]("job claimed")
            program.DURING["sleep"] = lambda _: awake.wait(20)
            worker = Worker(slow.queue, 1)
            worker.on_claimed = claimed
            with worker:
                claimed.wait()
                pause = threading.Event()
                stolen = [pause.wait(0.05) or other.queue.run_one() for _ in range(20)]
                awake.set()

            job = other.queue.list()[0]
        assert not any(stolen)
        assert (job.state, job.attempt) == (State.DONE, 1)

    def test_a_lost_lease_refuses_the_late_commit(
        self, databases: Databases, program: Any, queue_tables: Any
    ) -> None:
        """
        PostgreSQL: a worker that slept too long finds that another has run its job; one row is there.
        """
        with databases.fresh("postgresql", queue_tables) as url, two_hubs(program, url) as (slow, quick):
            with slow.env() as env:
                ref = env[program.NAME].with_delay().add("a", during="sleep")
            awake, entered = threading.Event(), Probe[int]("job under way")

            def sleep(_: Any) -> None:
                entered(ref.id)
                awake.wait(20)

            program.DURING["sleep"] = sleep
            watcher = Watcher()
            thread = threading.Thread(target=slow.queue.run_one, args=[watcher])
            thread.start()
            entered.wait()
            program.DURING["sleep"] = lambda _: None
            pause = threading.Event()
            taken = any(pause.wait(0.05) or quick.queue.run_one() for _ in range(200))

            awake.set()
            thread.join()

            with quick.env() as env:
                rows = env[program.NAME].search_count()
            job = quick.queue.show(ref.id)
        assert taken
        assert rows == 1
        assert (job.state, job.attempt) == (State.DONE, 2)
        assert [o.state for o in watcher.outcomes] == [None]
        assert "taken over" in watcher.outcomes[0].message


@contextmanager
def two_hubs(program: Any, url: str) -> Iterator[tuple[Hub, Hub]]:
    """Lend two hubs on one database, with leases of a moment."""
    with program.make_hub(url, lease_s=0.3) as first, program.make_hub(url, lease_s=0.3) as second:
        yield first, second
