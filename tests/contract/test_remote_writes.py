"""What sync may rely on at a store whose writes are calls: outcomes, keys, calls counted, change feed."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from isthmus.env import CreateSafety, Env
from isthmus.errors import (
    CredentialsError,
    InvalidDataError,
    IsthmusError,
    MissingRecordError,
    NetworkRetryableError,
    OutsideError,
    PendingWriteError,
    TransactionError,
    UnknownOutcomeError,
)
from isthmus.store.sql import SqlModel
from isthmus.testing import FrozenClock
from isthmus.testing.databases import Databases
from isthmus.testing.envs import Envs
from isthmus.testing.remote_server import RemoteServer
from isthmus.testing.remote_store import RemoteStore

TASK, PROJECT = "project.task", "project.project"


@pytest.fixture
def create_safety() -> str:
    """Overridden where the create safety matters."""
    return "none"


@pytest.fixture
def store(server: RemoteServer) -> Iterator[RemoteStore]:
    """A client of the server."""
    safety = server.records.create_safety
    with RemoteStore(server.url, server.records.store.models(), safety) as opened:
        yield opened


@pytest.fixture
def envs(store: RemoteStore, hub_envs: Callable[..., Envs], clock: FrozenClock) -> Envs:
    """Envs whose project models are remote; the hub's own database has no model but the queue's."""
    return hub_envs(store, clock=clock)


@pytest.fixture
def env(envs: Envs) -> Iterator[Env]:
    """An env over the remote store."""
    with envs.env() as opened:
        yield opened


@pytest.fixture
def clock() -> FrozenClock:
    """The time, on both sides."""
    return FrozenClock()


@pytest.fixture
def server(
    databases: Databases, database_kind: Any, create_safety: str, clock: FrozenClock
) -> Iterator[RemoteServer]:
    """A server whose time stands still."""
    with (
        databases.fresh(database_kind) as url,
        RemoteServer(url, create_safety=create_safety, clock=clock) as running,
    ):
        running.faults.hold_s = 0.1  # then it ends the connection without an answer
        yield running


class TestCalls:
    def test_a_page_of_five_hundred_records_is_one_call(self, env: Env, server: RemoteServer) -> None:
        """
        Read, written, created and looked at one by one: each is a single access.
        """
        made = env[TASK].create([{"name": f"task {n}"} for n in range(500)])
        keys = [task.id for task in made]
        env[TASK].read(keys, ["name"])
        env[TASK].write(keys, {"sequence": 3})
        names = [(task.name, task.sequence) for task in made]

        assert names == [(f"task {n}", 3) for n in range(500)]
        assert server.accesses == {
            ("fields_get", TASK): 1, ("create", TASK): 1, ("read", TASK): 2, ("write", TASK): 1,
        }  # fmt: skip

    def test_walking_over_relations_reads_each_model_once(self, env: Env, server: RemoteServer) -> None:
        """
        Records found together are read together, also when other models are read in between.
        """
        projects = env[PROJECT].create([{"name": "one"}, {"name": "two"}])
        env[TASK].create([{"name": str(n), "project_id": projects[n % 2].id} for n in range(20)])
        server.accesses.clear()

        tasks = env[TASK].search([])
        found = {(task.name, task.project_id.name) for task in tasks}

        assert len(found) == 20
        assert server.accesses["read", TASK] == 1
        assert server.accesses["read", PROJECT] == 2  # each found alone

    def test_what_was_written_is_read_again(self, env: Env) -> None:
        """
        A value known before a write is not trusted after it.
        """
        task = env[TASK].create({"name": "before"})
        assert task.name == "before"

        task.write({"name": "after"})

        assert task.name == "after"

    def test_an_assignment_is_refused(self, env: Env) -> None:
        """
        Code for every store writes by write(); the message says so.
        """
        task = env[TASK].create({"name": "x"})

        with pytest.raises(TransactionError) as caught:
            task.name = "y"

        assert str(caught.value) == (
            f"project.task({task.id}).name cannot be assigned, "
            f"the record lives in store 'remote': use write()"
        )

    def test_the_server_brings_values_into_its_own_form(self, env: Env, clock: FrozenClock) -> None:
        """
        Names are trimmed, instants cut to the second, plain text becomes a paragraph.
        """
        clock.advance(timedelta(microseconds=1500))
        task = env[TASK].create({
            "name": "  padded ", "description": "a < b & c", "date_deadline": clock.now(),
        })  # fmt: skip

        assert task.name == "padded"
        assert task.description == "<p>a &lt; b &amp; c</p>"
        assert task.date_deadline == task.write_date == clock.now().replace(microsecond=0)

    def test_a_call_ends_a_transaction_that_has_only_read(self, envs: Envs) -> None:
        """
        And is refused, naming the write, once something was written.
        """
        with envs.env() as env:
            env.session.connection().exec_driver_sql("SELECT 1")
            env[TASK].search([])
            assert not env.transaction.open
            env.session.execute(SqlModel.metadata.tables["isthmus_lease"].delete())
            env.transaction.mark("write of sale.order")

            with pytest.raises(PendingWriteError) as caught:
                env[TASK].create({"name": "x"})

        assert "cannot create project.task: this transaction has already written" in str(caught.value)

    def test_a_call_in_a_savepoint_is_refused(self, env: Env) -> None:
        """
        The transaction cannot be left there, even if it has only read.
        """
        with pytest.raises(OutsideError) as caught, env.savepoint():
            env[TASK].search([])

        assert str(caught.value) == "cannot search project.task inside a savepoint"


class TestFailures:
    @pytest.mark.parametrize(
        ("fault", "of_a_read", "of_a_write", "applied"),
        [
            ("error_before", NetworkRetryableError, NetworkRetryableError, False),
            ("access", CredentialsError, CredentialsError, False),
            ("timeout_before", NetworkRetryableError, UnknownOutcomeError, False),
            ("timeout_after", NetworkRetryableError, UnknownOutcomeError, True),
            ("reset_before", NetworkRetryableError, UnknownOutcomeError, False),
            ("reset_after", NetworkRetryableError, UnknownOutcomeError, True),
            ("bad_gateway_before", NetworkRetryableError, UnknownOutcomeError, False),
            ("bad_gateway_after", NetworkRetryableError, UnknownOutcomeError, True),
        ],
    )
    def test_a_failure_says_whether_the_outcome_is_known(
        self, env: Env, server: RemoteServer, fault: str, of_a_read: Any, of_a_write: Any, applied: bool
    ) -> None:
        """
        A lost answer to a read is tried again, to a write it is an unknown outcome.
        """
        env[TASK].search_count()  # the description is known now
        for method, expected in (("search", of_a_read), ("create", of_a_write)):
            server.faults.next(fault, method=method)
            with pytest.raises(IsthmusError) as caught:
                env[TASK].create({"name": "x"}) if method == "create" else env[TASK].search([])
            assert type(caught.value) is expected

        assert env[TASK].search_count() == applied
        assert server.faults.fired[fault] == 2

    def test_a_write_may_take_effect_later(self, env: Env, server: RemoteServer, clock: FrozenClock) -> None:
        """
        After its client gave up, with the stamp of its beginning.
        """
        sent = clock.now()
        server.faults.next("late", method="create")
        with pytest.raises(UnknownOutcomeError):
            env[TASK].create({"name": "late"})
        before = env[TASK].search_count()
        clock.advance(timedelta(minutes=1))

        server.faults.release()

        assert before == 0
        assert [task.write_date for task in env[TASK].search([])] == [sent]

    def test_refusals_are_told_apart(self, env: Env) -> None:
        """
        What is missing, what does not fit, and what the database refuses.
        """
        env[TASK].create({"name": "x"})

        with pytest.raises(MissingRecordError):
            env[TASK].write([987], {"name": "y"})
        with pytest.raises(InvalidDataError) as caught:
            env[TASK].create({"name": None})

        assert str(caught.value) == (
            "cannot create project.task: missing required value for the field 'name' of project.task"
        )

    def test_a_plan_does_the_same_for_the_same_seed(self, env: Env, server: RemoteServer) -> None:
        """
        A failing run can be repeated; calls of other methods are left alone.
        """
        runs = []
        for _ in range(2):
            server.faults.obey({"plan": {"seed": 7, "rate": 0.5, "methods": ["search"], "kinds": ["access"]}})
            outcomes = ""
            for _ in range(20):
                try:
                    env[TASK].search([])
                    outcomes += "."
                except CredentialsError:
                    outcomes += "x"
            env[TASK].search_count()
            runs.append(outcomes)

        assert runs[0] == runs[1]
        assert set(runs[0]) == {".", "x"}


@pytest.mark.parametrize("create_safety", ["native_key", "probe", "none"])
class TestCreateSafety:
    def test_a_repeated_create_is_as_safe_as_declared(
        self, env: Env, store: RemoteStore, server: RemoteServer
    ) -> None:
        """
        A native key gives the first record back, a probe finds what was made, none leaves two.
        """
        server.faults.next("timeout_after", method="create")
        values = {"name": "once"}
        with pytest.raises(UnknownOutcomeError):
            store.create_keyed(env, TASK, [values], ["key-1"])

        match store.create_safety:
            case CreateSafety.NATIVE_KEY:
                again = store.create_keyed(env, TASK, [values, {"name": "new"}], ["key-1", "key-2"])
                assert store.find_created(env, TASK, "key-1", values, env.now()) == again[:1]
                assert env[TASK].search_count() == 2
            case CreateSafety.PROBE:
                found = store.find_created(env, TASK, "key-1", values, env.now())
                assert [task.name for task in env[TASK].browse(found)] == ["once"]
                assert store.find_created(env, TASK, "key-9", values, env.now()) == []
                twice = store.create_keyed(env, TASK, [values], ["key-1"])
                assert store.find_created(env, TASK, "key-1", values, env.now()) == found + twice
            case CreateSafety.NONE:
                store.create_keyed(env, TASK, [values], ["key-1"])
                assert env[TASK].search_count() == 2
                with pytest.raises(NotImplementedError):
                    store.find_created(env, TASK, "key-1", values, env.now())

    def test_our_keys_are_told_apart_from_other_records(self, env: Env, store: RemoteStore) -> None:
        """
        A record that somebody else made carries none of our keys.
        """
        ours = store.create_keyed(env, TASK, [{"name": "a"}, {"name": "b"}], ["key-a", "key-b"])
        theirs = env[TASK].create({"name": "c"}).id

        told = store.creation_keys(env, TASK, [*ours, theirs])

        expected = dict(zip(ours, ["key-a", "key-b"], strict=True))
        assert told == ({} if store.create_safety is CreateSafety.NONE else expected)

    def test_a_deleted_record_s_key_is_free(self, env: Env, store: RemoteStore) -> None:
        """
        A key does not outlive its record: a create after the deletion makes a new one.
        """
        (first,) = store.create_keyed(env, TASK, [{"name": "x"}], ["key-1"])
        env[TASK].unlink([first])

        (second,) = store.create_keyed(env, TASK, [{"name": "x"}], ["key-1"])

        assert [task.id for task in env[TASK].search([])] == [second]
        if store.create_safety is not CreateSafety.NONE:
            assert store.find_created(env, TASK, "key-1", {}, env.now()) == [second]


class TestChangeFeed:
    def walk(self, env: Env, store: RemoteStore, mark: Any, limit: int = 3) -> tuple[list[Any], Any]:
        """Read the feed to the end of its walk; the mark goes through JSON."""
        told: list[Any] = []
        while True:
            rows, mark = store.changes(env, TASK, json.loads(json.dumps(mark)), limit, ["name"])
            told += rows
            if len(rows) < limit:
                return told, mark

    def test_every_record_is_told_once_per_walk(
        self, env: Env, store: RemoteStore, clock: FrozenClock
    ) -> None:
        """
        Many in one second, few in others, archived ones too; in the order of their writing.
        """
        for count in (1, 7, 2, 3, 1):
            env[TASK].create([{"name": "x", "active": n % 2 == 0} for n in range(count)])
            clock.advance(timedelta(seconds=1, milliseconds=100))

        told, _ = self.walk(env, store, None)

        assert [row["id"] for row in told] == store.ids(env, TASK)
        assert [row["write_date"] for row in told] == sorted(row["write_date"] for row in told)

    def test_a_later_walk_tells_only_later_changes_and_the_lag_window(
        self, env: Env, store: RemoteStore, clock: FrozenClock
    ) -> None:
        """
        Writes by another client too; what is long known is not told again.
        """
        old = env[TASK].create([{"name": "old"} for _ in range(5)])
        clock.advance(timedelta(minutes=5))
        recent = env[TASK].create({"name": "recent"})
        _, mark = self.walk(env, store, None)
        old[3].write({"name": "written by another"})

        told, mark = self.walk(env, store, mark)
        clock.advance(timedelta(minutes=5))
        quiet, mark = self.walk(env, store, mark)
        silent, _ = self.walk(env, store, mark)

        assert {row["id"] for row in told} == {old[3].id, recent.id}
        assert {row["id"] for row in quiet} == {old[3].id, recent.id}
        assert silent == []

    def test_a_transaction_that_ends_after_later_ones_is_not_lost(
        self, env: Env, store: RemoteStore, server: RemoteServer, clock: FrozenClock
    ) -> None:
        """
        It is stamped with its beginning, which lies before what was told already.
        """
        server.faults.next("late", method="create")
        with pytest.raises(UnknownOutcomeError):
            env[TASK].create({"name": "slow"})
        clock.advance(timedelta(seconds=5))
        env[TASK].create({"name": "quick"})
        told, mark = self.walk(env, store, None)
        server.faults.release()

        later, _ = self.walk(env, store, mark)

        assert len(told) == 1
        assert {row["name"] for row in later} == {"slow", "quick"}

    def test_a_record_written_during_a_walk_is_told_by_it_or_the_next(
        self, env: Env, store: RemoteStore, clock: FrozenClock
    ) -> None:
        """
        A walk is no snapshot, but loses nothing.
        """
        made = env[TASK].create([{"name": "x"} for _ in range(6)])
        clock.advance(timedelta(minutes=10))
        first, mark = store.changes(env, TASK, None, 2, [])
        made[5].write({"name": "moved"})
        made[0].write({"name": "moved"})

        rest, mark = self.walk(env, store, mark, 2)
        following, _ = self.walk(env, store, mark, 2)

        assert {row["id"] for row in first + rest} == {task.id for task in made}
        assert {made[0].id, made[5].id} <= {row["id"] for row in rest + following}

    def test_a_mark_of_now_leaves_out_the_past(
        self, env: Env, store: RemoteStore, clock: FrozenClock
    ) -> None:
        """
        Except for the lag window, in which something may be on its way.
        """
        env[TASK].create({"name": "old"})
        clock.advance(timedelta(minutes=1))
        newest = env[TASK].create({"name": "newest"})

        told, _ = self.walk(env, store, store.mark_now(env, TASK))

        assert [row["id"] for row in told] == [newest.id]

    def test_deletions_show_in_the_walk_over_all_ids(
        self, env: Env, store: RemoteStore, server: RemoteServer
    ) -> None:
        """
        One call, archived records included; what is bound and not in it was deleted.
        """
        made = env[TASK].create([{"name": "x", "active": n != 1} for n in range(4)])
        made[2].unlink()
        server.accesses.clear()

        ids = store.ids(env, TASK)

        assert ids == [made[0].id, made[1].id, made[3].id]
        assert server.accesses == {("search", TASK): 1}

    def test_a_poll_with_nothing_new_is_one_call(
        self, env: Env, store: RemoteStore, server: RemoteServer, clock: FrozenClock
    ) -> None:
        """
        A quiet feed costs one search.
        """
        env[TASK].create({"name": "x"})
        _, mark = self.walk(env, store, None)
        clock.advance(timedelta(minutes=5))
        _, mark = self.walk(env, store, mark)
        server.accesses.clear()

        told, _ = self.walk(env, store, mark)

        assert told == []
        assert server.accesses == {("search_read", TASK): 1}


def test_the_server_runs_in_a_process_of_its_own(databases: Databases, hub_envs: Callable[..., Envs]) -> None:
    """
    As a program that prints its URL, obeys the control routes and ends when it is told to.
    """
    with databases.fresh("sqlite") as url:
        program = [sys.executable, "-m", "isthmus.testing.remote_server", "--database", url]
        with subprocess.Popen(
            [*program, "--create-safety", "probe"], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            where = process.stdout.readline().split()[-1]
            with RemoteStore(where, [TASK, PROJECT], "probe") as store, hub_envs(store).env() as env:
                env[TASK].create({"name": "x"})
                shot = {"next": {"kind": "access", "method": "search"}}
                httpx2.post(f"{where}/_control/faults", json=shot, timeout=5).raise_for_status()
                with pytest.raises(CredentialsError):
                    env[TASK].search([])
                found = env[TASK].search([])
            counts = httpx2.get(f"{where}/_control/accesses", timeout=5).json()
            unknown = httpx2.get(f"{where}/else", timeout=5).status_code
            httpx2.post(f"{where}/_control/stop", json={}, timeout=5)
            ended = process.wait(timeout=10)

    assert len(found) == 1
    assert (counts["create project.task"], counts["search project.task"]) == (1, 2)
    assert (unknown, ended) == (404, 0)
