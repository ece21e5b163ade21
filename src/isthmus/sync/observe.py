"""Observed events: what changed in a store that does not tell, found by polling its change feed."""

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from isthmus.binding import BindingRow
from isthmus.component import WorkContext
from isthmus.env import X2MANY, ChangedFields, Env, Key, Record, plain
from isthmus.errors import IsthmusError
from isthmus.sync.checkpoint import close, open_about
from isthmus.sync.cursor import CursorBook
from isthmus.sync.effect import EffectLog, Intent
from isthmus.sync.item import Snapshot
from isthmus.sync.report import Report
from isthmus.sync.sight import read_visible
from isthmus.sync.table import CheckpointKind

logger = logging.getLogger("isthmus.sync")

PAGE: Final = 500
STREAM: Final = "ours/"
"""Cursor stream of a model of ours in a remote store; the model's name follows."""
IDS: Final = "ours-ids/"
"""Cursor stream that tells when deletions were last looked for; the model's name follows."""
TOLD: Final = "ours-told/"
"""Cursor stream with a digest of each change that was told and is not settled yet; the model follows."""
GONE: Final = "gone"
"""Stands in its place for a record that was deleted."""


class Observer:
    """Watches one model of ours in a remote store, for the bindings of one backend.

    Each net change is told once: a record is compared with the image of its binding, so what sync
    wrote itself is no change, by whatever login. Old values come from the image.

    Args:
        work: Work on the binding model.
        synchronizer: Its record exporter, which knows the field groups.

    Attributes:
        changed: Keys of the records that the feed has told, events or not.
        report: Counts.
    """

    def __init__(self, work: WorkContext, synchronizer: Any) -> None:
        self._work = work
        self._env: Env = work.env
        self._backend_id: int = work.collection.id
        self._model = str(work.model_name)
        self._exporter = synchronizer
        self.records = self._env[synchronizer.record_model]
        self._store = self.records.store
        self._binding_models = [
            name
            for name in self._env.services.stores
            if getattr(self._env[name], "binds", None) == self.records.name
        ]
        self._known = f"{self._model}/{self.records.name}"
        self._book = CursorBook(self._env, self._backend_id)
        self._told = _Told()
        self.changed: set[Key] = set()
        self.report = Report()

    def run(self, *, full: bool = False) -> Report:
        """Read the feed to its end, one call a page; from time to time look for deletions.

        Args:
            full: True compares every record, and looks for deletions now.
        """
        stream, mark = STREAM + self._known, None
        self._told = _Told() if full else _Told(self._book.load(TOLD + self._known))
        if not full:
            mark = self._book.load(stream)
        whole = mark is None or "began" not in mark
        while True:
            fields = self._fields(self._pending())
            rows, mark = self._store.changes(self._env, self.records.name, mark, PAGE, fields)
            self.changed.update(row["id"] for row in rows)
            self._compare(rows)
            if len(rows) < PAGE and whole:
                self._told.keep(self.changed)
            self._book.save(stream, mark)
            self._save_told()
            self._commit()
            if len(rows) < PAGE:
                break
        if full or self._is_walk_due():
            self._deletions()
        return self.report

    def look(self, ids: Iterable[Key]) -> Report:
        """Compare just these records; one that is not there was deleted."""
        keys = list(dict.fromkeys(ids))
        self._told = _Told(self._book.load(TOLD + self._known))
        for start in range(0, len(keys), PAGE):
            page = keys[start : start + PAGE]
            rows, hidden = read_visible(self.records, page, self._fields(self._pending()))
            self._compare(rows)
            gone = set(map(str, page)) - {str(row["id"]) for row in rows} - set(map(str, hidden))
            for row in self._exporter.binder.table.by_record(self._env.session, gone) if gone else ():
                if row.is_linked:
                    self._unlinked(row)
            self._save_told()
            self._commit()
        return self.report

    def look_at_relatives(self, changed: Mapping[str, Collection[Key]]) -> Report:
        """Compare the records whose lists hold, or held, changed records of other models.

        A change of such a list, made from the other end, does not touch the record itself.

        Args:
            changed: Keys of changed records by model of ours.
        """
        found: set[Key] = set()
        for name in self._exporter.scheme.our_fields:
            field = self.records.fields.get(name)
            keys = changed.get(str(field.relation)) if field and field.type in X2MANY else None
            if not keys:
                continue
            shown = set(map(str, keys))
            for row in self._exporter.binder.table.linked(self._env.session):
                if row.record_id and shown.intersection(map(str, (row.seen_internal or {}).get(name) or ())):
                    found.add(self._store.key(self.records.name, row.record_id))
            with self._env.context(active_test=False):
                found.update(r.id for r in self.records.search([(name, "in", sorted(keys))]))
        return self.look(found - self.changed)

    def _save_told(self) -> None:
        self._book.save(TOLD + self._known, self._told.digests)

    def _commit(self) -> None:
        with self._env.outside():
            pass

    # -- changes -----------------------------------------------------------------------

    def _pending(self) -> list[Intent]:
        """List creates of ours in this store that are not settled yet, also those of other backends."""
        return EffectLog(self._env, self._backend_id).creates(self._binding_models, target=self._store.name)

    def _fields(self, pending: Iterable[Intent]) -> list[str]:
        """Name what must be read to compare a record, and to tell whether a create of ours made it."""
        names = (*self._exporter.read_fields, *(n for intent in pending for n in intent.written or ()))
        return [n for n in dict.fromkeys(names) if n in self.records.fields]

    def _compare(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        # After the rows were read: what is in them was under way before.
        pending = self._pending()
        ids = [row["id"] for row in rows]
        bound: dict[str, list[BindingRow]] = {}
        for row in self._exporter.binder.table.by_record(self._env.session, map(str, ids)):
            bound.setdefault(str(row.record_id), []).append(row)
        unbound = [key for key in ids if str(key) not in bound]
        keys: Mapping[Key, str] = {}
        if pending and unbound:
            keys = self._store.creation_keys(self._env, self.records.name, unbound)
        for values in rows:
            record = Snapshot(self.records.browse(values["id"]), values)
            bindings = bound.get(str(values["id"]))
            if bindings:
                self._written(record, values, bindings)
            elif not _under_way(values, keys.get(values["id"]), pending) and self._told.is_news(
                values["id"], self._exporter.scheme.our_image(values)
            ):
                self._notify(record, "on_record_create", ChangedFields({}, frozenset(values)))

    def _written(self, record: Snapshot, values: Mapping[str, Any], bindings: Iterable[BindingRow]) -> None:
        now = self._exporter.scheme.our_image(values)
        old: dict[str, Any] = {}
        for row in bindings:
            if row.is_linked:
                seen = row.seen_internal or {}
                old |= {f: seen.get(f) for f, v in now.items() if f not in seen or seen[f] != v}
        if not old:
            if self._told.settle(record.id):
                self._close_moot([row for row in bindings if row.is_linked])
        elif self._told.is_news(record.id, [now, sorted((row.id or 0, row.revision) for row in bindings)]):
            self._notify(record, "on_record_write", ChangedFields(old))

    def _close_moot(self, rows: Iterable[BindingRow]) -> None:
        """Close items about changes that could not be exported, and are undone."""
        ids = [row.external_id for row in rows if row.external_id is not None]
        kinds = (CheckpointKind.DEAD_LETTER,)
        for checkpoint in open_about(self._env, self._backend_id, self._model, ids, kinds):
            if checkpoint.topic == "export":
                close(self._env, checkpoint, "settled by a later run")

    # -- deletions ---------------------------------------------------------------------

    def _is_walk_due(self) -> bool:
        mark = self._book.load(IDS + self._known)
        every = timedelta(seconds=self._env.services.settings.id_walk_s)
        return mark is None or self._env.now() - datetime.fromisoformat(mark["at"]) >= every

    def _deletions(self) -> None:
        """Compare the bound records with those that there are; what was bound later is not looked at."""
        table = self._exporter.binder.table
        bound = [r for r in table.linked(self._env.session) if r.record_id is not None]
        if bound:
            there = set(map(str, self._store.ids(self._env, self.records.name)))
            self._gone([row for row in bound if row.record_id not in there])
        self._book.save(IDS + self._known, {"at": self._env.now().isoformat()})
        self._save_told()
        self._commit()

    def _gone(self, rows: Sequence[BindingRow]) -> None:
        """Tell the deletion of records that no search finds; what is only hidden from us is left alone."""
        keys = [self._store.key(self.records.name, str(row.record_id)) for row in rows]
        read, hidden = read_visible(self.records, keys, [])
        there = {str(row["id"]) for row in read} | set(map(str, hidden))
        if hidden:
            self.report.skipped[f"{self.records.name} hidden from our user by a record rule"] += len(hidden)
        for row in rows:
            if row.record_id not in there:
                self._unlinked(row)

    def _unlinked(self, row: BindingRow) -> None:
        key = self._store.key(self.records.name, str(row.record_id))
        values = {"id": key, **(row.seen_internal or {})}
        if not self._told.is_news(key, GONE):
            return
        self._notify(Snapshot(self.records.browse(key), values), "on_record_unlink", None)

    # -- telling -----------------------------------------------------------------------

    def _notify(self, record: Snapshot, event: str, fields: ChangedFields | None) -> None:
        """Tell the listeners; one that fails is told again by a job.

        Raises:
            DBAPIError: When our own database refuses.
        """
        self.report.done["observed"] += 1
        try:
            with self._env.savepoint():
                told: Record = record.record
                collected = told.event(event)
                if fields is None:
                    collected.notify(record)
                else:
                    collected.notify(record, fields)
        except DBAPIError:
            raise
        except Exception as error:
            level = logging.INFO if isinstance(error, IsthmusError) else logging.ERROR
            logger.log(level, "a listener of %s failed, it is told again by a job", event, exc_info=error)
            backend = self._work.collection
            backend.with_delay(
                identity_key=f"observe/{self._backend_id}/{record._name}/{record.id}/{event}"
            ).notify_observed(
                record._name, record.id, event, dict(fields.old) if fields is not None else None
            )


class _Told:
    """Which changes were told already, though what they cause is not done yet.

    Args:
        digests: By record key.
    """

    def __init__(self, digests: Mapping[str, str] | None = None) -> None:
        self.digests: dict[str, str] = dict(digests or {})

    def is_news(self, key: Key, state: Any) -> bool:
        """Note a record's state and what it was compared with; tell whether that is news."""
        digest = sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()[:16]
        before, self.digests[str(key)] = self.digests.get(str(key)), digest
        return before != digest

    def settle(self, key: Key) -> bool:
        """Forget a record, which is as its binding knows it; tells whether a change of it was told."""
        return self.digests.pop(str(key), None) is not None

    def keep(self, keys: Iterable[Key]) -> None:
        """Forget all but these: what the feed no longer tells is not told twice."""
        there = set(map(str, keys))
        gone = sha256(json.dumps(GONE).encode()).hexdigest()[:16]
        self.digests = {k: v for k, v in self.digests.items() if k in there or v == gone}


def _under_way(values: Mapping[str, Any], key: str | None, pending: Iterable[Intent]) -> bool:
    """Tell whether a record may be one that a create of ours, not settled yet, has made."""
    for intent in pending:
        if key is not None and key == intent.key:
            return True
        written = intent.written or {}
        if key is None and written and all(plain(values.get(n)) == v for n, v in written.items()):
            return True
    return False
