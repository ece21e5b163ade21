"""Graphs in the queue, on each database."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import insert, make_url

from isthmus.env import ModelExtension
from isthmus.errors import RetryableJobError
from isthmus.hub import Hub
from isthmus.job import JobRef, State, Worker, chain, group, job
from isthmus.job.rows import NOTIFY
from isthmus.job.table import WORKERS
from isthmus.testing import Probe
from isthmus.testing.databases import Databases, Kind
from isthmus.testing.hubs import HubMaker

BROKEN: set[str] = set()


class GraphJobs(ModelExtension):
    """Jobs that give their name, or fail while it is among the broken ones."""

    _inherit = "project.project"

    @job
    def give(self, name: str) -> str:
        """Give a name."""
        if name in BROKEN:
            raise ValueError(f"{name} is broken")
        return name

    @job(batch=50)
    def give_small(self, name: str) -> str:
        """Give a name, together with others."""
        return name

    @job(identity_states=("wait_dependencies", "pending", "started", "failed", "done"))
    def give_once(self, name: str) -> str:
        """Give a name, once for ever."""
        return name

    @job
    def write(self) -> str:
        """Write what those before gave."""
        text = ",".join(self.env.parent_results)
        self.env["project.project"].create({"name": text})
        return text

    @job(max_retries=2, retry_pattern={1: 0})
    def try_hard(self) -> None:
        """Fail twice."""
        raise RetryableJobError("not now")


@pytest.fixture
def hub(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[Hub]:
    """A hub, once on each kind of database."""
    maker = HubMaker(databases, tmp_path)
    yield maker(kind=database_kind, extensions=[GraphJobs])
    BROKEN.clear()
    maker.close()


def states(hub: Hub, refs: list[JobRef]) -> list[str]:
    """Tell the states of jobs."""
    return [hub.queue.show(ref.id or 0).state for ref in refs]


def test_a_graph_that_fails_in_the_middle_goes_on_after_a_retry(hub: Hub) -> None:
    """
    What was done is not done again, what waited runs.
    """
    BROKEN.add("b")
    with hub.env() as env:
        call = env["project.project"].delayable
        refs = chain(call().give("a"), group(call().give("b"), call().give("c")), call().write()).delay()
    hub.queue.run_pending()
    stopped = states(hub, refs)
    BROKEN.clear()
    hub.queue.retry([refs[1].id or 0])
    hub.queue.run_pending()

    assert stopped == ["done", "failed", "done", "wait_dependencies"]
    assert states(hub, refs) == ["done"] * 4
    assert [hub.queue.show(ref.id or 0).attempt for ref in refs] == [1, 2, 1, 1]
    with hub.env() as env:
        assert [project.name for project in env["project.project"].search([])] == ["b,c"]


def test_only_the_last_failure_calls_what_watches(hub: Hub) -> None:
    """
    A job that is retried has not failed.
    """
    with hub.env() as env:
        call = env["project.project"].delayable
        alarm = call().give("alarm")
        ref = call().try_hard().on_failure(alarm).delay()
    hub.queue.run_pending(limit=1)
    after_one = hub.queue.counts()[State.WAIT_DEPENDENCIES]
    hub.queue.run_pending()

    assert after_one == 1
    assert hub.queue.counts()[State.DONE] == 1
    assert states(hub, [ref]) == ["failed"]


def test_cancelling_gives_the_rest_up(hub: Hub) -> None:
    """
    Of what waits for it; a job beside it runs.
    """
    with hub.env() as env:
        call = env["project.project"].delayable
        refs = group(chain(call().give("a"), call().give("b"), call().write()), call().give("c")).delay()
    hub.queue.cancel([refs[0].id or 0])
    hub.queue.run_pending()

    assert states(hub, refs) == ["cancelled", "cancelled", "cancelled", "done"]


def test_jobs_that_run_in_batches_release_what_waits(hub: Hub) -> None:
    """
    Two hundred before one, whose results come in order; a worker with threads runs them.
    """
    finished = Probe[Any]("job finished")
    names = [f"{n:03}" for n in range(200)]
    with hub.env() as env:
        call = env["project.project"].delayable
        refs = group(call().give_small(name) for name in names).on_done(call().write()).delay()
    worker = Worker(hub.queue, 2)
    worker.on_finished = finished
    with worker:
        for _ in range(len(names) + 1):
            finished.wait()

    assert states(hub, refs[-1:]) == ["done"]
    with hub.env() as env:
        assert [project.name for project in env["project.project"].search([])] == [",".join(names)]


def test_an_equal_job_takes_the_place_of_one_in_a_graph(hub: Hub) -> None:
    """
    What would have waited for the new one waits for it.
    """
    with hub.env() as env:
        first = env["project.project"].with_delay(identity_key="k").give("a")
    with hub.env() as env:
        call = env["project.project"].delayable
        refs = chain(call().give("b"), call(identity_key="k").give("a"), call().write()).delay()
    hub.queue.run_pending()

    assert (refs[1].id, refs[1].is_duplicate) == (first.id, True)
    assert states(hub, refs) == ["done"] * 3
    assert hub.queue.show(refs[2].id or 0).result == '"a"'


def test_an_equal_job_that_has_ended_already(hub: Hub) -> None:
    """
    What waits for it to be done runs, with its result; what waits for it to fail is given up.
    """
    with hub.env() as env:
        first = env["project.project"].with_delay(identity_key="k").give_once("a")
    hub.queue.run_pending()
    with hub.env() as env:
        call = env["project.project"].delayable
        last, alarm = call().write(), call().give("alarm")
        equal = call(identity_key="k").give_once("a").on_done(last).on_failure(alarm)
        ref = equal.delay()
    hub.queue.run_pending()

    assert ref.id == first.id
    assert sorted((job.method, job.state, job.result) for job in hub.queue.list()) == [
        ("give", "cancelled", None), ("give_once", "done", '"a"'), ("write", "done", '"a"'),
    ]  # fmt: skip


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_release_wakes_sleeping_workers(hub: Hub) -> None:
    """
    Those of other machines, with the commit of the parent's end.
    """
    with hub.env() as env:
        call = env["project.project"].delayable
        chain(call().give("a"), call().give("b")).delay()
    now = hub.clock.now()
    lives = {"started_at": now, "seen_at": now, "lease_until": now + timedelta(hours=1)}
    idle = {"owner": "elsewhere:1:1", "host": "elsewhere", "pid": 1, "idle": True, **lives}
    with hub.engine.begin() as connection:
        connection.execute(insert(WORKERS).values(**idle))
    url = make_url(hub.settings.database_url.get_secret_value()).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as listening:
        listening.execute(f"LISTEN {NOTIFY}")
        hub.queue.run_one()
        heard = [note.channel for note in listening.notifies(timeout=10, stop_after=1)]

    assert heard == [NOTIFY]
