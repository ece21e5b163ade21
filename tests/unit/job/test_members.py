"""Processes that claim jobs register, give signs of life, and take over from those that died."""

import logging
import re
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import delete, event, insert, select, update

from isthmus.job.table import JOBS, SLOTS, WORKERS
from isthmus.testing import FrozenClock
from isthmus.testing.databases import Kind

LATE = timedelta(seconds=61)


NONE: Final = frozenset[tuple[int, int]]()
"""What a process is at that is at no job."""


def workers(by_hand: Any) -> list[int]:
    """Read the numbers of the members."""
    with by_hand.engine.begin() as connection:
        return list(connection.scalars(select(WORKERS.c.id).order_by(WORKERS.c.id)))


def member(by_hand: Any, worker_id: int, name: str) -> Any:
    """Read a column of a member's row."""
    with by_hand.engine.begin() as connection:
        return connection.scalar(select(WORKERS.c[name]).where(WORKERS.c.id == worker_id))


def read(by_hand: Any, *names: str) -> list[tuple[Any, ...]]:
    """Read columns of every job, in order of their numbers."""
    with by_hand.engine.begin() as connection:
        rows = connection.execute(select(*(JOBS.c[name] for name in names)).order_by(JOBS.c.id))
        return [tuple(row) for row in rows]


def be_forgotten(by_hand: Any) -> None:
    """Remove the members' rows, as another does who takes them for dead."""
    with by_hand.engine.begin() as connection:
        connection.execute(delete(WORKERS))


class TestRegister:
    def test_the_first_use_registers(self, by_hand: Any, process: Any) -> None:
        """
        A program that never claims is no member.
        """
        before = workers(by_hand)
        number = process.members.id

        assert before == []
        assert workers(by_hand) == [number] == [process.members.id]
        assert member(by_hand, number, "owner") == str(process.owner)

    def test_a_process_has_one_row(self, by_hand: Any, start_process: Any) -> None:
        """
        Another process has another one; one that finds its own, as after an answer that was lost, uses it.
        """
        process, other = start_process(), start_process()
        number = process.members.id
        process.members._id = None

        assert process.members.id == number
        assert other.members.id != number
        assert len(workers(by_hand)) == 2

    def test_leaving_removes_the_row(self, by_hand: Any, process: Any) -> None:
        """
        And its slots; the next use registers anew.
        """
        number = process.members.id
        with by_hand.engine.begin() as connection:
            connection.execute(insert(SLOTS).values(channel="root.a", n=1, worker_id=number))
        process.members.leave()
        left = workers(by_hand)
        with by_hand.engine.begin() as connection:
            holder = connection.scalar(select(SLOTS.c.worker_id))

        assert (left, holder) == ([], None)
        assert process.members.id not in {None, number}

    def test_leaving_without_ever_having_come_is_nothing(self, by_hand: Any, process: Any) -> None:
        """
        No row, no statement.
        """
        process.members.leave()

        assert workers(by_hand) == []

    def test_a_row_stays_while_jobs_of_it_are_left(self, by_hand: Any, start_process: Any) -> None:
        """
        Without it nobody would find them; when the process is gone they are taken back.
        """
        process, other = start_process(), start_process()
        number = process.members.id
        by_hand.job(state="started", attempt=1, worker_id=number, claim_no=1)
        process.members.leave()
        left = workers(by_hand)
        with by_hand.engine.begin() as connection:
            connection.execute(update(WORKERS).values(owner=other.gone))

        assert left == [number]
        assert other.members.look(NONE) == 1
        assert workers(by_hand) == []


class TestSign:
    def test_a_sign_moves_the_lease(self, by_hand: Any, process: Any, clock: FrozenClock) -> None:
        """
        Of the row, and of the slots that the process holds.
        """
        number = process.members.id
        with by_hand.engine.begin() as connection:
            connection.execute(insert(SLOTS).values(channel="root.a", n=1, worker_id=number))
        clock.sleep(30)
        process.members.threads, process.members.channels = 3, ("root.a", "root.b")
        process.members.sign()
        with by_hand.engine.begin() as connection:
            held_until = connection.scalar(select(SLOTS.c.until))

        assert member(by_hand, number, "seen_at") == clock.now()
        assert member(by_hand, number, "lease_until") == clock.now() + timedelta(seconds=60)
        assert held_until == clock.now() + timedelta(seconds=60)
        assert member(by_hand, number, "threads") == 3
        assert member(by_hand, number, "channels") == "root.a,root.b"

    def test_no_sign_is_given_before_the_first_claim(self, by_hand: Any, process: Any) -> None:
        """
        A process that claims nothing is no member.
        """
        process.members.sign()

        assert workers(by_hand) == []

    def test_a_process_that_was_taken_for_dead_registers_anew(
        self, by_hand: Any, process: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Its sign of life finds no row, and says so.
        """
        first = process.members.id
        be_forgotten(by_hand)
        with caplog.at_level(logging.WARNING, "isthmus.job"):
            process.members.sign()
        second = process.members.id

        assert first != second
        assert workers(by_hand) == [second]
        assert [r.getMessage() for r in caplog.records] == [
            "this worker was taken for dead; it goes on under a new number"
        ]

    def test_whether_a_commit_shall_wake_it_is_written_when_it_changes(
        self, by_hand: Any, process: Any
    ) -> None:
        """
        And only then.
        """
        told = [process.members.set_idle(idle) for idle in (True, True, False, False, True)]

        assert told == [True, False, True, False, True]
        assert member(by_hand, process.members.id, "idle") is True

    def test_a_new_row_is_not_called_until_it_says_so(self, by_hand: Any, process: Any) -> None:
        """
        A process that was idle under its old number says it again under the new one.
        """
        process.members.set_idle(True)
        be_forgotten(by_hand)
        process.members.sign()
        told = process.members.set_idle(True)

        assert told
        assert member(by_hand, process.members.id, "idle") is True

    def test_those_that_live_are_listed(self, by_hand: Any, process: Any, clock: FrozenClock) -> None:
        """
        The oldest first; not those whose lease has ended, nor those that are gone.
        """
        late = by_hand.worker(owner="elsewhere:1:late", lease_until=clock.now() - timedelta(seconds=1))
        lives = by_hand.worker(owner="elsewhere:1:lives")
        gone = by_hand.worker(owner=process.gone)
        mine = process.members.id

        assert {late, gone} < set(workers(by_hand))
        assert [row.id for row in process.members.listed()] == [lives, mine]


class TestLook:
    def test_jobs_of_a_process_that_is_gone_come_back_at_once(self, by_hand: Any, process: Any) -> None:
        """
        Its row goes, and what it held is free.
        """
        gone = by_hand.worker(owner=process.gone)
        by_hand.job(state="started", attempt=1, worker_id=gone, claim_no=1)
        with by_hand.engine.begin() as connection:
            connection.execute(insert(SLOTS).values(channel="root.a", n=1, worker_id=gone))
        count = process.members.look(NONE)
        with by_hand.engine.begin() as connection:
            holder = connection.scalar(select(SLOTS.c.worker_id))

        assert count == 1
        assert read(by_hand, "state", "worker_id", "claim_no", "rescues", "retry") == [
            ("pending", None, None, 1, 1)
        ]
        assert (workers(by_hand), holder) == ([], None)

    def test_a_process_of_which_nothing_is_known_is_believed_until_its_lease_ends(
        self, by_hand: Any, process: Any, clock: FrozenClock
    ) -> None:
        """
        It may live on another machine.
        """
        elsewhere = by_hand.worker(owner="elsewhere:1:x")
        by_hand.job(state="started", attempt=1, worker_id=elsewhere, claim_no=1)
        counts = [process.members.look(NONE)]
        clock.sleep(LATE.total_seconds())
        counts.append(process.members.look(NONE))

        assert counts == [0, 1]
        assert read(by_hand, "state", "rescues") == [("pending", 1)]
        assert workers(by_hand) == []

    def test_a_process_of_this_machine_that_cannot_write_is_believed_on_sqlite(
        self, by_hand: Any, start_process: Any, clock: FrozenClock, database_kind: Kind
    ) -> None:
        """
        There one writes at a time, and it may be the others' turn; PostgreSQL always takes a sign of life.
        """
        process, other = start_process(), start_process()
        by_hand.job(state="started", attempt=1, worker_id=other.members.id, claim_no=1)
        clock.sleep(LATE.total_seconds())
        other.owner.sign()

        count = process.members.look(NONE)

        assert count == (0 if database_kind == "sqlite" else 1)

    def test_a_lease_that_was_prolonged_meanwhile_holds(
        self, by_hand: Any, process: Any, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Between the look and the taking back the process has given a sign after all.
        """
        worker = by_hand.worker(lease_until=clock.now() - timedelta(seconds=1))
        by_hand.job(state="started", attempt=1, worker_id=worker, claim_no=1)
        started = process.members._started

        def sign_first(worker_id: int) -> Any:
            with by_hand.engine.begin() as connection:
                connection.execute(update(WORKERS).values(lease_until=clock.now() + LATE))
            return started(worker_id)

        monkeypatch.setattr(process.members, "_started", sign_first)

        count = process.members.look(NONE)

        assert count == 0
        assert read(by_hand, "state", "rescues") == [("started", 0)]
        assert workers(by_hand) == [worker]

    def test_our_own_job_that_nobody_is_at_comes_back(self, by_hand: Any, process: Any) -> None:
        """
        The answer to the claim, or to the end, was lost on its way.
        """
        mine = process.members.id
        for number in (1, 2):
            by_hand.job(state="started", attempt=1, worker_id=mine, claim_no=number)
        (first, _) = by_hand.states()

        count = process.members.look({(first, 1)})

        assert count == 1
        assert read(by_hand, "state") == [("started",), ("pending",)]
        assert workers(by_hand) == [mine]

    def test_another_attempt_at_a_job_is_not_ours(self, by_hand: Any, process: Any) -> None:
        """
        We are at one that was taken over; the one that is started in our name now is lost.
        """
        job_id = by_hand.job(state="started", attempt=2, worker_id=process.members.id, claim_no=1)

        count = process.members.look({(job_id, 1)})

        assert count == 1
        assert read(by_hand, "state", "attempt") == [("pending", 2)]

    def test_of_our_own_jobs_only_lost_ones_are_read(self, by_hand: Any, process: Any) -> None:
        """
        Each worker asks every second, and may be at thousands.
        """
        mine = process.members.id
        held = {(job_id, 1) for job_id in by_hand.jobs(3, state="started", attempt=1, worker_id=mine)}
        asked: list[str] = []
        event.listen(by_hand.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
        counts = [process.members.look(held)]
        without = [statement for statement in asked if re.match("SELECT.*payload", statement, re.DOTALL)]
        by_hand.job(state="started", attempt=1, worker_id=mine)
        counts.append(process.members.look(held))
        with_one = [statement for statement in asked if re.match("SELECT.*payload", statement, re.DOTALL)]

        assert counts == [0, 1]
        assert (len(without), len(with_one)) == (0, 1)
        assert read(by_hand, "state") == [("started",)] * 3 + [("pending",)]

    def test_a_process_finds_that_it_was_taken_for_dead(self, by_hand: Any, process: Any) -> None:
        """
        Its jobs are others' by now; it goes on under a new number.
        """
        first = process.members.id
        be_forgotten(by_hand)

        count = process.members.look(NONE)

        assert count == 0
        assert process.members.id != first

    def test_looks_are_a_second_apart(self, process: Any) -> None:
        """
        Whoever asks whether one is due hears so once.
        """
        before = process.members.look_is_due
        process.members.look(NONE)

        assert (before, process.members.look_is_due) == (True, False)


class TestCharging:
    def test_only_the_first_of_a_claim_is_charged(self, by_hand: Any, process: Any) -> None:
        """
        The others of it were not begun: jobs of a claim run one after the other, by priority, then by age.
        """
        gone = by_hand.worker(owner=process.gone)
        started = {"state": "started", "attempt": 1, "worker_id": gone}
        by_hand.job(**started, claim_no=1, priority=20)
        by_hand.job(**started, claim_no=1, priority=10)
        by_hand.job(**started, claim_no=1, priority=10)
        by_hand.job(**started, claim_no=2)

        count = process.members.look(NONE)

        assert count == 4
        assert read(by_hand, "state", "rescues", "retry", "alone") == [
            ("pending", 0, 0, False),
            ("pending", 1, 1, False),
            ("pending", 0, 0, False),
            ("pending", 1, 1, False),
        ]

    def test_two_that_take_the_same_jobs_back_charge_the_first_only(
        self, by_hand: Any, start_process: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        They go back one by one, and who looks in between finds the rest: its first was not begun.
        """
        process, other = start_process(), start_process()
        gone = by_hand.worker(owner=process.gone)
        by_hand.jobs(3, state="started", attempt=1, worker_id=gone, claim_no=1, alone=True)
        outcomes = process.members._outcomes

        def and_the_other_looks(move: Any) -> Any:
            def moved(job: Any, **options: Any) -> int:
                count: int = move(job, **options)
                other.members.look(NONE)
                return count

            return moved

        for name in ("rescue", "unclaim", "suspect"):
            monkeypatch.setattr(outcomes, name, and_the_other_looks(getattr(outcomes, name)))
        process.members.look(NONE)

        assert read(by_hand, "state", "rescues") == [("pending", 1), ("pending", 0), ("pending", 0)]

    def test_those_that_shared_a_transaction_run_alone_next_time(
        self, by_hand: Any, start_process: Any
    ) -> None:
        """
        Which of them ended the process is not known, so none is charged; those behind were not begun.
        """
        process = start_process(batches={"copy": 3})
        gone = by_hand.worker(owner=process.gone)
        by_hand.jobs(4, state="started", attempt=1, worker_id=gone, claim_no=1)

        process.members.look(NONE)

        assert read(by_hand, "state", "rescues", "alone") == [("pending", 0, True)] * 3 + [
            ("pending", 0, False)
        ]

    @pytest.mark.parametrize(
        "unlike", [{"model": "n"}, {"method": "g"}, {"user_name": "b"}, {"ctx": "[]"}, {"alone": True}]
    )
    def test_jobs_that_cannot_have_shared_a_transaction_are_no_suspects(
        self, by_hand: Any, start_process: Any, unlike: dict[str, Any]
    ) -> None:
        """
        Where a batch ended is told by the same rule as by which it was put together.
        """
        process = start_process(batches={"copy": 10, "g": 10})
        gone = by_hand.worker(owner=process.gone)
        started = {"state": "started", "attempt": 1, "worker_id": gone, "claim_no": 1}
        by_hand.jobs(2, **started)
        by_hand.job(**started | {"alone": False} | unlike)
        by_hand.job(**started)

        process.members.look(NONE)

        found = read(by_hand, "alone", "rescues")
        assert found[:2] == [(True, 0)] * 2
        assert found[2] == ("alone" in unlike, 0)
        assert found[3] == (False, 0)

    def test_one_that_ran_alone_is_charged(self, by_hand: Any, start_process: Any) -> None:
        """
        It was suspected before, and now it is known: its process died again.
        """
        process = start_process(batches={"copy": 3})
        gone = by_hand.worker(owner=process.gone)
        started = {"state": "started", "attempt": 2, "worker_id": gone, "claim_no": 1}
        by_hand.job(**started, alone=True)
        by_hand.job(**started)

        process.members.look(NONE)

        assert read(by_hand, "state", "rescues", "alone") == [("pending", 1, True), ("pending", 0, False)]


class TestTakenForDead:
    def test_it_claims_nothing_before_it_has_registered_anew(self, by_hand: Any, process: Any) -> None:
        """
        A claim in the name of a member that nobody knows would be lost with it; the look finds out, and then
        it is made under the new number.
        """
        process.members.look(NONE)
        old = process.members.id
        job_id = by_hand.job()
        be_forgotten(by_hand)
        process.members._looked_at = float("inf")  # no look is due
        process.claimer.tended = True

        before = process.claimer.claim(), by_hand.states()
        process.members._looked_at = 0.0
        group = process.claimer.claim()

        assert before == (None, {job_id: "pending"})
        assert group is not None
        assert [(job.id, job.worker_id == old) for job in group.all] == [(job_id, False)]
        assert workers(by_hand) == [group.all[0].worker_id]
