"""The end of operations on our side: bindings, images, effects, journal and inbox together."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Final

from isthmus.binding import BindingRow, BindingState, forget_bindings
from isthmus.env import Env
from isthmus.sync.checkpoint import close, open_about
from isthmus.sync.effect import EffectLog, Intent
from isthmus.sync.found import found_lines
from isthmus.sync.item import Item, Operation
from isthmus.sync.journal import Entry, changes_of, write
from isthmus.sync.merge import advance
from isthmus.sync.park import ask_deletion, raise_conflict
from isthmus.sync.report import Report
from isthmus.sync.sibling import delay_export
from isthmus.sync.table import CheckpointKind

_COUNTED: Final = {
    "create": "created", "write": "updated", "keep": "unchanged", "orphan": "forgotten",
    "archive": "archived",
    "delete": "deleted", "forget": "forgotten", "ask": "conflict",
}  # fmt: skip
_ENDING: Final = frozenset({"orphan", "archive", "delete", "forget"})
"""Kinds after which a binding is a tombstone."""
_MOOT: Final = (CheckpointKind.DEAD_LETTER, CheckpointKind.CONFLICT)
_LATER: Final = "settled by a later run"


class Ending:
    """Writes down what operations have done.

    Args:
        env: The unit of work.
        backend_id: The backend.
        importer: Gives the record importer of a binding model.
        report: Counts.
    """

    def __init__(self, env: Env, backend_id: int, importer: Callable[[str], Any], report: Report) -> None:
        self._env = env
        self._backend_id = backend_id
        self._importer = importer
        self._report = report
        self._effects = EffectLog(env, backend_id)

    def finish(self, operations: Sequence[Operation]) -> None:
        """Write bindings with their images, close effects, add journal lines and checkpoints."""
        for model, same in groupby(operations, key=lambda o: o.item.model):
            batch = list(same)
            importer = self._importer(model)
            after = self._after(importer, batch)
            inserted: list[BindingRow] = []
            updated: list[BindingRow] = []
            entries: list[Entry] = []
            store = self._env[importer.record_model].store.name
            for operation in batch:
                item = operation.item
                found = item.binding or BindingRow()
                entries += found_lines(
                    item, found.seen_internal, item.ours or {},
                    target=store, direction="import", record_id=found.record_id,
                )  # fmt: skip
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
            table.insert(self._env, inserted)
            table.update(self._env, updated)
            if not self._env[importer.record_model].store.transactional:
                self._delete_there(model, batch)
                self._export_edits(importer, batch)
            write(self._env, self._backend_id, entries)
            self._settle_inbox(model, batch)
            self._effects.close(_finished_effects(batch, self._env[importer.record_model].store.name))
            if not is_plain(importer, "_after_import"):
                for operation in batch:
                    importer._after_import(operation)
        forget_bindings(self._env)

    def _delete_there(self, model: str, batch: Sequence[Operation]) -> None:
        """Apply the policy there for records of ours whose deletion nobody has told us of yet."""
        for operation in batch:
            row = operation.item.binding
            if operation.kind != "orphan" or operation.item.payload is None or row is None or row.id is None:
                continue
            self._env[model].browse(row.id).with_delay(
                identity_key=f"delete/{model}/{row.id}"
            ).delete_record()

    def _export_edits(self, importer: Any, batch: Sequence[Operation]) -> None:
        """Export what somebody made of records whose create was open: observation left that to us."""
        for operation in batch:
            item, row = operation.item, operation.item.binding
            if item.adopted is None or row is None or row.id is None or operation.kind in _ENDING:
                continue
            if importer.scheme.our_image(operation.answer or item.ours or {}) != row.seen_internal:
                delay_export(self._env, item.model, row.id)

    def _after(self, importer: Any, batch: Sequence[Operation]) -> dict[Any, dict[str, Any]]:
        """Give our records as they are after the write: what the store made of our values is the image."""
        rows: dict[Any, dict[str, Any]] = {}
        for operation in batch:
            known = operation.answer or operation.item.ours
            if known is not None:
                rows[operation.record_id] = known
        written = [o.record_id for o in batch if o.kind in {"create", "write"}]
        records = self._env[importer.record_model]
        if not written or not records.store.transactional:
            return rows
        fields = [f for f in importer.scheme.our_fields if f in records.fields]
        return rows | {r["id"]: r for r in records.read(written, fields)}

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
            seen = advance(row.seen_internal, scheme.our_image(after), operation.done_internal)
            row.seen_internal = {**seen, **operation.merged_sets}
        return row

    def _settle_inbox(self, model: str, batch: Sequence[Operation]) -> None:
        """Raise conflicts and close what this page has settled."""
        for operation in batch:
            if operation.kind == "ask":
                ask_deletion(self._env, self._backend_id, operation.item)
            for conflict in operation.conflicts:
                self._report.done["conflict"] += 1
                raise_conflict(self._env, self._backend_id, operation.item, conflict)
        by_id = {str(o.item.external_id): o for o in batch if o.kind != "ask"}
        for checkpoint in open_about(self._env, self._backend_id, model, by_id, _MOOT):
            operation = by_id[str(checkpoint.external_id)]
            ended = operation.kind in _ENDING
            if checkpoint.kind == CheckpointKind.CONFLICT:
                moot = checkpoint.topic not in {c.topic for c in operation.conflicts}
            else:
                # What could not be exported is settled by an export only.
                moot = checkpoint.topic == "import"
            if moot or ended:
                close(self._env, checkpoint, _LATER)

    def settle_seen(self, items: Sequence[Item]) -> None:
        """Close what became moot because their records are as last seen again."""
        by_model: dict[str, dict[str, Item]] = {}
        for item in items:
            by_model.setdefault(item.model, {})[str(item.external_id)] = item
        for model, by_id in by_model.items():
            for checkpoint in open_about(self._env, self._backend_id, model, by_id, _MOOT):
                row = by_id[str(checkpoint.external_id)].binding
                if checkpoint.kind == CheckpointKind.CONFLICT and row is not None and row.id is not None:
                    # Their change is undone, ours is not: it waited for the decision.
                    delay_export(self._env, model, row.id)
                elif checkpoint.topic != "import":
                    continue
                close(self._env, checkpoint, _LATER)


def is_plain(importer: Any, step: str) -> bool:
    """Tell whether a step is the framework's own, so that it can be done in bulk."""
    module: str = getattr(type(importer), step).__module__
    return module == "isthmus.sync.importer"


def _entry(operation: Operation, row: BindingRow) -> Entry | None:
    item = operation.item
    if operation.kind in {"keep", "ask"} and not operation.conflicts:
        return None
    name = "conflict" if operation.kind == "keep" else operation.kind
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
