"""Writing to our side: in one transaction where our store has them, by effects where it has not."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

from isthmus.binding import BindingRow, BindingState, forget_bindings
from isthmus.component import WorkContext
from isthmus.env import CreateSafety, Env, plain
from isthmus.errors import (
    AmbiguousOutcomeError,
    FailError,
    InvalidDataError,
    MissingRecordError,
    NetworkRetryableError,
    ParkError,
    RateLimitedError,
    RecordLockedError,
    TransactionError,
)
from isthmus.store.sql import DATA_ERRORS
from isthmus.sync.checkpoint import add_checkpoint, close_open
from isthmus.sync.claims import Claims
from isthmus.sync.effect import EffectLog, Intent
from isthmus.sync.item import WRITE, Item, Operation, Ref, resolve
from isthmus.sync.journal import Entry, changes_of, write
from isthmus.sync.merge import advance
from isthmus.sync.park import park, payload_of
from isthmus.sync.report import Report
from isthmus.sync.sibling import wake_siblings
from isthmus.sync.table import CheckpointKind, EffectState

_COUNTED = {
    "create": "created", "write": "updated", "keep": "unchanged", "orphan": "forgotten", "archive": "archived",
    "delete": "deleted", "forget": "forgotten", "ask": "conflict",
}  # fmt: skip
_ENDING = frozenset({"orphan", "archive", "delete", "forget"})
"""Kinds after which a binding is a tombstone."""


class OurSide:
    """Carries out the operations of one import page.

    Args:
        work: The page's work.
        importer: Gives the record importer of a binding model.
        claims: The leases that must hold until the commit.
        report: Counts.
    """

    def __init__(
        self, work: WorkContext, importer: Callable[[str], Any], claims: Claims, report: Report
    ) -> None:
        self._work = work
        self._env: Env = work.env
        self._backend = work.collection
        self._backend_id: int = self._backend.id
        self._importer = importer
        self._claims = claims
        self._report = report
        self._effects = EffectLog(self._env, self._backend_id)
        self._refused: list[Intent] = []

    # -- reading -----------------------------------------------------------------------

    @staticmethod
    def read(env: Env, records: Any, ids: Sequence[Any], fields: Sequence[str]) -> list[dict[str, Any]]:
        """Read values to merge with; rows of a transactional store are locked until its end."""
        if not ids:
            return []
        if records.store.transactional:
            rows: list[dict[str, Any]] = records.store.read(env, records.name, ids, fields, lock=True)
            return rows
        return list(records.read(ids, fields))

    @staticmethod
    def adopt(work: WorkContext, importer: Any, item: Item) -> None:
        """Find what a create of unknown outcome has made in a remote store, and take it as bound.

        Raises:
            RecordLockedError: While the quiet time of the create still runs.
            AmbiguousOutcomeError: When only a person can tell what it made.
        """
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
        found = store.find_created(
            env, importer.record_model, intent.key, intent.written or {}, intent.sent_at
        )
        if len(found) > 1:
            raise AmbiguousOutcomeError(
                f"{len(found)} records of {store.name} may be {item.model} {item.external_id}"
            )
        if found:
            item.adopted = intent
            item.binding = BindingRow(
                record_id=str(found[0]),
                external_id=item.external_id,
                seen_external=intent.source,
                seen_internal=importer.scheme.our_image(plain(intent.written)),
            )

    # -- writing -----------------------------------------------------------------------

    def carry_out(
        self,
        operations: list[Operation],
        *,
        parked: list[tuple[Item, Exception]],
        late: list[Item],
        cursor: Callable[[], None] | None,
    ) -> None:
        """Write a page, with its bindings, images, journal, checkpoints and cursor, and commit it."""
        made: dict[Ref, Any] = {}
        local = [o for o in operations if self._store(o).transactional]
        remote = self._call([o for o in operations if not self._store(o).transactional], made, parked, late)
        with self._env.context(connector_no_export=True), self._env.in_phase(WRITE):
            done = self._write(local, made, parked)
            if remote:
                self._finish(remote)
            self._wake([*done, *remote])
            for item, error in parked:
                self._park(item, error)
            for item in late:
                self._delay(item)
            if cursor is not None:
                cursor()
            self._claims.settle()
        with self._env.outside():
            pass  # the page is committed here, before anything slow happens again

    def _store(self, operation: Operation) -> Any:
        return self._env[self._importer(operation.item.model).record_model].store

    def _park(self, item: Item, error: Exception) -> None:
        self._report.done["parked"] += 1
        if isinstance(error, AmbiguousOutcomeError):
            ask(self._env, self._backend_id, [i for i in item.pending if i.kind == "create"][0], error)
        else:
            park(self._env, self._backend_id, item, error, direction="import")

    def _delay(self, item: Item) -> None:
        self._report.done["delayed"] += 1
        model = self._env[item.model]
        wait = max(self._backend.lease_time / 4, timedelta(milliseconds=10))
        if item.pending:
            wait = max(wait, self._backend.quiet_time)
        model.with_delay(
            identity_key=f"import/{item.model}/{self._backend_id}/{item.external_id}", eta=wait
        ).import_record(self._backend, item.external_id)

    def _wake(self, done: Sequence[Operation]) -> None:
        for model, same in groupby((o for o in done if o.kind == "write"), key=lambda o: o.item.model):
            operations = list(same)
            but = {(model, o.item.binding.id) for o in operations if o.item.binding}
            record_model = self._importer(model).record_model
            wake_siblings(self._env, record_model, [o.record_id for o in operations], but)

    # -- our own database --------------------------------------------------------------

    def _write(
        self, operations: list[Operation], made: dict[Ref, Any], parked: list[tuple[Item, Exception]]
    ) -> list[Operation]:
        """Write under one savepoint; halve when it fails, until the bad record is alone."""
        if not operations:
            return []
        try:
            with self._env.savepoint():
                new = self._apply(operations, made)
        except TransactionError:
            raise
        except (ParkError, FailError, *DATA_ERRORS) as error:
            if len(operations) == 1:
                parked.append((operations[0].item, error))
                return []
            middle = len(operations) // 2
            return [
                *self._write(operations[:middle], made, parked),
                *self._write(operations[middle:], made, parked),
            ]
        made.update(new)
        return operations

    def _apply(self, operations: list[Operation], made: dict[Ref, Any]) -> dict[Ref, Any]:
        new = dict(made)
        for (model, kind), same in groupby(operations, key=lambda o: (o.item.model, o.kind)):
            importer, batch = self._importer(model), list(same)
            for operation in batch:
                operation.values = _resolved(operation, new)
                importer._before_import(operation)
            if kind == "create":
                self._create(importer, batch)
                new.update({Ref(model, str(o.item.external_id)): o.record_id for o in batch})
            elif kind in {"write", "archive"}:
                self._update(importer, batch)
            elif kind == "delete":
                self._env[importer.record_model].unlink([o.record_id for o in batch])
        self._finish(operations)
        return new

    def _create(self, importer: Any, batch: list[Operation]) -> None:
        records = self._env[importer.record_model]
        if _is_plain(importer, "_create"):
            for operation, record in zip(batch, records.create([o.values for o in batch]), strict=True):
                operation.record_id = record.id
        else:
            for operation in batch:
                operation.record_id = importer._create(operation)

    def _update(self, importer: Any, batch: list[Operation]) -> None:
        records = self._env[importer.record_model]
        loaded = records.store.load(self._env, records.name, [o.record_id for o in batch])
        for operation in batch:
            importer._update(operation)
        self._env.flush()
        del loaded  # kept until here so that each write finds its instance

    # -- a remote store ----------------------------------------------------------------

    def _call(
        self,
        operations: list[Operation],
        made: dict[Ref, Any],
        parked: list[tuple[Item, Exception]],
        late: list[Item],
    ) -> list[Operation]:
        """Record effects, make the calls, and give the operations that took effect."""
        done: list[Operation] = []
        for (model, kind), same in groupby(operations, key=lambda o: (o.item.model, o.kind)):
            importer, batch = self._importer(model), list(same)
            if kind not in {"create", "write", "archive", "delete"}:
                done += batch
                continue
            ready = []
            for operation in batch:
                try:
                    operation.values = _resolved(operation, made)
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
            except (NetworkRetryableError, RateLimitedError):
                # Those calls had no effect, so nothing needs to be looked for.
                self._effects.close(self._refused, EffectState.DROPPED)
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
        records = self._env[importer.record_model]
        values = [o.values for o in batch]
        keys = [o.intent.key for o in batch if o.intent]
        if records.store.create_safety is CreateSafety.NONE:
            ids = records.store.create(self._env, records.name, values)
        else:
            ids = records.store.create_keyed(self._env, records.name, values, keys)
        for operation, key in zip(batch, ids, strict=True):
            operation.record_id = key

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
                records.store.write(self._env, records.name, [o.record_id for o in group], group[0].values)
            except (ParkError, FailError) as error:
                for operation in group:
                    operation.answer = False
                    parked.append((operation.item, error))
            except (NetworkRetryableError, RateLimitedError):
                self._refused += [o.intent for o in group if o.intent]
                raise

    def _delete_there(self, importer: Any, batch: list[Operation]) -> None:
        records = self._env[importer.record_model]
        for operation in batch:
            try:
                records.store.unlink(self._env, records.name, [operation.record_id])
            except MissingRecordError:
                pass  # it is gone, which is what was asked

    # -- the end of every operation ----------------------------------------------------

    def _finish(self, operations: Sequence[Operation]) -> None:
        """Write bindings with their images, close effects, add journal lines and checkpoints."""
        now = self._env.now()
        for model, same in groupby(operations, key=lambda o: o.item.model):
            batch = list(same)
            importer = self._importer(model)
            after = self._after(importer, batch)
            inserted: list[BindingRow] = []
            updated: list[BindingRow] = []
            entries: list[Entry] = []
            for operation in batch:
                row = self._bind(importer, operation, after.get(operation.record_id))
                if row.id is None:
                    inserted.append(row)
                elif operation.done_external or operation.done_internal or operation.kind != "keep":
                    updated.append(row)
                entry = _entry(operation, row)
                if entry is not None:
                    entries.append(entry)
                self._report.done["adopted" if operation.item.adopted else _COUNTED[operation.kind]] += 1
            table = importer.binder.table
            table.insert(self._env.session, inserted, now)
            table.update(self._env.session, updated, now)
            write(self._env, self._backend_id, entries)
            self._settle_inbox(model, batch)
            self._effects.close(_finished_effects(batch, self._env[importer.record_model].store.name))
            if not _is_plain(importer, "_after_import"):
                for operation in batch:
                    importer._after_import(operation)
        forget_bindings(self._env)

    def _after(self, importer: Any, batch: Sequence[Operation]) -> dict[Any, dict[str, Any]]:
        """Read our records as they are after the write: what the store made of our values is the image."""
        written = [o for o in batch if o.kind in {"create", "write"}]
        records = self._env[importer.record_model]
        fields = [f for f in importer.scheme.our_fields if f in records.fields]
        rows = {o.record_id: o.item.ours for o in batch if o.item.ours is not None}
        if not written:
            return rows
        if records.store.transactional:
            read = records.read([o.record_id for o in written], fields)
        else:
            with self._env.outside():
                read = records.read([o.record_id for o in written], fields)
        return rows | {r["id"]: r for r in read}

    def _bind(self, importer: Any, operation: Operation, after: dict[str, Any] | None) -> BindingRow:
        item, scheme = operation.item, importer.scheme
        row = item.binding
        if row is None:
            row = item.binding = BindingRow(
                external_id=item.external_id, record_id=str(operation.record_id), scope=item.scope
            )
        if operation.kind in _ENDING:
            row.state = BindingState.TOMBSTONE.value
            return row
        if operation.kind == "ask":
            return row
        theirs = scheme.their_image(item.payload)
        seen = advance(row.seen_external, theirs, operation.done_external)
        version = importer.backend_adapter.version_field
        row.seen_external = scheme.with_version(seen, item.payload, version)
        if after is not None:
            row.seen_internal = advance(row.seen_internal, scheme.our_image(after), operation.done_internal)
        return row

    def _settle_inbox(self, model: str, batch: Sequence[Operation]) -> None:
        """Raise conflicts and close what this page has settled."""
        for operation in batch:
            if operation.kind == "ask":
                self._ask_deletion(operation)
            for conflict in operation.conflicts:
                self._raise_conflict(operation, conflict)
        settled = [str(o.item.external_id) for o in batch if not o.conflicts and o.kind != "ask"]
        close_open(
            self._env, self._backend_id, model, external_ids=settled, resolution="settled by a later run",
            kinds=(CheckpointKind.DEAD_LETTER, CheckpointKind.CONFLICT),
        )  # fmt: skip

    def _ask_deletion(self, operation: Operation) -> None:
        item = operation.item
        add_checkpoint(
            self._env,
            CheckpointKind.DELETION,
            backend_id=self._backend_id,
            model=item.model,
            record_id=None if item.binding is None else item.binding.record_id,
            external_id=item.external_id,
            summary=f"{item.model} {item.external_id} was deleted there, but changed here since: --theirs deletes it "
            f"here too, --ours keeps it without a link",
            detail={"deleted": "theirs"},
            payload=payload_of(item),
        )

    def _raise_conflict(self, operation: Operation, conflict: Any) -> None:
        self._report.done["conflict"] += 1
        raise_conflict(self._env, self._backend_id, operation.item, conflict)


def raise_conflict(env: Env, backend_id: int, item: Item, conflict: Any) -> None:
    """Put a field group that both sides changed into the inbox; the same one is renewed."""
    row = item.binding or BindingRow()
    fields = ", ".join(conflict.group.ours or conflict.group.theirs)
    add_checkpoint(
        env,
        CheckpointKind.CONFLICT,
        backend_id=backend_id,
        model=item.model,
        record_id=row.record_id,
        external_id=item.external_id,
        topic=conflict.topic,
        summary=f"both sides changed {fields} of {item.model} {item.external_id}: choose --ours or --theirs",
        detail={"ours": list(conflict.group.ours), "theirs": list(conflict.group.theirs)},
        payload={
            "ours": conflict.ours,
            "theirs": conflict.theirs,
            "base": {
                "ours": {f: (row.seen_internal or {}).get(f) for f in conflict.group.ours},
                "theirs": {f: (row.seen_external or {}).get(f) for f in conflict.group.theirs},
            },
        },
    )


def _is_plain(importer: Any, step: str) -> bool:
    """Tell whether a step is the framework's own, so that it can be done in bulk."""
    return getattr(type(importer), step).__module__ == "isthmus.sync.importer"


def _resolved(operation: Operation, made: dict[Ref, Any]) -> dict[str, Any]:
    try:
        return {name: resolve(value, made) for name, value in operation.values.items()}
    except KeyError as exc:
        need: Ref = exc.args[0]
        raise InvalidDataError(
            f"{need.model} {need.external_id}, which it needs, could not be imported"
        ) from exc


def _entry(operation: Operation, row: BindingRow) -> Entry | None:
    item = operation.item
    if operation.kind in {"keep", "ask"} and not operation.conflicts and item.adopted is None:
        return None
    name = "adopt" if item.adopted else "conflict" if operation.kind == "keep" else operation.kind
    changes = changes_of(None if operation.kind == "create" else item.ours, operation.values)
    return Entry(
        model=item.model,
        direction="merge" if operation.kind == "keep" else "import",
        operation=name,
        reason=operation.reason,
        record_id=row.record_id,
        external_id=item.external_id,
        changes=changes or None,
    )


def _finished_effects(batch: Sequence[Operation], store: str) -> list[Intent]:
    """List the effects that these operations end: their own, what they adopted, and re-read writes."""
    finished: list[Intent] = []
    for operation in batch:
        if operation.intent is not None:
            operation.intent.record_id = str(operation.record_id)
            finished.append(operation.intent)
        finished += [i for i in operation.item.pending if i.target == store and i not in finished]
    return finished


def wait_quiet(env: Env, backend: Any, intent: Intent) -> None:
    if intent.sent_at is None:
        return
    left = intent.sent_at + backend.quiet_time - env.now()
    if left > timedelta():
        raise RecordLockedError(
            f"a create of {intent.model} may still take effect: looked for after the quiet time",
            retry_in=left,
        )


def ask(env: Env, backend_id: int, intent: Intent, error: Exception) -> None:
    """Ask a person what a write of unknown outcome has done; its effect stays until they say."""
    EffectLog(env, backend_id).close([intent], EffectState.ASKED)
    add_checkpoint(
        env,
        CheckpointKind.EFFECT,
        backend_id=backend_id,
        model=intent.model,
        record_id=intent.record_id,
        external_id=intent.external_id,
        topic=intent.key,
        summary=f"{error}: look on both sides, then --retry to send it again or --ignore if it is there",
        detail={"kind": intent.kind, "target": intent.target},
        payload={"written": intent.written},
    )
