"""People change jobs by number, all or none, or by what they have in common, as many as there are."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from isthmus.backend import Backend
from isthmus.connectors.trello.models import TrelloCard
from isthmus.errors import JobStateError
from isthmus.job import State
from isthmus.job.desk.desk import AT_ONCE, Changed, Desk
from isthmus.job.desk.selection import BackendJobs, Selection
from isthmus.job.table import JOBS

ByHand = Any
"""See conftest."""


@pytest.fixture
def desk(by_hand: ByHand) -> Desk:
    """The desk."""
    return Desk(by_hand.engine, by_hand.times)


class TestSelecting:
    def test_jobs_are_found_by_what_they_are(self, by_hand: ByHand, desk: Desk) -> None:
        """
        Lane (with those below), model, method, failure and state narrow the choice together.
        """
        here = by_hand.job(channel="root.shop.import", state="failed", error_type="builtins.ValueError")
        by_hand.job(channel="root.shopping", state="failed", error_type="builtins.ValueError")
        by_hand.job(channel="root.shop", state="failed", error_type="isthmus.errors.XValueError")
        by_hand.job(channel="root.shop", model="other", method="send")

        found = {
            "all": desk.find(Selection(channel="shop", states=[State.FAILED], error_type="ValueError")),
            "full": desk.find(Selection(error_type="builtins.ValueError", channel="root.shop")),
            "method": desk.find(Selection(method="send", model="other")),
        }

        assert {name: [job.id for job in jobs] for name, jobs in found.items()} == {
            "all": [here],
            "full": [here],
            "method": [here + 3],
        }

    def test_an_age_counts_from_the_delaying_or_from_the_end(self, by_hand: ByHand, desk: Desk) -> None:
        """
        What was delayed long ago may have ended just now.
        """
        two_hours, now = by_hand.clock.now() - timedelta(hours=2), by_hand.clock.now()
        old = by_hand.job(created_at=two_hours, finished_at=now, state="done")
        new = by_hand.job()

        hour = timedelta(hours=1)
        chosen = [
            Selection(older_than=hour),
            Selection(newer_than=hour),
            Selection(older_than=hour, by_end=True),
        ]

        assert [[job.id for job in desk.find(one)] for one in chosen] == [[old], [new], []]

    def test_jobs_of_a_backend_are_those_on_it_on_its_bindings_and_those_that_are_given_it(
        self, by_hand: ByHand, desk: Desk
    ) -> None:
        """
        Not those of another backend, on a binding of ours with a key that is no number, or that only speak
        of it in a text.
        """
        bindings, backends = (
            TrelloCard.metadata.tables["isthmus_trello_card"],
            Backend.metadata.tables["isthmus_backend"],
        )
        with by_hand.engine.begin() as connection:
            for number in (1, 2):
                connection.execute(
                    backends.insert().values(
                        id=number, type="trello.backend", name=f"b{number}", active=True, lease_s=1, quiet_s=1
                    )
                )
                connection.execute(
                    bindings.insert().values(
                        id=10 + number, backend_id=number, scope="", state="linked", revision=0
                    )
                )
        given = '{"args":[{"$record":["trello.backend","1"]},"x"],"kwargs":{}}'
        spoken = '{"args":["{\\"$record\\":[\\"trello.backend\\",\\"1\\"]}"],"kwargs":{}}'
        mine = [
            by_hand.job(model="trello.backend", record_id="1"),
            by_hand.job(model="trello.card", record_id="11"),
            by_hand.job(model="trello.card", payload=given),
        ]
        by_hand.job(model="trello.backend", record_id="2")
        by_hand.job(model="trello.card", record_id="12")
        by_hand.job(model="project.task", record_id="no number")
        by_hand.job(model="trello.card", payload=spoken)
        backend = BackendJobs(
            id=1, models=("trello.backend", "connector.backend"), bindings={"trello.card": bindings}
        )

        found = desk.find(Selection(backend=backend))

        assert sorted(job.id for job in found) == mine


class TestMany:
    def test_thousands_are_changed_in_chunks_and_the_progress_is_told(
        self, by_hand: ByHand, desk: Desk
    ) -> None:
        """
        All that fit are changed, whatever else there is.
        """
        count = AT_ONCE * 2 + 3
        failed = by_hand.jobs(count, state="failed", retry=5)
        other = by_hand.job(state="failed", model="other")
        told: list[tuple[int, int]] = []

        changed = desk.retry_selected(
            Selection(model="unit.job.note", states=[State.FAILED]), lambda *at: told.append(at)
        )

        states = by_hand.states()
        assert changed == Changed(count, 0)
        assert told == [(AT_ONCE, count), (AT_ONCE * 2, count), (count, count)]
        assert {states[job] for job in failed} == {"pending"}
        assert states[other] == "failed"
        assert desk.show(failed[0]).retry == 0

    def test_of_equal_jobs_one_runs_again(self, by_hand: ByHand, desk: Desk) -> None:
        """
        The first of those that failed, unless an equal one waits already; the others are skipped.
        """
        by_hand.job(identity_key="waits")
        by_hand.job(identity_key="waits", state="failed")
        first, second = by_hand.jobs(2, identity_key="twice", state="failed")
        itself = by_hand.job(
            identity_key="itself", state="failed", key_states="wait_dependencies,pending,started,failed"
        )

        changed = desk.retry_selected(Selection(states=[State.FAILED]))

        states = by_hand.states()
        assert changed == Changed(2, 2)
        assert (states[first], states[second], states[itself]) == ("pending", "failed", "pending")

    def test_equal_jobs_of_different_chunks_are_told_apart_too(self, by_hand: ByHand, desk: Desk) -> None:
        """
        The second one meets the first as a waiting job.
        """
        first = by_hand.job(identity_key="k", state="failed")
        by_hand.jobs(AT_ONCE, state="failed")
        last = by_hand.job(identity_key="k", state="failed")

        changed = desk.retry_selected(Selection(states=[State.FAILED]))

        assert changed == Changed(AT_ONCE + 1, 1)
        assert (by_hand.states()[first], by_hand.states()[last]) == ("pending", "failed")

    def test_what_another_changes_meanwhile_is_skipped_and_not_waited_for(
        self, by_hand: ByHand, desk: Desk, database_kind: str
    ) -> None:
        """
        A job whose row is locked stays as it is; on SQLite one writer waits for the other.
        """
        locked, free = by_hand.jobs(2)
        if database_kind == "sqlite":
            assert desk.cancel_selected(Selection(model="unit.job.note")) == Changed(2, 0)
            return
        with by_hand.engine.begin() as connection:
            connection.execute(update(JOBS).where(JOBS.c.id == locked).values(priority=1))
            changed = desk.cancel_selected(Selection(model="unit.job.note"), by="anna")

        assert changed == Changed(1, 1)
        assert by_hand.states() == {locked: "pending", free: "cancelled"}
        assert desk.show(free).error == "cancelled by anna"

    def test_only_states_from_which_the_step_is_legal_are_touched(self, by_hand: ByHand, desk: Desk) -> None:
        """
        Whatever is selected, a running job is not made done, and an ended one is not cancelled.
        """
        worker = by_hand.worker()
        for state in State:
            by_hand.job(state=state.value, worker_id=worker if state is State.STARTED else None)

        done = desk.done_selected(Selection())

        assert done.count == 3
        assert sorted(by_hand.states().values()) == ["cancelled", "done", "done", "done", "done", "started"]

    def test_jobs_for_later_run_now(self, by_hand: ByHand, desk: Desk) -> None:
        """
        Retrying a waiting job takes its time away.
        """
        later = by_hand.job(eta=by_hand.clock.now() + timedelta(days=1))

        changed = desk.retry_selected(Selection(states=[State.PENDING]))

        assert changed == Changed(1, 0)
        assert desk.show(later).eta is None


class TestGraphs:
    def test_what_waits_for_a_cancelled_job_is_cancelled_with_it(self, by_hand: ByHand, desk: Desk) -> None:
        """
        By number and in bulk alike.
        """
        for cancel in (
            lambda job: desk.cancel([job], by="anna"),
            lambda job: desk.cancel_selected(Selection(ids=[job])),
        ):
            parent = by_hand.job()
            child = by_hand.job(state="wait_dependencies", waits=1)
            by_hand.edge(parent, child)
            with by_hand.engine.begin() as connection:
                connection.execute(update(JOBS).where(JOBS.c.id.in_([parent, child])).values(graph_id=parent))
            cancel(parent)

            assert by_hand.states()[child] == "cancelled"

    def test_what_waits_for_a_job_that_is_set_to_done_goes_on(self, by_hand: ByHand, desk: Desk) -> None:
        """
        It counts as an end like any other.
        """
        parent = by_hand.job(state="failed", graph_id=1)
        child = by_hand.job(state="wait_dependencies", waits=1, graph_id=1)
        by_hand.edge(parent, child)

        desk.done_selected(Selection(states=[State.FAILED]))

        assert by_hand.states() == {parent: "done", child: "pending"}


def test_named_jobs_are_changed_all_or_none(by_hand: ByHand, desk: Desk) -> None:
    """
    One that cannot be changed keeps the others as they were, and is named.
    """
    waiting, done = by_hand.job(), by_hand.job(state="done")

    with pytest.raises(JobStateError, match=f"job {done} is done and cannot become cancelled"):
        desk.cancel([waiting, done], by="anna")

    assert by_hand.states() == {waiting: "pending", done: "done"}


def test_a_job_that_is_ended_by_hand_belongs_to_no_worker(by_hand: ByHand, desk: Desk) -> None:
    """
    A running job that is cancelled is nobody's.
    """
    job = by_hand.job(state="started", worker_id=by_hand.worker(), claim_no=4, attempt=1)

    desk.cancel([job], by="anna")

    with by_hand.engine.begin() as connection:
        row = connection.execute(select(JOBS.c.worker_id, JOBS.c.claim_no, JOBS.c.state)).one()
    assert tuple(row) == (None, None, "cancelled")
