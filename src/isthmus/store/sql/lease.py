"""Leases on records being synchronised: rows with owner, token and expiry, never waited for."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    CursorResult,
    Engine,
    delete,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.clock import Clock, SystemClock
from isthmus.env import Env, Grant
from isthmus.errors import LeaseLostError
from isthmus.store.sql.base import SqlModel, new_token
from isthmus.store.sql.bulk import among, each
from isthmus.store.sql.engine import READONLY
from isthmus.store.sql.liveness import Owner

__all__ = ["Lease", "SqlLeaseLocks"]

_FRESH: Final = 0.9
"""The part of its time that a lease still has when prolonging it is not worth a write."""


class Lease(SqlModel):
    """One claim. The row is deleted when the claim is given up."""

    __tablename__ = "isthmus_lease"

    key: Mapped[str] = mapped_column(primary_key=True)
    """What is claimed: ``backend/model/external or record``."""
    token: Mapped[str] = mapped_column(index=True)
    """The taking; changes when another takes over, which is how a loser notices."""
    owner: Mapped[str]
    """The process (`isthmus.store.sql.liveness`)."""
    attempt: Mapped[int]
    """Takings of this row so far, from 1."""
    until: Mapped[datetime]
    """When it may be taken over although its owner may live."""


def database_now(engine: Engine, clock: Clock) -> Any:
    """Give the SQL for "now": the server's clock on PostgreSQL, so that skewed workers agree.

    A frozen clock is used as it is on both.
    """
    if engine.dialect.name == "postgresql" and isinstance(clock, SystemClock):
        return func.clock_timestamp()
    return literal(clock.now(), type_=Lease.__table__.c.until.type)


class SqlLeaseLocks:
    """The leases in the hub's own database.

    Args:
        engine: The hub's engine; a taking uses a short transaction of its own on it.
        clock: Whose time decides.
        owner: This process.
    """

    def __init__(self, engine: Engine, clock: Clock, owner: Owner) -> None:
        self._engine = engine
        self._clock = clock
        self._owner = owner
        self.on_take: Callable[[Grant], None] | None = None
        """Observer for tests and tools; told of each taking."""

    def take(self, keys: Sequence[str], *, lasting: timedelta) -> Grant:
        """Claim what is free, in one sorted statement of its own transaction."""
        wanted = sorted(set(keys))
        token = new_token()
        until = self._clock.now() + lasting
        if not wanted:
            return Grant(token, (), frozenset(), until)
        granted = self._claim(wanted, token, lasting)
        refused = [k for k in wanted if k not in granted]
        if refused and self._free_dead(refused):
            granted |= self._claim(refused, token, lasting)
        grant = Grant(token, tuple(sorted(granted)), frozenset(wanted) - granted, until)
        if self.on_take is not None:
            self.on_take(grant)
        return grant

    def _until(self, lasting: timedelta) -> Any:
        now = database_now(self._engine, self._clock)
        # A parameter with a timedelta added would be read as an instant plus an instant.
        return (
            literal(self._clock.now() + lasting, now.type)
            if isinstance(now, BindParameter)
            else now + lasting
        )

    def _claim(self, keys: Sequence[str], token: str, lasting: timedelta) -> set[str]:
        insert = pg_insert if self._engine.dialect.name == "postgresql" else sqlite_insert
        owner = str(self._owner)
        wanted = each(self._engine.dialect, keys, Lease.key.type).c.value
        # `until` comes from the same clock as the comparison.
        rows = select(wanted, literal(token), literal(owner), literal(1), self._until(lasting))
        statement = insert(Lease).from_select(
            ["key", "token", "owner", "attempt", "until"],
            rows.where(true()),  # without a condition SQLite reads ON CONFLICT as one of a join
        )
        statement = statement.on_conflict_do_update(
            index_elements=[Lease.key],
            set_={
                "token": token,
                "owner": owner,
                "attempt": Lease.attempt + 1,
                "until": statement.excluded.until,
            },
            where=Lease.until <= database_now(self._engine, self._clock),
        )
        with self._engine.begin() as connection:
            return set(connection.scalars(statement.returning(Lease.key)))

    def _free_dead(self, keys: Sequence[str]) -> bool:
        these = among(self._engine.dialect, Lease.key, keys)
        with self._engine.begin() as connection:
            owners = set(connection.scalars(select(Lease.owner).where(these).distinct()))
        gone = [o for o in owners if self._owner.is_gone(o)]
        if not gone:
            # Whoever held them may have given them up between the claim and this look.
            return not owners
        with self._engine.begin() as connection:
            connection.execute(delete(Lease).where(Lease.owner.in_(gone), these))
        return True

    def holders(self, prefix: str) -> list[str]:
        """List the owners that hold a lease whose key begins with *prefix*; dead ones are left out."""
        statement = select(Lease.owner).where(
            Lease.key.startswith(prefix, autoescape=True),
            Lease.until > database_now(self._engine, self._clock),
        )
        with self._engine.execution_options(**{READONLY: True}).begin() as connection:
            owners = connection.scalars(statement.distinct()).all()
        return sorted(owner for owner in owners if not self._owner.is_gone(owner))

    def sweep(self, prefix: str) -> int:
        """Delete those leases of dead owners whose key begins with *prefix*; tells how many."""
        mine = Lease.key.startswith(prefix, autoescape=True)
        with self._engine.execution_options(**{READONLY: True}).begin() as connection:
            owners = connection.scalars(select(Lease.owner).where(mine).distinct()).all()
        gone = [owner for owner in owners if self._owner.is_gone(owner)]
        overdue = Lease.until <= database_now(self._engine, self._clock)
        with self._engine.begin() as connection:
            statement = delete(Lease).where(mine, or_(Lease.owner.in_(gone), overdue))
            return int(connection.execute(statement).rowcount)

    def now(self) -> datetime:
        """Tell the time by the clock that decides about leases: the server's on PostgreSQL."""
        if self._engine.dialect.name != "postgresql":
            return self._clock.now()
        with self._engine.begin() as connection:
            moment: datetime = connection.scalar(select(database_now(self._engine, self._clock)))  # type: ignore[assignment]
        return moment

    def prolong(self, grant: Grant, *, lasting: timedelta) -> Grant:
        """Hold a grant for longer; one that still has nearly all of that time is only looked at.

        Raises:
            LeaseLostError: When another has taken a key meanwhile.
        """  # noqa: DOC502 - raised by what is called
        fresh = select(func.count()).where(
            Lease.token == grant.token, Lease.until >= self._until(lasting * _FRESH)
        )
        with self._engine.execution_options(**{READONLY: True}).begin() as connection:
            if connection.scalar(fresh) == len(grant.keys):
                return grant
        with self._engine.begin() as connection:
            statement = update(Lease).where(Lease.token == grant.token).values(until=self._until(lasting))
            self._check(grant, connection.execute(statement))
        return Grant(grant.token, grant.keys, grant.refused, self._clock.now() + lasting)

    def settle(self, env: Env, grant: Grant) -> None:
        """Check and give up the leases inside the env's transaction.

        The deletion is the check: rows that another took over have another token. On PostgreSQL the
        rows stay locked until the commit, so nobody can take over in between.

        Raises:
            LeaseLostError: When another has taken a key meanwhile.
        """  # noqa: DOC502 - raised by what is called
        if grant.keys:
            self._check(grant, env.session.execute(delete(Lease).where(Lease.token == grant.token)))

    def release(self, grant: Grant) -> None:
        """Give up the leases in a transaction of their own; lost ones are left alone."""
        if grant.keys:
            with self._engine.begin() as connection:
                connection.execute(delete(Lease).where(Lease.token == grant.token))

    @staticmethod
    def _check(grant: Grant, result: CursorResult[Any]) -> None:
        if result.rowcount != len(grant.keys):
            raise LeaseLostError(
                f"{len(grant.keys) - result.rowcount} of {len(grant.keys)} leases were taken over by another "
                f"process; nothing was written"
            )
