"""People and workers at the same jobs at the same time, on both databases."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select, update

from isthmus.hub import Hub
from isthmus.job import State, Worker
from isthmus.job.desk.desk import Changed
from isthmus.job.desk.selection import Selection
from isthmus.job.table import JOBS


@pytest.fixture
def hub(queue_url: str, program: Any) -> Iterator[Hub]:
    """A hub with the tests' model."""
    with program.make_hub(queue_url) as made:
        yield made


@pytest.fixture
def write(hub: Hub, program: Any) -> Callable[..., None]:
    """Writes like jobs by hand."""

    def write(count: int, **values: Any) -> None:
        row = {
            "model": program.NAME, "method": "nothing", "payload": '{"args":[],"kwargs":{}}', "ctx": "{}",
            "user_name": "anna", "run_id": "r", "description": "Nothing", "created_at": datetime.now(UTC),
        }  # fmt: skip
        with hub.engine.begin() as connection:
            connection.execute(insert(JOBS), [row | values] * count)

    return write


def count(hub: Hub, state: State) -> int:
    """Count jobs."""
    with hub.engine.begin() as connection:
        return connection.scalar(select(func.count()).where(JOBS.c.state == state.value)) or 0


def test_several_people_change_the_same_jobs(hub: Hub, write: Callable[..., None]) -> None:
    """
    Each job is changed by one of them, nobody waits for another's lock for long, and no error comes up.
    """
    write(1_200, state="failed")

    def retry(_: int) -> Changed:
        return hub.queue.desk.retry_selected(Selection(states=[State.FAILED]))

    with ThreadPoolExecutor(4) as threads:
        changed = list(threads.map(retry, range(4)))

    left = count(hub, State.FAILED)
    assert sum(one.count for one in changed) + left == 1_200
    assert count(hub, State.PENDING) == 1_200 - left


def test_jobs_are_cancelled_under_a_worker_s_hands(hub: Hub, write: Callable[..., None]) -> None:
    """
    Every job is either done or cancelled, and as many are cancelled as was said.
    """
    write(600)
    meant = Selection(states=[State.PENDING, State.STARTED])
    ended = threading.Event()

    with Worker(hub.queue, 2) as worker:
        worker.on_finished = lambda _: ended.set()
        ended.wait(10)
        said = 0
        while count(hub, State.PENDING) + count(hub, State.STARTED):
            said += hub.queue.desk.cancel_selected(meant, by="anna").count

    assert count(hub, State.CANCELLED) == said
    assert count(hub, State.DONE) == 600 - said


def test_a_worker_removes_what_ended_long_ago(hub: Hub, write: Callable[..., None]) -> None:
    """
    By itself, and only that.
    """
    long_ago = datetime.now(UTC) - timedelta(days=31)
    write(3, state="done", finished_at=long_ago)
    write(1, state="done", finished_at=datetime.now(UTC))
    write(1, state="failed", finished_at=long_ago)
    removed = threading.Event()

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE FROM isthmus_job "):
            removed.set()

    event.listen(hub.engine, "after_cursor_execute", hear)
    with Worker(hub.queue, 1):
        heard = removed.wait(30)

    assert heard
    assert (count(hub, State.DONE), count(hub, State.FAILED)) == (1, 1)


def test_a_retried_job_wakes_an_idle_worker(hub: Hub, write: Callable[..., None]) -> None:
    """
    It is run at once although nothing new was delayed.
    """
    write(1, state="failed")
    done = threading.Event()

    with Worker(hub.queue, 1) as worker:
        worker.on_finished = lambda _: done.set()
        hub.queue.desk.retry_selected(Selection(states=[State.FAILED]))
        ran = done.wait(30)

    assert ran
    assert count(hub, State.DONE) == 1


def test_jobs_are_pruned_while_others_are_run(hub: Hub, write: Callable[..., None]) -> None:
    """
    Neither stands in the other's way.
    """
    write(2_500, state="done", finished_at=datetime.now(UTC), method="old")
    write(100)
    with hub.engine.begin() as connection:
        connection.execute(update(JOBS).where(JOBS.c.method == "nothing").values(priority=5))

    with Worker(hub.queue, 2):
        removed = hub.queue.cleaner.prune(Selection(method="old"))
        hub.queue.run_pending()

    assert removed == 2_500
    assert count(hub, State.FAILED) == 0
