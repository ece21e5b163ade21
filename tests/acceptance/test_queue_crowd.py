"""Many worker processes at once: lanes keep their limits, equal jobs stay one, graphs come to their end."""

import random
from collections.abc import Iterator
from pathlib import Path

import crowd
import pytest
from crowd import NAME, SEED, all_done, begun, crew, most_at_once, texts

from isthmus.hub import Hub
from isthmus.job import State, chain, group
from isthmus.testing import Databases
from isthmus.testing.databases import Kind
from isthmus.testing.waiting import until


@pytest.fixture
def url(databases: Databases, database_kind: Kind) -> Iterator[str]:
    """A database with the schema of this commit, once of each kind."""
    with databases.fresh(database_kind, crowd.migrate) as made:
        yield made


@pytest.fixture
def hub(url: str) -> Iterator[Hub]:
    """A hub of the test's own process."""
    with crowd.make_hub(url) as made:
        yield made


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where jobs tell when they begin and end."""
    return tmp_path / "log"


class TestLanes:
    @pytest.mark.parametrize("lanes", [["a"], ["a.x", "a.y"]], ids=["one lane", "lanes below one"])
    @pytest.mark.parametrize("count", [60, pytest.param(2_000, marks=pytest.mark.chaos)])
    def test_eight_processes_never_pass_a_capacity(
        self, hub: Hub, url: str, log: Path, lanes: list[str], count: int
    ) -> None:
        """
        Of eight processes two run jobs of a lane of two, or of those below it, also when one is killed.
        """
        dying = set(random.Random(SEED).sample(range(count // 2), 2))
        with hub.env() as env:
            for number in range(count):
                model = env[NAME].with_delay(channel=lanes[number % len(lanes)])
                model.take_part(str(log), str(number), dies=number in dying)
        with crew(url, 8, channels={"a": {"capacity": 2}}):
            until(all_done(hub, count), "all jobs are done", 60 + count / 4)

        lines = log.read_text().splitlines()
        assert most_at_once(lines) == 2
        assert len(begun(lines)) == count + len(dying)
        assert set(begun(lines)) == {str(number) for number in range(count)}

    @pytest.mark.parametrize("count", [40, pytest.param(1_000, marks=pytest.mark.chaos)])
    def test_a_sequential_lane_keeps_its_order(self, hub: Hub, url: str, log: Path, count: int) -> None:
        """
        Eight processes run its jobs one by one as they were delayed; one that was killed is first again.
        """
        with hub.env() as env:
            for number in range(count):
                model = env[NAME].with_delay(channel="a")
                model.take_part(str(log), str(number), dies=number == count // 2)
        with crew(url, 8, channels={"a": {"sequential": True}}):
            until(all_done(hub, count), "all jobs are done", 60 + count / 2)

        lines = log.read_text().splitlines()
        half = count // 2
        assert most_at_once(lines) == 1
        assert [int(name) for name in begun(lines)] == [*range(half + 1), *range(half, count)]


class TestIdentity:
    @pytest.mark.parametrize("turns", [13, pytest.param(125, marks=pytest.mark.chaos)])
    def test_equal_jobs_delayed_in_opposite_orders_are_one(self, hub: Hub, url: str, turns: int) -> None:
        """
        Four processes delay a hundred different jobs again and again, half of them from the end: each is
        there once, and nobody gets an error.
        """
        crowd.delay_equal_jobs(url, 4, turns)

        keys = [job.identity_key for job in hub.queue.list(limit=1_000)]
        assert turns * 4 * crowd.KEYS_AT_ONCE >= (1_000 if turns == 13 else 10_000)
        assert sorted(map(str, keys)) == crowd.KEYS

    @pytest.mark.parametrize("turns", [13, pytest.param(125, marks=pytest.mark.chaos)])
    def test_equal_jobs_that_come_and_go_are_no_error(self, hub: Hub, url: str, turns: int) -> None:
        """
        The same while workers run the jobs: nobody who delays gets an error, and each job is done, or gave
        way to an equal one that is: behind one that took long it was given back, and its key was taken.
        """
        with crew(url, 2):
            crowd.delay_equal_jobs(url, 4, turns)
            # What is claimed and not begun when a worker ends is given back.
            until(lambda: not open_jobs(hub), "every job has ended")

        jobs = {job.id: job for job in hub.queue.list(limit=turns * 4 * crowd.KEYS_AT_ONCE)}
        assert sum(hub.queue.counts().values()) == len(jobs)
        assert {job.state for job in jobs.values()} <= {State.DONE, State.CANCELLED}
        for job in jobs.values():
            last = job
            while last.state == State.CANCELLED:
                last = jobs[last.superseded_by or 0]
            assert last.identity_key == job.identity_key


class TestBatches:
    def test_a_deadly_job_in_a_batch_is_charged_alone(self, hub: Hub, url: str) -> None:
        """
        It takes three processes with it: with its batch, and by itself as often as it may; those that
        shared its transaction are done once, and at no cost.
        """
        with hub.env() as env:
            late = env[NAME].with_delay(max_retries=2)
            refs = [late.small_or_deadly(str(number), number == 30) for number in range(60)]
        with crew(url, 5):
            until(lambda: hub.queue.counts()[State.FAILED] == 1, "the deadly one has failed")
            until(all_done(hub, 59), "the others are done")

        jobs = {ref.id: hub.queue.show(ref.id or 0) for ref in refs}
        deadly = jobs.pop(refs[30].id)
        assert (deadly.rescues, deadly.error) == (
            2, "its worker ended, or gave no sign, while running it (2 times)",
        )  # fmt: skip
        assert {(job.state, job.retry, job.rescues) for job in jobs.values()} == {("done", 0, 0)}
        assert texts(hub) == dict.fromkeys([str(n) for n in range(60) if n != 30], 1)


class TestGraphs:
    def test_a_graph_goes_on_after_a_failure_and_a_killed_worker(
        self, hub: Hub, url: str, tmp_path: Path
    ) -> None:
        """
        One in the middle fails and is retried by hand, another takes its worker with it: what was done is
        not done again, what waits runs after them, and what watches a failure runs.
        """
        failing, dying = tmp_path / "failing", tmp_path / "dying"
        failing.write_text("fail")
        dying.write_text("die")
        with hub.env() as env:
            call = env[NAME].delayable
            middle = call().step("b", str(failing)).on_failure(call().step("alarm"))
            refs = chain(
                call().step("a"), group(middle, call().step("c", str(dying)), call().step("d")),
                call().step("e", str(dying)), group(call().step("f"), call().step("g")),
            ).delay()  # fmt: skip
        with crew(url, 3):
            until(lambda: texts(hub).keys() >= {"alarm", "c", "d"}, "all but the failing branch is done")
            stopped = [hub.queue.show(ref.id or 0).state for ref in refs]
            failing.unlink()
            dying.write_text("die")
            failed = hub.queue.list(state=State.FAILED)
            hub.queue.retry(job.id for job in failed)
            until(lambda: texts(hub).keys() >= {"f", "g"}, "the graph is done")

        assert State.WAIT_DEPENDENCIES in stopped
        assert [job.error for job in failed] == ["b has trouble"]
        assert texts(hub) == dict.fromkeys(["a", "alarm", "b", "c", "d", "e", "f", "g"], 1)
        assert not hub.queue.list(state=State.WAIT_DEPENDENCIES)
        rescues = [job.rescues for job in hub.queue.list(method="step")]
        assert sorted(rescues) == [0] * 6 + [1, 1]

    @pytest.mark.parametrize("size", [10, pytest.param(1_000, marks=pytest.mark.chaos)])
    def test_a_large_graph_comes_to_its_end(self, hub: Hub, url: str, size: int) -> None:
        """
        A hundred jobs for each of so many stages that wait for each other, with two processes.
        """
        with hub.env() as env:
            call = env[NAME].delayable
            stages = [group(call().small(f"{n} {m}") for m in range(100)) for n in range(size)]
            chain(*stages).delay()
            count = 100 * size
        with crew(url, 2):
            until(lambda: rows_of(hub) == count, "every job has written its row", 60 + size)
            until(lambda: not hub.queue.counts()[State.STARTED], "the last one is done")

        with hub.env(readonly=True) as env:
            rows = [int(entry.text.split()[0]) for entry in env[NAME].search(order="id")]
        assert rows == [n for n in range(size) for _ in range(100)]
        assert texts(hub).most_common(1)[0][1] == 1
        assert set(filter(hub.queue.counts().get, hub.queue.counts())) == {State.DONE}


def open_jobs(hub: Hub) -> int:
    """Count the jobs that are to be run or are running."""
    counts = hub.queue.counts()
    return counts[State.PENDING] + counts[State.STARTED]


def rows_of(hub: Hub) -> int:
    """Count the rows that jobs have written."""
    with hub.env(readonly=True) as env:
        return int(env[NAME].search_count())


class TestTurns:
    def test_an_urgent_job_overtakes_inside_its_lane(self, hub: Hub, url: str, log: Path) -> None:
        """
        Delayed while two processes are at a long line of slow jobs, it begins after at most the one that
        each of them has claimed already.
        """
        with hub.env() as env:
            for number in range(60):
                env[NAME].with_delay(channel="a").take_part(str(log), str(number), seconds=0.04)
        with crew(url, 2):
            until(lambda: log.exists() and "begin 9" in log.read_text(), "both are at it")
            with hub.env() as env:
                env[NAME].with_delay(channel="a", priority=0).take_part(str(log), "urgent")
            crowd.note(str(log), "told")
            until(all_done(hub, 61), "all jobs are done")

        lines = log.read_text().splitlines()
        urgent, told = lines.index("begin urgent"), lines.index("told")
        assert len(begun(lines[told:urgent])) <= 2
        assert len(begun(lines[urgent:])) > 20

    @pytest.mark.parametrize("lane", ["a", "z"])
    @pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.chaos)])
    def test_one_job_beside_many_of_another_lane_begins_within_two_claims(
        self, hub: Hub, lane: str, count: int
    ) -> None:
        """
        Lanes take turns, however long one is, and wherever it stands in the alphabet.
        """
        with hub.env() as env:
            env[NAME].with_delay(channel="m").nothing.map([()] * count)
        for _ in range(5):
            hub.queue.run(hub.queue.claim())
        with hub.env() as env:
            ref = env[NAME].with_delay(channel=lane, priority=99).nothing()

        claims = [hub.queue.claim() for _ in range(2)]

        assert ref.id in [job.id for claim in claims if claim is not None for job in claim.all]
