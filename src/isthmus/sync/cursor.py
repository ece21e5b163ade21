"""Cursors: how far an incremental import of a stream has come."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import delete, select

from isthmus.env import Env
from isthmus.sync.table import Cursor

HOME: Final = "home/"
"""Stream whose mark tells where the records of ours are that bindings name; the binding model follows."""


class CursorBook:
    """The cursors of one backend; they move in the env's transaction, with the page they describe.

    Args:
        env: The unit of work.
        backend_id: The backend.
    """

    def __init__(self, env: Env, backend_id: int) -> None:
        self._env = env
        self._backend_id = backend_id

    def _find(self, stream: str) -> Cursor | None:
        statement = select(Cursor).where(Cursor.backend_id == self._backend_id, Cursor.stream == stream)
        found: Cursor | None = self._env.session.scalars(statement).one_or_none()
        return found

    def load(self, stream: str) -> Mapping[str, Any] | None:
        """Give a stream's mark; None before its first page."""
        found = self._find(stream)
        return None if found is None else dict(found.mark)

    def save(self, stream: str, mark: Mapping[str, Any]) -> None:
        """Set a stream's mark."""
        found = self._find(stream)
        if found is None:
            found = Cursor(
                backend_id=self._backend_id, stream=stream, mark=dict(mark), updated_at=self._env.now()
            )
            self._env.session.add(found)
        elif found.mark != mark:
            found.mark, found.updated_at = dict(mark), self._env.now()

    def reset(self, stream: str | None = None) -> int:
        """Forget a stream's mark, or how far all of the backend's have come; gives how many.

        A home that is forgotten is wherever the records are then; only by its name.
        """
        if stream is not None and stream.startswith(HOME):
            self.save(stream, {})
            return 1
        statement = delete(Cursor).where(Cursor.backend_id == self._backend_id)
        if stream is None:
            statement = statement.where(Cursor.stream.not_like(f"{HOME}%"))
        else:
            statement = statement.where(Cursor.stream == stream)
        return int(self._env.session.execute(statement).rowcount)


@dataclass(frozen=True, slots=True)
class NewestFirst:
    """A walk over a stream that gives its newest entries first, page by page, back to where it was before.

    The mark `since` moves only when the walk has reached it; a crash resumes at `low`.

    >>> walk = NewestFirst(since="3")
    >>> walk = walk.after_page(["9", "8", "7"], full=True)
    >>> walk.before, walk.since
    ('7', '3')
    >>> walk = walk.after_page(["6", "5"], full=False)
    >>> walk.since, walk.before, walk.done
    ('9', None, True)

    Attributes:
        since: The newest entry of the last completed walk; entries up to it are known. None: never walked.
        high: The newest entry of the walk under way; it becomes `since` at the end.
        low: The oldest entry read by the walk under way.
        done: True after the page that completed a walk.
    """

    since: str | None = None
    high: str | None = None
    low: str | None = None
    done: bool = False

    @property
    def before(self) -> str | None:
        """Entry before which the next page ends; None starts at the newest."""
        return self.low

    def after_page(self, ids: list[str], *, full: bool) -> "NewestFirst":
        """Say that a page was read.

        Args:
            ids: The page's entries, newest first, those up to `since` left out.
            full: True when older unknown entries may follow.
        """
        high = self.high or (ids[0] if ids else None)
        if full and ids:
            return replace(self, high=high, low=ids[-1], done=False)
        return NewestFirst(since=high or self.since, done=True)

    def mark(self) -> dict[str, Any]:
        """Give the form that is stored."""
        return {"since": self.since, "high": self.high, "low": self.low}

    @classmethod
    def load(cls, mark: Mapping[str, Any] | None) -> "NewestFirst":
        """Make it from the stored form."""
        mark = mark or {}
        return cls(since=mark.get("since"), high=mark.get("high"), low=mark.get("low"))
