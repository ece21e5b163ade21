"""The env's transaction: a session that delivers events, guards its commits and can be left."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DataError, IntegrityError, InvalidRequestError, StatementError
from sqlalchemy.orm import ORMExecuteState, Session

from isthmus.env import Env
from isthmus.errors import OutsideError, ReadonlyError, RecordValueError, TransactionError
from isthmus.store.sql.capture import Capture
from isthmus.store.sql.engine import READONLY


class _Session(Session):
    """A session whose flush delivers events; it never begins by itself."""

    def __init__(self, transaction: "SqlTransaction", engine: Engine) -> None:
        super().__init__(engine, expire_on_commit=False, autobegin=False)
        self._isthmus = transaction

    def flush(self, objects: Any = None) -> None:
        """Flush, then tell the listeners."""
        if not self._flushing:
            self._isthmus.flush_and_deliver(lambda: super(_Session, self).flush(objects))


class SqlTransaction:
    """One env's transaction on the hub's own database.

    Attributes:
        written: What was written first in the current transaction; None if it has only read.
        guards: Called before each commit that writes; one that raises prevents it.
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
        if session is None and engine is None:
            raise TransactionError("a transaction needs an engine or a session")
        self._readonly = readonly
        self._owned = session is None
        self._session: Session = _Session(self, engine) if session is None and engine else session  # type: ignore[assignment]
        self._env: Env | None = None
        self._broken: BaseException | None = None
        self._stale = False
        self._before: list[Callable[[], None]] = []
        self._after: list[Callable[[], None]] = []
        self.written: str | None = None
        self.guards: list[Callable[[], None]] = []
        self.capture = Capture(self._get_env, names, heard)
        self.capture.attach(self._session)
        event.listen(self._session, "after_flush", self._note_flush)
        event.listen(self._session, "do_orm_execute", self._note_statement)
        if not self._owned:
            event.listen(self._session, "before_commit", self._foreign_commit)
            event.listen(self._session, "after_rollback", lambda _session: self._forget())

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
                self._stale = False
                for state in self._session.identity_map.all_states():
                    if not state.modified:
                        self._session.expire(state.obj())
            self._session.connection(execution_options={READONLY: self._readonly})
        return self._session

    @property
    def open(self) -> bool:
        """True while a transaction is open."""
        return self._session.in_transaction()

    @property
    def used(self) -> bool:
        """True when a commit would have something to do."""
        session = self._session
        return self.open or bool(session.new or session.dirty or session.deleted or self._before)

    def mark(self, what: str) -> None:
        """Note a write that the session does not see.

        Raises:
            ReadonlyError: When the env is readonly.
        """
        if self._readonly:
            raise ReadonlyError(f"{what}: this env is readonly")
        if self.written is None:
            self.written = what

    def _note_flush(self, session: Session, _context: Any) -> None:
        if self.written is not None:
            return
        for kind, objects in (("create", session.new), ("write", session.dirty), ("unlink", session.deleted)):
            for instance in objects:
                if kind != "write" or session.is_modified(instance):
                    self.mark(f"{kind} of {getattr(instance, '_name', '') or type(instance).__name__}")
                    return

    def _note_statement(self, state: ORMExecuteState) -> None:
        if state.is_update or state.is_delete or state.is_insert:
            table = getattr(state.statement, "table", None)
            self.mark(f"statement on {getattr(table, 'name', 'a table')}")

    # -- flush and commit --------------------------------------------------------------

    def flush_and_deliver(self, flush: Callable[[], None]) -> None:
        """Flush by *flush* and deliver events; a failing listener breaks the transaction.

        Raises:
            ReadonlyError: When a readonly env has changes.
            RecordValueError: When a value breaks a constraint of the database; names the constraint.
            OutsideError: When something was assigned inside ``env.outside()``.
        """  # noqa: DOC502 - RecordValueError is kept first, then raised
        session = self._session
        dirty = bool(session.new or session.deleted or session.dirty)
        if dirty and self._readonly:
            raise ReadonlyError("this env is readonly, but a record was changed in it")
        try:
            if dirty:
                self.capture.announce_deletes(session)
            flush()
            if self.capture.pending:
                self.capture.deliver(session)
        except BaseException as exc:
            if isinstance(exc, InvalidRequestError) and self._env is not None and self._env.is_outside:
                raise OutsideError("a record was assigned inside env.outside()") from exc
            self._broken = exc
            if (reason := _refused_value(exc)) is None:
                raise
            self._broken = RecordValueError(f"the database refuses a value: {reason}")
            raise self._broken from exc

    def flush(self) -> None:
        """Send pending changes and deliver their events."""
        if (
            self._owned
            and not self.open
            and not (self._session.new or self._session.dirty or self._session.deleted)
        ):
            return
        session = self.session
        session.flush()
        if not self._owned:
            self.capture.deliver(session)

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
            self._prepare()
            if self._owned:
                self._session.commit()
        except BaseException:
            self.rollback()
            raise
        self.written = None
        done, self._after = self._after, []
        for action in done:
            action()

    def _prepare(self) -> None:
        session = self.session
        session.flush()
        if self.capture.pending:
            self.capture.deliver(session)
        while self._before:
            action = self._before.pop(0)
            action()
            session.flush()
        if self.written is not None:
            for guard in self.guards:
                guard()

    def _foreign_commit(self, _session: Session) -> None:
        self.capture.deliver(self._session)
        while self._before:
            self._before.pop(0)()
            self._session.flush()

    def _forget(self) -> None:
        self.written = None
        self._broken = None
        self._before.clear()
        self._after.clear()
        self.capture.forget()

    def end(self) -> bool:
        """End a transaction that has only read; loaded values stay readable.

        Returns:
            Whether there was one to end.
        """
        if not (self._owned and self.open):
            return False
        self._session.commit()
        self._stale = True
        return True

    def renew(self) -> None:
        """Forget every loaded value: the next transaction reads afresh."""
        self._session.expire_all()

    def rollback(self) -> None:
        """Throw everything away since the last commit."""
        if self.open:
            self._session.rollback()
        if self._owned:
            self._session.expunge_all()
        self._forget()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo only this block when it raises."""
        session = self.session
        session.flush()
        point = session.begin_nested()
        waiting, broken = list(self._before), self._broken
        try:
            yield
            session.flush()
            if self.capture.pending:
                self.capture.deliver(session)
        except BaseException:
            self._broken = broken
            point.rollback()
            self._before = waiting
            self.capture.forget()
            raise
        point.commit()

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

    def close(self) -> None:
        """Give the connection back; what was not committed is rolled back."""
        if self._owned:
            self._session.close()


def _refused_value(error: BaseException) -> str | None:
    """Say in one line why a value cannot be stored; None when the error is not about a value."""
    if isinstance(error, (IntegrityError, DataError)):
        return " ".join(str(error.orig).split())
    # A value that the column's type refuses, and SQLite's integers of more than 64 bits.
    if type(error) is StatementError or isinstance(error, OverflowError):
        return " ".join(str(getattr(error, "orig", None) or error).split())
    return None
