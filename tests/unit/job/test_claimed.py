"""A claim's jobs are each begun once, by whom ever, or given back."""

import threading
from typing import Any

import pytest

from isthmus.job.claimed import Claimed, Group


def job(number: int, **values: Any) -> Claimed:
    """Make a claimed job."""
    row = {
        "id": number, "attempt": 1, "retry": 0, "max_retries": 5, "rescues": 0, "deferrals": 0,
        "model": "m", "record_id": None, "method": "f", "payload": "{}", "ctx": "{}", "user": "anna",
        "run_id": f"r{number}", "identity_key": None, "channel": "root", "priority": 10, "worker_id": 1,
        "claim_no": 1, "alone": False,
    }  # fmt: skip
    return Claimed(**row | values)


def numbers(jobs: list[Claimed]) -> list[int]:
    """Give the jobs' numbers."""
    return [one.id for one in jobs]


class TestTake:
    def test_jobs_are_begun_in_their_order_until_none_is_left(self) -> None:
        """
        The length counts what is not begun.
        """
        group = Group([job(1), job(2)])

        lengths, taken = [len(group)], []
        while (one := group.take()) is not None:
            taken.append(one.id)
            lengths.append(len(group))

        assert taken == [1, 2]
        assert lengths == [2, 1, 0]

    def test_what_follows_is_told_and_not_begun(self) -> None:
        """
        Whoever looks takes nothing away.
        """
        group = Group([job(1)])
        before = group.following
        group.take()

        assert before is not None
        assert (before.id, group.following) == (1, None)

    def test_a_job_that_has_ended_is_ours_no_more(self) -> None:
        """
        With the beginning of the next one, or the end of all.
        """
        group = Group([job(1), job(2)])
        held = [numbers(group.all)]
        for _ in range(3):
            group.take()
            held.append(numbers(group.all))

        assert held == [[1, 2], [1, 2], [2], []]

    def test_the_wait_of_the_others_begins_anew_with_each_job(self) -> None:
        """
        So that a slow job's followers are given away, and not those of many quick ones.
        """
        group = Group([job(1), job(2)])
        group._begun_at -= 100
        before = group.waiting_s
        group.take()

        assert before > 99
        assert group.waiting_s < 99


class TestJoin:
    def test_jobs_that_may_share_a_transaction_are_begun_together(self) -> None:
        """
        Whatever record and arguments they have, and of whatever run they are.
        """
        group = Group([job(1), job(2, record_id="7", payload="[]"), job(3)])
        first = group.take()
        assert first is not None

        together = group.join(first, 10)

        assert numbers(together) == [1, 2, 3]
        assert len(group) == 0

    @pytest.mark.parametrize(
        "unlike", [{"model": "n"}, {"method": "g"}, {"user": "bert"}, {"ctx": "[]"}, {"alone": True}]
    )
    def test_one_that_differs_ends_the_batch(self, unlike: dict[str, Any]) -> None:
        """
        Like ones behind it are not begun before it.
        """
        group = Group([job(1), job(2), job(3, **unlike), job(4)])
        first = group.take()
        assert first is not None

        together = group.join(first, 10)

        assert numbers(together) == [1, 2]
        assert group.following == job(3, **unlike)

    def test_no_more_are_begun_than_may_be(self) -> None:
        """
        The rest are the next batch.
        """
        group = Group([job(n) for n in range(1, 6)])
        batches = []
        while (first := group.take()) is not None:
            batches.append(numbers(group.join(first, 2)))

        assert batches == [[1, 2], [3, 4], [5]]


class TestStrip:
    def test_what_is_not_begun_is_taken_away(self) -> None:
        """
        The job under way stays; the others are found in another place from that moment.
        """
        group = Group([job(1), job(2), job(3)])
        group.take()
        place = {7: job(7)}

        rest = group.strip(place)

        assert numbers(rest) == [2, 3]
        assert place == {2: job(2), 3: job(3), 7: job(7)}
        assert numbers(group.all) == [1]
        assert group.take() is None

    def test_no_job_is_begun_and_taken_away(self) -> None:
        """
        While one thread begins them another takes the rest: each job is at one of the two.
        """
        group = Group([job(n) for n in range(20_000)])
        begun: list[int] = []
        under_way = threading.Event()

        def begin() -> None:
            while (one := group.take()) is not None:
                begun.append(one.id)
                begun.extend(numbers(group.join(one, 3)[1:]))
                under_way.set()

        thread = threading.Thread(target=begin)
        thread.start()
        under_way.wait(10)
        rest = numbers(group.strip({}))
        thread.join()

        assert begun
        assert begun + rest == list(range(20_000))
