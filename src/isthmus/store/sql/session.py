"""Sessions of an env: one of its own, or an application's that several envs may share one after another."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.orm import ORMExecuteState, Session

_BOARD: Final = "isthmus_events"
"""Key in ``Session.info``: who hears what of the session."""


class OwnSession(Session):
    """A session that never begins by itself, and whose flush is its transaction's matter."""

    def __init__(self, engine: Engine, on_flush: Callable[[Callable[[], None]], None]) -> None:
        super().__init__(engine, expire_on_commit=False, autobegin=False)
        self._on_flush = on_flush

    def flush(self, objects: Any = None) -> None:
        """Flush, then tell the listeners."""
        if not self._flushing:
            self._on_flush(lambda: super(OwnSession, self).flush(objects))


class _Switchboard:
    """The handlers on one session: connected once, as SQLAlchemy's lists may not change while in use."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.stack: list[Any] = []
        self.handlers: dict[str, list[tuple[Any, Callable[..., Any], bool]]] = {}

    def add(self, name: str, owner: Any, handler: Callable[..., Any], *, always: bool) -> None:
        if name not in self.handlers:
            self.handlers[name] = []
            if not isinstance(self._session, OwnSession):
                event.listen(self._session, name, lambda *args: self.call(name, args))
        self.handlers[name].append((owner, handler, always))

    def call(self, name: str, args: tuple[Any, ...]) -> Any:
        """Tell the handlers of an event."""
        answer = None
        for owner, handler, always in tuple(self.handlers.get(name, ())):
            if always or (self.stack and self.stack[-1] is owner):
                given = handler(*args)
                answer = given if answer is None else answer
        return answer


# Once for all of our own: to connect handlers with each session would take longer than a small transaction.
@event.listens_for(OwnSession, "after_flush")
def _after_flush(session: Session, context: Any) -> None:
    session.info[_BOARD].call("after_flush", (session, context))


@event.listens_for(OwnSession, "do_orm_execute")
def _do_orm_execute(state: ORMExecuteState) -> Any:
    return state.session.info[_BOARD].call("do_orm_execute", (state,))


class SessionEvents:
    """The handlers of one transaction on a session, and its place among those of the session.

    Args:
        session: The session.
        owner: The transaction. Only the last one that came and has not left hears what happens, so that a
            change is captured once.
    """

    def __init__(self, session: Session, owner: Any) -> None:
        if _BOARD not in session.info:
            session.info[_BOARD] = _Switchboard(session)
        self._board: _Switchboard = session.info[_BOARD]
        self._owner = owner
        self._board.stack.append(owner)

    def listen(self, name: str, handler: Callable[..., Any]) -> None:
        """Call *handler* at each event, while this transaction is the one that hears."""
        self._board.add(name, self._owner, handler, always=False)

    def listen_always(self, name: str, handler: Callable[..., Any]) -> None:
        """Call *handler* at each event, until the transaction is detached."""
        self._board.add(name, self._owner, handler, always=True)

    def leave(self) -> None:
        """Hear nothing from now on but what `listen_always` asked for."""
        if self._owner in self._board.stack:
            self._board.stack.remove(self._owner)

    def detach(self) -> None:
        """Take every handler away."""
        self.leave()
        for name, handlers in self._board.handlers.items():
            self._board.handlers[name] = [h for h in handlers if h[0] is not self._owner]
