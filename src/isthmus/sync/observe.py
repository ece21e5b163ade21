"""Observed events: what changed in a store that does not tell, found by polling its change feed."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from isthmus.binding import BindingRow
from isthmus.component import WorkContext
from isthmus.env import ChangedFields, Env, Record, plain
from isthmus.errors import IsthmusError
from isthmus.sync.cursor import CursorBook
from isthmus.sync.effect import EffectLog, Intent
from isthmus.sync.item import Snapshot
from isthmus.sync.report import Report

PAGE: Final = 500
STREAM: Final = "ours/"
"""Cursor stream of a model of ours in a remote store; the model's name follows."""


class Observer:
    """Watches one model of ours in a remote store, for the bindings of one backend.

    Each net change is told once: a record is compared with the image of its binding, so what sync
    wrote itself is no change, by whatever login. Old values come from the image.

    Args:
        work: Work on the binding model.
        synchronizer: Its record exporter, which knows the field groups.
    """

    def __init__(self, work: WorkContext, synchronizer: Any) -> None:
        self._work = work
        self._env: Env = work.env
        self._backend_id: int = work.collection.id
        self._model = str(work.model_name)
        self._exporter = synchronizer
        self._records = self._env[synchronizer.record_model]
        self._store = self._records.store
        self._report = Report()

    def run(self) -> Report:
        """Read the feed to its end, then look for deletions."""
        stream = f"{STREAM}{self._model}/{self._records.name}"
        while True:
            mark = CursorBook(self._env, self._backend_id).load(stream)
            changed, after = self._store.changes(self._env, self._records.name, mark, PAGE)
            self._page([key for key, _ in changed])
            CursorBook(self._env, self._backend_id).save(stream, after)
            self._commit()
            if len(changed) < PAGE:
                break
        self._deletions()
        return self._report

    def _commit(self) -> None:
        with self._env.outside():
            pass

    # -- changes -----------------------------------------------------------------------

    def _page(self, ids: list[Any]) -> None:
        if not ids:
            return
        rows = self._records.read(ids, list(self._records.fields))
        unbound_keys = self._store.creation_keys(self._env, self._records.name, ids)
        bound: dict[str, list[BindingRow]] = {}
        for row in self._exporter.binder.table.by_record(self._env.session, map(str, ids)):
            bound.setdefault(str(row.record_id), []).append(row)
        pending = EffectLog(self._env, self._backend_id).pending(
            self._model, target=self._store.name, kind="create"
        )
        for values in rows:
            record = Snapshot(self._records.browse(values["id"]), values)
            bindings = bound.get(str(values["id"]))
            if bindings:
                self._written(record, values, bindings)
            elif not _under_way(values, unbound_keys.get(values["id"]), pending):
                self._notify(record, "on_record_create", ChangedFields({}, frozenset(values)))

    def _written(self, record: Snapshot, values: Mapping[str, Any], bindings: Iterable[BindingRow]) -> None:
        now = self._exporter.scheme.our_image(values)
        old: dict[str, Any] = {}
        for row in bindings:
            if row.is_linked:
                seen = row.seen_internal or {}
                old |= {f: seen.get(f) for f, v in now.items() if f not in seen or seen[f] != v}
        if old:
            self._notify(record, "on_record_write", ChangedFields(old))

    def _deletions(self) -> None:
        """Compare the bound records with those that there are; what was bound later is not looked at."""
        table = self._exporter.binder.table
        bound = [r for r in table.linked(self._env.session) if r.record_id is not None]
        if not bound:
            return
        there = set(map(str, self._store.ids(self._env, self._records.name)))
        for row in bound:
            if row.record_id not in there:
                key = self._store.key(self._records.name, str(row.record_id))
                values = {"id": key, **(row.seen_internal or {})}
                self._notify(Snapshot(self._records.browse(key), values), "on_record_unlink", None)

    # -- telling -----------------------------------------------------------------------

    def _notify(self, record: Snapshot, event: str, fields: ChangedFields | None) -> None:
        """Tell the listeners; one that fails is told again by a job."""
        self._report.done["observed"] += 1
        try:
            with self._env.savepoint():
                told: Record = record.record
                collected = told.event(event)
                if fields is None:
                    collected.notify(record)
                else:
                    collected.notify(record, fields)
        except IsthmusError:
            backend = self._work.collection
            backend.with_delay(
                identity_key=f"observe/{self._backend_id}/{record._name}/{record.id}/{event}"
            ).notify_observed(
                record._name, record.id, event, dict(fields.old) if fields is not None else None
            )
        if self._env.transaction.written:
            self._commit()


def _under_way(values: Mapping[str, Any], key: str | None, pending: Iterable[Intent]) -> bool:
    """Tell whether a record may be one that a create of ours, not settled yet, has made."""
    for intent in pending:
        if key is not None and key == intent.key:
            return True
        written = intent.written or {}
        if key is None and written and all(plain(values.get(n)) == v for n, v in written.items()):
            return True
    return False
