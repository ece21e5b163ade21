"""The end of a job releases what waits for it, in the same transaction, whoever else ends at that moment."""

import random
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select, update

from isthmus.clock import SystemClock
from isthmus.job import State
from isthmus.job.graph.dependents import Settled, settle
from isthmus.job.graph.view import graph_of
from isthmus.job.moves import Times
from isthmus.job.table import EDGES, JOBS
from isthmus.store.sql import SqlModel, make_engine
from isthmus.testing.databases import Databases, Kind

DONE, FAILED, CANCELLED = State.DONE, State.FAILED, State.CANCELLED


def make_tables(url: str) -> None:
    """Make the queue's tables."""
    engine = make_engine(url)
    SqlModel.metadata.create_all(engine, tables=[JOBS, EDGES])
    engine.dispose()


class Graph:
    """A graph whose rows are written by hand, and whose jobs end by hand."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.times = Times(engine, SystemClock())

    def write(self, edges: Mapping[tuple[int, int], str] | Iterable[tuple[int, int]]) -> None:
        """Write jobs and edges: ``{(parent, child): "failed"}``, or pairs only for done."""
        ends = edges if isinstance(edges, Mapping) else dict.fromkeys(edges, "done")
        waits = {job_id: 0 for edge in ends for job_id in edge}
        for _, child in ends:
            waits[child] += 1
        plain = {
            "model": "m", "method": "f", "payload": "{}", "ctx": "{}", "user_name": "", "run_id": "",
            "description": "", "created_at": SystemClock().now(), "graph_id": min(waits),
        }  # fmt: skip
        rows = [
            {**plain, "id": job_id, "waits": count, "state": "wait_dependencies" if count else "started"}
            for job_id, count in waits.items()
        ]
        with self.engine.begin() as connection:
            connection.execute(insert(JOBS), rows)
            connection.execute(
                insert(EDGES),
                [{"parent_id": p, "child_id": c, "on_state": on} for (p, c), on in ends.items()],
            )

    def end(self, *job_ids: int, state: State = DONE) -> Settled:
        """End jobs, as a worker does."""
        with self.engine.begin() as connection:
            return self.end_in(connection, *job_ids, state=state)

    def end_in(self, connection: Connection, *job_ids: int, state: State = DONE) -> Settled:
        """End jobs in a transaction that goes on."""
        connection.execute(update(JOBS).where(JOBS.c.id.in_(job_ids)).values(state=state.value))
        return settle(connection.execute, job_ids, state, self.times)

    def states(self) -> dict[int, str]:
        """Tell the state of each job."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(JOBS.c.id, JOBS.c.state).order_by(JOBS.c.id))
            return {job_id: {"wait_dependencies": "waits"}.get(state, state) for job_id, state in rows}


@pytest.fixture
def graph(databases: Databases, database_kind: Kind) -> Iterator[Graph]:
    """A graph, once in each kind of database."""
    with databases.fresh(database_kind, make_tables) as url:
        engine = make_engine(url)
        yield Graph(engine)
        engine.dispose()


class TestDone:
    """When jobs are done."""

    def test_the_last_parent_releases_a_child(self, graph: Graph) -> None:
        """
        Those before it only count.
        """
        graph.write([(1, 3), (2, 3), (3, 4)])

        assert graph.end(1) == Settled(released=0)
        assert graph.states()[3] == "waits"
        assert graph.end(2) == Settled(released=1)
        assert graph.states() == {1: "done", 2: "done", 3: "pending", 4: "waits"}

    def test_parents_that_end_in_one_transaction(self, graph: Graph) -> None:
        """
        Count each for itself.
        """
        graph.write([(1, 4), (2, 4), (3, 4), (1, 5), (9, 5)])

        assert graph.end(1, 2) == Settled(released=0)
        assert graph.end(3) == Settled(released=1)
        assert graph.states()[5] == "waits"

    def test_a_parent_that_is_done_twice_counts_once(self, graph: Graph) -> None:
        """
        A person retried it; what waits for another one as well goes on waiting.
        """
        graph.write([(1, 3), (2, 3)])

        graph.end(1)
        graph.end(1)

        assert graph.states()[3] == "waits"

    def test_a_child_that_a_person_took_out_stays_as_it_is(self, graph: Graph) -> None:
        """
        Whatever it was made.
        """
        graph.write([(1, 2), (1, 3)])
        with graph.engine.begin() as connection:
            connection.execute(update(JOBS).where(JOBS.c.id == 2).values(state="cancelled"))

        assert graph.end(1) == Settled(released=1)
        assert graph.states() == {1: "done", 2: "cancelled", 3: "pending"}

    def test_a_crash_before_the_commit_releases_nothing(self, graph: Graph) -> None:
        """
        And the next attempt releases it.
        """
        graph.write([(1, 2)])
        with graph.engine.connect() as connection:
            graph.end_in(connection, 1)
            connection.rollback()
        after_crash = graph.states()
        graph.end(1)

        assert after_crash == {1: "started", 2: "waits"}
        assert graph.states() == {1: "done", 2: "pending"}


class TestFailed:
    """When jobs fail."""

    def test_what_waits_for_success_goes_on_waiting(self, graph: Graph) -> None:
        """
        A retry of the failed job releases it.
        """
        graph.write([(1, 2), (2, 3)])

        assert graph.end(1, state=FAILED) == Settled()
        assert graph.states() == {1: "failed", 2: "waits", 3: "waits"}
        assert graph.end(1) == Settled(released=1)

    def test_the_first_failure_releases_what_watches_for_it(self, graph: Graph) -> None:
        """
        Once: a second failure finds it released.
        """
        graph.write({(1, 9): "failed", (2, 9): "failed", (1, 3): "done", (2, 3): "done"})

        assert graph.end(1, state=FAILED) == Settled(released=1)
        assert graph.end(2, state=FAILED) == Settled()
        assert graph.states() == {1: "failed", 2: "failed", 3: "waits", 9: "pending"}

    def test_what_watches_is_given_up_when_nothing_can_fail_any_more(self, graph: Graph) -> None:
        """
        With what waits for it, which is not so when that waits for another success.
        """
        graph.write({(1, 8): "failed", (2, 8): "failed", (8, 9): "done", (1, 3): "done"})

        assert graph.end(1) == Settled(released=1)
        assert graph.states()[8] == "waits"
        assert graph.end(2) == Settled(cancelled=2)
        assert graph.states() == {1: "done", 2: "done", 3: "pending", 8: "cancelled", 9: "cancelled"}

    def test_a_retry_of_what_failed_leaves_the_alarm_alone(self, graph: Graph) -> None:
        """
        It ran, or is about to.
        """
        graph.write({(1, 2): "failed", (1, 3): "done"})

        graph.end(1, state=FAILED)
        graph.end(1)

        assert graph.states() == {1: "done", 2: "pending", 3: "pending"}


class TestCancelled:
    """When jobs are given up."""

    def test_everything_after_it_is_given_up(self, graph: Graph) -> None:
        """
        Through all levels, also what waits for others too; the rest of the graph goes on.
        """
        graph.write([(1, 2), (2, 3), (3, 4), (5, 4), (5, 6)])

        assert graph.end(1, state=CANCELLED) == Settled(cancelled=3)
        assert graph.states() == {
            1: "cancelled", 2: "cancelled", 3: "cancelled", 4: "cancelled", 5: "started", 6: "waits",
        }  # fmt: skip

    def test_it_can_fail_no_more(self, graph: Graph) -> None:
        """
        So what watches for failures of it, and of what was given up with it, is given up as well.
        """
        graph.write({(1, 2): "done", (1, 9): "failed", (2, 9): "failed", (9, 10): "done", (9, 11): "failed"})

        assert graph.end(1, state=CANCELLED) == Settled(cancelled=4)
        assert set(graph.states().values()) == {"cancelled"}

    def test_what_can_still_fail_is_watched_on(self, graph: Graph) -> None:
        """
        One watched job is left.
        """
        graph.write({(1, 9): "failed", (2, 9): "failed"})

        assert graph.end(1, state=CANCELLED) == Settled()
        assert graph.end(2, state=FAILED) == Settled(released=1)

    def test_a_long_chain_is_given_up_at_once(self, graph: Graph) -> None:
        """
        In a few statements, not in one for each job.
        """
        graph.write([(n, n + 1) for n in range(1, 3_001)])
        statements: list[Any] = []

        with graph.engine.begin() as connection:
            settled = settle(
                lambda s: (statements.append(s), connection.execute(s))[1], [1], CANCELLED, graph.times
            )

        assert settled == Settled(cancelled=3_000)
        assert len(statements) < 30

    def test_the_given_up_job_says_why(self, graph: Graph) -> None:
        """
        And when.
        """
        graph.write([(1, 2)])
        graph.end(1, state=CANCELLED)

        with graph.engine.connect() as connection:
            columns = select(JOBS.c.error, JOBS.c.finished_at).where(JOBS.c.id == 2)
            error, finished_at = connection.execute(columns).one()

        assert error == "given up with a job that it waited for"
        assert finished_at is not None


class TestTogether:
    """Several connections at the same moment."""

    def test_of_two_parents_that_end_at_once_exactly_one_releases(self, graph: Graph) -> None:
        """
        The later of two open transactions waits for the other one, and sees its count.
        """
        graph.write([(1, 3), (2, 3)])
        begun = threading.Barrier(2)

        def end(job_id: int) -> int:
            begun.wait(10)
            return graph.end(job_id).released

        with ThreadPoolExecutor(2) as pool:
            released = list(pool.map(end, (1, 2)))

        assert sorted(released) == [0, 1]
        assert graph.states()[3] == "pending"

    def test_an_open_transaction_holds_the_other_parent_up(self, graph: Graph, database_kind: Kind) -> None:
        """
        Until it is committed; neither of them misses the other.
        """
        graph.write([(1, 3), (2, 3)])
        with ThreadPoolExecutor(1) as pool:
            with graph.engine.begin() as connection:
                first = graph.end_in(connection, 1)
                other = pool.submit(graph.end, 2)
            second = other.result(30)

        assert (first, second) == (Settled(released=0), Settled(released=1))

    @pytest.mark.parametrize("state", [DONE, CANCELLED])
    def test_parents_of_the_same_children_never_deadlock(self, graph: Graph, state: State) -> None:
        """
        Eight connections end the parents of the same twenty children in any order.
        """
        parents, children = range(1, 65), range(101, 121)
        edges = {(p, c): "failed" if c % 5 == 0 else "done" for p in parents for c in children}
        edges |= {(c, 200 + c % 3): "done" for c in children}
        graph.write(edges)
        order = list(parents)
        random.Random(7).shuffle(order)

        with ThreadPoolExecutor(8) as pool:
            settled = list(pool.map(lambda some: graph.end(*some, state=state), _pairs(order)))

        on_done = [c for c in children if c % 5]
        alarms = [c for c in children if c % 5 == 0]
        states = graph.states()
        if state is DONE:
            assert sum(s.released for s in settled) == len(on_done)
            assert {states[c] for c in on_done} == {"pending"}
        else:
            assert {states[c] for c in on_done} == {"cancelled"}
        assert {states[c] for c in alarms} == {"cancelled"}
        assert {states[c] for c in (200, 201, 202)} == {"cancelled"}


def _pairs(numbers: list[int]) -> list[tuple[int, ...]]:
    return [tuple(numbers[n : n + 2]) for n in range(0, len(numbers), 2)]


class TestGraphOf:
    """What is shown of a graph."""

    def test_counts_and_neighbours(self, graph: Graph) -> None:
        """
        Of the whole graph the states, of one job those it waits for and those that wait for it.
        """
        graph.write({(1, 3): "done", (2, 3): "done", (3, 4): "done", (3, 5): "failed"})
        graph.end(1)
        with graph.engine.connect() as connection:
            view = graph_of(connection, 3)

        assert view is not None
        assert (view.graph_id, view.jobs) == (1, 5)
        assert view.counts == {State.DONE: 1, State.STARTED: 1, State.WAIT_DEPENDENCIES: 3}
        assert [(n.job_id, n.label, n.state, n.on) for n in view.parents] == [
            (1, "m.f", State.DONE, DONE), (2, "m.f", State.STARTED, DONE),
        ]  # fmt: skip
        assert [(n.job_id, n.on) for n in view.children] == [(4, DONE), (5, FAILED)]

    def test_a_job_of_no_graph(self, graph: Graph) -> None:
        """
        Has none to show; so has one that does not exist.
        """
        graph.write([(1, 2)])
        with graph.engine.begin() as connection:
            connection.execute(update(JOBS).where(JOBS.c.id == 1).values(graph_id=None))
            shown = graph_of(connection, 1), graph_of(connection, 99)

        assert shown == (None, None)
