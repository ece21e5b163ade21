"""What every job costs is one statement, which writes what SQLAlchemy would."""

from typing import Any

import pytest
from sqlalchemy import select

from isthmus.clock import SystemClock
from isthmus.job.moves import Times
from isthmus.job.statements import Statements
from isthmus.job.table import JOBS
from isthmus.testing import FrozenClock


@pytest.fixture(params=["frozen clock", "own clock"])
def statements(request: pytest.FixtureRequest, by_hand: Any) -> Statements:
    """The statements, by a clock that stands and by the one that counts in earnest."""
    clock = by_hand.clock if request.param == "frozen clock" else SystemClock()
    return Statements(Times(by_hand.engine, clock), by_hand.engine.dialect)


@pytest.fixture
def claimed(by_hand: Any) -> int:
    """A claimed job."""
    job_id: int = by_hand.job(
        state="started", attempt=2, worker_id=7, claim_no=1, deferrals=3, error_type="E", error="e",
        traceback="t", result="old",
    )  # fmt: skip
    return job_id


def first(by_hand: Any, prepared: Any, **parameters: Any) -> Any:
    """Execute a statement and commit it."""
    with by_hand.engine.begin() as connection:
        found = prepared.first(connection, parameters)
    return None if found is None else tuple(found)


def read(by_hand: Any, job_id: int, *names: str) -> tuple[Any, ...]:
    """Read columns of a job."""
    with by_hand.engine.begin() as connection:
        columns = [JOBS.c[name] for name in names]
        return tuple(connection.execute(select(*columns).where(JOBS.c.id == job_id)).one())


class TestDone:
    def test_a_job_is_done_and_nobody_s(self, by_hand: Any, statements: Statements, claimed: int) -> None:
        """
        Its result is kept, an earlier failure is not.
        """
        found = first(by_hand, statements.done, id_=claimed, attempt_=2, result_='"ü\\"')

        names = ("state", "result", "worker_id", "claim_no", "deferrals", "error_type", "error", "traceback")
        assert found == (None,)
        assert read(by_hand, claimed, *names) == ("done", '"ü\\"', None, None, 0, None, None, None)

    def test_no_result_is_none(self, by_hand: Any, statements: Statements, claimed: int) -> None:
        """
        Not that of an earlier time.
        """
        first(by_hand, statements.done, id_=claimed, attempt_=2, result_=None)

        assert read(by_hand, claimed, "result") == (None,)

    def test_an_earlier_attempt_ends_nothing(
        self, by_hand: Any, statements: Statements, claimed: int
    ) -> None:
        """
        Nor does a later one, or one whose job was cancelled.
        """
        other = by_hand.job(state="cancelled", attempt=2)
        found = [
            first(by_hand, statements.done, id_=number, attempt_=attempt, result_=None)
            for number, attempt in [(claimed, 1), (claimed, 3), (other, 2)]
        ]

        assert found == [None] * 3
        assert by_hand.states() == {claimed: "started", other: "cancelled"}

    def test_its_graph_is_told(self, by_hand: Any, statements: Statements) -> None:
        """
        What waits for it is released in the same transaction; the single statement leaves such jobs alone.
        """
        job_id = by_hand.job(state="started", attempt=1, graph_id=9)

        alone = first(by_hand, statements.done_single, id_=job_id, attempt_=1, result_=None)
        found = first(by_hand, statements.done, id_=job_id, attempt_=1, result_=None)

        assert (alone, found) == (None, (9,))

    def test_the_end_is_that_of_the_clock(self, by_hand: Any, clock: FrozenClock, claimed: int) -> None:
        """
        An instant that the driver was given reads as one that SQLAlchemy has written.
        """
        later = by_hand.job(created_at=clock.now())
        statements = Statements(Times(by_hand.engine, clock), by_hand.engine.dialect)

        first(by_hand, statements.done_single, id_=claimed, attempt_=2, result_=None)

        with by_hand.engine.begin() as connection:
            same = select(JOBS.c.id).where(
                JOBS.c.finished_at == select(JOBS.c.created_at).where(JOBS.c.id == later).scalar_subquery()
            )
            assert connection.scalar(same) == claimed
        assert read(by_hand, claimed, "finished_at") == (clock.now(),)


class TestHold:
    def test_a_claim_holds_until_it_is_lost(self, by_hand: Any, statements: Statements, claimed: int) -> None:
        """
        By the number of the attempt, and as long as the job is started.
        """
        other = by_hand.job(state="pending", attempt=1)
        held = [
            first(by_hand, statements.hold, id_=number, attempt_=attempt)
            for number, attempt in [(claimed, 2), (claimed, 1), (claimed, 3), (other, 1), (999, 1)]
        ]

        assert held == [(claimed,), None, None, None, None]


class TestDoneAll:
    def test_the_jobs_of_one_claim_are_done(self, by_hand: Any, statements: Statements) -> None:
        """
        Those of another claim or worker, and those that are no more started, are not; who counts sees that.
        """
        mine = by_hand.jobs(2, state="started", worker_id=7, claim_no=3)
        others = [
            by_hand.job(state="started", worker_id=7, claim_no=4),
            by_hand.job(state="started", worker_id=8, claim_no=3),
            by_hand.job(state="cancelled"),
        ]
        parameters = {"worker_": 7, "claim_": 3, "ids_": [*mine, *others], "now": by_hand.clock.now()}
        with by_hand.engine.begin() as connection:
            found = connection.execute(statements.done_all, parameters).all()

        states = by_hand.states()
        assert sorted(row[0] for row in found) == mine
        assert [states[number] for number in others] == ["started", "started", "cancelled"]
