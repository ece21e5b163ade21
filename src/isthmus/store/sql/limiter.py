"""Rate limits shared by every worker: tokens are drawn from the database in blocks."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.clock import Clock
from isthmus.env import RateWindow
from isthmus.errors import RateLimitedError
from isthmus.store.sql.base import SqlModel

_BLOCK: Final = 10
"""A block is a tenth of the window: one commit per ten percent of the allowance."""


class Rate(SqlModel):
    """How much of one window of one credential has been drawn."""

    __tablename__ = "isthmus_rate"

    credential: Mapped[str] = mapped_column(primary_key=True)
    """Fingerprint of the credential, never the credential."""
    window: Mapped[str] = mapped_column(primary_key=True)
    """Scope, limit and period of the window."""
    began_at: Mapped[datetime]
    """Start of the current window."""
    drawn: Mapped[int]
    """Calls drawn in it, by all processes; never above the limit."""


@dataclass(slots=True)
class _Block:
    left: int
    until: datetime


class SqlLimiter:
    """The limiter on the hub's own database.

    A window starts with its first call and allows *limit* calls until it ends, so twice the limit can fall
    into one period around its border; the server's 429 then closes the window for everybody.

    Args:
        engine: The hub's engine.
        clock: Whose time counts.
        patience: The longest wait inside `take`; beyond it the job is delayed instead.
    """

    def __init__(self, engine: Engine, clock: Clock, *, patience: timedelta = timedelta(seconds=15)) -> None:
        self._engine = engine
        self._clock = clock
        self._patience = patience
        self._blocks: dict[tuple[str, str], _Block] = {}
        self._lock = threading.Lock()

    def take(self, credential: str, windows: Sequence[RateWindow]) -> None:
        """Take one call from every window; waits when that is short.

        Raises:
            RateLimitedError: When the wait would be longer than the patience.
        """
        waited = timedelta()
        for window in windows:
            while (wait := self._draw(credential, window)) > timedelta():
                waited += wait
                if waited > self._patience:
                    raise RateLimitedError(
                        f"the limit of {window.limit} calls per {window.period.total_seconds():g} s "
                        f"{window.scope and f'({window.scope}) '}is used up",
                        retry_in=wait,
                        ignore_retry=True,
                    )
                self._clock.sleep(wait.total_seconds())

    def _draw(self, credential: str, window: RateWindow) -> timedelta:
        """Take one from the local block, or draw a block; give the wait when there is none."""
        name = f"{window.scope}/{window.limit}/{window.period.total_seconds():g}"
        with self._lock:
            now = self._clock.now()
            block = self._blocks.get((credential, name))
            if block is None or block.left <= 0 or block.until <= now:
                block = self._draw_block(credential, name, window, now)
                self._blocks[credential, name] = block
            if block.left <= 0:
                return max(block.until - now, timedelta(milliseconds=1))
            block.left -= 1
            return timedelta()

    def _draw_block(self, credential: str, name: str, window: RateWindow, now: datetime) -> _Block:
        size = max(1, window.limit // _BLOCK)
        same = (Rate.credential == credential, Rate.window == name)
        with self._engine.begin() as connection:
            row = connection.execute(
                select(Rate.began_at, Rate.drawn).where(*same).with_for_update()
            ).one_or_none()
            if row is None:
                try:
                    with connection.begin_nested():
                        connection.execute(
                            insert(Rate).values(credential=credential, window=name, began_at=now, drawn=size)
                        )
                except IntegrityError:  # another process made the row at this very moment
                    return _Block(0, now + timedelta(milliseconds=1))
                return _Block(size, now + window.period)
            began, drawn = row
            if began + window.period <= now:
                began, drawn = now, 0
            got = min(size, window.limit - drawn)
            if got > 0:
                connection.execute(update(Rate).where(*same).values(began_at=began, drawn=drawn + got))
            return _Block(max(got, 0), began + window.period)

    def exhausted(self, credential: str, window: RateWindow) -> None:
        """Note that the server refused: nobody may call before the window ends."""
        name = f"{window.scope}/{window.limit}/{window.period.total_seconds():g}"
        now = self._clock.now()
        with self._lock:
            self._blocks[credential, name] = _Block(0, now + window.period)
        with self._engine.begin() as connection:
            changed = connection.execute(
                update(Rate)
                .where(Rate.credential == credential, Rate.window == name)
                .values(began_at=now, drawn=window.limit)
            )
            if changed.rowcount == 0:
                connection.execute(
                    insert(Rate).values(credential=credential, window=name, began_at=now, drawn=window.limit)
                )
