"""Parts of a transaction: each is undone alone, and costs nothing where it leaves the database alone."""

from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from isthmus.errors import RecordValueError, TransactionError
from isthmus.event import EventListener
from isthmus.testing.envs import Envs

TASK = "project.task"


def names(envs: Envs) -> list[str]:
    """Read the tasks."""
    with envs.env() as env:
        return [str(task.name) for task in env[TASK].search(order="id")]


@pytest.fixture
def savepoints(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements about savepoints that the database is sent, by SQLAlchemy or past it."""
    seen: list[str] = []

    def note(text_: str) -> None:
        seen.extend(word.strip() for word in text_.split(";") if "SAVEPOINT" in word)

    event.listen(engine, "before_cursor_execute", lambda *call: note(call[2]))
    if engine.dialect.name == "postgresql":
        import psycopg

        execute = psycopg.Connection.execute

        def heard(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            note(str(query))
            return execute(self, query, *args, **kwargs)

        monkeypatch.setattr(psycopg.Connection, "execute", heard)
    return seen


def test_only_the_part_that_raises_is_undone(envs: Envs) -> None:
    """
    What was before, after and between stays, jobs to be done at the commit too.
    """
    done = []
    with envs.env() as env:
        env[TASK].create({"name": "before"})
        for number in range(5):
            with suppress(ZeroDivisionError), env.transaction.part():
                task = env[TASK].create({"name": f"part {number}"})
                env.after_commit(lambda number=number: done.append(number))
                task.write({"name": f"{task.name}!"})
                if number % 2:
                    env.flush()
                    raise ZeroDivisionError
                if number == 4:
                    raise ZeroDivisionError  # before the change was sent
        env[TASK].create({"name": "after"})

    assert names(envs) == ["before", "part 0!", "part 2!", "after"]
    assert done == [0, 2]


def test_a_part_that_leaves_the_session_alone_costs_nothing(envs: Envs, savepoints: list[str]) -> None:
    """
    No savepoint, not even a transaction.
    """
    with envs.env() as env:
        for _ in range(3):
            with suppress(ZeroDivisionError), env.transaction.part():
                raise ZeroDivisionError
        opened = env.transaction.open

    assert not opened
    assert savepoints == []


def test_a_part_that_uses_it_costs_one_savepoint(envs: Envs, savepoints: list[str]) -> None:
    """
    That of the part before goes with it; the last goes with the commit.
    """
    with envs.env() as env:
        for number in range(3):
            with env.transaction.part():
                for _ in range(2):
                    env[TASK].create({"name": str(number)})
                    env.flush()

    begun = [statement for statement in savepoints if statement.startswith("SAVEPOINT")]
    released = [statement for statement in savepoints if statement.startswith("RELEASE")]
    assert (len(begun), len(released)) == (3, 2)
    assert names(envs) == ["0", "0", "1", "1", "2", "2"]


def test_what_a_part_has_loaded_is_forgotten_when_it_is_undone(envs: Envs) -> None:
    """
    A record reads as it is in the database then.
    """
    with envs.env() as env:
        task = env[TASK].create({"name": "old"})
        env.flush()
        with suppress(ZeroDivisionError), env.transaction.part():
            env[TASK].browse(task.id).write({"name": "new"})
            env.flush()
            raise ZeroDivisionError
        found = env[TASK].browse(task.id).name

    assert found == "old"
    assert names(envs) == ["old"]


def test_a_listener_s_error_undoes_the_part_only(make_envs: Any) -> None:
    """
    The error is the part's own, which its caller hears of; the transaction is not broken by it.
    """

    class Picky(EventListener):
        _name = "test.parts.picky"
        _apply_on = TASK

        def on_record_create(self, record: Any, fields: Any) -> None:
            if record.name == "bad":
                raise ZeroDivisionError

    envs = make_envs(Picky)
    with envs.env() as env:
        for name in ("a", "bad", "b"):
            with suppress(ZeroDivisionError), env.transaction.part():
                env[TASK].create({"name": name})

    assert names(envs) == ["a", "b"]


def test_after_a_flush_that_failed_nothing_can_be_committed(envs: Envs) -> None:
    """
    The session has lost more than the part, so that the others would be committed without their changes.
    """

    def change() -> None:
        with envs.env() as env:
            with env.transaction.part():
                good = env[TASK].create({"name": "good"})
            with suppress(Exception), env.transaction.part():
                good.write({"name": None})
            with suppress(Exception), env.transaction.part():
                env[TASK].search_count([])

    with pytest.raises(TransactionError, match="the transaction was broken by an earlier error"):
        change()

    assert names(envs) == []


def test_a_create_that_is_refused_is_undone_alone(envs: Envs) -> None:
    """
    It needs no flush, so that the session loses nothing else.
    """
    with envs.env() as env:
        with env.transaction.part():
            env[TASK].create({"name": "good"})
        with suppress(RecordValueError), env.transaction.part():
            env[TASK].create({"name": None})
        with env.transaction.part():
            env[TASK].create({"name": "better"})

    assert names(envs) == ["good", "better"]


def test_what_was_broken_before_a_part_stays_broken(make_envs: Any) -> None:
    """
    A listener failed and somebody swallowed that: no part that is undone later makes it good.
    """

    class Picky(EventListener):
        _name = "test.parts.picky"
        _apply_on = TASK

        def on_record_create(self, record: Any, fields: Any) -> None:
            raise ZeroDivisionError

    envs = make_envs(Picky)

    def change() -> None:
        with envs.env() as env:
            with suppress(ZeroDivisionError):
                env[TASK].create({"name": "broken"})
            with suppress(KeyError), env.transaction.part():
                env[TASK].search_count([])
                raise KeyError

    with pytest.raises(TransactionError, match="the transaction was broken by an earlier error"):
        change()

    assert names(envs) == []


def test_a_new_transaction_begins_its_parts_anew(envs: Envs, savepoints: list[str]) -> None:
    """
    The savepoint went with the commit: nothing of it is named after.
    """
    with envs.env() as env:
        for name in "ab":
            with env.transaction.part():
                env[TASK].create({"name": name})
            env.transaction.commit()
        with suppress(ZeroDivisionError), env.transaction.part():
            env[TASK].create({"name": "c"})
            env.flush()
            raise ZeroDivisionError

    assert [statement.split()[0] for statement in savepoints] == ["SAVEPOINT"] * 3 + ["ROLLBACK"]
    assert names(envs) == ["a", "b"]


def test_statements_past_the_session_s_objects_are_undone_too(envs: Envs) -> None:
    """
    Core and textual SQL use the session's connection.
    """
    with envs.env() as env:
        env[TASK].create({"name": "kept"})
        with suppress(ZeroDivisionError), env.transaction.part():
            env.session.execute(text("DELETE FROM project_task"))
            raise ZeroDivisionError

    assert names(envs) == ["kept"]
