"""Claims take turns among the lanes, grow while jobs are short, and hold nothing that nobody is at."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update

from isthmus.job import claim as module
from isthmus.job.table import JOBS, SLOTS, WORKERS
from isthmus.testing import FrozenClock

on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])


def claim(process: Any, took_s: float | None = None, **options: Any) -> list[int]:
    """Claim jobs, let them end, and tell their numbers."""
    group = process.claimer.claim(**options)
    if group is None:
        return []
    jobs = []
    while (job := group.take()) is not None:
        process.outcomes.done(job, None)
        jobs.append(job.id)
    process.claimer.release(group, took_s)
    return jobs


def lane_of(by_hand: Any, jobs: list[int]) -> list[str]:
    """Read the lanes of jobs."""
    with by_hand.engine.begin() as connection:
        lanes = {row.id: row.channel for row in connection.execute(select(JOBS.c.id, JOBS.c.channel))}
    return [lanes[number] for number in jobs]


class TestOrder:
    def test_lanes_take_turns(self, by_hand: Any, process: Any) -> None:
        """
        However many jobs one of them has, and wherever its name stands in the alphabet.
        """
        for lane, count in (("root.b", 6), ("root.a", 2), ("root.c", 3)):
            by_hand.jobs(count, channel=lane)

        claimed = [job for _ in range(11) for job in claim(process, one=True)]

        turns = [lane.removeprefix("root.") for lane in lane_of(by_hand, claimed)]
        assert "".join(turns) == "abcabcbcbbb"

    def test_a_lane_that_comes_later_has_its_turn(self, by_hand: Any, process: Any) -> None:
        """
        What was known of the lanes at the last claim is not all there is.
        """
        by_hand.jobs(9, channel="root.c")
        claim(process, one=True)
        first, last = by_hand.job(channel="root.a"), by_hand.job(channel="root.z")

        claimed = [job for _ in range(4) for job in claim(process, one=True)]

        assert {first, last} <= set(claimed)

    def test_in_a_lane_the_more_urgent_goes_first_then_the_older(self, by_hand: Any, process: Any) -> None:
        """
        Also among the jobs of one claim.
        """
        priorities = [20, 10, 0, 10, 0]
        numbers = [by_hand.job(priority=priority) for priority in priorities]
        by_hand.jobs(6, priority=99)
        claim(process, took_s=0.0)

        claimed = claim(process)

        assert claimed[:4] == [numbers[4], numbers[1], numbers[3], numbers[0]]

    def test_a_job_whose_time_has_come_stands_in_line(
        self, by_hand: Any, process: Any, clock: FrozenClock
    ) -> None:
        """
        Not before; by its priority and age, as if it had never waited.
        """
        waits = by_hand.job(eta=clock.now() + timedelta(seconds=60))
        early, due_in = claim(process), process.claimer.next_due_s
        by_hand.job()
        process.claimer._line_up_at = 0.0
        clock.sleep(60)

        claimed = [job for _ in range(2) for job in claim(process, one=True)]

        assert (early, claimed[0]) == ([], waits)
        assert due_in == pytest.approx(60, abs=0.01)

    def test_as_many_as_have_come_due_are_lined_up(
        self, by_hand: Any, process: Any, clock: FrozenClock
    ) -> None:
        """
        A hundred at a look, and the next look is at once.
        """
        by_hand.jobs(101, eta=clock.now() - timedelta(seconds=1))
        process.claimer.tend()
        (first,) = claim(process, one=True)
        with by_hand.engine.begin() as connection:
            waiting = connection.scalars(select(JOBS.c.id).where(JOBS.c.eta.is_not(None))).all()

        assert first == 1
        assert waiting == []


class TestSize:
    def test_a_claim_takes_more_while_jobs_are_short(self, by_hand: Any, process: Any) -> None:
        """
        One, ten, a hundred, a thousand.
        """
        by_hand.jobs(1_150)

        taken = [len(claim(process, took_s=0.001)) for _ in range(5)]

        assert taken == [1, 10, 100, 1_000, 39]

    def test_a_claim_takes_one_after_a_long_one(self, by_hand: Any, process: Any) -> None:
        """
        Others should have the rest; what is neither short nor long changes nothing.
        """
        by_hand.jobs(60)

        taken = [len(claim(process, took_s=took)) for took in (0.001, 0.1, 0.1, 9.0, 0.001, 0.001)]

        assert taken == [1, 10, 10, 10, 1, 10]

    def test_a_claim_that_found_few_does_not_grow(self, by_hand: Any, process: Any) -> None:
        """
        There were no more, so nothing would be gained.
        """
        sizes = []
        for count in (1, 3, 3, 3):
            by_hand.jobs(count)
            claim(process, took_s=0.001)
            sizes.append(process.claimer._size)

        assert sizes == [1, 1, 1, 1]

    def test_one_is_claimed_when_one_is_asked_for(self, by_hand: Any, process: Any) -> None:
        """
        Even when jobs are short.
        """
        by_hand.jobs(30)
        claim(process, took_s=0.001)

        assert len(claim(process, one=True)) == 1

    def test_two_processes_never_claim_the_same_job(self, by_hand: Any, start_process: Any) -> None:
        """
        Whatever each of them holds the other leaves alone.
        """
        first, second = start_process(), start_process()
        numbers = by_hand.jobs(30)
        groups = [process.claimer.claim() for process in (first, second) * 2]

        held = [job.id for group in groups if group is not None for job in group.all]

        assert len(held) == len(set(held)) == 4
        assert set(held) < set(numbers)


class TestLanes:
    def test_a_worker_of_some_lanes_takes_nothing_else(self, by_hand: Any, process: Any) -> None:
        """
        Its own lanes and those below them; one whose name only begins the same is another.
        """
        for lane in ("root", "root.a", "root.b", "root.b.deep", "root.bb", "root.c"):
            by_hand.job(channel=lane)
        process.claimer.only = ("root.b", "root.c")

        claimed = [job for _ in range(6) for job in claim(process, one=True)]

        assert sorted(lane_of(by_hand, claimed)) == ["root.b", "root.b.deep", "root.c"]

    def test_a_full_lane_keeps_nobody_from_the_others(self, by_hand: Any, start_process: Any) -> None:
        """
        Its jobs wait for a place.
        """
        process = start_process({"a": {"capacity": 1}})
        by_hand.jobs(2, channel="root.a")
        (free,) = by_hand.jobs(1, channel="root.b")

        groups = [process.claimer.claim(one=True) for _ in range(3)]

        held = [group.all[0].id for group in groups if group is not None]
        assert sorted(lane_of(by_hand, held)) == ["root.a", "root.b"]
        assert free in held
        assert process.claimer.next_due_s is not None

    def test_a_hint_has_the_next_turn(self, by_hand: Any, process: Any) -> None:
        """
        The lane of which a commit has told; when it has nothing after all the others have their turn.
        """
        by_hand.jobs(2, channel="root.a")
        told = by_hand.job(channel="root.z")

        claimed = [job for hint in ("root.z", "root.none") for job in claim(process, hint=hint)]

        assert claimed[0] == told
        assert lane_of(by_hand, claimed) == ["root.z", "root.a"]

    def test_a_closed_lane_is_not_asked_again_for_a_while(
        self, by_hand: Any, start_process: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        Unless a job of it has ended here, which makes room at once.
        """
        monkeypatch.setattr(module, "_FULL_S", 600.0)
        process = start_process({"a": {"capacity": 1}})
        process.claimer.tended = True
        process.members.look(process.claimer.held())
        by_hand.jobs(2, channel="root.a")
        group = process.claimer.claim(one=True)
        refused = process.claimer.claim(one=True)
        asked: list[str] = []
        event.listen(by_hand.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
        again = process.claimer.claim(one=True)
        statements = [statement for statement in asked if "isthmus_slot" in statement]
        by_hint = process.claimer.claim(one=True, hint="root.a")
        process.claimer.release(group)

        assert (refused, again, by_hint) == (None, None, None)
        assert statements == []
        assert any("isthmus_slot" in statement for statement in asked)
        assert process.claimer.claim(one=True) is not None

    def test_a_claim_that_finds_no_job_leaves_no_slot(self, by_hand: Any, start_process: Any) -> None:
        """
        The lane had one when it was asked, and others were quicker.
        """
        process = start_process({"a": {"capacity": 1}})
        by_hand.job(channel="root.a", state="done")
        process.members.id  # noqa: B018 - registers

        group = process.claimer._claim_in("root.a", 0)

        with by_hand.engine.begin() as connection:
            holders = connection.scalars(select(SLOTS.c.worker_id)).all()
        assert group is None
        assert set(holders) <= {None}

    def test_slots_are_free_when_the_claim_has_ended(self, by_hand: Any, start_process: Any) -> None:
        """
        And not before.
        """
        process = start_process({"a": {"capacity": 2}})
        by_hand.job(channel="root.a")
        held = []
        group = process.claimer.claim()
        for release in (True, False):
            with by_hand.engine.begin() as connection:
                held.append([n for n in connection.scalars(select(SLOTS.c.worker_id)) if n is not None])
            if release:
                process.claimer.release(group)

        assert held == [[process.members.id], []]


class TestHeld:
    def test_a_job_is_held_from_its_claim_to_its_end(self, by_hand: Any, process: Any) -> None:
        """
        By number and attempt.
        """
        job_id = by_hand.job()
        states = [(process.claimer.held(), process.claimer.is_busy)]
        group = process.claimer.claim()
        states.append((process.claimer.held(), process.claimer.is_busy))
        process.claimer.release(group)
        states.append((process.claimer.held(), process.claimer.is_busy))

        assert states == [(set(), False), ({(job_id, 1)}, True), (set(), False)]
        assert process.claimer.running == []

    def test_a_job_is_held_while_it_is_given_back(
        self, by_hand: Any, process: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        It is started in our name until that is written.
        """
        numbers = by_hand.jobs(11)
        claim(process, took_s=0.001)
        group = process.claimer.claim()
        group.take()
        held: list[set[tuple[int, int]]] = []
        unclaim = process.outcomes.unclaim
        monkeypatch.setattr(
            process.outcomes, "unclaim", lambda job: (held.append(process.claimer.held()), unclaim(job))[1]
        )
        process.claimer.give_back(group)

        assert held == [{(number, 1) for number in numbers[1:]}] * 9
        assert process.claimer.held() == {(numbers[1], 1)}

    def test_what_was_not_begun_is_given_back(self, by_hand: Any, process: Any) -> None:
        """
        As it was claimed, uncounted.
        """
        by_hand.jobs(11)
        claim(process, took_s=0.001)
        group = process.claimer.claim()
        begun = group.take()
        process.claimer.release(group)

        with by_hand.engine.begin() as connection:
            columns = (JOBS.c.id, JOBS.c.state, JOBS.c.retry, JOBS.c.worker_id)
            rows = connection.execute(select(*columns).where(JOBS.c.id > 1).order_by(JOBS.c.id)).all()
        assert tuple(rows[0]) == (begun.id, "started", 0, process.members.id)
        assert [tuple(row)[1:] for row in rows[1:]] == [("pending", 0, None)] * 9

    def test_followers_of_a_slow_job_are_given_back(self, by_hand: Any, process: Any) -> None:
        """
        Another thread or process may have them; the next claim takes one.
        """
        by_hand.jobs(30)
        claim(process, took_s=0.001)
        group = process.claimer.claim()
        slow = group.take()
        process.claimer.give_back_behind_slow_jobs()
        before = len(group)
        group._begun_at -= 1
        process.claimer.give_back_behind_slow_jobs()

        assert (before, len(group)) == (9, 0)
        assert group.all == [slow]
        assert sorted(by_hand.states().values()).count("started") == 1
        assert len(claim(process)) == 1

    def test_a_last_job_has_no_followers_to_be_given_back(self, by_hand: Any, process: Any) -> None:
        """
        However long it takes: it is at work.
        """
        job_id = by_hand.job()
        group = process.claimer.claim()
        group.take()
        group._begun_at -= 1
        process.claimer.give_back_behind_slow_jobs()

        assert by_hand.states() == {job_id: "started"}

    def test_a_claim_notes_who_and_which(self, by_hand: Any, process: Any) -> None:
        """
        Each claim has a number of its own; its attempt is one more than the last.
        """
        by_hand.jobs(2, attempt=4)
        for _ in range(2):
            process.claimer.claim(one=True)

        with by_hand.engine.begin() as connection:
            columns = (JOBS.c.worker_id, JOBS.c.attempt, JOBS.c.claim_no)
            rows = [tuple(row) for row in connection.execute(select(*columns).order_by(JOBS.c.id))]
        assert [row[:2] for row in rows] == [(process.members.id, 5)] * 2
        assert len({row[2] for row in rows}) == 2


class TestWorkerRow:
    def test_who_has_no_row_takes_nothing(self, by_hand: Any, process: Any) -> None:
        """
        Nobody would find the jobs if that process died.
        """
        job_id = by_hand.job()
        process.members._id, process.members._pid_owner = 999, str(process.owner)

        group = process.claimer._claim_in("root", 0)

        assert group is None
        assert by_hand.states() == {job_id: "pending"}

    @on_postgresql
    def test_its_row_stays_while_a_claim_is_under_way(self, by_hand: Any, process: Any) -> None:
        """
        PostgreSQL: who wants to remove it as that of a dead worker waits for the claim and then finds the
        job; a sign of life waits for nothing.
        """
        by_hand.job()
        worker_id = process.members.id
        with by_hand.engine.begin() as claiming:
            group = process.claimer._take(claiming.execute, "root", 0, None)
            mine = select(WORKERS.c.id).where(WORKERS.c.id == worker_id)
            with by_hand.engine.begin() as other:
                removable = other.scalar(mine.with_for_update(skip_locked=True))
            with by_hand.engine.begin() as other:
                other.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
                signed = other.execute(update(WORKERS).values(seen_at=by_hand.clock.now())).rowcount

        assert group is not None
        assert (removable, signed) == (None, 1)
