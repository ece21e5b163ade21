"""A page of an import: gather, lease, decide, write."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from isthmus.binding import BindingRow, BindingState, external_key
from isthmus.component import WorkContext
from isthmus.env import Env, plain
from isthmus.errors import (
    IDMissingInBackend,
    InvalidDataError,
    ParkError,
    RecordLockedError,
    SkipRecord,
)
from isthmus.sync.claims import Claims
from isthmus.sync.decision import ImportDecision
from isthmus.sync.effect import EXTERNAL, EffectLog, Intent
from isthmus.sync.item import GATHER, Item, Operation, Snapshot, by_model, storable_key
from isthmus.sync.needs import Needs, read_apart
from isthmus.sync.ours import OurSide
from isthmus.sync.remote import adopt
from isthmus.sync.report import Report
from isthmus.sync.synchronizer import lease_keys
from isthmus.sync.table import EffectState


class ImportPage:
    """One page on its way to us. Used once.

    Args:
        work: Work on the binding model of the page's records; dependencies may be of other models.
        cursor: Called in the last transaction to move the cursor with the page.
    """

    def __init__(self, work: WorkContext, *, cursor: Callable[[], None] | None = None) -> None:
        self._work = work
        self._env: Env = work.env
        self._backend = work.collection
        self._backend_id: int = self._backend.id
        self._cursor = cursor
        self._importers: dict[str, Any] = {}
        self._claims = Claims(work.env, work.collection)
        self._parked: list[tuple[Item, Exception]] = []
        self._late: list[Item] = []
        self._seen: list[Item] = []
        self._creates: dict[str, list[Intent]] = {}
        self._needs = Needs(work.env, self._importer, self._leave)
        self._decision = ImportDecision(work, self._importer, self._leave)
        self.report = Report()

    def _importer(self, model: str) -> Any:
        if model not in self._importers:
            self._importers[model] = self._work.component(usage="record.importer", model_name=model)
        return self._importers[model]

    # -- entrances ---------------------------------------------------------------------

    def run_ids(self, external_ids: Sequence[str], *, force: bool) -> Report:
        """Import records by ID: leased first, so that what is read after it is fresh."""
        model = str(self._work.model_name)
        roots = []
        for key in dict.fromkeys(external_ids):
            item = Item(model=model, force=force)
            try:
                item.external_id = storable_key(model, key)
                roots.append(item)
            except InvalidDataError as error:
                self._parked.append((item, error))
        try:
            self._load_bindings(roots)
            roots = self._lease([i for i in roots if self._is_live(i)])
            adapter = self._importer(model).backend_adapter
            with self._env.in_phase(GATHER):
                found, refused = read_apart(adapter, [str(i.external_id) for i in roots])
            present: list[Item] = []
            gone: list[Item] = []
            for item in roots:
                if str(item.external_id) in refused:
                    self._parked.append((item, refused[str(item.external_id)]))
                    continue
                item.payload = found.get(str(item.external_id))
                (gone if item.payload is None else present).append(item)
            return self._run(present, gone)
        except BaseException:
            self._claims.release()
            raise

    def run_payloads(self, payloads: Sequence[Mapping[str, Any]], *, read_at: Any) -> Report:
        """Import records that a listing has read; what is no record is parked."""  # noqa: DOC501 - caught here
        model = str(self._work.model_name)
        adapter = self._importer(model).backend_adapter
        roots: dict[str, Item] = {}
        for payload in payloads:
            item = Item(model=model, payload=payload, read_at=read_at)
            try:
                if not isinstance(payload, Mapping):
                    raise InvalidDataError(
                        f"a {model} that is no object came in a list, but a {type(payload).__name__}"
                    )
                key = adapter.external_id_of(payload)
                item.external_id = storable_key(model, key)
                roots.setdefault(item.external_id, item)
            except ParkError as error:
                self._parked.append((item, error))
        try:
            return self._run(list(roots.values()))
        except BaseException:
            self._claims.release()
            raise

    def _run(self, roots: list[Item], gone: Sequence[Item] = ()) -> Report:
        self._load_bindings([*roots, *gone])
        fresh = [i for i in roots if self._is_live(i) and not self._is_unchanged(i)]
        items = self._needs.gather(fresh)
        items = self._recognise(self._lease(items))
        items = self._reread(items)
        items = self._wait_for_needs(self._read_ours(items))
        operations = self._decision.decide(items) + self._decide_gone(gone)
        OurSide(self._work, self._importer, self._claims, self.report).carry_out(
            operations, parked=self._parked, late=self._late, seen=self._seen, cursor=self._cursor
        )
        return self.report

    # -- bindings ----------------------------------------------------------------------

    def _load_bindings(self, items: Iterable[Item]) -> None:
        for model, same in by_model(items):
            table = self._importer(model).binder.table
            rows = table.by_external(self._env.session, [str(i.external_id) for i in same])
            for item in same:
                item.binding = rows.get(str(item.external_id))

    def _is_live(self, item: Item) -> bool:
        if item.binding is None or item.binding.is_linked:
            return True
        why = "deleted before" if item.binding.state == BindingState.TOMBSTONE else "frozen"
        self.report.skipped[why] += 1
        return False

    def _is_unchanged(self, item: Item) -> bool:
        if item.force or item.payload is None or not self._importer(item.model)._is_uptodate(item):
            return False
        self.report.done["unchanged"] += 1
        self._seen.append(item)
        return True

    def _leave(self, item: Item, outcome: Exception) -> None:
        if isinstance(outcome, SkipRecord):
            self.report.skipped[str(outcome)] += 1
        else:
            self._parked.append((item, outcome))

    # -- lease -------------------------------------------------------------------------

    def _lease(self, items: list[Item]) -> list[Item]:
        """Claim the records by one statement; who does not get one leaves the page."""
        keys: dict[int, list[str]] = {}
        for item in items:
            row = item.binding or BindingRow()
            keys[id(item)] = [
                *lease_keys(self._backend_id, item.model, item.external_id, (row.record_id, row.scope)),
                *self._importer(item.model)._lock(item),
            ]
        refused = self._claims.take([k for own in keys.values() for k in own])
        kept = []
        for item in items:
            if refused.isdisjoint(keys[id(item)]):
                kept.append(item)
            else:
                self._late.append(item)
        self._note_creates(kept)
        # Between the look at the bindings and the lease another process may have bound or rebound.
        before = {id(i): i.binding for i in kept}
        self._load_bindings(kept)
        moved = [i for i in kept if _record_of(i.binding) != _record_of(before[id(i)])]
        self._late += moved
        return [i for i in kept if i not in moved and self._is_live(i)]

    def _note_creates(self, items: Iterable[Item]) -> None:
        """List our creates there that are not settled.

        Before the bindings are read: an effect that is settled in between is bound then, so that one of
        the two is seen.
        """
        log = EffectLog(self._env, self._backend_id)
        for model in {i.model for i in items}:
            self._creates[model] = log.pending(model, target=EXTERNAL, kind="create")

    def _recognise(self, items: list[Item]) -> list[Item]:
        """Find unbound records that a create of ours, whose answer was lost, may have made."""
        kept = []
        for item in items:
            intent = None if item.binding is not None else self._maker(item)
            if intent is None:
                kept.append(item)
            elif intent.state == EffectState.ASKED:
                self.report.skipped["waits for an answer, see `isthmus inbox list`"] += 1
            else:
                # Whoever settles the effect binds it; this one comes back when that is done.
                item.pending.append(intent)
                self._late.append(item)
        return kept

    def _maker(self, item: Item) -> Intent | None:
        """Give the create of ours that may have made a record."""
        creates = self._creates.get(item.model, [])
        if not creates:
            return None
        key = self._importer(item.model).backend_adapter.creation_key(item.payload)
        return next((i for i in creates if i.key == key or _may_be(i, item.payload)), None)

    def _reread(self, items: list[Item]) -> list[Item]:
        """Read again what a listing read before someone else moved the image."""
        kept = []
        for item in items:
            row = item.binding
            stale = item.read_at is not None and row is not None and row.sync_date is not None
            if stale and row is not None and row.sync_date >= item.read_at:
                try:
                    item.payload = self._importer(item.model).backend_adapter.read(item.external_id)
                except IDMissingInBackend:
                    self._late.append(item)
                    continue
                if self._needs_more(item, items):
                    self._late.append(item)
                    continue
            if not self._is_unchanged(item):
                kept.append(item)
        return kept

    def _needs_more(self, item: Item, items: Sequence[Item]) -> bool:
        """Tell whether a record that was read again needs what was not gathered with the page."""
        here = {(i.model, i.external_id) for i in items}
        with self._env.in_phase(GATHER):
            needs = list(self._importer(item.model)._import_dependencies(item))
        for need in needs:
            key = external_key(need.key)
            if key is not None and (need.model, key) not in here:
                table = self._importer(need.model).binder.table
                if not table.by_external(self._env.session, [key]):
                    return True
        return False

    def _wait_for_needs(self, items: list[Item]) -> list[Item]:
        """Delay what needs a record that is delayed; *items* have dependencies first."""
        late = set(self._late)
        for item in items:
            if not late.isdisjoint(item.depends):
                late.add(item)
                self._late.append(item)
        return [i for i in items if i not in late]

    def _decide_gone(self, gone: Sequence[Item]) -> list[Operation]:
        """Apply the backend's policy to records that were deleted there."""
        # One that was never bound may have been created here, without an answer.
        read = self._read_ours([i for i in gone if i.binding is None or i.binding.is_linked])
        operations = []
        for item in read:
            if item.binding is None:
                self.report.skipped["no longer there"] += 1
            else:
                operations.append(self._decision.decide_gone(item))
        return operations

    # -- decide ------------------------------------------------------------------------

    def _is_settled(self, importer: Any, item: Item) -> bool:
        """Find what a lost create made; False when that must wait or needs a person."""
        if item.binding is not None or not item.pending:
            return True
        try:
            adopt(self._work, importer, item)
        except RecordLockedError:
            self._late.append(item)
        except ParkError as error:
            self._parked.append((item, error))
        else:
            return True
        return False

    def _read_ours(self, items: list[Item]) -> list[Item]:
        """Read our records in bulk, locked where our store can, and the effects that concern them."""
        left: list[Item] = []
        for model, same in by_model(items):
            importer = self._importer(model)
            log = EffectLog(self._env, self._backend_id)
            pending = log.pending(model, target=EXTERNAL, external_ids=[str(i.external_id) for i in same])
            records = self._env[importer.record_model]
            if not records.store.transactional:
                pending += log.pending(
                    model, target=records.store.name, external_ids=[str(i.external_id) for i in same]
                )
            for intent in pending:
                for item in same:
                    if item.external_id == intent.external_id:
                        item.pending.append(intent)
            settled = [i for i in same if self._is_settled(importer, i)]
            bound = [i for i in settled if i.binding is not None and i.binding.record_id is not None]
            keys = {id(i): records.store.key(records.name, i.binding.record_id) for i in bound if i.binding}
            fields = [f for f in importer.read_fields if f in records.fields]
            found, hidden = OurSide.read(self._env, records, list(keys.values()), fields)
            rows = {r["id"]: r for r in found}
            for item in bound:
                item.ours = rows.get(keys[id(item)])
                item.record = Snapshot(records.browse(keys[id(item)]), item.ours or {})
                if keys[id(item)] in hidden:
                    self._parked.append((item, hidden[keys[id(item)]]))
            left += [i for i in settled if keys.get(id(i)) not in hidden]
        kept = {id(i) for i in left}
        return [i for i in items if id(i) in kept]


def _record_of(row: BindingRow | None) -> tuple[str | None, str] | None:
    return None if row is None else (row.record_id, row.scope)


def _may_be(intent: Intent, payload: Mapping[str, Any] | None) -> bool:
    """Tell whether a record may be the one that an effect created: all it wrote and it shows is equal."""
    shown = [n for n in intent.written or {} if payload is not None and n in payload]
    return bool(shown) and all(
        plain(payload[n]) == plain((intent.written or {})[n]) for n in shown if payload
    )
