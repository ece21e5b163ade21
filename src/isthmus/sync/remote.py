"""Writing to a remote store of ours: by effects, in bulk where its API can."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import groupby
from typing import Any

from isthmus.binding import BindingRow
from isthmus.component import WorkContext
from isthmus.env import CreateSafety, Env, plain
from isthmus.errors import (
    AmbiguousOutcomeError,
    ConfigurationError,
    FailError,
    InvalidDataError,
    IsthmusError,
    LeaseLostError,
    MissingRecordError,
    NetworkRetryableError,
    ParkError,
    RateLimitedError,
    UnknownFieldError,
    UnknownModelError,
    UnknownOutcomeError,
)
from isthmus.sync.claims import Claims
from isthmus.sync.effect import EffectLog, Intent, wait_quiet
from isthmus.sync.ending import is_plain
from isthmus.sync.home import check_homes
from isthmus.sync.item import Item, Operation, Ref, resolve
from isthmus.sync.sight import read_visible
from isthmus.sync.table import EffectState

_NOT_DONE = (
    NetworkRetryableError,
    RateLimitedError,
    ConfigurationError,
    UnknownFieldError,
    UnknownModelError,
)
"""What a call raises that did nothing, and that the next one would raise as well, whatever the record."""

_MOST_UNANSWERED = 3
"""Of records whose write got no answer before so many may get none again: then it is the server."""


class RemoteCalls:
    """Carries out operations on a remote store; the effects stay open for the last transaction.

    Args:
        work: The page's work.
        importer: Gives the record importer of a binding model.
        claims: The leases, checked just before the calls.
    """

    def __init__(self, work: WorkContext, importer: Callable[[str], Any], claims: Claims) -> None:
        self._env: Env = work.env
        self._backend = work.collection
        self._importer = importer
        self._claims = claims
        self._effects = EffectLog(self._env, work.collection.id)
        self.failure: IsthmusError | None = None
        """What ended the calls early, after some had taken effect: raised when those are written down."""

    def call(
        self,
        operations: list[Operation],
        made: dict[Ref, Any],
        parked: list[tuple[Item, Exception]],
        late: list[Item],
    ) -> list[Operation]:
        """Record effects, make the calls, and give the operations that took effect.

        Raises:
            NetworkRetryableError: When nothing was written.
            RateLimitedError: When nothing was written.
            ConfigurationError: When nothing was written: a login or a right is missing.
            UnknownFieldError: When nothing was written: a mapper names a field that is not there.
            UnknownModelError: When nothing was written: the model is not there.
            LeaseLostError: When nothing was written.
            UnknownOutcomeError: When nothing is known to have been written.
        """  # noqa: DOC502 - most by the store
        done: list[Operation] = []
        # Whoever imports without a look at the other side before makes the first bindings here.
        check_homes(self._env, self._backend, {o.item.model for o in operations if o.kind == "create"})
        for (_, model, kind), same in groupby(operations, key=lambda o: (o.item.level, o.item.model, o.kind)):
            importer, batch = self._importer(model), list(same)
            if kind not in {"create", "write", "archive", "delete"}:
                done += batch
                continue
            ready = []
            for operation in batch:
                try:
                    operation.values = resolved(operation, made)
                    ready.append(operation)
                except ParkError as error:
                    parked.append((operation.item, error))
            self._record(importer, kind, ready)
            try:
                with self._env.outside():
                    self._claims.prolong()
                    if kind == "create":
                        for together in _batches(importer, ready):
                            self._create_there(importer, together, parked)
                    elif kind == "delete":
                        self._delete_there(importer, ready, parked)
                    else:
                        self._write_there(importer, ready, parked, late)
                    self._read_back(importer, kind, ready)
            except LeaseLostError:
                # Nothing was sent, so nothing needs to be looked for.
                self._drop(ready)
                with self._env.outside():
                    raise
            except (*_NOT_DONE, UnknownOutcomeError) as error:
                # Calls that had no effect leave nothing to look for; those that had one are not forgotten.
                if isinstance(error, _NOT_DONE):
                    self._drop(o for o in ready if not _is_told(o))
                done += [o for o in ready if _is_told(o)]
                if done:
                    self.failure = error
                    break
                with self._env.outside():
                    raise
            failed = [o for o in ready if o.record_id is None or o.answer is False]
            self._drop(failed)
            good = [o for o in ready if o not in failed]
            made.update({Ref(model, str(o.item.external_id)): o.record_id for o in good})
            done += good
        return done

    def _record(self, importer: Any, kind: str, batch: list[Operation]) -> None:
        store = self._env[importer.record_model].store
        for operation in batch:
            item = operation.item
            sent = [i for i in item.pending if i.kind == kind and i.target == store.name]
            if kind != "create":
                # What was written may still take effect: another write is another effect.
                sent = [i for i in sent if i.written == plain(operation.values)]
            if sent:
                operation.intent = sent[0]
            else:
                operation.intent = Intent(
                    model=item.model, target=store.name, kind=kind, external_id=item.external_id
                )
            operation.intent.record_id = None if operation.record_id is None else str(operation.record_id)
            operation.intent.written = plain(operation.values)
            operation.intent.source = importer.scheme.their_image(item.payload or {})
        self._effects.record([o.intent for o in batch if o.intent])

    def _drop(self, operations: Iterable[Operation]) -> None:
        """Close effects that nothing became of; one that was sent before may still come, under its key."""
        intents = (o.intent for o in operations if o.intent and o.intent not in o.item.pending)
        self._effects.close(intents, EffectState.DROPPED)

    def _create_there(
        self, importer: Any, batch: list[Operation], parked: list[tuple[Item, Exception]]
    ) -> None:
        """Create records by one call; where one is refused, halve until it is alone."""
        try:
            self._create_batch(importer, batch, parked)
        except _NOT_DONE:
            raise
        except (ParkError, FailError) as error:
            if len(batch) == 1:
                parked.append((batch[0].item, error))
                return
            middle = len(batch) // 2
            self._create_there(importer, batch[:middle], parked)
            self._create_there(importer, batch[middle:], parked)

    def _create_batch(
        self, importer: Any, batch: list[Operation], parked: list[tuple[Item, Exception]]
    ) -> None:
        for operation in batch:
            importer._before_import(operation)
        records = self._env[importer.record_model]
        values = [o.values for o in batch]
        keys = [o.intent.key for o in batch if o.intent]
        if not is_plain(importer, "_create"):
            ids = [importer._create(operation) for operation in batch]
        elif records.store.create_safety is CreateSafety.NONE:
            ids = records.store.create(self._env, records.name, values)
        else:
            ids = records.store.create_keyed(self._env, records.name, values, keys)
        for operation, key in zip(batch, ids, strict=True):
            if isinstance(key, ParkError):
                parked.append((operation.item, key))
                # It was made, in part: what is to be looked for is not dropped.
                operation.item.pending += [operation.intent] if operation.intent else []
                continue
            operation.record_id = key
            operation.answer = operation.values

    def _write_there(
        self,
        importer: Any,
        batch: list[Operation],
        parked: list[tuple[Item, Exception]],
        late: list[Item],
    ) -> None:
        records = self._env[importer.record_model]
        fields = [f for f in importer.read_fields if f in records.fields]
        read, hidden = read_visible(records, [o.record_id for o in batch], fields)
        now = {r["id"]: r for r in read}
        same: dict[tuple[str, str], list[Operation]] = {}
        for operation in batch:
            if operation.record_id in hidden:
                operation.answer = False
                parked.append((operation.item, hidden[operation.record_id]))
                continue
            # A person may have written since we decided: decide again, later.
            if importer.scheme.our_image(now.get(operation.record_id, {})) != importer.scheme.our_image(
                operation.item.ours
            ):
                operation.answer = False
                late.append(operation.item)
            else:
                values = repr(sorted(plain(operation.values).items()))
                alone = repr(operation.record_id) if _is_sent_again(operation) else ""
                same.setdefault((alone, values), []).append(operation)
        unanswered: list[UnknownOutcomeError] = []
        # Last those that got no answer before: one that never gets any must not keep the others waiting.
        for group in sorted(same.values(), key=lambda g: _is_sent_again(g[0])):
            try:
                self._write_group(importer, group, parked, late)
            except UnknownOutcomeError as error:
                unanswered.append(error)
                if not _is_sent_again(group[0]) or len(unanswered) == _MOST_UNANSWERED:
                    break
        if unanswered:
            raise unanswered[0]

    def _write_group(
        self,
        importer: Any,
        group: list[Operation],
        parked: list[tuple[Item, Exception]],
        late: list[Item],
    ) -> None:
        """Write the same values to records by one call; where one is refused, halve until it is alone."""
        try:
            self._write_batch(importer, group)
        except _NOT_DONE:
            raise
        except (ParkError, FailError) as error:
            if len(group) > 1:
                middle = len(group) // 2
                self._write_group(importer, group[:middle], parked, late)
                self._write_group(importer, group[middle:], parked, late)
                return
            group[0].answer = False
            if isinstance(error, MissingRecordError) and not self._is_there(importer, group[0]):
                late.append(group[0].item)  # deleted since it was read: decide again, later
            else:
                parked.append((group[0].item, error))

    def _is_there(self, importer: Any, operation: Operation) -> bool:
        """Tell whether a record is there: what its write missed may be another one."""
        rows, hidden = read_visible(self._env[importer.record_model], [operation.record_id], ["id"])
        return bool(rows or hidden)

    def _write_batch(self, importer: Any, group: list[Operation]) -> None:
        for operation in group:
            importer._before_import(operation)
        if is_plain(importer, "_update"):
            self._env[importer.record_model].write([o.record_id for o in group], group[0].values)
        else:
            for operation in group:
                importer._update(operation)
        for operation in group:
            operation.answer = operation.values

    def _read_back(self, importer: Any, kind: str, batch: list[Operation]) -> None:
        """Read what the store made of our values: that is the image."""
        written = [o for o in batch if kind != "delete" and o.record_id is not None and o.answer is not False]
        records = self._env[importer.record_model]
        fields = [f for f in importer.scheme.our_fields if f in records.fields]
        rows: dict[Any, dict[str, Any]] = {}
        # The writes have taken effect: a read that fails now must not leave their outcome open.
        with suppress(NetworkRetryableError, RateLimitedError, ParkError):
            found, _ = read_visible(records, [o.record_id for o in written], fields)
            rows = {r["id"]: r for r in found}
        for operation in written:
            operation.answer = rows.get(operation.record_id, operation.values)

    def _delete_there(
        self, importer: Any, batch: list[Operation], parked: list[tuple[Item, Exception]]
    ) -> None:
        records = self._env[importer.record_model]
        for operation in batch:
            try:
                with suppress(MissingRecordError):  # gone is what was asked
                    records.store.unlink(self._env, records.name, [operation.record_id])
            except ParkError as error:
                operation.answer = False
                parked.append((operation.item, error))
            else:
                operation.answer = operation.values


def _is_told(operation: Operation) -> bool:
    """Tell whether a write of an operation was answered: it took effect."""
    return operation.answer is not None and operation.answer is not False


def _batches(importer: Any, operations: Iterable[Operation]) -> Iterable[list[Operation]]:
    """Put creates together of which the other side keeps all or none."""
    if not is_plain(importer, "_create"):
        # A step of a connector makes one at a time: what is made must not be made again.
        return [[operation] for operation in operations]
    same: dict[frozenset[str], list[Operation]] = {}
    for operation in operations:
        # Rows with other columns would be a call of their own.
        same.setdefault(frozenset(operation.values), []).append(operation)
    return same.values()


def _is_sent_again(operation: Operation) -> bool:
    """Tell whether a write was sent before, and got no answer."""
    return operation.intent in operation.item.pending


def adopt(work: WorkContext, importer: Any, item: Item) -> None:
    """Find what a create of unknown outcome has made in a remote store, and take it as bound.

    Raises:
        RecordLockedError: While the quiet time of the create still runs.
        AmbiguousOutcomeError: When only a person can tell what it made.
        ParkError: When it is there, and what was to follow its create is refused.
    """  # noqa: DOC502 - the first by `wait_quiet`, the last by the store
    env: Env = work.env
    store = env[importer.record_model].store
    creates = [i for i in item.pending if i.kind == "create" and i.target == store.name]
    if not creates:
        return
    intent = creates[0]
    if store.create_safety is CreateSafety.NONE:
        raise AmbiguousOutcomeError(
            f"{store.name} cannot tell whether {item.model} {item.external_id} was created"
        )
    if store.create_safety is CreateSafety.PROBE:
        wait_quiet(env, work.collection, intent)
    found = store.find_created(env, importer.record_model, intent.key, intent.written or {}, intent.sent_at)
    if len(found) > 1:
        raise AmbiguousOutcomeError(
            f"{len(found)} records of {store.name} may be {item.model} {item.external_id}"
        )
    if found:
        item.adopted = intent
        intent.record_id = str(found[0])
        item.binding = BindingRow(
            record_id=str(found[0]),
            external_id=item.external_id,
            scope=item.scope,
            seen_external=intent.source,
            seen_internal=_image_of(env[importer.record_model], importer, found[0], intent),
        )


def _image_of(records: Any, importer: Any, key: Any, intent: Intent) -> dict[str, Any]:
    """Tell what a create has made of our values: the record as it is, if nobody has written it since.

    Otherwise what was written counts, so that what somebody made of it shows as a change.
    """
    stamps = [name for name in ("create_date", "write_date") if name in records.fields]
    fields = [name for name in importer.scheme.our_fields if name in records.fields]
    rows, _ = read_visible(records, [key], [*fields, *stamps])
    if rows and len(stamps) == 2 and rows[0][stamps[0]] == rows[0][stamps[1]]:
        image: dict[str, Any] = importer.scheme.our_image(rows[0])
        return image
    written: dict[str, Any] = importer.scheme.our_image(plain(intent.written))
    return written


def resolved(operation: Operation, made: dict[Ref, Any]) -> dict[str, Any]:
    """Give an operation's values with the keys of created records in them.

    Raises:
        InvalidDataError: When a record that it needs could not be created.
    """
    try:
        return {name: resolve(value, made) for name, value in operation.values.items()}
    except KeyError as exc:
        need: Ref = exc.args[0]
        raise InvalidDataError(
            f"{need.model} {need.external_id}, which it needs, could not be imported"
        ) from exc
