"""The queue in numbers."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from isthmus.job import State
from isthmus.job.desk import overview as module
from isthmus.job.desk.overview import LaneLoad, Overview
from isthmus.job.table import SLOTS

ByHand = Any
"""See conftest."""


@pytest.fixture
def overview(by_hand: ByHand) -> Overview:
    """The overview."""
    return Overview(by_hand.engine, by_hand.times)


def test_each_lane_tells_what_there_is_to_do(by_hand: ByHand, overview: Overview) -> None:
    """
    Ended jobs are not work; the oldest is the one that could run now and was delayed first.
    """
    start = by_hand.clock.now()
    by_hand.job(channel="root.a", eta=start)
    by_hand.clock.advance(timedelta(minutes=1))
    by_hand.jobs(2, channel="root.a")
    by_hand.clock.advance(timedelta(minutes=1))
    by_hand.job(channel="root.a", priority=0)
    by_hand.job(channel="root.a", state="started", worker_id=by_hand.worker())
    by_hand.job(channel="root.b", state="failed")
    by_hand.job(channel="root.b", state="wait_dependencies", graph_id=1, waits=1)
    by_hand.job(channel="root.c", state="done")

    lanes = overview.lanes()

    oldest = start + timedelta(minutes=1)
    assert lanes == [
        LaneLoad(lane="root.a", ready=3, later=1, running=1, oldest=oldest),
        LaneLoad(lane="root.b", held=1, failed=1),
    ]
    assert [lane.waiting for lane in lanes] == [4, 1]


def test_a_few_jobs_are_counted_exactly(by_hand: ByHand, overview: Overview) -> None:
    """
    A state without jobs has 0.
    """
    by_hand.jobs(2, state="done")
    by_hand.job(eta=by_hand.clock.now())
    by_hand.job()

    counts = overview.counts()

    assert counts == dict.fromkeys(State, 0) | {State.DONE: 2, State.PENDING: 2}
    assert counts.at_least == frozenset()


def test_of_many_ended_jobs_some_are_counted(
    by_hand: ByHand, overview: Overview, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The rest is told as "more than"; active jobs are counted all the same.
    """
    monkeypatch.setattr(module, "MOST_COUNTED", 3)
    by_hand.jobs(6, state="done")
    by_hand.jobs(5, state="failed")

    counts = overview.counts()

    assert (counts[State.DONE], counts[State.FAILED]) == (4, 5)
    assert counts.at_least == {State.DONE, State.CANCELLED}
    assert counts.spelled() == "more than 4 done, 5 failed"


def test_a_worker_is_dead_when_its_lease_is_over(by_hand: ByHand, overview: Overview) -> None:
    """
    It says how long it has been silent, what it takes and how many jobs it has.
    """
    quiet = by_hand.worker(owner="a:1:x", channels="root.mail,root.shop", threads=3)
    by_hand.job(state="started", worker_id=quiet)
    by_hand.clock.advance(timedelta(seconds=61))
    by_hand.worker(owner="b:2:y", host="b", pid=2)

    first, second = overview.workers()

    assert (first.alive, first.silent, first.running, first.threads) == (False, timedelta(seconds=61), 1, 3)
    assert (second.alive, second.name, second.left) == (True, "b:2", timedelta(seconds=60))
    assert [first.takes(lane) for lane in ("root.mail", "root.mail.in", "root.mailing", "root")] == [
        True,
        True,
        False,
        False,
    ]
    assert second.takes("root.anything")


def test_slots_are_told_while_they_are_held(by_hand: ByHand, overview: Overview) -> None:
    """
    One whose lease is over is free.
    """
    now = by_hand.clock.now()
    rows = [(1, 7, 30), (2, 8, 10), (3, None, None), (4, 9, -1)]
    with by_hand.engine.begin() as connection:
        for n, worker, seconds in rows:
            until = None if seconds is None else now + timedelta(seconds=seconds)
            connection.execute(insert(SLOTS).values(channel="root.a", n=n, worker_id=worker, until=until))

    used = overview.slots()

    assert used["root.a"].holders == (8, 7)
    assert used["root.a"].until == timedelta(seconds=10)


def test_the_whole_table_is_never_read(by_hand: ByHand, overview: Overview, database_kind: str) -> None:
    """
    With many ended jobs every count goes by an index of its own.
    """
    with by_hand.engine.begin() as connection:
        fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
        columns = (
            "state, model, method, payload, ctx, user_name, run_id, description, created_at, finished_at"
        )
        stamp = "'2026-01-01 00:00:00.000000'" if database_kind == "sqlite" else "now()"
        connection.execute(
            text(
                f"INSERT INTO isthmus_job ({columns}) {fill}"
                f"SELECT 'done', 'm', 'f', '{{}}', '{{}}', 'u', 'r', 'd', {stamp}, {stamp} FROM n"
                if database_kind == "postgresql"
                else f"{fill} INSERT INTO isthmus_job ({columns}) "
                f"SELECT 'done', 'm', 'f', '{{}}', '{{}}', 'u', 'r', 'd', {stamp}, {stamp} FROM n"
            )
        )
    by_hand.jobs(3)
    with by_hand.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE isthmus_job" if database_kind == "postgresql" else "ANALYZE"))
    said: list[tuple[str, Any]] = []
    listen = lambda _c, _cu, statement, parameters, *_: said.append((statement, parameters))  # noqa: E731
    event.listen(by_hand.engine, "before_cursor_execute", listen)
    overview.lanes()
    overview.counts()
    overview.workers()
    event.remove(by_hand.engine, "before_cursor_execute", listen)
    explain = "EXPLAIN QUERY PLAN " if database_kind == "sqlite" else "EXPLAIN "

    plans: list[str] = []
    with by_hand.engine.begin() as connection:
        for statement, parameters in said:
            if "isthmus_job" in statement and "LIMIT" not in statement:
                rows = connection.exec_driver_sql(explain + statement, parameters).all()
                plans.append("\n".join(" ".join(map(str, row)) for row in rows))

    assert len(plans) >= 10
    scans = [
        plan for plan in plans if "Seq Scan on isthmus_job" in plan or "SCAN isthmus_job\n" in plan + "\n"
    ]
    assert scans == []
