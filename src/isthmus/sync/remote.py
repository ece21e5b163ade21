"""Writing to a remote store of ours: by effects, in bulk where its API can."""

from collections.abc import Callable
from contextlib import suppress
from itertools import groupby
from typing import Any

from isthmus.binding import BindingRow
from isthmus.component import WorkContext
from isthmus.env import CreateSafety, Env, plain
from isthmus.errors import (
    AmbiguousOutcomeError,
    FailError,
    InvalidDataError,
    LeaseLostError,
    MissingRecordError,
    NetworkRetryableError,
    ParkError,
    RateLimitedError,
    UnknownOutcomeError,
)
from isthmus.sync.claims import Claims
from isthmus.sync.effect import EffectLog, Intent, wait_quiet
from isthmus.sync.ending import is_plain
from isthmus.sync.item import Item, Operation, Ref, resolve
from isthmus.sync.table import EffectState


class RemoteCalls:
    """Carries out operations on a remote store; the effects stay open for the last transaction.

    Args:
        work: The page's work.
        importer: Gives the record importer of a binding model.
        claims: The leases, checked just before the calls.
    """

    def __init__(self, work: WorkContext, importer: Callable[[str], Any], claims: Claims) -> None:
        self._env: Env = work.env
        self._importer = importer
        self._claims = claims
        self._effects = EffectLog(self._env, work.collection.id)
        self._refused: list[Intent] = []
        self.failure: NetworkRetryableError | RateLimitedError | UnknownOutcomeError | None = None
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
            LeaseLostError: When nothing was written.
            UnknownOutcomeError: When nothing is known to have been written.
        """
        done: list[Operation] = []
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
                        self._create_there(importer, ready, parked)
                    elif kind == "delete":
                        self._delete_there(importer, ready)
                    else:
                        self._write_there(importer, ready, parked, late)
                    self._read_back(importer, kind, ready)
            except LeaseLostError:
                # Nothing was sent, so nothing needs to be looked for.
                self._effects.close([o.intent for o in ready if o.intent], EffectState.DROPPED)
                with self._env.outside():
                    raise
            except (NetworkRetryableError, RateLimitedError, UnknownOutcomeError) as error:
                # Calls that had no effect leave nothing to look for; those that had one are not forgotten.
                self._effects.close(self._refused, EffectState.DROPPED)
                done += [o for o in ready if _is_told(o)]
                if done:
                    self.failure = error
                    break
                with self._env.outside():
                    raise
            failed = [o for o in ready if o.record_id is None or o.answer is False]
            self._effects.close([o.intent for o in failed if o.intent], EffectState.DROPPED)
            good = [o for o in ready if o not in failed]
            made.update({Ref(model, str(o.item.external_id)): o.record_id for o in good})
            done += good
        return done

    def _record(self, importer: Any, kind: str, batch: list[Operation]) -> None:
        store = self._env[importer.record_model].store
        for operation in batch:
            item = operation.item
            open_create = [i for i in item.pending if i.kind == "create" and i.target == store.name]
            if kind == "create" and open_create:
                operation.intent = open_create[0]
            else:
                operation.intent = Intent(
                    model=item.model, target=store.name, kind=kind, external_id=item.external_id
                )
            operation.intent.record_id = None if operation.record_id is None else str(operation.record_id)
            operation.intent.written = plain(operation.values)
            operation.intent.source = importer.scheme.their_image(item.payload or {})
        self._effects.record([o.intent for o in batch if o.intent])

    def _create_there(
        self, importer: Any, batch: list[Operation], parked: list[tuple[Item, Exception]]
    ) -> None:
        try:
            self._create_batch(importer, batch)
        except (ParkError, FailError) as error:
            if len(batch) == 1:
                parked.append((batch[0].item, error))
                return
            middle = len(batch) // 2
            self._create_there(importer, batch[:middle], parked)
            self._create_there(importer, batch[middle:], parked)
        except (NetworkRetryableError, RateLimitedError):
            self._refused += [o.intent for o in batch if o.intent]
            raise

    def _create_batch(self, importer: Any, batch: list[Operation]) -> None:
        if not batch:
            return
        for operation in batch:
            importer._before_import(operation)
        if not is_plain(importer, "_create"):
            for operation in batch:
                operation.record_id = importer._create(operation)
            return
        records = self._env[importer.record_model]
        values = [o.values for o in batch]
        keys = [o.intent.key for o in batch if o.intent]
        if records.store.create_safety is CreateSafety.NONE:
            ids = records.store.create(self._env, records.name, values)
        else:
            ids = records.store.create_keyed(self._env, records.name, values, keys)
        for operation, key in zip(batch, ids, strict=True):
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
        now = {r["id"]: r for r in records.read([o.record_id for o in batch], fields)}
        same: dict[str, list[Operation]] = {}
        for operation in batch:
            # A person may have written since we decided: decide again, later.
            if importer.scheme.our_image(now.get(operation.record_id, {})) != importer.scheme.our_image(
                operation.item.ours
            ):
                operation.answer = False
                late.append(operation.item)
            else:
                same.setdefault(repr(sorted(plain(operation.values).items())), []).append(operation)
        for group in same.values():
            try:
                self._write_group(importer, group)
            except (ParkError, FailError) as error:
                for operation in group:
                    operation.answer = False
                    parked.append((operation.item, error))
            except (NetworkRetryableError, RateLimitedError):
                self._refused += [o.intent for o in group if o.intent]
                raise

    def _write_group(self, importer: Any, group: list[Operation]) -> None:
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
        with suppress(NetworkRetryableError, RateLimitedError):
            found = records.read([o.record_id for o in written], fields) if written else []
            rows = {r["id"]: r for r in found}
        for operation in written:
            operation.answer = rows.get(operation.record_id, operation.values)

    def _delete_there(self, importer: Any, batch: list[Operation]) -> None:
        records = self._env[importer.record_model]
        for operation in batch:
            with suppress(MissingRecordError):  # gone is what was asked
                records.store.unlink(self._env, records.name, [operation.record_id])


def _is_told(operation: Operation) -> bool:
    """Tell whether a write of an operation was answered: it took effect."""
    return operation.answer is not None and operation.answer is not False


def adopt(work: WorkContext, importer: Any, item: Item) -> None:
    """Find what a create of unknown outcome has made in a remote store, and take it as bound.

    Raises:
        RecordLockedError: While the quiet time of the create still runs.
        AmbiguousOutcomeError: When only a person can tell what it made.
    """  # noqa: DOC502 - the first by `wait_quiet`
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
            seen_internal=importer.scheme.our_image(plain(intent.written)),
        )


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
