"""Trapped jobs are looked at, and run when the test says so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.env import ModelExtension
from isthmus.hub import Hub
from isthmus.job import job
from isthmus.job.graph.plan import chain, group
from isthmus.settings import Settings
from isthmus.store.sql import SqlModel
from isthmus.testing.jobs import trap_jobs

NAME = "unit.testing.note"


class TrapNote(SqlModel):
    """A record that jobs are called on."""

    __tablename__ = "unit_testing_note"
    _name = NAME

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class TrapNoteJobs(ModelExtension):
    """The jobs."""

    _inherit = NAME

    @job
    def add(self, text: str) -> None:
        """Write a note."""
        self.env[NAME].create({"text": f"{text} by {self.env.user}"})

    @job
    def add_twice(self, text: str) -> None:
        """Delay two."""
        for _ in range(2):
            self.env[NAME].with_delay().add(text)

    @job
    def add_seen(self, text: str) -> str:
        """Write a note with what those before returned."""
        seen = ",".join(filter(None, self.env.parent_results + self.env.parent_errors))
        self.env[NAME].create({"text": f"{text}({seen})"})
        return text

    @job
    def refuse(self) -> None:
        """Fail."""
        raise ValueError("refused")

    @job
    def add_graph(self) -> None:
        """Delay a graph."""
        chain(self.delayable().add_seen("x"), self.delayable(priority=0).add_seen("y")).delay()

    @job
    def rename(self, text: str) -> None:
        """Write the record."""
        self.write({"text": text})


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub over a SQLite file."""
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'trap.db'}", plugins=(), models=())
    with Hub(settings, plugins=[], models={NAME: TrapNote}, extensions=[TrapNoteJobs]) as made:
        SqlModel.metadata.create_all(made.engine)
        yield made


def texts(hub: Hub) -> list[Any]:
    """Read the notes."""
    with hub.env() as env:
        return [note.text for note in env[NAME].search(order="id")]


def test_trapped_jobs_are_counted_and_not_stored(hub: Hub) -> None:
    """
    By method or all; the queue itself stays empty, and is back in place afterwards.
    """
    with trap_jobs(hub) as trap, hub.env() as env:
        env[NAME].with_delay().add("a")
        env[NAME].with_delay().add_twice("b")
        trap.assert_jobs_count(2)
        trap.assert_jobs_count(1, only=env[NAME].add)
        trap.assert_jobs_count(0, only="rename")

    assert hub.queue.list() == []
    assert hub.services.delayer is hub.queue


def test_a_job_is_found_by_its_call_and_properties(hub: Hub) -> None:
    """
    Arguments are compared exactly, of the options only those that are named.
    """
    with trap_jobs(hub) as trap, hub.env() as env:
        note = env[NAME].create({"text": "a"})
        note.with_delay(priority=3, channel="fast", identity_key="k").rename("b")

        trap.assert_enqueued_job(note.rename, args=("b",), properties={"priority": 3})
        trap.assert_enqueued_job(
            "rename", args=("b",), properties={"channel": "root.fast", "identity_key": "k"}
        )


def test_what_is_not_there_is_told_with_what_is(hub: Hub) -> None:
    """
    The message lists the trapped jobs.
    """
    with trap_jobs(hub) as trap, hub.env() as env:
        env[NAME].with_delay().add("a")

        with pytest.raises(AssertionError) as caught:
            trap.assert_enqueued_job(env[NAME].add, args=("b",))

    assert str(caught.value) == (
        "no job add with ('b',), {} and {} is trapped:\n"
        "  unit.testing.note.add on <model unit.testing.note> with ('a',), {}"
    )


def test_equal_jobs_are_trapped_once(hub: Hub) -> None:
    """
    As the queue does it.
    """
    with trap_jobs(hub) as trap, hub.env() as env:
        first, second = (env[NAME].with_delay(identity_key="k").add("a") for _ in range(2))

    assert trap.jobs_count() == 1
    assert (second.id, second.is_duplicate) == (first.id, True)


def test_performing_runs_jobs_that_jobs_create(hub: Hub) -> None:
    """
    Each runs in an env of its own, as the one who delayed it; urgent ones first.
    """
    with trap_jobs(hub) as trap:
        with hub.env(user="anna") as env:
            env[NAME].with_delay(priority=20).add_twice("late")
            env[NAME].with_delay(priority=0).add("early")
        performed = trap.perform_enqueued_jobs()
        again = trap.perform_enqueued_jobs()

    assert (performed, again) == (4, 0)
    assert texts(hub) == ["early by anna", "late by anna", "late by anna"]


def test_performing_in_the_test_s_own_env(hub: Hub) -> None:
    """
    Jobs then see what the env has not committed yet.
    """
    with trap_jobs(hub) as trap, hub.env() as env:
        note = env[NAME].create({"text": "a"})
        note.with_delay().rename("b")
        trap.perform_enqueued_jobs(env)
        seen = note.text

    assert seen == "b"


def test_graphs_are_performed_in_their_order(hub: Hub) -> None:
    """
    Whatever their priorities; results are handed on, also through a join, which is not counted.
    """
    with trap_jobs(hub) as trap:
        with hub.env() as env:
            call = env[NAME].delayable
            first = group(call(priority=50).add_seen(text) for text in "abc")
            chain(first, group(call(priority=1).add_seen(text) for text in "xyz")).delay()
            env[NAME].with_delay(priority=20).add_seen("alone")
        trap.assert_jobs_count(7)
        before = [call.args for call in trap.parents_of(trap.calls[3])]
        performed = trap.perform_enqueued_jobs()

    assert performed == 7
    assert before == [("a",), ("b",), ("c",)]
    assert texts(hub) == ["alone()", "a()", "b()", "c()", "x(a,b,c)", "y(a,b,c)", "z(a,b,c)"]


def test_a_job_may_delay_a_graph(hub: Hub) -> None:
    """
    It is trapped and performed as well.
    """
    with trap_jobs(hub) as trap:
        with hub.env() as env:
            env[NAME].with_delay().add_graph()
        performed = trap.perform_enqueued_jobs()

    assert performed == 3
    assert texts(hub) == ["x()", "y(x)"]


def test_a_failure_that_is_watched_is_not_the_test_s(hub: Hub) -> None:
    """
    What watches it runs; what waits for success does not.
    """
    with trap_jobs(hub) as trap:
        with hub.env() as env:
            call = env[NAME].delayable
            call().refuse().on_done(call().add_seen("no")).on_failure(call().add_seen("yes")).delay()
        performed = trap.perform_enqueued_jobs()

    assert performed == 2
    assert texts(hub) == ["yes(refused)"]


def test_a_failure_that_nothing_watches_is_the_test_s(hub: Hub) -> None:
    """
    As that of a single job.
    """
    with trap_jobs(hub) as trap:
        with hub.env() as env:
            call = env[NAME].delayable
            call().refuse().on_done(call().add_seen("no")).delay()
        with pytest.raises(ValueError, match="refused"):
            trap.perform_enqueued_jobs()


def test_equal_jobs_in_graphs_are_trapped_once(hub: Hub) -> None:
    """
    What follows either of them follows the one that is left.
    """
    with trap_jobs(hub) as trap:
        with hub.env() as env:
            same = env[NAME].with_delay(identity_key="k").add_seen("a")
            call = env[NAME].delayable
            refs = chain(
                call().add_seen("b"), call(identity_key="k").add_seen("a"), call().add_seen("c")
            ).delay()
        performed = trap.perform_enqueued_jobs()

    assert (refs[1].id, refs[1].is_duplicate) == (same.id, True)
    assert performed == 3
    assert texts(hub) == ["a()", "b()", "c(a)"]


def test_many_calls_are_trapped_one_by_one(hub: Hub) -> None:
    """
    Each with its arguments.
    """
    with trap_jobs(hub) as trap, hub.env() as env:
        env[NAME].with_delay().add.map([("a",), ("b",)])

        trap.assert_jobs_count(2)
        trap.assert_enqueued_job(env[NAME].add, args=("b",))
