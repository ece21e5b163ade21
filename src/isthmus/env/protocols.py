"""The seams of an env: what a store, a transaction, the queue, the limiter and the leases offer."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from isthmus.env.domain import AllOf
from isthmus.env.field import Field, Key
from isthmus.errors import ParkError


class CreateSafety(StrEnum):
    """What a system offers against a create that is repeated after its answer was lost."""

    NATIVE_KEY = "native_key"
    """It takes a key of ours: a repeated create with the same key finds the first."""
    PROBE = "probe"
    """We can find what we made, after a quiet time."""
    NONE = "none"
    """Neither: a person is asked."""


class Store(Protocol):
    """Where records of ours live. Held by ``isthmus.testing.StoreContract``.

    Values cross this seam in one form: None is the empty value, a many2one is the other
    record's key, an x2many a list of keys, an instant is aware UTC.
    """

    name: str
    transactional: bool
    """True: writes are part of the env's transaction. False: each call is its own."""
    synchronous: bool
    """True: events are delivered in the transaction of the change, before it is committed."""
    create_safety: CreateSafety

    def models(self) -> Collection[str]:
        """List the names of the models that live here."""
        ...

    def place(self) -> str:
        """Say where the records are, for people; elsewhere the same keys are other records."""
        ...

    def fields(self, model: str) -> Mapping[str, Field]:
        """Tell a model's fields by name."""
        ...

    def is_described(self, model: str) -> bool:
        """Tell whether `fields` knows the answer, and asks nobody."""
        ...

    def search(
        self, env: Any, model: str, domain: AllOf, *, order: str | None, limit: int | None, offset: int
    ) -> list[Key]:
        """Find keys, in order, stable by key at the end."""
        ...

    def search_count(self, env: Any, model: str, domain: AllOf) -> int:
        """Count what `search` would find."""
        ...

    def read(self, env: Any, model: str, ids: Sequence[Key], fields: Sequence[str]) -> list[dict[str, Any]]:
        """Read values; rows (with ``id``) in the order of *ids*, missing records left out."""
        ...

    def create(self, env: Any, model: str, values: Sequence[Mapping[str, Any]]) -> list[Key]:
        """Create records and give their keys in order."""
        ...

    def write(self, env: Any, model: str, ids: Sequence[Key], values: Mapping[str, Any]) -> None:
        """Write the same values to records."""
        ...

    def unlink(self, env: Any, model: str, ids: Sequence[Key]) -> None:
        """Delete records."""
        ...

    def get(self, record: Any, field: str) -> Any:
        """Read one field of one record (batched with its siblings where that saves calls)."""
        ...

    def set(self, record: Any, field: str, value: Any) -> None:
        """Assign one field of one record; only transactional stores can."""
        ...

    def key(self, model: str, text: str) -> Key:
        """Turn the text form of a key back into the key."""
        ...


class RemoteWrites(Protocol):
    """What a store whose writes are not part of our transaction offers beside `Store`.

    Its calls raise `UnknownOutcomeError` when a write was sent and no answer came,
    `NetworkRetryableError` when nothing was written, `MissingRecordError` and `InvalidDataError` when
    the other side says so.
    """

    create_safety: CreateSafety

    def create_keyed(
        self, env: Any, model: str, values: Sequence[Mapping[str, Any]], keys: Sequence[str]
    ) -> Sequence[Key | ParkError]:
        """Create records, each with a key of ours that is the same whenever the create is repeated.

        ``native_key``: a key that was used gives the first record back and changes nothing. ``probe``: each
        record carries its key, for `find_created`. ``none``: the keys are not sent.

        Returns:
            The new keys, in order. An error in the place of one: that record was made, and some of its
            values were refused; `find_created` writes them, once they are accepted.
        """
        ...

    def find_created(
        self, env: Any, model: str, key: str, values: Mapping[str, Any], since: datetime
    ) -> list[Key]:
        """Look for what a create of unknown outcome has made; several when it was repeated.

        Args:
            env: The unit of work.
            model: The model.
            key: The key of the create.
            values: Its values, for systems that carry no key and are searched by what they show.
            since: When it was first sent, by our clock.

        Raises:
            NotImplementedError: When the create safety is ``none``.
            ParkError: When it is there, and what was to follow its create is refused.
        """
        ...

    def creation_keys(self, env: Any, model: str, ids: Sequence[Key]) -> dict[Key, str]:
        """Tell which of these records were made with a key of ours; none when the store keeps none."""
        ...


class ChangeFeed(Protocol):
    """How changes in a store without synchronous events are observed: by polling.

    A mark is JSON, and says how far the feed has been read. What is changed while a walk goes on
    is in this walk or the next one; what fell into the lag window is told again.
    """

    def mark_now(self, env: Any, model: str) -> Any:
        """Give the mark from which on only later changes (and the lag window) are told."""
        ...

    def changes(
        self, env: Any, model: str, since: Any, limit: int, fields: Sequence[str]
    ) -> tuple[list[dict[str, Any]], Any]:
        """Read the next changes: new and written records, archived ones too, oldest first.

        Args:
            env: The unit of work.
            model: The model.
            since: The mark that the last call gave; None begins with the oldest record.
            limit: At most so many, at least 1.
            fields: What to read of them.

        Returns:
            Rows with ``id``, ``write_date`` and *fields*, and the new mark. Fewer than *limit* means
            that the walk has come to its end; the next call begins a new one.
        """
        ...

    def ids(self, env: Any, model: str) -> list[Key]:
        """List the keys of all records, archived ones too: what is bound and not here was deleted."""
        ...


class Transaction(Protocol):
    """The env's transaction on the hub's own database."""

    @property
    def written(self) -> str | None:
        """What was written first since it began; None while it has only read."""
        ...

    epoch: Any
    """Changes when everything that was loaded is worthless (after a rollback)."""
    guards: list[Callable[[], None]]
    """Called before each commit that writes; one that raises prevents it."""
    outbox: Any
    """The queue's: what it writes as the last thing before the commit; None while there is nothing."""

    @property
    def used(self) -> bool:
        """True when a commit would have something to do."""
        ...

    @property
    def session(self) -> Any:
        """The session on that database."""
        ...

    def end(self) -> bool:
        """End a transaction that has only read; tell whether there was one."""
        ...

    def flush(self) -> None:
        """Send pending changes and deliver their events."""
        ...

    def commit(self) -> None:
        """Flush, run the guards, commit."""
        ...

    def rollback(self) -> None:
        """Throw everything away since the last commit."""
        ...

    @property
    def driver(self) -> Any:
        """The driver's connection, while there is one; for those who look after it from another thread."""
        ...

    def cut(self) -> None:
        """Throw it away from another thread, where the own one does not come back; its next query raises."""
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """Undo only this block when it raises."""
        ...

    def part(self) -> AbstractContextManager[None]:
        """Undo only this block when it raises; costs a savepoint only when it uses the session."""
        ...

    def renew(self) -> None:
        """Forget every loaded value: the next transaction reads afresh."""
        ...

    def before_commit(self, action: Callable[[], None]) -> None:
        """Do *action* once, as the last thing before the next commit."""
        ...

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do *action* once, after the next commit."""
        ...

    def touch(self, env: Any, model: str, ids: list[Any]) -> None:
        """Take in changes that were made behind the session's back."""
        ...

    def created(self, model: str, ids: Iterable[Any], fields: Iterable[str]) -> None:
        """Take in records that were inserted behind the session's back."""
        ...

    def mark(self, what: str) -> None:
        """Note a write that the session does not see."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class Delayer(Protocol):
    """What ``with_delay`` needs of the queue."""

    def with_delay(self, target: Any, **options: Any) -> Any:
        """Give a proxy of *target* whose method calls become jobs at once."""
        ...

    def delayable(self, target: Any, **options: Any) -> Any:
        """Give a proxy of *target* whose method call is prepared and delayed later."""
        ...


@dataclass(frozen=True, slots=True)
class RateWindow:
    """So many calls in such a period.

    Attributes:
        limit: Calls per period, positive.
        period: Length of the window.
        scope: Distinguishes windows of one credential that count different calls.
    """

    limit: int
    period: timedelta
    scope: str = ""


class Limiter(Protocol):
    """Rate limits of a credential, shared by every worker."""

    def take(self, credential: str, windows: Sequence[RateWindow]) -> None:
        """Take one call from every window; waits when that is short.

        Raises:
            RateLimitedError: When the wait would be long.
        """
        ...

    def exhausted(self, credential: str, window: RateWindow) -> None:
        """Note that the server refused: nobody may call before the window ends."""
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """Leases taken together.

    Attributes:
        token: Identifies this taking; a row taken over by another has another token.
        keys: The keys that were granted, sorted.
        refused: The keys that another holds.
        until: When the lease ends unless prolonged.
    """

    token: str
    keys: tuple[str, ...]
    refused: frozenset[str]
    until: datetime


class LeaseLocks(Protocol):
    """Claims on records being synchronised; never waited for."""

    def take(self, keys: Sequence[str], *, lasting: timedelta) -> Grant:
        """Claim what is free, in one sorted statement of its own transaction."""
        ...

    def now(self) -> datetime:
        """Tell the time by the clock that decides about leases."""
        ...

    def prolong(self, grant: Grant, *, lasting: timedelta) -> Grant:
        """Hold a grant for longer.

        Raises:
            LeaseLostError: When another has taken a key meanwhile.
        """
        ...

    def settle(self, env: Any, grant: Grant) -> None:
        """Check and give up the leases inside the env's transaction.

        Raises:
            LeaseLostError: When another has taken a key meanwhile.
        """
        ...

    def release(self, grant: Grant) -> None:
        """Give up the leases in a transaction of their own; lost ones are left alone."""
        ...


@dataclass(slots=True)
class Services:
    """What the hub hands to every env it makes."""

    stores: Mapping[str, Store]
    """The store of each model, by model name."""
    components: Any
    clock: Any
    classes: Any
    """The built model and record classes (`isthmus.env.extension.ModelClasses`)."""
    names: Mapping[type, str] = field(default_factory=dict)
    """Model name of each mapped class."""
    delayer: Delayer | None = None
    limiter: Limiter | None = None
    locks: LeaseLocks | None = None
    settings: Any = None
    secrets: Any = None
    models: Callable[[], Iterator[str]] | None = None
    hub: Any = None
