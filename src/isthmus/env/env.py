"""The unit of work: one transaction, one user, one context, access to models by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

from isthmus.env.model import Model
from isthmus.env.protocols import Delayer, LeaseLocks, Limiter, Services, Transaction
from isthmus.errors import (
    ConfigurationError,
    OutsideError,
    PendingWriteError,
    PhaseError,
    ReadonlyError,
    UnknownModelError,
)


@dataclass(frozen=True, slots=True)
class Phase:
    """What the steps of one phase of a synchroniser may do.

    Attributes:
        name: For messages.
        writes: True when records may be written.
        calls: True when other systems may be called.
    """

    name: str
    writes: bool
    calls: bool


_EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


class Env:
    """One unit of work, made by ``hub.env()``.

    ``env["project.task"]`` gives a model. The transaction begins at the first query, commits
    at the end of the ``with`` block of the hub, and rolls back on an error.

    Attributes:
        user: Who acts, for the journal.
        run_id: Names this run in log, jobs and journal.
        readonly: True when any write raises.
        services: What the hub gave.
        transaction: The transaction on the hub's own database.
    """

    def __init__(
        self,
        services: Services,
        transaction: Transaction,
        *,
        user: str = "",
        ctx: Mapping[str, Any] = _EMPTY,
        readonly: bool = False,
        owns_transaction: bool = True,
        run_id: str | None = None,
    ) -> None:
        """Be made by the hub."""
        self.services = services
        self.transaction = transaction
        self.user = user
        self.readonly = readonly
        self.run_id = run_id or uuid4().hex[:12]
        self.job_id: str | None = None
        self.parents: Sequence[Any] = ()
        """In a job: what became of those that it waited for (`isthmus.job.graph.parents.Parent`)."""
        self.interrupt: BaseException | None = None
        """What the next use of this env raises: whoever runs it shall stop."""
        self._ctx: Mapping[str, Any] = MappingProxyType(dict(ctx))
        self._owns = owns_transaction
        self._outside = False
        self._inside: list[str] = []
        self._phase: Phase | None = None
        self._models: dict[str, Model] = {}
        self.collected_events: dict[Any, Any] = {}
        self.memo: dict[Any, Any] = {}
        """What was read in this transaction and may be used again in it; emptied when it ends."""

    # -- models ------------------------------------------------------------------------

    def __getitem__(self, name: str | type) -> Any:
        """Give the model of a name or of a mapped class.

        Raises:
            UnknownModelError: When no store serves it; names near ones.
        """
        if isinstance(name, type):
            name = self.services.names.get(name, f"{name.__module__}.{name.__qualname__}")
        try:
            return self._models[name]
        except KeyError:
            pass
        store = self.services.stores.get(name)
        if store is None:
            raise UnknownModelError(name, self.services.stores)
        classes = self.services.classes
        model: Model = classes.model_class(name)(self, name, store, classes.record_class(name))
        self._models[name] = model
        return model

    def __contains__(self, name: object) -> bool:
        """Tell whether a store serves the model."""
        return name in self.services.stores

    # -- context -----------------------------------------------------------------------

    @property
    def ctx(self) -> Mapping[str, Any]:
        """The context's keys, read-only."""
        return self._ctx

    @contextmanager
    def context(self, **keys: Any) -> Iterator["Env"]:
        """Add keys to the context for a block.

        Pending changes are flushed on entry under the old context and on normal exit under
        the new one, so each change is seen under the context it was made in.
        """
        self._flush_if_open()
        before = self._ctx
        self._ctx = MappingProxyType({**before, **keys})
        try:
            yield self
            self._flush_if_open()
        finally:
            self._ctx = before

    # -- parts -------------------------------------------------------------------------

    @property
    def components(self) -> Any:
        """The component registry."""
        return self.services.components

    @property
    def clock(self) -> Any:
        """The clock."""
        return self.services.clock

    def now(self) -> datetime:
        """Tell the time, aware, in UTC."""
        moment: datetime = self.services.clock.now()
        return moment

    @property
    def parent_results(self) -> list[Any]:
        """In a job: what the jobs that it waited for returned, in the order in which they were prepared."""
        return [parent.result for parent in self.parents]

    @property
    def parent_errors(self) -> list[str]:
        """In a job that waited for a failure: why those failed that did, in the same order."""
        return [parent.error for parent in self.parents if parent.error is not None]

    @property
    def delayer(self) -> Delayer:
        """The queue.

        Raises:
            ConfigurationError: When this env was made without one.
        """
        if self.services.delayer is None:
            raise ConfigurationError("this env has no job queue: make it with Hub.env()")
        return self.services.delayer

    @property
    def limiter(self) -> Limiter | None:
        """The rate limiter; None when calls are not limited."""
        return self.services.limiter

    @property
    def locks(self) -> LeaseLocks:
        """The leases.

        Raises:
            ConfigurationError: When this env was made without them.
        """
        if self.services.locks is None:
            raise ConfigurationError("this env has no leases: make it with Hub.env()")
        return self.services.locks

    @property
    def session(self) -> Any:
        """The SQLAlchemy session of the hub's own database, in a transaction.

        Raises:
            OutsideError: Inside ``env.outside()``.
        """
        if self.interrupt is not None:
            raise self.interrupt
        if self._outside:
            raise OutsideError("no query inside env.outside(): read what you need before it, or after")
        return self.transaction.session

    # -- transaction -------------------------------------------------------------------

    @property
    def is_outside(self) -> bool:
        """True inside ``env.outside()``."""
        return self._outside

    def check_writable(self, what: str) -> None:
        """Refuse a write where none may happen.

        Raises:
            ReadonlyError: When the env is readonly.
            PhaseError: When a synchroniser step writes in a phase that only reads.
        """
        if self.readonly:
            raise ReadonlyError(f"{what}: this env is readonly")
        if self._phase is not None and not self._phase.writes:
            raise PhaseError(f"{what} in phase {self._phase.name!r}: writing belongs to phase 'write'")

    @contextmanager
    def in_phase(self, phase: Phase) -> Iterator[None]:
        """Hold a block to what a synchroniser's phase may do."""
        before, self._phase = self._phase, phase
        try:
            yield
        finally:
            self._phase = before

    def flush(self) -> None:
        """Send pending changes and deliver their events."""
        self.transaction.flush()

    def _flush_if_open(self) -> None:
        if not self._outside and not self.readonly:
            self.transaction.flush()

    def touch(self, model: str, ids: Any) -> None:
        """Declare that Core or textual SQL changed records, so that listeners hear of it.

        Raises:
            OutsideError: Inside ``env.outside()``, where nothing can have been changed.
        """
        if self._outside:
            raise OutsideError("env.touch() is not possible inside env.outside()")
        self.transaction.touch(self, model, list(ids))

    def before_commit(self, action: Callable[[], None]) -> None:
        """Do *action* once, at the end of the next commit's preparation, inside the transaction."""
        self.transaction.before_commit(action)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do *action* once, after the next commit; dropped by a rollback."""
        self.transaction.after_commit(action)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo only this block when it raises.

        Raises:
            OutsideError: Inside ``env.outside()``, where there is no transaction.
        """
        if self._outside:
            raise OutsideError("a savepoint is not possible inside env.outside()")
        try:
            with self.inside("a savepoint"), self.transaction.savepoint():
                yield
        except BaseException:
            self.memo.clear()
            raise

    @contextmanager
    def inside(self, where: str) -> Iterator[None]:
        """Mark a block in which the transaction cannot be left; *where* is for the message."""
        self._inside.append(where)
        try:
            yield
        finally:
            self._inside.pop()

    def _why_not_outside(self) -> str | None:
        if self._outside:
            return "another env.outside()"
        if self._inside:
            return self._inside[-1]
        if not self._owns:
            return "a session of the application's own"
        return None

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Leave the transaction for a block: commit, do slow things, begin anew.

        Inside, values that are loaded can be read, any query or assignment raises. On leaving, also by
        an exception, a new transaction begins at the next query and every record is read again.

        Raises:
            OutsideError: Where the transaction cannot be left; says where the env is.
        """
        why = "a readonly env" if self.readonly else self._why_not_outside()
        if why:
            raise OutsideError(f"env.outside() is not possible inside {why}")
        self.transaction.commit()
        self.memo.clear()
        self._outside = True
        try:
            yield
        finally:
            self._outside = False
            self.memo.clear()
            self.transaction.renew()

    def external_call(self, what: str) -> None:
        """Say that a call to another system follows; called by adapters and remote stores.

        A transaction that has only read is ended silently.

        Args:
            what: The call, for the message.

        Raises:
            PendingWriteError: When the transaction has written; names the write.
            OutsideError: When it has only read but cannot be ended here.
            PhaseError: In a synchroniser's phase that makes no calls.
        """
        if self.interrupt is not None:
            raise self.interrupt
        if self._phase is not None and not self._phase.calls:
            raise PhaseError(
                f"cannot {what} in phase {self._phase.name!r}: calls belong to 'gather' or 'write'"
            )
        if self._outside:
            return
        written = self.transaction.written
        if written:
            raise PendingWriteError(
                f"cannot {what}: this transaction has already written ({written}) and would hold its locks "
                f"during the call; put the call into `with env.outside():`"
            )
        why = self._why_not_outside()
        if why:
            raise OutsideError(f"cannot {what} inside {why}")
        if self.transaction.end():
            self.memo.clear()

    def __repr__(self) -> str:
        """Show user and run."""
        return f"<env user={self.user!r} run={self.run_id}>"
