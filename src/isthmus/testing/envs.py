"""Envs without a hub, for tests of stores and of what lies below the hub."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from isthmus.clock import Clock, SystemClock
from isthmus.component import AbstractComponent, ComponentRegistry
from isthmus.env import Env, Model, ModelClasses, ModelExtension, Record, Services, Store
from isthmus.event import EventListener
from isthmus.store.sql import Owner, SqlLeaseLocks, SqlLimiter, SqlStore, SqlTransaction, watch

_EVENTS: Final = frozenset({"on_record_create", "on_record_write", "on_record_unlink"})


class Envs:
    """Makes envs over a database and stores, as a hub does, but with nothing else around them.

    Args:
        engine: The hub's own database.
        models: Mapped classes in it, by model name.
        stores: Further stores; their models are theirs and not the database's.
        components: Such as listeners.
        extensions: Model extensions.
        clock: Whose time counts.

    Attributes:
        sql: The store of *models*.
        services: What the envs are given.
    """

    def __init__(
        self,
        engine: Engine,
        models: Mapping[str, type] | None = None,
        *,
        stores: Iterable[Store] = (),
        components: Iterable[type[AbstractComponent]] = (),
        extensions: Iterable[type[ModelExtension]] = (),
        clock: Clock | None = None,
    ) -> None:
        self.engine = engine
        self.sql = SqlStore(models or {})
        clock = clock or SystemClock()
        routed: dict[str, Store] = dict.fromkeys(self.sql.models(), self.sql)
        for store in stores:
            routed |= dict.fromkeys(store.models(), store)
        for cls in self.sql.names:
            watch(cls)
        self.services = Services(
            stores=routed,
            components=ComponentRegistry.build(list(components)),
            clock=clock,
            classes=ModelClasses(extensions, model=Model, record=Record, mapped=models),
            names=self.sql.names,
            limiter=SqlLimiter(engine, clock),
            locks=SqlLeaseLocks(engine, clock, Owner()),
        )

    def is_heard(self, model: str) -> bool:
        """Tell whether any listener wants to hear of changes of a model."""
        found = self.services.components.lookup(None, "event.listener", model)
        return any(_EVENTS & set(cls.events) for cls in found if issubclass(cls, EventListener))

    def transaction(self, *, readonly: bool = False, session: Session | None = None) -> SqlTransaction:
        """Make a transaction that serves no env yet."""
        return SqlTransaction(
            self.engine, names=self.sql.names, heard=self.is_heard, readonly=readonly, session=session
        )

    @contextmanager
    def env(
        self, user: str = "", *, readonly: bool = False, session: Session | None = None, **ctx: Any
    ) -> Iterator[Env]:
        """Open a unit of work: commit at the end, roll back on an error; arguments as in ``hub.env()``."""
        transaction = self.transaction(readonly=readonly, session=session)
        owned = session is None
        env = Env(self.services, transaction, user=user, ctx=ctx, readonly=readonly, owns_transaction=owned)
        transaction.bind(env)
        try:
            yield env
            if readonly:
                transaction.end()
            elif owned:
                transaction.commit()
            else:
                transaction.flush()
        except BaseException:
            if owned:
                transaction.rollback()
            raise
        finally:
            transaction.close()
