"""A real scrape over HTTP, read as Prometheus does."""

import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event, insert, update

from isthmus.errors import DatabaseBusyError, UsageError
from isthmus.job import State
from isthmus.job.desk import metrics as module
from isthmus.job.desk.address import Address
from isthmus.job.desk.metrics import MetricsServer, QueueCollector, Reader
from isthmus.job.desk.tally import Tally
from isthmus.job.lane.lanes import Lanes
from isthmus.job.table import CHANNELS, JOBS, SLOTS
from isthmus.settings import JobSettings

ByHand = Any
"""See conftest."""
Samples = dict[tuple[str, tuple[str, ...]], float]


@contextmanager
def serving(collector: QueueCollector) -> Iterator[Callable[[], Samples]]:
    """Serve; gives what a scrape finds, by name and label values."""

    def scrape() -> Samples:
        with urllib.request.urlopen(server.url, timeout=10) as answer:
            text = answer.read().decode()
        return {
            (sample.name, tuple(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    with MetricsServer(collector) as server:
        yield scrape


@pytest.fixture
def reader(by_hand: ByHand) -> Reader:
    """Reads the database."""
    return Reader(by_hand.engine, by_hand.times, Lanes(by_hand.engine, by_hand.times, JobSettings()))


def test_the_queue_is_told_as_the_database_has_it(by_hand: ByHand, reader: Reader) -> None:
    """
    Depth by lane and state, the age of the oldest, places of lanes, workers.
    """
    worker = by_hand.worker(threads=3)
    by_hand.worker(owner="gone:1:1", lease_until=by_hand.clock.now() - timedelta(seconds=1))
    by_hand.jobs(2, channel="root.a", created_at=by_hand.clock.now() - timedelta(seconds=90))
    by_hand.job(channel="root.a", state="started", worker_id=worker)
    by_hand.job(channel="root.b", state="failed")
    with by_hand.engine.begin() as connection:
        connection.execute(insert(CHANNELS).values(name="root.a", capacity=2))
        until = by_hand.clock.now() + timedelta(seconds=60)
        connection.execute(insert(SLOTS).values(channel="root.a", n=1, worker_id=worker, until=until))

    with serving(QueueCollector(reader.read, Tally)) as scrape:
        found = scrape()

    expected = {
        ("isthmus_database_up", ()): 1,
        ("isthmus_jobs", ("root.a", "waiting")): 2,
        ("isthmus_jobs", ("root.a", "running")): 1,
        ("isthmus_jobs", ("root.a", "failed")): 0,
        ("isthmus_jobs", ("root.b", "failed")): 1,
        ("isthmus_oldest_job_age_seconds", ("root.a",)): 90,
        ("isthmus_oldest_job_age_seconds", ("root.b",)): 0,
        ("isthmus_lane_slots_used", ("root.a",)): 1,
        ("isthmus_lane_slots_capacity", ("root.a",)): 2,
        ("isthmus_workers", ("alive",)): 1,
        ("isthmus_workers", ("gone",)): 1,
        ("isthmus_worker_threads", ()): 3,
    }
    assert {key: found[key] for key in expected} == expected


def test_what_the_processes_counted_is_told(reader: Reader) -> None:
    """
    Counters and histograms are those of Prometheus: cumulative ranges, a sum and a count.
    """
    tally = Tally()
    tally.ended("root.a", State.DONE, seconds=0.02)
    tally.ended("root.a", State.FAILED, seconds=20, error_type="builtins.ValueError")
    tally.began(0.002)

    with serving(QueueCollector(reader.read, lambda: tally)) as scrape:
        found = scrape()

    expected = {
        ("isthmus_jobs_finished_total", ("root.a", "done")): 1,
        ("isthmus_jobs_finished_total", ("root.a", "failed")): 1,
        ("isthmus_job_failures_total", ("builtins.ValueError",)): 1,
        ("isthmus_job_seconds_bucket", ("0.01",)): 0,
        ("isthmus_job_seconds_bucket", ("0.025",)): 1,
        ("isthmus_job_seconds_bucket", ("30.0",)): 2,
        ("isthmus_job_seconds_bucket", ("+Inf",)): 2,
        ("isthmus_job_seconds_count", ()): 2,
        ("isthmus_job_seconds_sum", ()): 20.02,
        ("isthmus_job_wait_seconds_bucket", ("0.0025",)): 1,
        ("isthmus_job_wait_seconds_count", ()): 1,
    }
    assert {key: found[key] for key in expected} == expected


def test_the_database_is_asked_once_in_some_seconds(
    by_hand: ByHand, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    However often it is scraped; then a lane that has run empty has 0 and not its last value.
    """
    job = by_hand.job(channel="root.a")
    asked: list[str] = []
    event.listen(by_hand.engine, "before_cursor_execute", lambda _c, _cu, said, *_: asked.append(said))
    with serving(QueueCollector(reader.read, Tally)) as scrape:
        first = scrape()
        count = len(asked)
        scrape()
        again = len(asked) - count
        with by_hand.engine.begin() as connection:
            connection.execute(update(JOBS).where(JOBS.c.id == job).values(state="done"))
        moment = module.time.monotonic() + 6
        monkeypatch.setattr(module.time, "monotonic", lambda: moment)
        last = scrape()

    assert again == 0
    assert first["isthmus_jobs", ("root.a", "waiting")] == 1
    assert last["isthmus_jobs", ("root.a", "waiting")] == 0


def test_counters_are_told_while_the_database_is_away(by_hand: ByHand, reader: Reader) -> None:
    """
    What only the database knows is left out, and that it is away is a value of its own.
    """

    def refuse(*_: Any) -> None:
        raise DatabaseBusyError("the database is away")

    event.listen(by_hand.engine, "before_cursor_execute", refuse)
    with serving(QueueCollector(reader.read, Tally)) as scrape:
        found = scrape()

    assert found["isthmus_database_up", ()] == 0
    assert found["isthmus_job_seconds_count", ()] == 0
    assert "isthmus_jobs" not in {name for name, _ in found}


def test_an_address_in_use_is_refused_in_a_sentence(reader: Reader) -> None:
    """
    It names the address.
    """
    collector = QueueCollector(reader.read, Tally)
    with MetricsServer(collector) as server:
        port = int(server.url.rpartition(":")[2].partition("/")[0])
        with (
            pytest.raises(UsageError, match=rf"--metrics: 127\.0\.0\.1:{port} cannot be listened on"),
            MetricsServer(collector, Address(port=port)),
        ):
            pass


@pytest.mark.parametrize("text", ["", "here", ":9100", "host:", "70000", "host:port", "-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """
    With how one is written.
    """
    with pytest.raises(UsageError, match=r"^--metrics: an address is written like 9100 or 127.0.0.1:9100"):
        Address.read(text, "--metrics")
