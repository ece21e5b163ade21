"""Writing to their side: one record at a time, by effects, so that a lost answer makes no duplicate."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from isthmus.binding import BindingRow, BindingState, external_key, forget_bindings
from isthmus.component import WorkContext
from isthmus.env import CreateSafety, Env, plain
from isthmus.errors import (
    AmbiguousOutcomeError,
    ConfigurationError,
    IDMissingInBackend,
    InvalidDataError,
    LeaseLostError,
    NetworkRetryableError,
    ParkError,
    RateLimitedError,
    RecordLockedError,
    SkipRecord,
    UnknownOutcomeError,
)
from isthmus.mapping import FieldGroup
from isthmus.sync.checkpoint import close_open
from isthmus.sync.claims import Claims
from isthmus.sync.effect import EXTERNAL, EffectLog, Intent, wait_quiet
from isthmus.sync.found import found_lines
from isthmus.sync.gathering import decided
from isthmus.sync.home import check_homes
from isthmus.sync.item import CALL, GATHER, LAST, Dependency, Item, Operation, Snapshot
from isthmus.sync.journal import Entry, changes_of, write
from isthmus.sync.merge import Side, Verdict, advance
from isthmus.sync.park import ask, park, raise_conflict
from isthmus.sync.report import Report
from isthmus.sync.sibling import delay_export
from isthmus.sync.sight import read_visible
from isthmus.sync.synchronizer import changed_only, equal, lease_keys
from isthmus.sync.table import CheckpointKind, EffectState
from isthmus.sync.weigh import merge_sets, weigh

_DEEPEST = 20
_NOT_SENT = (
    ParkError, SkipRecord, NetworkRetryableError, RateLimitedError, LeaseLostError, ConfigurationError,
)  # fmt: skip
"""What a write raises that had no effect."""


class ExportRun:
    """One binding on its way there, with what it depends on. Used once.

    Args:
        work: Work on the binding's model.
        path: Bindings whose dependencies led here.
    """

    def __init__(self, work: WorkContext, path: tuple[tuple[str, int], ...] = ()) -> None:
        self._work = work
        self._env: Env = work.env
        self._backend = work.collection
        self._backend_id: int = self._backend.id
        self._exporter = work.component(usage="record.exporter")
        self._model = str(work.model_name)
        self._effects = EffectLog(self._env, self._backend_id)
        self._path = path
        self._claims = Claims(work.env, work.collection)
        self._quiet = work.collection.quiet_time
        self._pause = max(work.collection.lease_time / 4, timedelta(milliseconds=10))
        self._written_here: dict[str, Any] = {}
        self.report = Report()

    def run(self, binding_id: int) -> Report:
        """Export it.

        Raises:
            InvalidDataError: When records depend on each other in a circle.
            RecordLockedError: When another process synchronises the record now.
        """  # noqa: DOC502 - raised by what is called
        step = (self._model, binding_id)
        if step in self._path or len(self._path) > _DEEPEST:
            names = " -> ".join(f"{m} {b}" for m, b in (*self._path, step))
            raise InvalidDataError(f"records depend on each other in a circle: {names}")
        self._path = (*self._path, step)
        item = self._load(binding_id)
        if item is None:
            return self.report
        try:
            self._run(item)
        except SkipRecord as reason:
            self.report.skipped[str(reason)] += 1
            self._claims.release()
        except ParkError as error:
            self._park(item, error)
        except BaseException:
            self._claims.release()
            raise
        return self.report

    def _run(self, item: Item) -> None:
        if item.external_id is not None and self._exporter._should_import(item):
            self._delay_import(item.external_id)
        # One after the other: what the next one is may depend on what the last one has made.
        with self._env.in_phase(GATHER):
            wanted = iter(self._exporter._export_dependencies(item))
        while True:
            with self._env.in_phase(GATHER):
                dependency = next(wanted, None)
            if dependency is None:
                break
            self._export_first(dependency)
        self._lease(item)
        fresh = self._load(self._path[-1][1])
        if fresh is None:
            return
        self._copy(fresh, item)
        self._read_there(item)
        operation = decided(self._env, lambda: self._decide(item))
        if operation.kind in {"create", "write"}:
            self._call(operation)
        self._finish(operation)

    @staticmethod
    def _copy(fresh: Item, item: Item) -> None:
        item.binding, item.external_id, item.scope = fresh.binding, fresh.external_id, fresh.scope
        item.ours, item.record = fresh.ours, fresh.record

    # -- gather and lease --------------------------------------------------------------

    def _load(self, binding_id: int) -> Item | None:
        """Read the binding and our record; None (with the reason counted) when there is nothing to export."""
        row = self._exporter.binder.table.by_id(self._env.session, [binding_id]).get(binding_id)
        if row is None or not row.is_linked:
            why = (
                "no longer bound"
                if row is None
                else "deleted before"
                if row.state == BindingState.TOMBSTONE
                else row.state
            )
            self.report.skipped[why] += 1
            return None
        records = self._env[self._exporter.record_model]
        key = records.store.key(records.name, str(row.record_id))
        fields = [f for f in self._exporter.read_fields if f in records.fields]
        found, hidden = read_visible(records, [key], fields)
        if hidden:
            self._park(Item(model=self._model, external_id=row.external_id, binding=row), hidden[key])
            return None
        if not found:
            self._work.component(usage="deleter").delay(self._model, row)
            self.report.skipped["our record is gone, its deletion is due"] += 1
            with self._env.outside():
                pass  # committed here: the next record may have to be called for
            return None
        return Item(
            model=self._model, external_id=row.external_id, binding=row, scope=row.scope,
            ours=found[0], record=Snapshot(records.browse(key), found[0]),
        )  # fmt: skip

    def _export_first(self, dependency: Dependency) -> None:
        """Make sure that what the record needs is there."""
        work = self._work.work_on(dependency.model)
        binder = work.component(usage="binder")
        row = bind_for_export(self._env, binder, dependency.key, dependency.scope)
        if row.external_id is None and row.id is not None and row.is_linked:
            with self._env.outside():
                pass  # the binding is committed, so that two exports of it cannot both be first
            self.report.add(ExportRun(work, self._path).run(row.id))

    def _lease(self, item: Item) -> None:
        row = item.binding or BindingRow()
        keys = [
            *lease_keys(self._backend_id, self._model, row.external_id, (row.record_id, row.scope)),
            *self._exporter._lock(item),
        ]
        if self._env.transaction.written:
            with self._env.outside():
                pass
        if self._claims.take(keys):
            raise RecordLockedError(
                f"{self._model} {row.external_id or row.record_id} is being synchronised by another process",
                retry_in=self._pause,
            )

    # -- what is there -----------------------------------------------------------------

    def _read_there(self, item: Item) -> None:
        """Read their record, and settle effects whose outcome is unknown.

        Raises:
            SkipRecord: When their record is gone.
        """
        row = item.binding or BindingRow()
        keys = (
            {"external_ids": [row.external_id]} if row.external_id else {"record_ids": [str(row.record_id)]}
        )
        pending = self._effects.pending(self._model, target=EXTERNAL, **keys)  # type: ignore[arg-type]
        item.pending = [i for i in pending if i.scope == row.scope]
        self._written_here = self._under_way_here(row)
        if row.external_id is None:
            self._recognise(item)
        else:
            try:
                with self._env.in_phase(GATHER):
                    item.payload = self._exporter.backend_adapter.read(row.external_id)
            except IDMissingInBackend:
                self._leave_to_import(row.external_id)
                raise SkipRecord("deleted there, the import decides") from None

    def _under_way_here(self, row: BindingRow) -> dict[str, Any]:
        """Give the values that imports of unknown outcome may have written to a remote store of ours."""
        store = self._env[self._exporter.record_model].store
        if store.transactional or row.external_id is None:
            return {}
        pending = self._effects.pending(self._model, target=store.name, external_ids=[row.external_id])
        return {n: plain(v) for i in pending for n, v in (i.written or {}).items()}

    def _leave_to_import(self, external_id: str) -> None:
        self._delay_import(external_id)
        self._claims.settle()
        with self._env.outside():
            pass  # committed here, with the lease given up that the import needs

    def _delay_import(self, external_id: str) -> None:
        self._env[self._model].with_delay(
            identity_key=f"import/{self._model}/{self._backend_id}/{external_id}"
        ).import_record(self._backend, external_id, force=True)

    def _recognise(self, item: Item) -> None:
        """Find what a create of unknown outcome made there, and take it as bound.

        Raises:
            AmbiguousOutcomeError: When only a person can tell what it made.
            SkipRecord: While a person is asked.
        """
        creates = [i for i in item.pending if i.kind == "create"]
        if not creates or item.binding is None:
            return
        intent, adapter = creates[0], self._exporter.backend_adapter
        if intent.state == EffectState.ASKED:
            raise SkipRecord("a person is asked what became of an earlier create, see `isthmus inbox list`")
        if adapter.create_safety is CreateSafety.NONE:
            raise AmbiguousOutcomeError(
                f"whether {self._model} of record {intent.record_id} was created there is unknown"
            )
        if adapter.create_safety is CreateSafety.NATIVE_KEY:
            return  # the create is sent again under the same key and finds the first
        wait_quiet(self._env, self._backend, intent)
        with self._env.in_phase(GATHER):
            found = adapter.find_created(intent.key, intent.written or {}, intent.sent_at)
        by_id = {adapter.external_id_of(p): p for p in found}
        bound = self._exporter.binder.table.by_external(self._env.session, by_id)
        free = {k: p for k, p in by_id.items() if k not in bound}
        if len(free) > 1:
            raise AmbiguousOutcomeError(
                f"{len(free)} records there may be {self._model} of record {intent.record_id}"
            )
        for external_id, payload in free.items():
            item.adopted, item.payload, item.external_id = intent, payload, external_id
            item.binding.external_id = external_id
            item.binding.seen_external = self._exporter.scheme.their_image(intent.written or {})
            item.binding.seen_internal = intent.source

    # -- decide ------------------------------------------------------------------------

    def _decide(self, item: Item) -> Operation:
        """Map and merge, without reading or writing anything.

        Raises:
            SkipRecord: When a step says so.
        """
        exporter = self._exporter
        reason = exporter._has_to_skip(item)
        if reason:
            raise SkipRecord(reason)
        map_record = exporter._map_data(item)
        if item.payload is None:
            values = exporter._create_data(item, map_record)
            exporter._validate_create_data(values)
            return Operation(
                item=item, kind="create", values=values, reason="new here",
                done_external=exporter.scheme.their_fields, done_internal=exporter.scheme.our_fields,
            )  # fmt: skip
        return self._merge(item, map_record)

    def _merge(self, item: Item, map_record: Any) -> Operation:
        exporter, scheme, row = self._exporter, self._exporter.scheme, item.binding or BindingRow()
        written = {n: plain(v) for i in item.pending for n, v in (i.written or {}).items()}
        theirs = Side(row.seen_external, scheme.their_image(item.payload), written)
        # What an import wrote, and had no answer to, is not our change: the next import settles it.
        ours = Side(row.seen_internal, scheme.our_image(item.ours), self._written_here)
        weighed = weigh(
            scheme, theirs, ours, toward=Verdict.EXPORT,
            agree=lambda group: self._agree(item, map_record, group),
        )  # fmt: skip
        operation = Operation(item=item, kind="keep", conflicts=weighed.conflicts, agreed=weighed.agreed)
        fields = [f for g in weighed.moved for f in g.ours]
        if fields:
            values = exporter._update_data(item, map_record, fields)
            operation.merged_sets = merge_sets(
                ((g.ours[0], g.theirs[0]) for g in weighed.sets), values, target=theirs,
                mapped_before=lambda name: self._mapped_before(item, name),
            )  # fmt: skip
            exporter._validate_update_data(values)
            operation.values = changed_only(values, dict(item.payload or {}))
            if operation.values:
                operation.kind = "write"
        settled = (*weighed.moved, *weighed.agreed)
        operation.done_external = tuple(f for g in settled for f in g.theirs)
        operation.done_internal = tuple(f for g in (*settled, *weighed.one_way) for f in g.ours)
        changed = ", ".join(ours.changed(fields))
        operation.reason = f"changed here: {changed}" if fields else "seen"
        return operation

    def _mapped_before(self, item: Item, name: str) -> dict[str, Any]:
        """Map our record with one field as it was last seen."""
        seen = (item.binding.seen_internal if item.binding is not None else None) or {}
        values = {**(item.ours or {}), name: seen.get(name) or []}
        before = Item(
            model=item.model, external_id=item.external_id, binding=item.binding, scope=item.scope,
            payload=item.payload, ours=values, record=Snapshot(item.record.record, values),
        )  # fmt: skip
        mapped: dict[str, Any] = self._exporter._update_data(before, self._exporter._map_data(before), [name])
        return mapped

    def _agree(self, item: Item, map_record: Any, group: FieldGroup) -> bool:
        values = self._exporter._update_data(item, map_record, group.ours)
        now: Mapping[str, Any] = item.payload or {}
        return all(equal(now[f], values[f]) for f in group.theirs if f in values and f in now)

    # -- write -------------------------------------------------------------------------

    def _call(self, operation: Operation) -> None:
        """Record the effect, commit, send, and keep the answer.

        Raises:
            UnknownOutcomeError: When no answer came; the effect stays open.
            ParkError: When they refuse it; nothing took effect. So it is with the errors of `_NOT_SENT`.
        """  # noqa: DOC502 - by the adapter
        item = operation.item
        row = item.binding or BindingRow()
        again = [i for i in item.pending if i.kind == operation.kind == "create"]
        keyed = self._exporter.backend_adapter.create_safety is CreateSafety.NATIVE_KEY
        operation.intent = again[0] if again else Intent(
            model=self._model, target=EXTERNAL, kind=operation.kind, record_id=row.record_id,
            external_id=item.external_id, scope=row.scope,
        )  # fmt: skip
        if again and keyed:
            # The first one may have taken effect, so exactly it is sent again; what has changed here
            # since is exported after it.
            operation.values = dict(operation.intent.written or {})
            operation.source = operation.intent.source
        else:
            operation.intent.written = plain(operation.values)
            operation.intent.source = self._exporter.scheme.our_image(item.ours)
        self._effects.record([operation.intent])
        try:
            with self._env.outside(), self._env.in_phase(CALL):
                self._claims.prolong()
                operation.answer = self._send(operation)
        except UnknownOutcomeError as error:
            error.retry_in = error.retry_in or self._quiet
            raise
        except _NOT_SENT:
            # It had no effect, so nothing needs to be looked for. What was sent before may still come.
            if not (again and keyed):
                self._effects.close([operation.intent], EffectState.DROPPED)
            with self._env.outside():
                raise

    def _send(self, operation: Operation) -> Any:
        exporter, item = self._exporter, operation.item
        if operation.kind == "create":
            answer = exporter._create(operation)
            item.external_id = self._made(answer)
            if not isinstance(answer, Mapping):
                answer = None
        else:
            answer = exporter._update(operation)
        if answer is None or any(f not in answer for f in operation.done_external):
            # What the server made of our values is the image, so it is read where it was not told. The
            # write has taken effect: a read that fails now must not make it look undone.
            told = {**operation.values, **(answer or {})}
            answer = told
            with suppress(ParkError, NetworkRetryableError, RateLimitedError):
                answer = exporter.backend_adapter.read(item.external_id)
        return answer

    def _made(self, answer: Any) -> str:
        """Tell the ID of what a create has made.

        Raises:
            UnknownOutcomeError: When the answer does not tell it: what was made must be looked for.
        """
        key = None
        with suppress(InvalidDataError):
            named = isinstance(answer, Mapping)
            key = self._exporter.backend_adapter.external_id_of(answer) if named else external_key(answer)
        if key is None:
            raise UnknownOutcomeError(f"the answer to the create of a {self._model} tells no ID")
        return key

    # -- last transaction --------------------------------------------------------------

    def _finish(self, operation: Operation) -> None:
        """Write binding, images, effects, journal and checkpoints, give up the lease, commit."""
        item, scheme = operation.item, self._exporter.scheme
        row = item.binding or BindingRow()
        if operation.kind == "keep" and not (
            operation.conflicts or operation.agreed or item.adopted or item.pending or operation.done_external
        ):
            self.report.done["unchanged"] += 1
            if not self._close_moot(row):
                self._claims.release()
                return
            self._claims.settle()
            with self._env.outside():
                return
        row.external_id = item.external_id
        found = found_lines(
            item, row.seen_external, item.payload or {},
            target=EXTERNAL, direction="export", record_id=row.record_id,
        )  # fmt: skip
        after = operation.answer if operation.answer is not None else item.payload or {}
        seen = advance(row.seen_external, scheme.their_image(after), operation.done_external)
        seen |= operation.merged_sets
        row.seen_external = scheme.with_version(seen, after, self._exporter.backend_adapter.version_field)
        now = scheme.our_image(item.ours)
        sent = now if operation.source is None else operation.source
        row.seen_internal = advance(row.seen_internal, sent, operation.done_internal)
        with self._env.in_phase(LAST):
            self._exporter.binder.table.update(self._env, [row])
            ended = [i for i in item.pending if i is not operation.intent]
            if operation.intent is not None:
                operation.intent.external_id = item.external_id
                ended.append(operation.intent)
            if item.adopted is not None:
                item.adopted.external_id = item.external_id
            self._effects.close(ended)
            self._note(operation, row, found)
            self._exporter._after_export(operation)
            if sent != now and row.id is not None:
                delay_export(self._env, self._model, row.id)
            self._claims.settle()
        with self._env.outside():
            pass  # committed here, before anything slow happens again

    def _note(self, operation: Operation, row: BindingRow, found: list[Entry]) -> None:
        item = operation.item
        for conflict in operation.conflicts:
            self.report.done["conflict"] += 1
            raise_conflict(self._env, self._backend_id, item, conflict)
        name = {"create": "created", "write": "updated"}.get(operation.kind, "unchanged")
        self.report.done["adopted" if item.adopted else name] += 1
        if not operation.conflicts:
            self._close_moot(row)
        lines = list(found)
        if operation.kind != "keep" or operation.conflicts:
            before = None if operation.kind == "create" else dict(item.payload or {})
            lines.append(
                Entry(
                    model=self._model,
                    direction="merge" if operation.kind == "keep" else "export",
                    operation="conflict" if operation.kind == "keep" else operation.kind,
                    reason=operation.reason,
                    record_id=row.record_id,
                    external_id=row.external_id,
                    changes=changes_of(before, operation.values) or None,
                )
            )
        write(self._env, self._backend_id, lines)

    def _close_moot(self, row: BindingRow) -> int:
        """Close items that this export has settled; what could not be imported is settled by an import."""
        return close_open(
            self._env, self._backend_id, self._model, record_ids=[str(row.record_id)],
            external_ids=None if row.external_id is None else [None, row.external_id], scope=row.scope,
            resolution="settled by a later run", but_topic="import",
            kinds=(CheckpointKind.DEAD_LETTER, CheckpointKind.CONFLICT, CheckpointKind.EFFECT),
        )  # fmt: skip

    def _park(self, item: Item, error: ParkError) -> None:
        creates = [i for i in item.pending if i.kind == "create"]
        if isinstance(error, AmbiguousOutcomeError) and creates:
            ask(self._env, self._backend_id, creates[0], error)
        else:
            park(self._env, self._backend_id, item, error, direction="export")
        self.report.done["parked"] += 1
        self._claims.settle()
        with self._env.outside():
            pass


def bind_for_export(env: Env, binder: Any, record_id: Any, scope: str) -> BindingRow:
    """Give the binding of a record, made without an external ID when there is none yet.

    Args:
        env: The env whose transaction it becomes part of.
        binder: The binder of the binding model.
        record_id: Key of our record.
        scope: Scope of the binding.
    """
    rows: list[BindingRow] = binder.table.by_record(env.session, [str(record_id)])
    for row in rows:
        if row.scope == scope:
            return row
    if not env[binder.model.binds].store.transactional:
        check_homes(env, binder.collection, [binder.model.name])
    row = BindingRow(record_id=str(record_id), scope=scope)
    binder.table.insert(env, [row])
    forget_bindings(env)
    return row
