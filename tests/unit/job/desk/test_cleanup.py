"""Ended jobs go after a while, and none whose result may still be read."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select, update

from isthmus.job import State
from isthmus.job.desk import cleanup as module
from isthmus.job.desk.cleanup import Cleaner
from isthmus.job.desk.selection import Selection
from isthmus.job.table import EDGES, JOBS

ByHand = Any
"""See conftest."""
KEEP = timedelta(days=30)


@pytest.fixture
def cleaner(by_hand: ByHand) -> Cleaner:
    """Keeps jobs for 30 days, those of one lane for a minute."""
    keep = {"root.short": timedelta(minutes=1)}
    return Cleaner(by_hand.engine, by_hand.times, by_hand.clock, lambda lane: keep.get(lane, KEEP))


def ended(by_hand: ByHand, ago: timedelta, **values: Any) -> int:
    """Write a job that ended so long ago."""
    return int(by_hand.job(**{"state": "done", "finished_at": by_hand.clock.now() - ago} | values))


def test_each_lane_has_its_time(by_hand: ByHand, cleaner: Cleaner) -> None:
    """
    Done and cancelled jobs go after it, failed and waiting ones never by themselves.
    """
    hour = timedelta(hours=1)
    ended(by_hand, hour, channel="root.short")
    ended(by_hand, hour, channel="root.short", state="cancelled")
    ended(by_hand, KEEP + hour)
    kept = [
        ended(by_hand, timedelta(seconds=59), channel="root.short"),
        ended(by_hand, KEEP * 10, channel="root.short", state="failed"),
        ended(by_hand, hour, channel="root.shorter"),
        by_hand.job(channel="root.short", created_at=by_hand.clock.now() - KEEP * 2),
    ]

    removed = cleaner.sweep()

    assert removed == 3
    assert sorted(by_hand.states()) == kept


def test_many_go_in_batches(by_hand: ByHand, cleaner: Cleaner, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Each batch is a transaction of its own, and one that is to stop stops between two.
    """
    monkeypatch.setattr(module, "BATCH", 10)
    for _ in range(35):
        ended(by_hand, KEEP * 2)
    commits: list[Any] = []
    event.listen(by_hand.engine, "commit", commits.append)
    asked = iter([True, True, False])

    first = cleaner.sweep(lambda: next(asked))
    second = cleaner.sweep()

    assert (first, second) == (20, 15)
    assert len(commits) >= 4
    assert by_hand.states() == {}


def test_a_job_stays_while_one_that_waits_for_it_may_read_its_result(
    by_hand: ByHand, cleaner: Cleaner
) -> None:
    """
    A failed child may be retried, so it counts; when all children have ended the job goes, with its edges.
    """
    old = KEEP * 2
    parent = ended(by_hand, old, graph_id=1)
    children = [ended(by_hand, old, graph_id=1), ended(by_hand, old, graph_id=1, state="failed")]
    for child in children:
        by_hand.edge(parent, child, "was_done")

    first = cleaner.sweep()
    with by_hand.engine.begin() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == children[1]).values(state="cancelled"))
    second = cleaner.sweep()

    with by_hand.engine.begin() as connection:
        edges = connection.scalar(select(func.count()).select_from(EDGES))
    assert (first, second, edges) == (1, 2, 0)
    assert by_hand.states() == {}


def test_what_is_read_through_a_join_stays_too(by_hand: ByHand, cleaner: Cleaner) -> None:
    """
    A job that joins two groups has ended itself; those behind it read the results before it.
    """
    old = KEEP * 2
    parent = ended(by_hand, old, graph_id=1)
    join = ended(by_hand, old, graph_id=1, model="isthmus.job", method="join")
    child = by_hand.job(state="wait_dependencies", graph_id=1, waits=1)
    by_hand.edge(parent, join, "was_done")
    by_hand.edge(join, child)

    first = cleaner.sweep()
    with by_hand.engine.begin() as connection:
        done = {"state": "done", "finished_at": by_hand.clock.now()}
        connection.execute(update(JOBS).where(JOBS.c.id == child).values(done))
    second = cleaner.sweep()

    assert (first, second) == (0, 2)
    assert by_hand.states() == {child: "done"}


def test_what_is_being_changed_is_passed_over(by_hand: ByHand, cleaner: Cleaner, database_kind: str) -> None:
    """
    A locked row is left for the next time; on SQLite one writer waits for the other.
    """
    locked, _ = ended(by_hand, KEEP * 2), ended(by_hand, KEEP * 2)
    if database_kind == "sqlite":
        assert cleaner.sweep() == 2
        return
    with by_hand.engine.begin() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == locked).values(priority=1))
        removed = cleaner.sweep()

    assert removed == 1
    assert list(by_hand.states()) == [locked]


def test_nothing_to_remove_is_no_writing(by_hand: ByHand, cleaner: Cleaner) -> None:
    """
    The cleaner of an idle installation takes no lock.
    """
    ended(by_hand, timedelta(0))
    said: list[str] = []
    event.listen(
        by_hand.engine, "before_cursor_execute", lambda _c, _cu, statement, *_: said.append(statement)
    )

    cleaner.sweep()

    assert said
    assert {statement for statement in said if not statement.startswith("SELECT")} <= {"BEGIN"}


def test_selected_jobs_go_at_once(by_hand: ByHand, cleaner: Cleaner, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    However short ago they ended, failed ones too where they are selected; waiting ones never.
    """
    monkeypatch.setattr(module, "BATCH", 2)
    for _ in range(5):
        ended(by_hand, timedelta(0), model="gone")
    failed = by_hand.job(state="failed", model="gone")
    waiting = by_hand.job(model="gone")
    told: list[int] = []

    without = cleaner.prune(Selection(model="gone", states=[State.DONE, State.CANCELLED]), told.append)
    kept = by_hand.states()
    with_failed = cleaner.prune(Selection(model="gone"))

    assert (without, told, with_failed) == (5, [2, 4, 5], 1)
    assert kept == {failed: "failed", waiting: "pending"}
    assert by_hand.states() == {waiting: "pending"}


def test_old_jobs_are_found_by_the_index(by_hand: ByHand, cleaner: Cleaner, database_kind: str) -> None:
    """
    The statement that looks for the old jobs of a lane names the index of ended jobs in its plan.
    """
    said: list[tuple[str, Any]] = []
    ended(by_hand, KEEP * 2)
    event.listen(
        by_hand.engine,
        "before_cursor_execute",
        lambda _c, _cu, statement, parameters, *_: said.append((statement, parameters)),
    )
    cleaner.sweep()
    explain = "EXPLAIN QUERY PLAN " if database_kind == "sqlite" else "EXPLAIN "
    looks = [one for one in said if "finished_at <=" in one[0] or "min(" in one[0]]

    plans: list[str] = []
    with by_hand.engine.begin() as connection:
        if database_kind == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement, parameters in looks:
            rows = connection.exec_driver_sql(explain + statement, parameters).all()
            plans.append("\n".join(" ".join(map(str, row)) for row in rows))

    assert len(plans) >= 3
    assert all("ix_isthmus_job_ended" in plan for plan in plans)
