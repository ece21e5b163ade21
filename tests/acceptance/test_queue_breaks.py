"""The queue when things break: workers killed and stopped, a database that restarts, wires that go dead."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest
from crew import Child, Inbox, Member, lent, living, member, states, texts
from entries import NAME, ShiftedClock, make_hub
from havoc import Havoc
from sqlalchemy import func, insert, literal, select
from wire import Wire

from isthmus.hub import Hub
from isthmus.job import State
from isthmus.job.table import JOBS
from isthmus.testing._postgres import EmbeddedPostgres
from isthmus.testing.databases import Databases, Kind
from isthmus.testing.tables import make_tables
from isthmus.testing.waiting import until

Tell = Callable[[str, object], None]
SEED = 742
_LEASE_S = 1.0
_MUCH_S = 20.0
_ANSWER_S = 2.0


@pytest.fixture
def url(databases: Databases, database_kind: Kind) -> Iterator[str]:
    """A database with every table, once of each kind."""
    with databases.fresh(database_kind, make_tables) as made:
        yield made


@pytest.fixture
def hub(url: str) -> Iterator[Hub]:
    """The test's own hub."""
    with make_hub(url) as made:
        yield made


@pytest.mark.parametrize("deaths", [5, pytest.param(200, marks=pytest.mark.chaos)])
def test_workers_killed_at_random_lose_and_repeat_nothing(
    hub: Hub, url: str, database_kind: Kind, deaths: int, record_property: Tell
) -> None:
    """
    Three workers, each replaced when it dies: in the end each job is done, and its row is there once.
    """
    havoc = Havoc(url, hub, SEED)
    havoc.run(deaths)
    with hub.engine.connect() as connection:
        rescues, most, charged = connection.execute(
            select(func.sum(JOBS.c.rescues), func.max(JOBS.c.rescues), func.sum(JOBS.c.retry))
        ).one()
    record_property(
        "told",
        f"kill -9 on {database_kind}: {len(havoc.wanted)} jobs, {havoc.kills} workers killed, "
        f"{havoc.suicides} died at a statement; {rescues} rescues, at most {most} of one job",
    )
    rows = texts(hub)

    assert Counter(rows) == dict.fromkeys(havoc.wanted, 1)
    assert states(hub) == {State.DONE: len(havoc.wanted)}
    # A thread runs one job at a time: no other is charged when its process dies.
    assert charged <= 2 * havoc.deaths
    lane = [text for text in rows if text.startswith("row ")]
    assert lane == sorted(lane, key=lambda text: int(text.split()[1]))


# -- the database goes ---------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of the test's own, which keeps what it has promised when it crashes."""
    made = EmbeddedPostgres.open(durable=True)
    try:
        make_tables(made.url())
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("restarts", [2, pytest.param(30, marks=pytest.mark.chaos)])
def test_all_go_on_by_themselves_when_postgresql_restarts(
    server: EmbeddedPostgres, restarts: int, record_property: Tell
) -> None:
    """
    Crashes and quick restarts under load: within seconds each process works again, the same one; what was
    acknowledged is done once, and a job is there exactly when its cause is.
    """
    load = _Load()
    with make_hub(server.url()) as hub:
        with ExitStack() as stack:
            workers = [stack.enter_context(lent(Member(server.url(), inbox=load.inbox))) for _ in range(2)]
            with ExitStack() as inner:
                enqueuers = [
                    inner.enter_context(lent(Child("enqueue", server.url(), name, inbox=load.inbox)))
                    for name in ("anna", "bert")
                ]
                load.wait_for(enqueuers, workers, 20)
                for number in range(restarts):
                    server.restart("immediate" if number % 2 == 0 else "fast")
                    load.wait_for(enqueuers, workers, 5)
            until(lambda: living(hub) == 0)
        load.hear_all()
        rows = Counter(texts(hub))
        found = states(hub)
    record_property(
        "told",
        f"PostgreSQL restarted {restarts} times: {len(load.acknowledged)} jobs acknowledged, "
        f"{len(load.tried) - len(load.acknowledged)} refused or unknown; each process went on "
        f"within {max(load.waits[1:]):.1f} s",
    )
    written = {text for text in rows if not text.startswith("cause of ")}
    odd = {text for text in load.tried if int(text.split()[1]) % 2}

    assert set(rows.values()) == {1}
    assert load.acknowledged <= written <= load.tried
    assert {f"cause of {text}" for text in written & odd} == rows.keys() - written
    assert found == {State.DONE: len(written)}
    assert max(load.waits[1:]) < 15


class _Load:
    """What enqueuers and workers have said."""

    def __init__(self) -> None:
        self.inbox: Inbox = Queue()
        self.tried: set[str] = set()
        self.acknowledged: set[str] = set()
        self.waits: list[float] = []

    def wait_for(self, enqueuers: list[Child], workers: list[Member], most: int) -> None:
        """Wait until each enqueuer has had so many jobs acknowledged, and each worker has done so many."""
        self.hear_all()
        began = time.monotonic()
        left = Counter(dict.fromkeys([*enqueuers, *workers], most))
        while +left:
            left[self._hear(60)] -= 1
        self.waits.append(time.monotonic() - began)

    def hear_all(self) -> None:
        """Hear what was said until now."""
        try:
            while True:
                self._hear(0)
        except Empty:
            return

    def _hear(self, seconds: float) -> Child | None:
        """Hear something; gives who has got on with it."""
        child, words = self.inbox.get(timeout=seconds) if seconds else self.inbox.get_nowait()
        match words:
            case ("tries", text):
                self.tried.add(text)
            case ("has", text):
                self.acknowledged.add(text)
                return child
            case ("finished", _, "done", _):
                return child
        return None


# -- a worker sleeps -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "method"),
    [("postgresql", "add_and_wait"), ("postgresql", "wait_and_add"), ("sqlite", "wait_and_add")],
)
def test_a_worker_that_slept_longer_than_its_lease_commits_nothing(
    databases: Databases, kind: Kind, method: str, tmp_path: Path
) -> None:
    """
    SIGSTOP in the middle of a job, another worker does it, SIGCONT: the late commit is refused, and the
    worker works on.
    """
    with databases.fresh(kind, make_tables) as url, make_hub(url) as hub:
        with member(url, 1, lease_s=_LEASE_S) as late:
            with hub.env() as env:
                ref = getattr(env[NAME].with_delay(), method)("slow", str(tmp_path / "began"))
            late.expect("waits")
            late.send_signal(signal.SIGSTOP)
            with member(url, 1, lease_s=_LEASE_S) as other:
                other.expect("finished", ref.id, "done")
            late.send_signal(signal.SIGCONT)
            late.tell("go")
            *_, state, reason = late.expect("finished", ref.id)
            with hub.env() as env:
                env[NAME].with_delay().add("another")
            late.expect("wrote", "another")
        rows = texts(hub)
        job = hub.queue.show(ref.id)

    assert (state, rows) == (None, ["slow", "another"])
    assert (job.state, job.attempt, job.rescues) == (State.DONE, 2, 1)
    assert "taken over" in reason


# -- a clock is wrong ----------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_an_hour_off_changes_nothing(
    databases: Databases, hours: int, tmp_path: Path
) -> None:
    """
    PostgreSQL's clock counts: jobs for later run neither early nor late, nobody's job is taken away, and
    the order stays.
    """
    shift = timedelta(hours=hours)
    with (
        databases.fresh("postgresql", make_tables) as url,
        make_hub(url) as hub,
        make_hub(url, clock=ShiftedClock(shift)) as wrong_hub,
        member(url, 1, lease_s=_LEASE_S) as right,
    ):
        held = [_delay(hub, "held", mark=tmp_path / "by the right one")]
        right.expect("waits")
        held.append(_delay(wrong_hub, "held, too", mark=tmp_path / "by the wrong one", priority=0))
        hubs = [hub, wrong_hub] * 10
        soon = [_delay(each, f"soon {n}", eta=3 * _LEASE_S) for n, each in enumerate(hubs)]
        later = [_delay(each, f"later {n}", eta=1800) for n, each in enumerate(hubs)]
        now = [_delay(each, f"now {n}") for n, each in enumerate(hubs)]
        with member(url, 2, lease_s=_LEASE_S, shift=shift) as wrong:
            begun = [wrong.expect("claimed")[1] for _ in (held[1], *now, *soon)]
            for each in (right, wrong):
                each.tell("go")
            until(lambda: living(hub) == len(later))
        jobs = {job.id: job for job in hub.queue.list(limit=1_000)}
    waited = [(jobs[n].started_at - jobs[n].created_at).total_seconds() for n in soon]
    made = sorted(job.created_at for job in jobs.values())

    assert [n for n in begun if n in now] == sorted(now)
    # They were begun after several leases had run out, if nobody had prolonged them.
    assert [(jobs[n].attempt, jobs[n].rescues) for n in held] == [(1, 0)] * 2
    assert all(3 * _LEASE_S <= wait < 3 * _LEASE_S + _MUCH_S for wait in waited)
    assert {(jobs[n].state, jobs[n].attempt) for n in later} == {(State.PENDING, 0)}
    assert made[-1] - made[0] < timedelta(seconds=_MUCH_S)


def _delay(hub: Hub, text: str, *, mark: Path | None = None, **options: Any) -> int:
    with hub.env() as env:
        model = env[NAME].with_delay(**options)
        ref = model.add(text) if mark is None else model.add_and_wait(text, str(mark))
    return int(ref.id)


# -- a wire goes dead ----------------------------------------------------------------------


def test_a_worker_whose_connections_go_dead_makes_new_ones(
    databases: Databases, record_property: Tell
) -> None:
    """
    Nothing is closed and nothing arrives any more, while the worker sleeps: it works again by itself.
    """
    with (
        databases.fresh("postgresql", make_tables) as url,
        make_hub(url) as hub,
        Wire(url) as wire,
        member(wire.url, 2, answer_s=_ANSWER_S, lease_s=_LEASE_S) as worker,
    ):
        _delay(hub, "before")
        worker.expect("finished")
        until(lambda: any(row.idle for row in hub.queue.workers()))
        wire.go_dead()
        began = time.monotonic()
        for number in range(20):
            _delay(hub, f"after {number}")
        for _ in range(20):
            worker.expect("finished")
        took = time.monotonic() - began
    record_property(
        "told",
        f"{wire.dead} connections went dead; with an answer awaited for {_ANSWER_S:g} s (usually 15) "
        f"the worker worked again after {took:.1f} s",
    )

    assert took < 3 * _ANSWER_S + 5


def test_a_job_that_nobody_was_called_for_is_found_within_seconds(
    hub: Hub, url: str, record_property: Tell, database_kind: Kind
) -> None:
    """
    A call gets lost, or a program of somebody else writes the row without one: the worker looks by itself.
    """
    with member(url, 2) as worker:
        first = _delay(hub, "called")
        worker.expect("finished", first)
        until(lambda: any(row.idle for row in hub.queue.workers()))
        columns = [c for c in JOBS.columns if c.name not in {"id", "state", "attempt", "finished_at"}]
        same = select(*columns, literal("pending"), literal(0)).where(JOBS.c.id == first)
        names = [*(c.name for c in columns), "state", "attempt"]
        began = time.monotonic()
        with hub.engine.begin() as connection:
            connection.execute(insert(JOBS).from_select(names, same))
        worker.expect("wrote", "called")
        took = time.monotonic() - began
    record_property("told", f"without a call on {database_kind} a job is found after {took:.1f} s")

    assert states(hub) == {State.DONE: 2}
    assert took < _MUCH_S


def test_a_job_whose_connection_goes_dead_is_run_again(
    databases: Databases, tmp_path: Path, record_property: Tell
) -> None:
    """
    It waits for an answer that PostgreSQL has given, or was never asked for: it is not waited for ever.
    """
    with (
        databases.fresh("postgresql", make_tables) as url,
        make_hub(url) as hub,
        Wire(url) as wire,
        member(wire.url, 2, answer_s=_ANSWER_S) as worker,
    ):
        first = _delay(hub, "first", mark=tmp_path / "began")
        worker.expect("waits")
        # A connection that is being made would have ten seconds more.
        until(lambda: any(row.idle for row in hub.queue.workers()))
        wire.go_dead()
        began = time.monotonic()
        worker.tell("go")
        worker.expect("finished", first, "pending")
        worker.expect("finished", first, "done")
        took = time.monotonic() - began
        rows = texts(hub)
        job = hub.queue.show(first)
    record_property(
        "told",
        f"a job in the middle of its transaction when {wire.dead} connections went dead: done after "
        f"{took:.1f} s, with an answer awaited for {_ANSWER_S:g} s (usually 15)",
    )

    assert rows == ["first"]
    assert (job.attempt, job.rescues) == (2, 0)
