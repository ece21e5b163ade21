"""An env's transaction begins late, ends silently after reads, and can be left only where that is safe."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, text, update
from sqlalchemy.orm import Session

from isthmus.env import Env
from isthmus.errors import (
    MissingRecordError,
    OutsideError,
    PendingWriteError,
    ReadonlyError,
    RecordValueError,
    TransactionError,
)
from isthmus.event import EventListener
from isthmus.models.project import Task
from isthmus.testing.envs import Envs

TASK = "project.task"


def fails() -> Any:
    """Expect the error that the tests raise on purpose."""
    return pytest.raises(ZeroDivisionError)


def create_task(envs: Envs, name: str = "first") -> Any:
    """Commit a task and tell its key."""
    with envs.env() as env:
        return env[TASK].create({"name": name}).id


def rename(envs: Envs, key: Any, name: str) -> None:
    """Let somebody else change a task."""
    with envs.env() as env:
        env[TASK].write([key], {"name": name})


def name_of(envs: Envs, key: Any) -> str:
    """Tell what is committed."""
    with envs.env(readonly=True) as env:
        return str(env[TASK].browse(key).name)


class TestBeginAndEnd:
    def test_a_transaction_begins_with_the_first_query(self, envs: Envs) -> None:
        """
        An env that was never used costs no transaction.
        """
        with envs.env() as env:
            env[TASK].browse(1)
            before = env.transaction.open
            env[TASK].search([])

            assert (before, env.transaction.open) == (False, True)

    def test_what_was_read_is_ended_silently_by_a_call(self, envs: Envs) -> None:
        """
        Loaded values stay readable, and are read afresh with the next query.
        """
        key = create_task(envs)
        with envs.env() as env:
            task = env[TASK].browse(key)
            assert task.name == "first"
            env.external_call("read card 1")
            ended = not env.transaction.open
            rename(envs, key, "second")

            assert ended
            assert task.name == "second"

    @pytest.mark.parametrize(
        ("write", "what"),
        [
            (lambda env, key: env[TASK].create({"name": "x"}), "create of project.task"),
            (lambda env, key: env[TASK].write([key], {"name": "x"}), "write of project.task"),
            (lambda env, key: setattr(env[TASK].browse(key), "name", "x"), "write of project.task"),
            (lambda env, key: env[TASK].unlink([key]), "unlink of project.task"),
            (
                lambda env, key: env.session.execute(update(Task).values(sequence=1)),
                "statement on project_task",
            ),
            (
                lambda env, key: env.session.execute(text("UPDATE project_task SET sequence = 1")),
                "statement UPDATE project_task SET",
            ),
            (
                lambda env, key: env.session.connection().execute(update(Task.__table__).values(sequence=1)),
                "statement UPDATE project_task SET",
            ),
            (lambda env, key: env.touch(TASK, [key]), "touch of project.task"),
        ],
        ids=["create", "write", "assignment", "unlink", "orm", "text", "core", "touch"],
    )
    def test_a_call_after_a_write_is_refused_naming_the_write(
        self, envs: Envs, write: Callable[[Env, Any], Any], what: str
    ) -> None:
        """
        Flushed or not, by the ORM or by SQL: the locks would be held during the call.
        """
        key = create_task(envs)
        with envs.env() as env:
            write(env, key)

            with pytest.raises(PendingWriteError) as caught:
                env.external_call("read card 1")
            assert str(caught.value) == (
                f"cannot read card 1: this transaction has already written ({what}) and would hold its "
                f"locks during the call; put the call into `with env.outside():`"
            )

    def test_a_write_of_an_earlier_transaction_does_not_count(self, envs: Envs) -> None:
        """
        After outside() the transaction is new and a call may end it.
        """
        with envs.env() as env:
            env.session.connection().execute(text("DELETE FROM project_task"))
            with env.outside():
                pass
            env[TASK].search([])
            env.external_call("read card 1")

            assert not env.transaction.open

    def test_an_error_rolls_everything_back(self, envs: Envs) -> None:
        """
        Nothing of a failed unit of work is left.
        """
        with fails(), envs.env() as env:
            env[TASK].create({"name": "x"})
            raise ZeroDivisionError

        with envs.env() as env:
            assert env[TASK].search_count() == 0

    def test_records_of_a_rolled_back_transaction_are_read_again(self, envs: Envs) -> None:
        """
        A record never shows a value that was thrown away.
        """
        key = create_task(envs)
        with envs.env() as env:
            task = env[TASK].browse(key)
            task.write({"name": "thrown away"})
            made = env[TASK].create({"name": "x"})
            env.transaction.rollback()

            assert task.name == "first"
            with pytest.raises(MissingRecordError):
                made.name  # noqa: B018

    def test_records_found_together_are_loaded_by_one_statement(self, envs: Envs) -> None:
        """
        Looking at each of a page of records costs one query, also after the transaction was left.
        """
        with envs.env() as env:
            env[TASK].create([{"name": str(n)} for n in range(50)])
        statements: list[str] = []
        event.listen(envs.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        with envs.env() as env:
            tasks = env[TASK].search([])
            first = {task.name for task in tasks}
            env.external_call("read card 1")
            second = {task.name for task in tasks}

        assert first == second == {str(n) for n in range(50)}
        assert len([s for s in statements if s.startswith("SELECT")]) == 3


class TestOutside:
    def test_it_commits_and_listeners_have_heard(self, make_envs: Callable[..., Envs], heard: Any) -> None:
        """
        What was written before is there for everybody while the env is outside.
        """
        envs = make_envs(heard.listener)
        with envs.env() as env:
            task = env[TASK].create({"name": "x"})
            task.write({"name": "y"})
            with env.outside():
                committed = name_of(envs, task.id)

        assert committed == "y"
        assert [kind for kind, *_ in heard] == ["create", "write"]

    def test_loaded_values_are_readable_and_nothing_else(self, envs: Envs) -> None:
        """
        Every query and every assignment raises.
        """
        key, other = create_task(envs), create_task(envs, "other")
        with envs.env() as env:
            task = env[TASK].browse(key)
            assert task.name == "first"
            instance = env.session.get(Task, key)
            with env.outside():
                assert task.name == "first"
                attempts = [
                    lambda: env[TASK].search([]),
                    env[TASK].search_count,
                    lambda: env[TASK].read([key], ["name"]),
                    lambda: env[TASK].create({"name": "x"}),
                    lambda: task.write({"name": "x"}),
                    lambda: setattr(task, "name", "x"),
                    task.unlink,
                    lambda: env[TASK].browse(other).name,
                    lambda: env.session,
                    lambda: env.touch(TASK, [key]),
                    lambda: env.savepoint().__enter__(),
                ]
                for attempt in attempts:
                    with pytest.raises(OutsideError):
                        attempt()
                with pytest.raises(Exception, match="Autobegin"):
                    instance.name = "behind our back"

        assert name_of(envs, key) == "first"

    @pytest.mark.parametrize("broken", [False, True])
    def test_everything_is_read_again_afterwards(self, envs: Envs, broken: bool) -> None:
        """
        Also when the block was left by an exception.
        """
        key = create_task(envs)
        with envs.env() as env:
            task = env[TASK].browse(key)
            assert task.name == "first"
            try:
                with env.outside():
                    rename(envs, key, "second")
                    if broken:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                pass

            assert task.name == "second"
            assert not env.is_outside

    def test_what_was_remembered_is_forgotten(self, envs: Envs) -> None:
        """
        The memo of a transaction does not outlive it, on the way out and on the way back.
        """
        with envs.env() as env:
            env.memo["a"] = 1
            with env.outside():
                left = dict(env.memo)
                env.memo["b"] = 2

            assert (left, env.memo) == ({}, {})

    def test_not_in_a_savepoint(self, envs: Envs) -> None:
        """
        A commit would keep half of what the savepoint may undo.
        """
        with envs.env() as env, env.savepoint(), pytest.raises(OutsideError) as caught, env.outside():
            pass

        assert str(caught.value) == "env.outside() is not possible inside a savepoint"

    def test_not_in_another_outside(self, envs: Envs) -> None:
        """
        There is nothing to leave.
        """
        with envs.env() as env, env.outside(), pytest.raises(OutsideError) as caught, env.outside():
            pass

        assert str(caught.value) == "env.outside() is not possible inside another env.outside()"

    def test_not_in_a_readonly_env(self, envs: Envs) -> None:
        """
        It has nothing to commit.
        """
        with envs.env(readonly=True) as env, pytest.raises(OutsideError) as caught, env.outside():
            pass

        assert str(caught.value) == "env.outside() is not possible inside a readonly env"

    def test_not_in_a_session_of_the_application(self, envs: Envs) -> None:
        """
        It would commit the application's work.
        """
        with (
            Session(envs.engine) as session,
            envs.env(session=session) as env,
            pytest.raises(OutsideError) as caught,
            env.outside(),
        ):
            pass

        assert str(caught.value) == (
            "env.outside() is not possible inside a session of the application's own"
        )

    def test_not_in_a_listener(self, make_envs: Callable[..., Envs]) -> None:
        """
        The change it hears of is not complete yet.
        """

        class Leaver(EventListener):
            _name = "test.leaver"

            def on_record_create(self, record: Any, fields: Any) -> None:
                with self.env.outside():
                    pass

        with pytest.raises(OutsideError) as caught, make_envs(Leaver).env() as env:
            env[TASK].create({"name": "x"})

        assert str(caught.value) == "env.outside() is not possible inside a listener"

    def test_not_in_a_flush(self, envs: Envs) -> None:
        """
        SQLAlchemy's own hooks run in the middle of it.
        """
        with envs.env() as env:
            event.listen(env.session, "before_flush", lambda *_: env.outside().__enter__())
            with pytest.raises(OutsideError) as caught:
                env[TASK].create({"name": "x"})
            env.transaction.rollback()

        assert str(caught.value) == "env.outside() is not possible inside a flush"


class TestReadonly:
    def test_sql_that_writes_is_refused(self, envs: Envs) -> None:
        """
        Also Core and text, which no session sees.
        """
        statements: list[Any] = [
            text("DELETE FROM project_task"),
            update(Task).values(sequence=1),
            text("WITH x AS (SELECT 1) UPDATE project_task SET sequence = 1"),
        ]
        with envs.env(readonly=True) as env:
            for statement in statements:
                with pytest.raises(ReadonlyError):
                    env.session.execute(statement)
            with pytest.raises(ReadonlyError):
                env.session.connection().execute(Task.__table__.delete())
            with pytest.raises(ReadonlyError) as caught:
                env.touch(TASK, [1])

        assert str(caught.value) == "touch of project.task: this env is readonly"

    def test_a_mapped_instance_cannot_be_changed_either(self, envs: Envs) -> None:
        """
        The flush refuses it.
        """
        key = create_task(envs)

        with envs.env(readonly=True) as env:
            env.session.get(Task, key).name = "x"
            with pytest.raises(ReadonlyError):
                env.flush()
            env.transaction.rollback()

        assert name_of(envs, key) == "first"


class TestContext:
    def test_keys_are_there_for_a_block(self, envs: Envs) -> None:
        """
        Added to those around it, and gone after it, also after an error.
        """
        with envs.env(lang="de") as env:
            with env.context(tz="UTC"):
                inside = dict(env.ctx)
            with fails(), env.context(lang="fr"):
                raise ZeroDivisionError

            assert inside == {"lang": "de", "tz": "UTC"}
            assert dict(env.ctx) == {"lang": "de"}

    def test_a_change_is_heard_under_the_context_it_was_made_in(
        self, make_envs: Callable[..., Envs], heard: Any
    ) -> None:
        """
        An earlier change of a user is not silenced by a later block, nor the block's by what follows.
        """
        envs = make_envs(heard.listener)
        key = create_task(envs)
        heard.clear()
        with envs.env() as env:
            task = env[TASK].browse(key)
            task.write({"name": "by the user"})
            with env.context(connector_no_export=True):
                task.write({"sequence": 3})
            task.write({"name": "by the user again"})

        assert [(sorted(fields), ctx) for _, _, fields, _, ctx in heard] == [
            (["name"], {}),
            (["sequence"], {"connector_no_export": True}),
            (["name"], {}),
        ]


class TestSavepoint:
    def test_only_its_block_is_undone(self, envs: Envs) -> None:
        """
        What was written before it stays, and the env goes on.
        """
        with envs.env() as env:
            before = env[TASK].create({"name": "before"})
            before.write({"name": "before, changed"})
            with fails(), env.savepoint():
                before.write({"name": "inside"})
                env[TASK].create({"name": "inside"})
                raise ZeroDivisionError
            env[TASK].create({"name": "after"})
            names = [task.name for task in env[TASK].search([], order="id")]

        assert names == ["before, changed", "after"]

    def test_savepoints_nest(self, envs: Envs) -> None:
        """
        The inner one is undone without the outer one.
        """
        with envs.env() as env:
            with env.savepoint():
                env[TASK].create({"name": "outer"})
                with fails(), env.savepoint():
                    env[TASK].create({"name": "inner"})
                    raise ZeroDivisionError
            names = [task.name for task in env[TASK].search([])]

        assert names == ["outer"]

    def test_a_value_the_database_refuses_is_undone_too(self, envs: Envs) -> None:
        """
        A bad record inside a savepoint does not cost the rest of the page.
        """
        with envs.env() as env:
            good = env[TASK].create({"name": "good"})
            with pytest.raises(RecordValueError), env.savepoint():
                env[TASK].create({"name": "bad", "project_id": 987_654})
            good.write({"name": "better"})

        assert name_of(envs, good.id) == "better"

    def test_what_was_put_off_inside_is_dropped_with_it(self, envs: Envs) -> None:
        """
        Actions for the commit belong to the block that asked for them.
        """
        done: list[str] = []
        with envs.env() as env:
            env.before_commit(lambda: done.append("before"))
            env.after_commit(lambda: done.append("after"))
            with fails(), env.savepoint():
                env.before_commit(lambda: done.append("dropped"))
                env.after_commit(lambda: done.append("dropped"))
                raise ZeroDivisionError
            env[TASK].create({"name": "x"})

        assert done == ["before", "after"]

    def test_events_of_an_undone_block_are_not_heard_later(
        self, make_envs: Callable[..., Envs], heard: Any
    ) -> None:
        """
        What never was is never told.
        """
        with make_envs(heard.listener).env() as env, fails(), env.savepoint():
            env.session.execute(text("UPDATE project_task SET sequence = 1"))
            env.touch(TASK, [1])
            raise ZeroDivisionError

        assert heard == []


class TestCommit:
    def test_put_off_actions_run_once_in_and_after_the_transaction(self, envs: Envs) -> None:
        """
        The first may still write, the second sees everything committed.
        """
        seen: list[Any] = []
        with envs.env() as env:
            env.before_commit(lambda: env[TASK].create({"name": "in the transaction"}))
            env.after_commit(lambda: seen.append((env.transaction.open, len(_names(envs)))))

        assert _names(envs) == ["in the transaction"]
        assert seen == [(False, 1)]

    def test_a_rollback_drops_what_was_put_off(self, envs: Envs) -> None:
        """
        Nothing happens for a unit of work that failed.
        """
        done: list[str] = []
        with fails(), envs.env() as env:
            env.after_commit(lambda: done.append("after"))
            env.before_commit(lambda: done.append("before"))
            env[TASK].create({"name": "x"})
            raise ZeroDivisionError

        assert done == []

    def test_a_guard_prevents_the_commit_of_writes_only(self, envs: Envs) -> None:
        """
        A worker that lost its job may read on, but not write.
        """

        def refuse() -> None:
            raise TransactionError("the job is somebody else's by now")

        with envs.env() as env:
            env.transaction.guards.append(refuse)
            env[TASK].search([])
        with envs.env() as env:
            env.transaction.guards.append(refuse)
            env[TASK].create({"name": "x"})
            with pytest.raises(TransactionError):
                env.transaction.commit()

        assert _names(envs) == []


def _names(envs: Envs) -> list[str]:
    with envs.env(readonly=True) as env:
        return [task.name for task in env[TASK].search([])]
