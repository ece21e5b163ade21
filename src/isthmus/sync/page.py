"""A page of an import: gather, lease, decide, write."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import groupby
from typing import Any, Final

from isthmus.binding import PLANNED, BindingRow, BindingState, external_key
from isthmus.component import WorkContext
from isthmus.env import Env, plain
from isthmus.errors import (
    AmbiguousOutcomeError,
    IDMissingInBackend,
    InvalidDataError,
    MissingRecordError,
    NotGathered,
    ParkError,
    RecordLockedError,
    SkipRecord,
)
from isthmus.mapping import FieldGroup
from isthmus.sync.claims import Claims
from isthmus.sync.effect import EXTERNAL, EffectLog, Intent
from isthmus.sync.gathering import Gathering
from isthmus.sync.item import DECIDE, GATHER, Item, Operation, Planned, Ref, Snapshot
from isthmus.sync.merge import Side, Verdict
from isthmus.sync.ours import OurSide
from isthmus.sync.remote import adopt
from isthmus.sync.report import Report
from isthmus.sync.synchronizer import changed_only, equal, lease_keys
from isthmus.sync.table import EffectState
from isthmus.sync.weigh import merge_sets, weigh

_TOO_DEEP: Final = 50
"""Rounds of dependencies before the data is taken for circular."""


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
        self.report = Report()

    def _importer(self, model: str) -> Any:
        if model not in self._importers:
            self._importers[model] = self._work.component(usage="record.importer", model_name=model)
        return self._importers[model]

    # -- entrances ---------------------------------------------------------------------

    def run_ids(self, external_ids: Sequence[str], *, force: bool) -> Report:
        """Import records by ID: leased first, so that what is read after it is fresh."""
        model = str(self._work.model_name)
        roots = [Item(model=model, external_id=key, force=force) for key in dict.fromkeys(external_ids)]
        try:
            self._load_bindings(roots)
            roots = self._lease([i for i in roots if self._is_live(i)])
            adapter = self._importer(model).backend_adapter
            with self._env.in_phase(GATHER):
                found = adapter.read_many([i.external_id for i in roots])
            present: list[Item] = []
            gone: list[Item] = []
            for item in roots:
                item.payload = found.get(str(item.external_id))
                (gone if item.payload is None else present).append(item)
            return self._run(present, gone)
        except BaseException:
            self._claims.release()
            raise

    def run_payloads(self, payloads: Sequence[Mapping[str, Any]], *, read_at: Any) -> Report:
        """Import records that a listing has read; what is no record is parked.

        Raises:
            InvalidDataError: Never to the caller; see above.
        """
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
                item.external_id = adapter.external_id_of(payload)
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
        items = self._gather(fresh)
        items = self._recognise(self._lease(items))
        items = self._reread(items)
        items = self._wait_for_needs(self._read_ours(items))
        operations = self._decide(items) + self._decide_gone(gone)
        OurSide(self._work, self._importer, self._claims, self.report).carry_out(
            operations, parked=self._parked, late=self._late, seen=self._seen, cursor=self._cursor
        )
        return self.report

    # -- bindings ----------------------------------------------------------------------

    def _load_bindings(self, items: Iterable[Item]) -> None:
        for model, same in _by_model(items):
            table = self._importer(model).binder.table
            rows = table.by_external(self._env.session, [str(i.external_id) for i in same])
            for item in same:
                item.binding = rows.get(str(item.external_id))

    def _is_live(self, item: Item) -> bool:
        if item.binding is None or item.binding.is_linked:
            return True
        why = (
            "deleted before, see `isthmus inbox`"
            if item.binding.state == BindingState.TOMBSTONE
            else "frozen"
        )
        self.report.skipped[why] += 1
        return False

    def _is_unchanged(self, item: Item) -> bool:
        if item.force or item.payload is None or not self._importer(item.model)._is_uptodate(item):
            return False
        self.report.done["unchanged"] += 1
        self._seen.append(item)
        return True

    # -- gather ------------------------------------------------------------------------

    def _gather(self, roots: list[Item]) -> list[Item]:
        """Follow dependencies to any depth and give all items, dependencies first."""
        index = {(i.model, i.external_id): i for i in roots}
        frontier = list(roots)
        with self._env.in_phase(GATHER):
            for _ in range(_TOO_DEEP):
                if not frontier:
                    break
                frontier = self._next_round(frontier, index)
        return self._in_order(list(index.values()))

    def _next_round(self, frontier: list[Item], index: dict[tuple[str, str | None], Item]) -> list[Item]:
        wanted: dict[str, dict[str, list[Item]]] = {}
        for item in frontier:
            importer = self._importer(item.model)
            try:
                item.scope = importer._scope(item)
                if not importer._should_import(item):
                    raise SkipRecord("not selected")
                for need in importer._import_dependencies(item):
                    key = external_key(need.key)
                    if key is None:
                        continue
                    if (need.model, key) not in index:
                        wanted.setdefault(need.model, {}).setdefault(key, []).append(item)
                    elif index[need.model, key].binding is None:
                        item.depends.append(index[need.model, key])
            except (SkipRecord, ParkError) as outcome:
                self._leave(item, outcome)
                del index[item.model, item.external_id]
        found: list[Item] = []
        for model, needs in wanted.items():
            found += self._read_dependencies(model, needs)
        index.update({(i.model, i.external_id): i for i in found})
        return found

    def _read_dependencies(self, model: str, needs: dict[str, list[Item]]) -> list[Item]:
        importer = self._importer(model)
        bound = importer.binder.table.by_external(self._env.session, needs)
        missing = [k for k in needs if k not in bound]
        if not missing:
            return []
        found = []
        for key, payload in importer.backend_adapter.read_many(missing).items():
            if payload is None:
                continue  # the mapping will say what is missing, and park the record
            item = Item(model=model, external_id=key, payload=payload)
            for dependent in needs[key]:
                dependent.depends.append(item)
            found.append(item)
        return found

    def _in_order(self, items: list[Item]) -> list[Item]:
        """Put dependencies first; where they go round in a circle its first record is parked."""
        needs = {item: item.depends for item in items}
        while True:
            # What was left out is not brought back by those who need it: their mapping says so.
            sorter = TopologicalSorter({i: [n for n in found if n in needs] for i, found in needs.items()})
            try:
                sorter.prepare()
                break
            except CycleError as error:
                circle: list[Item] = error.args[1][:0:-1]
                first = min(map(list(needs).index, circle))
                turn = circle.index(list(needs)[first])
                circle = [*circle[turn:], *circle[: turn + 1]]
                names = " -> ".join(f"{i.model} {i.external_id}" for i in circle)
                self._leave(circle[0], InvalidDataError(f"records depend on each other in a circle: {names}"))
                del needs[circle[0]]
        level = 0
        while sorter.is_active():
            for item in (ready := sorter.get_ready()):
                item.level = level
            sorter.done(*ready)
            level += 1
        # By level and model, so that each kind of record is written by one statement.
        return sorted(needs, key=lambda i: (i.level, i.model))

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
                self.report.skipped["waits for an answer, see `isthmus inbox`"] += 1
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
        bound = []
        for item in gone:
            if item.binding is None:
                self.report.skipped["no longer there"] += 1
            elif item.binding.is_linked:
                bound.append(item)
        return [self._decide_gone_one(item) for item in self._read_ours(bound)]

    def _decide_gone_one(self, item: Item) -> Operation:
        importer = self._importer(item.model)
        policy = str(self._backend.option("on_external_delete"))
        records = self._env[importer.record_model]
        if item.ours is None:
            return Operation(item=item, kind="orphan", reason="both sides are gone")
        if policy == "archive" and "active" not in records.fields:
            policy = "forget"
        ours = Side(
            item.binding.seen_internal if item.binding else None, importer.scheme.our_image(item.ours)
        )
        if policy == "delete" and ours.changed(importer.scheme.our_fields):
            policy = "ask"
        values = {"active": False} if policy == "archive" else {}
        return Operation(
            item=item, kind=policy, values=values, record_id=item.record.id, reason="deleted there"
        )

    # -- decide ------------------------------------------------------------------------

    def _is_settled(self, importer: Any, item: Item) -> bool:
        """Find what a lost create made; False when that must wait or needs a person."""
        if item.binding is not None or not item.pending:
            return True
        try:
            adopt(self._work, importer, item)
        except RecordLockedError:
            self._late.append(item)
        except AmbiguousOutcomeError as error:
            self._parked.append((item, error))
        else:
            return True
        return False

    def _read_ours(self, items: list[Item]) -> list[Item]:
        """Read our records in bulk, locked where our store can, and the effects that concern them."""
        left: list[Item] = []
        for model, same in _by_model(items):
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
            rows = {r["id"]: r for r in OurSide.read(self._env, records, list(keys.values()), fields)}
            for item in bound:
                item.ours = rows.get(keys[id(item)])
                item.record = Snapshot(records.browse(keys[id(item)]), item.ours or {})
            left += settled
        kept = {id(i) for i in left}
        return [i for i in items if id(i) in kept]

    def _decide(self, items: list[Item]) -> list[Operation]:
        operations: dict[int, Operation] = {}
        planned = {
            (i.model, i.external_id): Planned(
                self._importer(i.model).record_model, Ref(i.model, str(i.external_id))
            )
            for i in items
            if i.binding is None
        }
        gathering, left = Gathering(self._env), items
        while left:
            again = self._decide_round(left, planned, operations, gathering)
            if again:
                gathering.bring()
            left = again
        return [operations[id(i)] for i in items if id(i) in operations]

    def _decide_round(
        self,
        items: list[Item],
        planned: dict[tuple[str, str | None], Planned],
        operations: dict[int, Operation],
        gathering: Gathering,
    ) -> list[Item]:
        """Decide what can be decided; give the items that need something brought first."""
        again: list[Item] = []
        for model, same in _by_model(items):
            self._importer(model).binder.prefetch([i.external_id for i in same])
        self._env.memo[PLANNED] = planned
        with self._env.in_phase(DECIDE):
            for item in items:
                try:
                    operations[id(item)] = self._decide_one(item)
                except NotGathered as need:
                    gathering.note(need)
                    again.append(item)
                except (SkipRecord, ParkError) as outcome:
                    planned.pop((item.model, item.external_id), None)
                    self._leave(item, outcome)
                except MissingRecordError as error:
                    planned.pop((item.model, item.external_id), None)
                    self._parked.append((item, error))
        self._env.memo.pop(PLANNED, None)
        return again

    def _decide_one(self, item: Item) -> Operation:
        importer = self._importer(item.model)
        reason = importer._must_skip(item)
        if reason:
            raise SkipRecord(reason)
        if item.binding is None:
            map_record = importer._map_data(item)
            values = importer._create_data(item, map_record)
            if importer.model.is_direct:
                values.setdefault("backend_id", self._backend_id)
            importer._validate_create_data(values)
            return Operation(
                item=item, kind="create", values=values, reason="new there",
                done_external=importer.scheme.their_fields, done_internal=importer.scheme.our_fields,
            )  # fmt: skip
        if item.ours is None:
            return Operation(item=item, kind="orphan", reason="our record is gone")
        return self._merge(importer, item)

    def _merge(self, importer: Any, item: Item) -> Operation:
        scheme, row = importer.scheme, item.binding
        assert row is not None and item.ours is not None  # noqa: S101, PT018 - said by the caller
        written_there = _written(item.pending, EXTERNAL)
        written_here = _written(item.pending, self._env[importer.record_model].store.name)
        theirs = Side(row.seen_external, scheme.their_image(item.payload), written_there)
        ours = Side(row.seen_internal, scheme.our_image(item.ours), written_here)
        map_record = importer._map_data(item)
        weighed = weigh(
            scheme, theirs, ours, toward=Verdict.IMPORT,
            agree=lambda group: _agree(importer, item, map_record, group),
        )  # fmt: skip
        operation = Operation(
            item=item, kind="keep", record_id=item.record.id,
            conflicts=weighed.conflicts, agreed=weighed.agreed,
        )  # fmt: skip
        fields = [f for g in weighed.moved for f in g.theirs]
        if fields:
            values = importer._update_data(item, map_record, fields)
            operation.merged_sets = merge_sets(
                ((g.theirs[0], g.ours[0]) for g in weighed.sets), values, target=ours,
                mapped_before=lambda name: _mapped_before(importer, item, name),
            )  # fmt: skip
            importer._validate_update_data(values)
            operation.values = changed_only(values, item.ours)
            if operation.values:
                operation.kind = "write"
        settled = (*weighed.moved, *weighed.agreed)
        operation.done_external = tuple(f for g in (*settled, *weighed.one_way) for f in g.theirs)
        operation.done_internal = tuple(f for g in settled for f in g.ours)
        operation.reason = _why(theirs, fields, operation)
        return operation


def _mapped_before(importer: Any, item: Item, name: str) -> dict[str, Any]:
    """Map their record with one field as it was last seen."""
    seen = (item.binding.seen_external if item.binding is not None else None) or {}
    before = Item(
        model=item.model, external_id=item.external_id, binding=item.binding, ours=item.ours,
        record=item.record, payload={**(item.payload or {}), name: seen.get(name) or []},
    )  # fmt: skip
    values: dict[str, Any] = importer._update_data(before, importer._map_data(before), [name])
    return values


def _agree(importer: Any, item: Item, map_record: Any, group: FieldGroup) -> bool:
    values = importer._update_data(item, map_record, group.theirs)
    return all(equal(values[f], item.ours[f]) for f in group.ours if f in values and f in (item.ours or {}))  # type: ignore[index]


def _why(theirs: Side, fields: Sequence[str], operation: Operation) -> str:
    if fields:
        return f"changed there: {', '.join(theirs.changed(fields))}"
    if operation.conflicts:
        return f"both sides changed {', '.join(c.topic for c in operation.conflicts)}"
    return "both sides agree" if operation.agreed else "seen"


def _written(pending: Iterable[Intent], target: str) -> dict[str, Any]:
    """Values that open effects may have written to a side."""
    return {
        name: plain(value)
        for intent in pending
        if intent.target == target
        for name, value in (intent.written or {}).items()
    }


def _record_of(row: BindingRow | None) -> tuple[str | None, str] | None:
    return None if row is None else (row.record_id, row.scope)


def _may_be(intent: Intent, payload: Mapping[str, Any] | None) -> bool:
    """Tell whether a record may be the one that an effect created: all it wrote and it shows is equal."""
    shown = [n for n in intent.written or {} if payload is not None and n in payload]
    return bool(shown) and all(
        plain(payload[n]) == plain((intent.written or {})[n]) for n in shown if payload
    )


def _by_model(items: Iterable[Item]) -> list[tuple[str, list[Item]]]:
    ordered = sorted(items, key=lambda i: i.model)
    return [(model, list(same)) for model, same in groupby(ordered, key=lambda i: i.model)]
