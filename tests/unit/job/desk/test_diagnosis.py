"""What keeps jobs from being run is said in words, each with its remedy."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from isthmus.job.desk.diagnosis import Diagnosis, Problem
from isthmus.job.lane.lanes import Lanes
from isthmus.job.table import CHANNELS, SLOTS
from isthmus.settings import JobSettings

ByHand = Any
"""See conftest."""
LEASE = timedelta(seconds=60)


@pytest.fixture
def problems(by_hand: ByHand) -> Callable[[], list[Problem]]:
    """Asks what is wrong."""

    def ask() -> list[Problem]:
        lanes = Lanes(by_hand.engine, by_hand.times, JobSettings())
        return Diagnosis(by_hand.engine, by_hand.times, lanes, LEASE).problems()

    return ask


def channel(by_hand: ByHand, name: str, **values: Any) -> None:
    """Set something for a lane."""
    with by_hand.engine.begin() as connection:
        connection.execute(insert(CHANNELS).values(name=name, **values))


Ask = Callable[[], list[Problem]]


def test_a_queue_that_works_has_no_problems(by_hand: ByHand, problems: Ask) -> None:
    """
    Jobs that wait for a live worker, in a lane with free places, will be run.
    """
    by_hand.worker()
    channel(by_hand, "root.a", capacity=1)
    by_hand.job(channel="root.a")
    by_hand.job(state="failed")

    assert problems() == []


def test_an_idle_queue_needs_no_worker(by_hand: ByHand, problems: Ask) -> None:
    """
    Without jobs nothing is kept waiting.
    """
    by_hand.job(state="done")

    assert problems() == []


def test_without_any_worker_nothing_runs(by_hand: ByHand, problems: Ask) -> None:
    """
    All that wait are counted, and the one that was there last is named.
    """
    by_hand.worker(host="shop", pid=17)
    by_hand.clock.advance(timedelta(minutes=5))
    by_hand.jobs(2)

    assert [str(problem) for problem in problems()] == [
        "no worker is running (the last, shop:17, gave its last sign 5 min ago), 2 jobs wait: isthmus worker"
    ]


def test_workers_that_stop_take_nothing_more(by_hand: ByHand, problems: Ask) -> None:
    """
    They are named.
    """
    by_hand.worker(host="shop", pid=17, leaving=True)
    by_hand.job()

    assert [str(problem) for problem in problems()] == [
        "every worker is about to stop (shop:17), 1 job waits: isthmus worker"
    ]


def test_a_paused_lane_is_named_once_for_all_below_it(by_hand: ByHand, problems: Ask) -> None:
    """
    The jobs of the lanes below count together.
    """
    by_hand.worker()
    channel(by_hand, "root.shop", paused=True)
    by_hand.jobs(2, channel="root.shop.import")
    by_hand.job(channel="root.shop")

    assert problems() == [
        Problem(
            code="paused",
            message="lane root.shop is paused, 3 jobs wait",
            remedy="isthmus channel set root.shop --no-paused",
            lane="root.shop",
            jobs=3,
        )
    ]


def test_a_lane_full_of_a_dead_worker_s_jobs_says_when_it_is_free(by_hand: ByHand, problems: Ask) -> None:
    """
    A lane that is full of a live worker's jobs is at work, and told of in no word.
    """
    now = by_hand.clock.now()
    dead = by_hand.worker(owner="x:1:1", host="old", pid=3, lease_until=now)
    live = by_hand.worker(owner="y:2:2")
    for lane, worker in (("root.a", dead), ("root.b", live)):
        channel(by_hand, lane, capacity=1)
        by_hand.job(channel=lane)
        with by_hand.engine.begin() as connection:
            until = now + timedelta(seconds=20)
            connection.execute(insert(SLOTS).values(channel=lane, n=1, worker_id=worker, until=until))

    (told,) = map(str, problems())
    assert told == (
        "lane root.a is full: 1 of its 1 places are held for a worker that is gone (old:3), until its lease "
        "runs out in 20 s at the latest, 1 job waits"
    )


def test_a_sequential_lane_names_the_job_that_blocks_it(by_hand: ByHand, problems: Ask) -> None:
    """
    A failed one needs a person; one that is tried again later needs time.
    """
    by_hand.worker()
    channel(by_hand, "root.a", sequential=True)
    channel(by_hand, "root.b", sequential=True)
    failed = by_hand.job(channel="root.a", state="failed")
    later = by_hand.job(channel="root.b", attempt=1, eta=by_hand.clock.now() + timedelta(minutes=3))
    by_hand.jobs(2, channel="root.a")
    by_hand.job(channel="root.b")

    first, second = map(str, problems())
    assert first == (
        f"lane root.a is sequential and its job {failed} has failed, 2 jobs wait: "
        f"isthmus jobs retry {failed}, or cancel or done in place of retry"
    )
    assert second == (
        f"lane root.b is sequential and its job {later} is tried again first, in 3 min, 2 jobs wait: "
        f"isthmus jobs retry {later} tries it now"
    )


def test_a_throttled_lane_says_when_it_goes_on(by_hand: ByHand, problems: Ask) -> None:
    """
    A wait of some seconds is not worth a word.
    """
    now = by_hand.clock.now()
    by_hand.worker()
    channel(by_hand, "root.slow", throttle_s=600, next_start_at=now + timedelta(minutes=9))
    channel(by_hand, "root.quick", throttle_s=1, next_start_at=now + timedelta(seconds=1))
    by_hand.job(channel="root.slow")
    by_hand.job(channel="root.quick")

    (told,) = map(str, problems())
    assert told == (
        "lane root.slow begins one job in 10 min, the next in 9 min, 1 job waits: "
        "isthmus channel set root.slow --throttle 0 if that is too slow"
    )


def test_a_lane_that_no_worker_takes_is_named(by_hand: ByHand, problems: Ask) -> None:
    """
    With the lanes that the workers do take.
    """
    by_hand.worker(channels="root.mail,root.shop")
    by_hand.job(channel="root.shop.import")
    by_hand.job(channel="root.other")

    (told,) = map(str, problems())
    assert told == (
        "no worker takes lane root.other, they take only root.mail, root.shop, 1 job waits: "
        "isthmus worker --channels root.other"
    )


def test_a_worker_that_gives_no_sign_is_told_of(by_hand: ByHand, problems: Ask) -> None:
    """
    With what it was running and when that is taken back.
    """
    silent = by_hand.worker(owner="x:1:1", host="far", pid=5)
    by_hand.job(state="started", worker_id=silent)
    by_hand.clock.advance(timedelta(seconds=50))
    by_hand.worker(owner="y:2:2")

    assert [str(problem) for problem in problems()] == [
        "worker far:5 has given no sign for 50 s; what it was running (1) is taken back in 10 s at the latest"
    ]


def test_jobs_that_wait_for_a_failed_one_are_counted(by_hand: ByHand, problems: Ask) -> None:
    """
    Also those behind a join, which is itself nobody's job, and those that wait for what waits.
    """
    by_hand.worker()
    parent = by_hand.job(state="failed", graph_id=1)
    waiting = {"state": "wait_dependencies", "graph_id": 1, "waits": 1}
    join = by_hand.job(model="isthmus.job", method="join", **waiting)
    first, second, last = by_hand.jobs(3, **waiting)
    for before, after in ((parent, join), (join, first), (join, second), (second, last)):
        by_hand.edge(before, after)

    (told,) = map(str, problems())
    assert told == (
        f"3 jobs wait for job {parent}, which has failed: isthmus jobs retry {parent}, "
        "or done or cancel in place of retry"
    )


def test_of_many_failed_parents_some_are_named(by_hand: ByHand, problems: Ask) -> None:
    """
    The rest is a number.
    """
    by_hand.worker()
    child = by_hand.job(state="wait_dependencies", graph_id=1, waits=7)
    for _ in range(7):
        by_hand.edge(by_hand.job(state="failed", graph_id=1), child)

    told = problems()

    assert len(told) == 6
    assert str(told[-1]) == "jobs wait for 2 more that have failed: isthmus jobs list --state failed"
