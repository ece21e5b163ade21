"""Sessions of an env: one of its own, or an application's that several envs may share one after another."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

_STACK: Final = "isthmus_transactions"
"""Key in ``Session.info``: the transactions that serve a session, the one that listens last."""


class OwnSession(Session):
    """A session that never begins by itself, and whose flush is its transaction's matter."""

    def __init__(self, engine: Engine, on_flush: Callable[[Callable[[], None]], None]) -> None:
        super().__init__(engine, expire_on_commit=False, autobegin=False)
        self._on_flush = on_flush

    def flush(self, objects: Any = None) -> None:
        """Flush, then tell the listeners."""
        if not self._flushing:
            self._on_flush(lambda: super(OwnSession, self).flush(objects))


class SessionEvents:
    """The handlers of one transaction on a session, and its place among those of the session.

    Args:
        session: The session.
        owner: The transaction. Only the last one that came and has not left hears what happens, so that a
            change is captured once.
    """

    def __init__(self, session: Session, owner: Any) -> None:
        self._session = session
        self._owner = owner
        self._handlers: list[tuple[str, Callable[..., Any]]] = []
        self._stack: list[Any] = session.info.setdefault(_STACK, [])
        self._stack.append(owner)

    def listen(self, name: str, handler: Callable[..., Any]) -> None:
        """Call *handler* at each event, while this transaction is the one that hears."""

        def heard(*args: Any) -> Any:
            return handler(*args) if self._stack and self._stack[-1] is self._owner else None

        self.listen_always(name, heard)

    def listen_always(self, name: str, handler: Callable[..., Any]) -> None:
        """Call *handler* at each event, until the transaction is detached."""
        event.listen(self._session, name, handler)
        self._handlers.append((name, handler))

    def leave(self) -> None:
        """Hear nothing from now on but what `listen_always` asked for."""
        if self._owner in self._stack:
            self._stack.remove(self._owner)

    def detach(self) -> None:
        """Take every handler away."""
        self.leave()
        for name, handler in self._handlers:
            event.remove(self._session, name, handler)
        self._handlers.clear()
