"""Jobs are written as the last thing before the commit of what causes them, and only then."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import event, select, update

from isthmus.errors import OutsideError
from isthmus.hub import Hub
from isthmus.job import chain, group
from isthmus.job.table import EDGES, JOBS
from isthmus.testing.databases import Kind

NOTE = "unit.job.note"
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])


@pytest.fixture
def hub(open_hub: Callable[..., Hub], database_kind: Kind) -> Hub:
    """A hub over a database of each kind, by the clock that counts there."""
    return open_hub(database_kind)


@pytest.fixture
def jobs(hub: Hub) -> Callable[..., list[tuple[Any, ...]]]:
    """Reads columns of every job, in order of their numbers."""

    def read(*names: str) -> list[tuple[Any, ...]]:
        with hub.engine.connect() as connection, connection.begin():
            rows = connection.execute(select(*(JOBS.c[name] for name in names)).order_by(JOBS.c.id))
            return [tuple(row) for row in rows]

    return read


def edges(hub: Hub) -> list[tuple[Any, ...]]:
    """Read who waits for whom."""
    with hub.engine.connect() as connection, connection.begin():
        rows = connection.execute(select(EDGES.c.parent_id, EDGES.c.child_id, EDGES.c.on_state))
        return sorted(tuple(row) for row in rows)


def end(hub: Hub, job_id: int, state: str = "done") -> None:
    """Write the end of a job, as it stands in the table after it."""
    with hub.engine.begin() as connection:
        connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(state=state))


class TestOutbox:
    def test_nothing_is_written_before_the_commit(self, hub: Hub, jobs: Any) -> None:
        """
        Although the job's number is known at once, and is the one it has then.
        """
        with hub.env() as env:
            refs = [env[NOTE].with_delay().copy(text) for text in "abc"]
            before = jobs("id") if hub.engine.dialect.name == "postgresql" else []
            waiting = len(env.transaction.outbox)

        assert (before, waiting) == ([], 3)
        assert jobs("id", "state") == [(ref.id, "pending") for ref in refs]

    def test_what_a_savepoint_delayed_is_forgotten_with_it(self, hub: Hub, jobs: Any) -> None:
        """
        Also one inside another that went well; jobs before and after it stay.
        """
        with hub.env() as env:
            notes = env[NOTE]
            notes.with_delay(description="before").copy("a")
            with suppress(ZeroDivisionError), env.savepoint():
                notes.with_delay().copy("b")
                with env.savepoint():
                    notes.with_delay(identity_key="k").copy("c")
                    chain(notes.delayable().copy("d"), notes.delayable().copy("e")).delay()
                raise ZeroDivisionError
            with env.savepoint():
                notes.with_delay(description="after").copy("f")

        assert jobs("description") == [("before",), ("after",)]
        assert edges(hub) == []

    def test_a_rollback_forgets_all(self, hub: Hub, jobs: Any) -> None:
        """
        The next commit in the same env brings none of them.
        """
        with hub.env() as env:
            env[NOTE].with_delay().copy("a")
            env.transaction.rollback()
            env[NOTE].with_delay(description="after").copy("b")

        assert jobs("description") == [("after",)]

    def test_each_commit_writes_its_own(self, hub: Hub, jobs: Any) -> None:
        """
        None is written twice.
        """
        with hub.env() as env:
            for text in "abc":
                env[NOTE].with_delay(description=text).copy(text)
                env.transaction.commit()

        assert jobs("description") == [("a",), ("b",), ("c",)]

    def test_outside_there_is_no_transaction_to_belong_to(self, hub: Hub, jobs: Any) -> None:
        """
        The message says where else to delay it.
        """
        with hub.env() as env, env.outside(), pytest.raises(OutsideError) as caught:
            env[NOTE].with_delay().copy("a")

        assert str(caught.value) == (
            "delay of unit.job.note.copy: there is no transaction inside env.outside() that it could belong "
            "to; delay it before the block, or after it"
        )
        assert jobs("id") == []

    def test_the_own_worker_is_woken_after_the_commit(self, hub: Hub) -> None:
        """
        Not before it, when there would be nothing to see, and not by one that delayed nothing.
        """
        woken = []
        with hub.env() as env:
            env[NOTE].create({"text": "a"})
        woken.append(hub.queue.wake._called)
        with hub.env() as env:
            env[NOTE].with_delay().copy("a")
            woken.append(hub.queue.wake._called)
        woken.append(hub.queue.wake._called)

        assert woken == [False, False, True]


@on_postgresql
class TestAlone:
    def test_a_single_plain_job_is_one_statement(self, hub: Hub, jobs: Any) -> None:
        """
        It commits by itself; no transaction is opened for it.
        """
        with hub.env() as env:
            ref = env[NOTE].with_delay(description="it's %(id)s").copy("a")
            opened = env.transaction.open
            begun: list[Any] = []

            def note(connection: Any) -> None:
                begun.append(connection)

            event.listen(hub.engine, "begin", note)
            env.transaction.commit()

        assert (opened, begun) == (False, [])
        assert jobs("id", "description") == [(ref.id, "it's %(id)s")]

    @pytest.mark.parametrize("what", ["two", "key", "block", "graph"])
    def test_more_than_that_is_a_transaction(self, hub: Hub, jobs: Any, what: str) -> None:
        """
        Several jobs come together or not at all; a key is looked up.
        """
        with hub.env() as env:
            notes = env[NOTE]
            if what == "two":
                notes.with_delay().copy("a")
                notes.with_delay().copy("b")
            elif what == "key":
                notes.with_delay(identity_key="k").copy("a")
            elif what == "block":
                notes.delayable().copy(["a", "b"]).split(1).delay()
            else:
                chain(notes.delayable().copy("a"), notes.delayable().copy("b")).delay()
            alone = env.transaction.outbox.write_alone()
            env.transaction.rollback()

        assert not alone
        assert jobs("id") == []

    @pytest.mark.parametrize("what", ["create", "before_commit", "guard", "read"])
    def test_with_anything_else_it_belongs_to_the_transaction(self, hub: Hub, jobs: Any, what: str) -> None:
        """
        What fails then takes the job with it.
        """

        def fail() -> None:
            raise ZeroDivisionError

        def change() -> None:
            with hub.env() as env:
                if what == "create":
                    env[NOTE].create({"text": "a"})
                    env.before_commit(fail)
                elif what == "before_commit":
                    env.before_commit(fail)
                else:
                    env[NOTE].search_count([])
                    env.transaction.guards.append(fail)
                env[NOTE].with_delay().copy("a")

        with pytest.raises(ZeroDivisionError):
            change()

        assert jobs("id") == []


class TestKeys:
    def test_they_are_written_in_their_order(self, hub: Hub) -> None:
        """
        Whatever the order in which they were delayed: two transactions that wait for each other's keys in
        opposite order would be a deadlock.
        """
        written: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
            if statement.startswith("INSERT INTO isthmus_job "):
                given = values.values() if isinstance(values, dict) else values
                written.extend(value for value in given if str(value).startswith("key "))

        event.listen(hub.engine, "before_cursor_execute", note)
        with hub.env() as env:
            for name in "caebd":
                env[NOTE].with_delay(identity_key=f"key {name}").copy(name)

        assert written == [f"key {name}" for name in "abcde"]

    def test_of_equal_jobs_in_one_transaction_the_first_is_written(self, hub: Hub, jobs: Any) -> None:
        """
        The others stand for it.
        """
        with hub.env() as env:
            refs = [env[NOTE].with_delay(identity_key="k", description=text).copy(text) for text in "abc"]
            first = refs[0].id

        assert jobs("id", "description") == [(first, "a")]
        assert [(ref.id, ref.is_duplicate) for ref in refs] == [(first, False), (first, True), (first, True)]

    def test_equal_jobs_are_found_among_many(self, hub: Hub, jobs: Any) -> None:
        """
        More than a statement takes at once, half of them there already.
        """
        with hub.env() as env:
            old = [env[NOTE].with_delay(identity_key=f"k{n}").copy("a") for n in range(0, 1_200, 2)]
        with hub.env() as env:
            new = [env[NOTE].with_delay(identity_key=f"k{n}").copy("a") for n in range(1_200)]

        assert len(jobs("id")) == 1_200
        assert [ref.is_duplicate for ref in new] == [n % 2 == 0 for n in range(1_200)]
        assert [ref.id for ref in new[::2]] == [ref.id for ref in old]

    def test_a_key_is_free_when_its_job_has_ended(self, hub: Hub, jobs: Any) -> None:
        """
        The next change needs a job of its own.
        """
        for _ in range(2):
            with hub.env() as env:
                ref = env[NOTE].with_delay(identity_key="k").copy("a")
            end(hub, ref.id)

        assert jobs("state") == [("done",), ("done",)]


class TestGraphs:
    def test_what_waits_is_written_with_whom_it_waits_for(self, hub: Hub, jobs: Any) -> None:
        """
        The graph has the number of its first job.
        """
        with hub.env() as env:
            a, b, c = (env[NOTE].delayable().copy(text) for text in "abc")
            chain(group(a, b), c).delay()

        found = jobs("id", "state", "waits", "graph_id")
        numbers = [row[0] for row in found]
        assert [row[1:] for row in found] == [
            ("pending", 0, numbers[0]),
            ("pending", 0, numbers[0]),
            ("wait_dependencies", 2, numbers[0]),
        ]
        assert edges(hub) == [(numbers[0], numbers[2], "done"), (numbers[1], numbers[2], "done")]

    def test_an_equal_job_that_was_there_takes_the_place_of_a_vertex(self, hub: Hub, jobs: Any) -> None:
        """
        What waits for the vertex waits for that job, which had no graph before; it waits for nothing new.
        """
        with hub.env() as env:
            winner = env[NOTE].with_delay(identity_key="k").copy("there")
        with hub.env() as env:
            a, c = (env[NOTE].delayable().copy(text) for text in "ac")
            b = env[NOTE].delayable(identity_key="k").copy("b")
            chain(a, b, c).delay()

        found = {row[0]: row[1:] for row in jobs("id", "state", "waits", "graph_id")}
        child = max(found)
        assert len(found) == 3
        assert edges(hub) == [(winner.id, child, "done")]
        assert found[winner.id][:2] == ("pending", 0)
        assert found[child][:2] == ("wait_dependencies", 1)
        assert found[winner.id][2] is not None
        assert hub.queue.run_pending() == 3

    def test_two_equal_vertices_are_one(self, hub: Hub, jobs: Any) -> None:
        """
        What waits for both waits for one job, once.
        """
        with hub.env() as env:
            a, b = (env[NOTE].delayable(identity_key="k").copy(text) for text in "ab")
            chain(group(a, b), env[NOTE].delayable().copy("c")).delay()

        assert jobs("state", "waits") == [("pending", 0), ("wait_dependencies", 1)]
        assert hub.queue.run_pending() == 2

    def test_a_vertex_that_is_its_own_parent_waits_for_nothing(self, hub: Hub, jobs: Any) -> None:
        """
        Two equal jobs one after the other are one job.
        """
        with hub.env() as env:
            a, b = (env[NOTE].delayable(identity_key="k").copy(text) for text in "ab")
            chain(a, b).delay()

        assert jobs("state", "waits") == [("pending", 0)]
        assert edges(hub) == []
