"""What really changed is told once, with its old values, in the transaction of the change."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, insert, text, update
from sqlalchemy.orm import Session

from isthmus.errors import TransactionError
from isthmus.event import EventListener
from isthmus.models.project import Project, Task
from isthmus.testing.envs import Envs

TASK = "project.task"


@pytest.fixture
def listening(make_envs: Callable[..., Envs], heard: Any) -> Envs:
    """Envs in which the changes of tasks are heard."""
    return make_envs(heard.listener)


def changes(heard: Any) -> list[Any]:
    """Leave out the context."""
    return [entry[:4] for entry in heard]


def create_task(envs: Envs, heard: Any, **values: Any) -> Any:
    """Commit a task, and forget what was heard of it."""
    with envs.env() as env:
        key = env[TASK].create({"name": "old", **values}).id
    heard.clear()
    return key


class TestUnitOfWork:
    def test_a_create_tells_the_given_fields(self, listening: Envs, heard: Any) -> None:
        """
        A new record has no old values.
        """
        with listening.env() as env:
            key = env[TASK].create({"name": "x"}).id

        ((kind, told, fields, old),) = changes(heard)
        assert (kind, told, old) == ("create", key, {})
        assert "name" in fields
        assert "project_id" not in fields

    def test_a_write_tells_what_changed_and_from_what(self, listening: Envs, heard: Any) -> None:
        """
        Fields written with the value they had are not told.
        """
        key = create_task(listening, heard, sequence=3)
        with listening.env() as env:
            env[TASK].write([key], {"name": "new", "sequence": 3})

        assert changes(heard) == [("write", key, {"name"}, {"name": "old"})]

    def test_one_flush_is_one_event(self, listening: Envs, heard: Any) -> None:
        """
        However often a record is written before it.
        """
        key = create_task(listening, heard)
        with listening.env() as env:
            task = env[TASK].browse(key)
            task.write({"name": "first"})
            task.write({"name": "second"})
            task.write({"sequence": 7})

        assert changes(heard) == [("write", key, {"name", "sequence"}, {"name": "old", "sequence": 10})]

    def test_a_change_and_its_undoing_is_none(self, listening: Envs, heard: Any) -> None:
        """
        Nothing changed, so nothing is told.
        """
        key = create_task(listening, heard)
        with listening.env() as env:
            env[TASK].write([key], {"name": "new"})
            env[TASK].write([key], {"name": "old"})

        assert heard == []

    def test_the_old_value_of_an_unloaded_attribute_is_known(self, listening: Envs, heard: Any) -> None:
        """
        Also after the transaction was left and every value has expired; the same value is no change.
        """
        key = create_task(listening, heard, sequence=3)
        with listening.env() as env:
            task = env[TASK].browse(key)
            assert task.name == "old"
            with env.outside():
                pass
            task.write({"name": "new", "sequence": 3})

        assert changes(heard) == [("write", key, {"name"}, {"name": "old"})]

    def test_a_deletion_is_told_while_the_record_is_there(self, listening: Envs, heard: Any) -> None:
        """
        The listener can read it.
        """
        key = create_task(listening, heard)
        with listening.env() as env:
            env[TASK].unlink([key])

        assert changes(heard) == [("unlink", key, "old", True)]

    def test_lists_tell_their_old_keys(self, make_envs: Callable[..., Envs]) -> None:
        """
        A changed list is a changed field of its record.
        """
        log: list[Any] = []

        class OfProjects(EventListener):
            _name = "test.of.projects"
            _apply_on = "project.project"

            def on_record_write(self, record: Any, fields: Any) -> None:
                log.append((record.id, set(fields), dict(fields.old)))

        with make_envs(OfProjects).env() as env:
            stages = env["project.task.type"].create([{"name": "a"}, {"name": "b"}])
            project = env["project.project"].create({"name": "p", "type_ids": [stages[0].id]})
            project.write({"type_ids": [stages[1].id]})

        assert log == [(project.id, {"type_ids"}, {"type_ids": [stages[0].id]})]


class TestBulkStatements:
    def test_an_orm_update_tells_the_rows_that_changed(self, listening: Envs, heard: Any) -> None:
        """
        With their old values; rows that had the value already are not told.
        """
        first, second = create_task(listening, heard, sequence=1), create_task(listening, heard, sequence=2)
        with listening.env() as env:
            env.session.execute(update(Task).values(sequence=2, write_date=Task.write_date))

        assert changes(heard) == [("write", first, {"sequence"}, {"sequence": 1})]
        assert second != first

    def test_an_update_by_keys_tells_them(self, listening: Envs, heard: Any) -> None:
        """
        SQLAlchemy's bulk update by primary key.
        """
        first, second = create_task(listening, heard), create_task(listening, heard)
        with listening.env() as env:
            env.session.execute(update(Task), [{"id": first, "name": "a"}, {"id": second, "name": "b"}])

        assert [(kind, key, old["name"]) for kind, key, _, old in changes(heard)] == [
            ("write", first, "old"),
            ("write", second, "old"),
        ]

    def test_an_orm_insert_tells_the_new_rows(self, listening: Envs, heard: Any) -> None:
        """
        With the fields that were given.
        """
        with listening.env() as env:
            env.session.execute(insert(Task), [{"name": "a"}, {"name": "b"}])
            env.flush()
            keys = [task.id for task in env[TASK].search([], order="id")]

        assert changes(heard) == [("create", key, {"name"}, {}) for key in keys]

    def test_an_insert_with_its_own_returning_is_refused(self, listening: Envs) -> None:
        """
        Its rows would be taken away from whoever asked for them.
        """
        with listening.env() as env, pytest.raises(TransactionError) as caught:
            env.session.execute(insert(Task).returning(Task.name), [{"name": "a"}])

        assert str(caught.value) == (
            "a bulk insert of project.task with its own RETURNING cannot be observed: leave it out, "
            "or use env['project.task'].create()"
        )

    def test_an_orm_delete_is_told_before_it_happens(self, listening: Envs, heard: Any) -> None:
        """
        The rows are still there when listeners hear of it.
        """
        key = create_task(listening, heard)
        with listening.env() as env:
            env.session.execute(delete(Task).where(Task.id == key))

        assert changes(heard) == [("unlink", key, "old", True)]

    def test_other_sql_is_told_when_it_is_declared(self, listening: Envs, heard: Any) -> None:
        """
        Which fields changed is not known then, so all may have.
        """
        key = create_task(listening, heard)
        with listening.env() as env:
            env.session.execute(text("UPDATE project_task SET name = 'x'"))
            env.touch(TASK, [key])

        ((kind, told, fields, old),) = changes(heard)
        assert (kind, told, old) == ("write", key, {})
        assert {"name", "project_id"} <= fields


class TestListeners:
    def test_they_may_create_and_write(self, make_envs: Callable[..., Envs]) -> None:
        """
        What they change is told in the next round.
        """
        log: list[str] = []

        class Counter(EventListener):
            _name = "test.counter"
            _apply_on = TASK

            def on_record_create(self, record: Any, fields: Any) -> None:
                log.append(record.name)
                if record.sequence > 1:
                    self.env[TASK].create({"name": "child", "sequence": record.sequence - 1})
                    record.write({"description": "<p>has a child</p>"})

        with make_envs(Counter).env() as env:
            env[TASK].create({"name": "root", "sequence": 4})
            described = env[TASK].search_count([("description", "!=", False)])

        assert log == ["root", "child", "child", "child"]
        assert described == 3

    def test_listeners_that_never_rest_are_an_error(self, make_envs: Callable[..., Envs]) -> None:
        """
        After fifty rounds, naming the models.
        """

        class Restless(EventListener):
            _name = "test.restless"
            _apply_on = TASK

            def on_record_create(self, record: Any, fields: Any) -> None:
                self.env[TASK].create({"name": "another"})

        with pytest.raises(TransactionError) as caught, make_envs(Restless).env() as env:
            env[TASK].create({"name": "first"})

        assert str(caught.value) == (
            "listeners still change project.task after 50 rounds; one of them writes what another one undoes"
        )

    def test_a_deletion_within_a_listener_is_told_before_it_happens_too(
        self, make_envs: Callable[..., Envs], heard: Any
    ) -> None:
        """
        On any depth.
        """

        class Cleaner(EventListener):
            _name = "test.cleaner"
            _apply_on = "project.project"

            def on_record_write(self, record: Any, fields: Any) -> None:
                self.env[TASK].unlink([t.id for t in self.env[TASK].search([])])

        with make_envs(Cleaner, heard.listener).env() as env:
            task = env[TASK].create({"name": "x"})
            project = env["project.project"].create({"name": "p"})
            heard.clear()
            project.write({"name": "q"})
            env.flush()

        assert changes(heard) == [("unlink", task.id, "x", True)]

    def test_an_error_aborts_even_when_it_is_swallowed(self, make_envs: Callable[..., Envs]) -> None:
        """
        Half a reaction is not committed.
        """

        class Failing(EventListener):
            _name = "test.failing"
            _apply_on = TASK

            def on_record_create(self, record: Any, fields: Any) -> None:
                raise ZeroDivisionError("no")

        envs = make_envs(Failing)
        with envs.env() as env:
            with pytest.raises(ZeroDivisionError):
                env[TASK].create({"name": "x"})
            with pytest.raises(TransactionError) as caught:
                env.transaction.commit()

        with envs.env() as env:
            assert env[TASK].search_count() == 0
        assert str(caught.value) == "the transaction was broken by an earlier error: no"

    def test_a_bulk_create_collects_listeners_once(self, make_envs: Callable[..., Envs], heard: Any) -> None:
        """
        However many records are created.
        """
        made: list[int] = []

        class Counting(EventListener):
            _name = "test.counting"
            _apply_on = TASK

            @classmethod
            def _component_match(
                cls, work: Any, usage: Any = None, model_name: Any = None, **kw: Any
            ) -> bool:
                made.append(1)
                return True

            def on_record_create(self, record: Any, fields: Any) -> None:
                heard.append(record.id)

        with make_envs(Counting).env() as env:
            env[TASK].create([{"name": str(n)} for n in range(200)])

        assert (len(heard), len(made)) == (200, 1)


class TestApplicationSessions:
    def test_events_are_told_before_the_application_s_commit(self, listening: Envs, heard: Any) -> None:
        """
        Of its own objects, created, changed and deleted; each once.
        """
        key = create_task(listening, heard)
        gone = create_task(listening, heard)
        with Session(listening.engine) as session:
            with listening.env(session=session) as env:
                session.get(Task, key).name = "new"
                session.delete(session.get(Task, gone))
                session.add(Task(name="made"))
                env.flush()
            told = [entry[:2] for entry in heard]
            session.commit()

        assert ("write", key) in told
        assert ("unlink", gone) in told
        assert len(heard) == len(told) == 3

    def test_two_envs_on_one_session_tell_a_change_once(self, listening: Envs, heard: Any) -> None:
        """
        One after another or one in another.
        """
        with Session(listening.engine) as session:
            with listening.env(session=session) as outer:
                with listening.env(session=session):
                    session.add(Task(name="inner"))
                session.add(Task(name="outer"))
                outer.flush()
            with listening.env(session=session):
                session.add(Task(name="later"))
            session.commit()
            session.add(Task(name="of nobody"))
            session.commit()

        assert [kind for kind, *_ in heard] == ["create"] * 3

    def test_put_off_actions_wait_for_the_application_s_commit(self, listening: Envs) -> None:
        """
        Although the env is long closed; a savepoint's release is no commit.
        """
        done: list[str] = []
        with Session(listening.engine) as session:
            with listening.env(session=session) as env:
                session.add(Project(name="x"))
                env.before_commit(lambda: done.append("before"))
                env.after_commit(lambda: done.append("after"))
            with session.begin_nested():
                session.add(Project(name="y"))
            before = list(done)
            session.commit()

        assert (before, done) == ([], ["before", "after"])

    def test_a_swallowed_error_prevents_the_application_s_commit(
        self, make_envs: Callable[..., Envs]
    ) -> None:
        """
        As it does for an env's own transaction.
        """

        class Failing(EventListener):
            _name = "test.failing"
            _apply_on = TASK

            def on_record_create(self, record: Any, fields: Any) -> None:
                raise ZeroDivisionError("no")

        envs = make_envs(Failing)
        with Session(envs.engine) as session:
            with pytest.raises(ZeroDivisionError), envs.env(session=session):
                session.add(Task(name="x"))
            with pytest.raises(TransactionError):
                session.commit()

        with envs.env() as env:
            assert env[TASK].search_count() == 0

    def test_changes_of_an_undone_savepoint_are_not_told(self, listening: Envs, heard: Any) -> None:
        """
        The application's own savepoints count too.
        """
        with Session(listening.engine) as session, listening.env(session=session):
            session.add(Task(name="kept"))
            session.flush()
            point = session.begin_nested()
            session.add(Task(name="undone"))
            session.flush()
            point.rollback()
            session.commit()

        assert len(heard) == 1
