"""Small jobs that share a transaction are each done exactly once, whatever happens to one of them."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, update

from isthmus.env import ModelExtension
from isthmus.errors import JobTimeoutError
from isthmus.hub import Hub
from isthmus.job import Outcome, State, job
from isthmus.job.claimed import Group
from isthmus.job.table import WORKERS
from isthmus.settings import JobSettings, Settings
from isthmus.testing.databases import Kind

NAME = "contract.queue.entry"
During = dict[str, Callable[[Any], Any]]
DURING: During = {}
RUNS: Counter[str] = Counter()
"""How often each job was begun."""


class BatchJobs(ModelExtension):
    """Small jobs."""

    _inherit = NAME

    @job(batch=10)
    def pack(self, text: str, during: str = "") -> str:
        """Do something, then write a row."""
        RUNS[text] += 1
        if during:
            DURING[during](self)
        values = {"text": text, "user": self.env.user, "run": self.env.run_id, "job": self.env.job_id}
        self.env[NAME].create(values)
        return text

    @job(batch=10)
    def pack_nothing(self, text: str) -> None:
        """Leave the env alone, unless it is told otherwise."""
        RUNS[text] += 1
        if text in DURING:
            DURING[text](self)

    @job(batch=10, timeout=0.02)
    def pack_in_time(self, text: str, during: str = "") -> None:
        """Do something that may take long, then write a row."""
        RUNS[text] += 1
        if during:
            DURING[during](self)
        self.env[NAME].create({"text": text})


@pytest.fixture
def during() -> Iterator[During]:
    """What jobs do, by the name that they are given."""
    RUNS.clear()
    yield DURING
    DURING.clear()


@pytest.fixture
def hub(queue_url: str, program: Any, during: During) -> Iterator[Hub]:
    """A hub with the jobs of these tests."""
    settings = Settings(database_url=queue_url, plugins=(), models=(), job=JobSettings())
    extensions = [program.EntryJobs, BatchJobs]
    with Hub(settings, plugins=[], models={NAME: program.Entry}, extensions=extensions) as made:
        # As after several quick jobs, when a claim takes ten.
        made.queue.claimer._size = 1
        yield made


def delay(hub: Hub, method: str, calls: dict[str, str], **options: Any) -> dict[str, int]:
    """Delay calls by their texts, each with what it does meanwhile; gives the jobs' numbers."""
    with hub.env(user="anna", run_id="run-1") as env:
        late = getattr(env[NAME].with_delay(**options), method)
        refs = {text: late(text, *([what] if what else [])) for text, what in calls.items()}
    return {text: int(ref.id) for text, ref in refs.items()}


def claim(hub: Hub, count: int) -> Group:
    """Claim so many jobs at once."""
    # Also when this machine was slow at those before.
    hub.queue.claimer._size = 1
    group = hub.queue.claim()
    assert group is not None
    assert len(group) == count
    return group


def rows(hub: Hub) -> list[str]:
    """Read the rows that jobs have written."""
    with hub.env(readonly=True) as env:
        return [str(entry.text) for entry in env[NAME].search(order="id")]


def states(outcomes: list[Outcome]) -> dict[int, State | None]:
    """Tell how jobs ended."""
    return {outcome.job_id: outcome.state for outcome in outcomes}


def lose(hub: Hub) -> None:
    """Let the started jobs look like those of a process that died."""
    gone = f"{str(hub.owner).partition(':')[0]}:1:0123456789abcdef"
    with hub.engine.begin() as connection:
        connection.execute(update(WORKERS).values(owner=gone))


LETTERS = "abcdefghij"
ALL = dict.fromkeys(LETTERS, "")


class TestStopped:
    def test_a_batch_that_is_stopped_before_it_has_an_env_does_not_begin(self, hub: Hub) -> None:
        """
        Its first use of the env raises; what was stopped is tried alone, each with its own time.
        """
        numbers = delay(hub, "pack", dict.fromkeys("abc", ""))
        group = hub.queue.claim()
        assert group is not None
        runner = hub.queue.runner
        told: list[int] = []

        @contextmanager
        def stop_the_first(**options: Any) -> Iterator[Any]:
            if not told:
                (execution,) = runner.executions.values()
                told.append(len(execution.jobs))
                execution.stop(JobTimeoutError("it took too long"))
            with hub.env(**options) as env:
                yield env

        runner._make_env = stop_the_first
        outcomes = hub.queue.run(group)

        assert told == [3]
        assert RUNS == {"a": 2, "b": 1, "c": 1}
        assert states(outcomes) == dict.fromkeys(numbers.values(), State.DONE)
        assert rows(hub) == ["a", "b", "c"]


class TestTogether:
    def test_jobs_of_one_function_share_a_transaction(self, hub: Hub) -> None:
        """
        Ten jobs with a row each are one commit; each runs as who delayed it and under its own number.
        """
        numbers = delay(hub, "pack", ALL)
        commits: list[Any] = []
        group = claim(hub, 10)
        note = commits.append
        event.listen(hub.engine, "commit", note)

        outcomes = hub.queue.run(group)

        event.remove(hub.engine, "commit", note)
        with hub.env() as env:
            found = [(e.text, e.user, e.run, e.job) for e in env[NAME].search(order="id")]
        assert len(commits) == 1
        assert found == [(text, "anna", "run-1", str(number)) for text, number in numbers.items()]
        assert states(outcomes) == dict.fromkeys(numbers.values(), State.DONE)
        assert {hub.queue.show(number).result for number in numbers.values()} == {f'"{n}"' for n in LETTERS}

    def test_only_jobs_that_use_their_env_beside_a_failure_cost_a_savepoint(
        self, hub: Hub, during: During, database_kind: Kind
    ) -> None:
        """
        Ten jobs that need no database are ended by one statement, and so they are when one of them reads;
        when another one fails, the one that reads has a savepoint.
        """
        said: list[str] = []

        def note(*arguments: Any) -> None:
            said.append(arguments[2].partition(" SET ")[0])

        def savepoints() -> int:
            return sum("SAVEPOINT isthmus_part" in statement for statement in said)

        during["c"] = lambda self: self.env[NAME].search_count()
        during["y"] = lambda _: 1 / 0
        event.listen(hub.engine, "before_cursor_execute", note)
        counts = []
        for texts in (LETTERS.replace("c", "x"), LETTERS, LETTERS.replace("d", "y")):
            delay(hub, "pack_nothing", dict.fromkeys(texts, ""))
            group = claim(hub, 10)
            said.clear()
            hub.queue.run(group)
            counts.append((sum("UPDATE isthmus_job" in statement for statement in said), savepoints()))
        event.remove(hub.engine, "before_cursor_execute", note)

        # On PostgreSQL savepoints go to the driver itself, where this does not hear of them.
        assert counts[:2] == [(1, 0), (1, 0)]
        assert counts[2][1] == (1 if database_kind == "sqlite" else 0)

    def test_jobs_of_others_do_not_share_it(self, hub: Hub) -> None:
        """
        Jobs of another user in the same claim run as that user.
        """
        delay(hub, "pack", dict.fromkeys("abc", ""))
        with hub.env(user="bert") as env:
            env[NAME].with_delay().pack("d")
        delay(hub, "pack", dict.fromkeys("ef", ""))

        hub.queue.run_pending()

        with hub.env() as env:
            users = [(entry.text, entry.user) for entry in env[NAME].search(order="text")]
        assert users == [(text, "bert" if text == "d" else "anna") for text in "abcdef"]

    def test_jobs_that_a_failing_one_delayed_are_not_delayed(self, hub: Hub, during: During) -> None:
        """
        They go with its savepoint; those of the others stay.
        """

        def more(self: Any) -> None:
            self.env[NAME].with_delay().pack("more")

        def more_and_fail(self: Any) -> None:
            self.env[NAME].with_delay().pack("never")
            raise ValueError("no such list")

        during["more"], during["fail"] = more, more_and_fail
        delay(hub, "pack", {"a": "more", "b": "fail", "c": ""})

        hub.queue.run_pending()

        assert sorted(rows(hub)) == ["a", "c", "more"]


class TestTrouble:
    def test_one_that_fails_takes_no_other_with_it(self, hub: Hub, during: During) -> None:
        """
        It is run again beside the others, each kept apart now, and alone, where it fails.
        """
        during["fail"] = lambda _: 1 / 0
        numbers = delay(hub, "pack", ALL | {"d": "fail"})

        outcomes = hub.queue.run(claim(hub, 10))

        done = [text for text in LETTERS if text != "d"]
        assert rows(hub) == done
        assert states(outcomes) == {n: State.FAILED if t == "d" else State.DONE for t, n in numbers.items()}
        assert hub.queue.show(numbers["d"]).error_type == "ZeroDivisionError"
        assert Counter(LETTERS) + Counter("abc") + Counter("dd") == RUNS

    def test_one_whose_write_is_refused_takes_no_other_with_it(self, hub: Hub, during: During) -> None:
        """
        Where the database refuses a row, the transaction is lost; each job is run by itself then.
        """

        def clash(self: Any) -> None:
            self.env[NAME].create([{"id": 7_001, "text": "twin"}, {"id": 7_001, "text": "twin"}])

        during["clash"] = clash
        numbers = delay(hub, "pack", ALL | {"d": "clash"})

        outcomes = hub.queue.run(claim(hub, 10))

        assert sorted(rows(hub)) == [text for text in LETTERS if text != "d"]
        assert states(outcomes) == {n: State.FAILED if t == "d" else State.DONE for t, n in numbers.items()}

    def test_a_commit_that_fails_lets_each_run_alone(self, hub: Hub, during: During) -> None:
        """
        Nothing of the ten was committed, so each runs again, and is there once.
        """

        def fail_once() -> None:
            during["spoil"] = lambda _: None
            raise ConnectionError("cut off")

        during["spoil"] = lambda self: self.env.before_commit(fail_once)
        numbers = delay(hub, "pack", ALL | {"d": "spoil"})

        outcomes = hub.queue.run(claim(hub, 10))

        assert rows(hub) == list(LETTERS)
        assert states(outcomes) == dict.fromkeys(numbers.values(), State.DONE)
        assert dict.fromkeys(LETTERS, 2) == RUNS

    @pytest.mark.parametrize("method", ["pack", "pack_nothing"])
    def test_one_that_is_cancelled_meanwhile_leaves_nothing(
        self, hub: Hub, during: During, method: str
    ) -> None:
        """
        It stays cancelled, the others are done once.
        """
        numbers: dict[str, int] = {}

        def cancel(_: Any) -> None:
            # Before the first use of the env: on SQLite nobody else could write after it.
            if hub.queue.show(numbers["d"]).state == State.STARTED:
                hub.queue.cancel([numbers["d"]], by="anna")

        during["cancel"] = during["a"] = cancel
        numbers |= delay(hub, method, ALL | ({"a": "cancel"} if method == "pack" else {}))

        outcomes = hub.queue.run(claim(hub, 10))

        assert states(outcomes) == {n: None if t == "d" else State.DONE for t, n in numbers.items()}
        assert hub.queue.show(numbers["d"]).state == State.CANCELLED
        assert rows(hub) == ([] if method == "pack_nothing" else [t for t in LETTERS if t != "d"])

    def test_one_that_leaves_the_transaction_is_run_alone(self, hub: Hub, during: During) -> None:
        """
        In a batch that is not possible; by itself it is.
        """
        outside: list[str] = []

        def leave(self: Any) -> None:
            with self.env.outside():
                outside.append("outside")

        during["leave"] = leave
        numbers = delay(hub, "pack", ALL | {"d": "leave"})

        outcomes = hub.queue.run(claim(hub, 10))

        assert outside == ["outside"]
        assert sorted(rows(hub)) == list(LETTERS)
        assert states(outcomes) == dict.fromkeys(numbers.values(), State.DONE)
        assert Counter(LETTERS) + Counter("abc") + Counter("dd") == RUNS

    def test_one_that_takes_too_long_fails_alone(self, hub: Hub, during: During) -> None:
        """
        The batch may take as long as its jobs together; then each is run alone, with its own limit.
        """

        def until_told(_: Any) -> None:
            pause = threading.Event()
            (execution,) = hub.queue.runner.executions.values()
            while execution.stopped is None:
                pause.wait(0.005)
                hub.queue.watch.look()

        during["dawdle"] = until_told
        numbers = delay(hub, "pack_in_time", {"a": "", "b": "dawdle", "c": ""})

        outcomes = hub.queue.run(claim(hub, 3))

        assert states(outcomes) == {n: State.FAILED if t == "b" else State.DONE for t, n in numbers.items()}
        assert sorted(rows(hub)) == ["a", "c"]

    def test_of_a_batch_whose_worker_died_the_poison_alone_is_charged(self, hub: Hub) -> None:
        """
        After a death nobody knows which it was: each runs alone, so the next death tells.
        """
        numbers = delay(hub, "pack", ALL, max_retries=2)
        poison = numbers["d"]
        claim(hub, 10)
        lose(hub)
        deaths = 0
        while (group := hub.queue.claim(one=True)) is not None:
            if [job.id for job in group.all] == [poison]:
                deaths += 1
                lose(hub)
            else:
                hub.queue.run(group)

        found = {text: hub.queue.show(number) for text, number in numbers.items()}
        assert deaths == 2
        assert (found["d"].state, found["d"].rescues) == (State.FAILED, 2)
        assert {(job.state, job.retry, job.rescues) for t, job in found.items() if t != "d"} == {
            ("done", 0, 0)
        }
        assert sorted(rows(hub)) == [text for text in LETTERS if text != "d"]
