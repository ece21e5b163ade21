"""The env's transaction: a session that delivers events, guards its commits and can be left."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, Protocol, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    InvalidRequestError,
    ResourceClosedError,
    StatementError,
)
from sqlalchemy.orm import ORMExecuteState, Session

from isthmus.env import Env
from isthmus.errors import OutsideError, ReadonlyError, RecordValueError, TransactionError
from isthmus.store.sql.capture import Capture
from isthmus.store.sql.cut import cut
from isthmus.store.sql.engine import READONLY, WRITTEN, observe_writes
from isthmus.store.sql.insertion import Insertion
from isthmus.store.sql.session import OwnSession, SessionEvents

_FIRST_PART: Final = "SAVEPOINT isthmus_part"
_END_PART: Final = "RELEASE SAVEPOINT isthmus_part"
_NEXT_PART: Final = f"{_END_PART}; {_FIRST_PART}"
_UNDO_PART: Final = "ROLLBACK TO SAVEPOINT isthmus_part"


class Outbox(Protocol):
    """What is to be written as the last thing before a commit, and forgotten with what it belongs to."""

    def __len__(self) -> int:
        """Count what waits in it."""
        ...

    def keep(self, length: int) -> None:
        """Forget what came after the first so many."""
        ...

    def write(self, session: Session) -> None:
        """Write all, in the transaction."""
        ...

    def write_alone(self) -> bool:
        """Write all as one statement that commits by itself; False when that cannot be done."""
        ...

    def written(self) -> None:
        """Hear that it is committed."""
        ...


class SqlTransaction:
    """One env's transaction on the hub's own database.

    Attributes:
        outbox: What the queue writes with it; None while nothing was delayed.
        guards: Called before each commit that writes; one that raises prevents it.
        epoch: Changes when every instance that was loaded is worthless (after a rollback).
    """

    def __init__(
        self,
        engine: Engine | None,
        *,
        names: Mapping[type, str],
        heard: Callable[[str], bool],
        readonly: bool = False,
        session: Session | None = None,
    ) -> None:
        """Use *engine* with a session of our own, or an application's *session*.

        Raises:
            TransactionError: When both are missing.
        """
        self._readonly = readonly
        if session is None and engine is None:
            raise TransactionError("a transaction needs an engine or a session")
        self._owned = session is None
        self._engine = engine
        self._made: Session | None = None
        self._connection: Connection | None = None
        self._env: Env | None = None
        self._broken: BaseException | None = None
        self._stale = False
        self._closed = False
        self._before: list[Callable[[], None]] = []
        self._after: list[Callable[[], None]] = []
        self._written: str | None = None
        self._points: dict[Any, tuple[int, int]] = {}
        self.guards: list[Callable[[], None]] = []
        self.outbox: Outbox | None = None
        self._parted: bool | None = None
        self._has_savepoint = False
        self.epoch = object()
        self.capture = Capture(self._get_env, names, heard)
        if session is not None:
            self._attach(session)
            self._events.listen_always("before_commit", self._foreign_commit)
            self._events.listen_always("after_commit", self._foreign_committed)
            self._events.listen_always("after_rollback", self._foreign_rolled_back)
            self._events.listen_always("after_transaction_create", self._foreign_savepoint)
            self._events.listen_always("after_soft_rollback", self._foreign_undo)

    def _attach(self, session: Session) -> None:
        self._made = session
        self._events = SessionEvents(session, self)
        self.capture.attach(self._events.listen)
        self._events.listen("after_flush", self._note_flush)
        self._events.listen("do_orm_execute", self._note_statement)

    @property
    def _session(self) -> Session:
        """The session; made when something first needs it: many jobs never do."""
        if self._made is not None:
            return self._made
        engine = cast(Engine, self._engine)
        observe_writes(engine)
        made = OwnSession(engine, self.flush_and_deliver)
        self._attach(made)
        return made

    def bind(self, env: Env) -> None:
        """Say which env this transaction serves."""
        self._env = env

    def _get_env(self) -> Env:
        if self._env is None:
            raise TransactionError("this transaction serves no env yet")
        return self._env

    # -- session -----------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """The session; begins the transaction if there is none (but not outside)."""
        if self._owned and not self._session.in_transaction():
            if self._env is not None and self._env.is_outside:
                return self._session
            self._session.begin()
            if self._stale:
                # Also drops what was assigned behind our back while there was no transaction.
                self._session.expire_all()
                self._stale = False
            options = {READONLY: True} if self._readonly else None
            self._connection = self._session.connection(execution_options=options)
            self._connection.info.pop(WRITTEN, None)
        if self._parted is False and self._connection is not None:
            self._begin_part(self._connection)
        return self._session

    @property
    def open(self) -> bool:
        """True while a transaction is open."""
        return self._made is not None and self._made.in_transaction()

    @property
    def used(self) -> bool:
        """True when a commit would have something to do."""
        return self.open or bool(self._before or self.outbox or self._changed)

    @property
    def _changed(self) -> bool:
        # Its own question: `new`, `dirty` and `deleted` each copy what they show, some times in each job.
        return self._made is not None and not self._made._is_clean()

    @property
    def written(self) -> str | None:
        """What was written first in the current transaction, or waits to be; None if it has only read."""
        if self._written is None:
            self._written = self._waiting_write()
        if self._written is None and self._connection is not None:
            self._written = self._connection.info.get(WRITTEN)
        return self._written

    def _waiting_write(self) -> str | None:
        session = self._made
        if session is None:
            return None
        for kind, objects in (("create", session.new), ("write", session.dirty), ("unlink", session.deleted)):
            for instance in objects:
                if kind != "write" or session.is_modified(instance):
                    return f"{kind} of {_name_of(instance)}"
        return None

    def mark(self, what: str) -> None:
        """Note a write that the session does not see.

        Raises:
            ReadonlyError: When the env is readonly.
        """
        if self._readonly:
            raise ReadonlyError(f"{what}: this env is readonly")
        if self._written is None:
            self._written = what

    def _note_flush(self, _session: Session, _context: Any) -> None:
        if self._written is None and (what := self._waiting_write()) is not None:
            self.mark(what)

    def _note_statement(self, state: ORMExecuteState) -> None:
        if state.is_update or state.is_delete or state.is_insert:
            table = getattr(state.statement, "table", None)
            self.mark(f"statement on {getattr(table, 'name', 'a table')}")

    # -- flush and commit --------------------------------------------------------------

    def flush_and_deliver(self, flush: Callable[[], None]) -> None:
        """Flush by *flush* and deliver events; a failing listener breaks the transaction.

        Raises:
            ReadonlyError: When a readonly env has changes.
        """
        dirty = self._changed
        if not dirty and not self.capture.pending:
            return
        if dirty and self._readonly:
            raise ReadonlyError("this env is readonly, but a record was changed in it")
        if dirty:
            flush = partial(self._announce_and_flush, flush)
        self._send(flush)

    def _announce_and_flush(self, flush: Callable[[], None]) -> None:
        self.capture.announce_deletes(self._session)
        flush()

    def insert(self, insertion: Insertion, instance: Any) -> bool:
        """Insert one instance without a flush; False when a flush has more to do, or somebody hears of it."""
        if not self._owned:
            return False  # what an application hears of its session is its matter
        session = self.session
        if self._changed or session.dispatch.before_flush or not insertion.takes(instance):
            return False
        self.mark(f"create of {_name_of(instance)}")

        def write() -> None:
            insertion.insert(session, instance)
            self.capture.created(instance)

        self._send(write)
        return True

    def _send(self, write: Callable[[], None]) -> None:
        """Write and deliver events.

        Raises:
            OutsideError: When something was assigned inside ``env.outside()``.
        """
        try:
            with self._get_env().inside("a flush"):
                write()
            if self.capture.pending:
                self.capture.deliver(self._session)
        except BaseException as exc:
            if isinstance(exc, InvalidRequestError) and self._get_env().is_outside:
                raise OutsideError("a record was assigned inside env.outside()") from exc
            self._broken = exc
            if (reason := _refused_value(exc)) is None:
                raise
            self._broken = RecordValueError(f"the database refuses a value: {reason}")
            raise self._broken from exc

    def flush(self) -> None:
        """Send pending changes and deliver their events."""
        if self._owned and not self._changed and not (self.open and self.capture.pending):
            return  # also because the use of the session below would cost a part its savepoint
        session = self.session
        session.flush()
        if not self._owned:
            self._deliver_foreign()

    def commit(self) -> None:
        """Flush, do what was put off, ask the guards, commit.

        Raises:
            TransactionError: When a listener failed earlier and the error was swallowed.
        """
        if self._broken is not None:
            broken = self._broken
            self.rollback()
            raise TransactionError(f"the transaction was broken by an earlier error: {broken}") from broken
        if not self.used:
            return
        try:
            if not self._commit_outbox_alone():
                self._prepare()
                if self._owned:
                    self._session.commit()
        except BaseException:
            self.rollback()
            raise
        self._ended()
        self._run_after()

    def _commit_outbox_alone(self) -> bool:
        """Commit what was delayed without a transaction of the session, when there is nothing else."""
        if self.outbox is None or not self._owned or self.open or self.guards or self._before:
            return False
        return not self._changed and self.outbox.write_alone()

    def _prepare(self) -> None:
        session = self.session
        session.flush()
        if self.capture.pending:
            self.capture.deliver(session)
        while self._before:
            action = self._before.pop(0)
            action()
            session.flush()
        if self._broken is not None:
            raise TransactionError(
                f"the transaction was broken by an earlier error: {self._broken}"
            ) from self._broken
        if self.outbox:
            self.outbox.write(session)
        if self.guards and self.written is not None:
            for guard in self.guards:
                guard()

    def _run_after(self) -> None:
        done, self._after = self._after, []
        outbox, self.outbox = self.outbox, None
        if outbox is not None:
            outbox.written()
        for action in done:
            action()

    def _ended(self) -> None:
        """Begin anew: loaded values stay readable until the next transaction."""
        self._written = None
        self._connection = None
        self._has_savepoint = False
        self._stale = True

    def _forget(self) -> None:
        self._written = None
        self._broken = None
        self._connection = None
        self._has_savepoint = False
        self._before.clear()
        self._after.clear()
        self.outbox = None
        self.capture.forget()

    def end(self) -> bool:
        """End a transaction that has only read; loaded values stay readable.

        Returns:
            Whether there was one to end.
        """
        if not (self._owned and self.open):
            return False
        self._session.commit()
        self._ended()
        return True

    def renew(self) -> None:
        """Forget every loaded value: the next transaction reads afresh."""
        if self._made is not None:
            self._made.expire_all()

    def rollback(self) -> None:
        """Throw everything away since the last commit."""
        if self._made is not None:
            if self._made.in_transaction():
                self._made.rollback()
            if self._owned:
                self._made.expunge_all()
        self.epoch = object()
        self._forget()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo only this block when it raises."""
        session = self.session
        session.flush()
        point = session.begin_nested()
        before, after, captured = list(self._before), list(self._after), len(self.capture)
        delayed = len(self.outbox or ())
        broken = self._broken
        try:
            yield
            session.flush()
            if self.capture.pending:
                self.capture.deliver(session)
        except BaseException:
            self._broken = broken
            with suppress(ResourceClosedError):  # somebody has rolled back further than this
                point.rollback()
            self._before, self._after = before, after
            self.capture.keep(captured)
            if self.outbox is not None:
                self.outbox.keep(delayed)
            raise
        point.commit()

    @contextmanager
    def part(self) -> Iterator[None]:
        """Undo only this block when it raises; costs a savepoint only when it uses the session.

        For many small blocks in one transaction: the session forgets all it has loaded when one fails, and
        where the failure was in a flush the whole transaction is lost and cannot be committed any more.
        """
        self.flush()
        before, after, captured = list(self._before), list(self._after), len(self.capture)
        delayed = len(self.outbox or ())
        broken = self._broken
        self._parted = False
        try:
            yield
            self.flush()
        except BaseException as exc:
            if self._parted:
                self._undo_part(exc, broken)
            self._before, self._after = before, after
            self.capture.keep(captured)
            if self.outbox is not None:
                self.outbox.keep(delayed)
            raise
        finally:
            self._parted = None

    @property
    def driver(self) -> Any:
        """The driver's connection, while there is one; for those who look after it from another thread."""
        connection = self._connection
        with suppress(InvalidRequestError):  # closed meanwhile
            return None if connection is None else connection.connection.driver_connection
        return None

    def cut(self) -> None:
        """Throw it away from another thread, where the own one does not come back; its next query raises."""
        if self._connection is not None:
            cut(self._connection)

    def _begin_part(self, connection: Connection) -> None:
        self._parted = True
        if connection.dialect.name == "postgresql":
            # The savepoint of the part before goes in the same round trip.
            driver: Any = connection.connection.driver_connection
            driver.execute(_NEXT_PART if self._has_savepoint else _FIRST_PART, prepare=False)
        else:
            if self._has_savepoint:
                connection.exec_driver_sql(_END_PART)
            connection.exec_driver_sql(_FIRST_PART)
        self._has_savepoint = True

    def _undo_part(self, error: BaseException, broken: BaseException | None) -> None:
        session = self._session
        self._broken = broken
        if session.is_active and self._connection is not None:
            self._connection.exec_driver_sql(_UNDO_PART)
            session.expunge_all()
        else:
            self._broken = error
        self.epoch = object()

    def before_commit(self, action: Callable[[], None]) -> None:
        """Do *action* once, as the last thing before the next commit."""
        self._before.append(action)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do *action* once, after the next commit."""
        self._after.append(action)

    def touch(self, env: Env, model: str, ids: list[Any]) -> None:
        """Take in changes made by Core or textual SQL."""
        env[model]  # an unknown model is an error now, not at commit
        self.mark(f"touch of {model}")
        self.capture.touch(model, ids)

    def created(self, model: str, ids: Iterable[Any], fields: Iterable[str]) -> None:
        """Take in records that were inserted as rows."""
        self.capture.inserted(model, ids, fields)

    def close(self) -> None:
        """Give the connection back; what was not committed is rolled back.

        An application's session is left as it is; what waits for its commit is done then.
        """
        if self._owned:
            if self._made is not None:
                self._made.close()
            self._connection = None
            return
        self._closed = True
        self._events.leave()
        if not (self._before or self._after or self.outbox or self.capture.pending or self._broken):
            self._events.detach()

    # -- an application's session ------------------------------------------------------

    def _deliver_foreign(self) -> None:
        try:
            self.capture.deliver(self._session)
        except BaseException as exc:
            self._broken = exc
            raise

    def _foreign_commit(self, session: Session) -> None:
        if session.in_nested_transaction():
            return  # a savepoint is released, nothing is final yet
        if self._broken is not None:
            raise TransactionError(
                f"the transaction was broken by an earlier error: {self._broken}"
            ) from self._broken
        session.flush()
        self._deliver_foreign()
        while self._before:
            self._before.pop(0)()
            session.flush()
            self._deliver_foreign()
        if self.outbox:
            self.outbox.write(session)

    def _foreign_committed(self, session: Session) -> None:
        if not session.in_nested_transaction():
            self._written = None
            self._run_after()
            self._foreign_end()

    def _foreign_rolled_back(self, session: Session) -> None:
        if not session.in_nested_transaction():
            self._foreign_end()

    def _foreign_end(self) -> None:
        self._forget()
        self._points.clear()
        if self._closed:
            self._events.detach()

    def _foreign_savepoint(self, _session: Session, point: Any) -> None:
        if point.nested:
            self._points[point] = (len(self.capture), len(self.outbox or ()))

    def _foreign_undo(self, _session: Session, point: Any) -> None:
        if point in self._points:
            captured, delayed = self._points.pop(point)
            self.capture.keep(captured)
            if self.outbox is not None:
                self.outbox.keep(delayed)


def _name_of(instance: Any) -> str:
    return getattr(instance, "_name", "") or type(instance).__name__


def _refused_value(error: BaseException) -> str | None:
    """Say in one line why a value cannot be stored; None when the error is not about a value."""
    if isinstance(error, (IntegrityError, DataError)):
        return " ".join(str(error.orig).split())
    # A value that the column's type refuses, SQLite's integers of more than 64 bits, half characters.
    if type(error) is StatementError or isinstance(error, (OverflowError, UnicodeEncodeError)):
        return " ".join(str(getattr(error, "orig", None) or error).split())
    return None
