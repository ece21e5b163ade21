"""A worker runs jobs in threads, tells of them, and stops when it is told to."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from isthmus.hub import Hub
from isthmus.job import Claimed, Outcome, State, Worker
from isthmus.testing import Probe

QUICK = timedelta(seconds=0.01)


@pytest.fixture
def note_name() -> str:
    """Name of the model."""
    return "unit.job.note"


def test_a_worker_runs_what_comes(hub: Hub, note_name: str) -> None:
    """
    A job that is delayed while the worker waits is run, and observers hear of it.
    """
    claimed, finished = Probe[Claimed]("job claimed"), Probe[Outcome]("job finished")
    worker = Worker(hub.queue, 2)
    worker.on_claimed, worker.on_finished = claimed, finished
    with worker:
        with hub.env() as env:
            ref = env[note_name].with_delay().copy("a")
        heard = claimed.wait().id, finished.wait()

    assert heard == (ref.id, Outcome(ref.id, State.DONE))


def test_timers_are_called_at_the_start_and_again(hub: Hub) -> None:
    """
    One that fails is called again all the same.
    """
    polled = Probe[int]("polled")
    count = iter(range(1_000))

    def poll() -> None:
        polled(next(count))
        raise OSError("no network")

    with Worker(hub.queue, 1, timers=[(QUICK, poll)]):
        heard = [polled.wait() for _ in range(3)]

    assert heard == [0, 1, 2]


def test_a_worker_that_is_stopped_claims_nothing_more(hub: Hub, note_name: str) -> None:
    """
    After join, jobs stay where they are.
    """
    worker = Worker(hub.queue, 2).start()
    worker.stop()
    ended = worker.join(timedelta(seconds=10))
    with hub.env() as env:
        env[note_name].with_delay().copy("a")

    assert ended
    assert hub.queue.counts()[State.PENDING] == 1


def test_join_tells_when_a_job_has_not_ended(hub: Hub, monkeypatch: Any) -> None:
    """
    The caller decides what to do about a job that goes on.
    """
    hanging, let_go = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        let_go.wait(10)

    worker = Worker(hub.queue, 1, timers=[(QUICK, hang)]).start()
    hanging.wait(10)
    worker.stop()
    in_time = worker.join(timedelta(seconds=0.05))
    let_go.set()

    assert not in_time
    assert worker.join()
