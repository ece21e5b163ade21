"""Deciding what a page of imports does: mapped and merged, nothing read and nothing written."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from isthmus.binding import PLANNED, BindingRow
from isthmus.component import WorkContext
from isthmus.env import Env, plain
from isthmus.errors import MissingRecordError, NotGathered, ParkError, SkipRecord
from isthmus.mapping import FieldGroup
from isthmus.sync.effect import EXTERNAL, Intent
from isthmus.sync.gathering import Gathering
from isthmus.sync.item import DECIDE, Item, Operation, Planned, Ref, by_model
from isthmus.sync.merge import Side, Verdict
from isthmus.sync.synchronizer import changed_only, equal
from isthmus.sync.weigh import merge_sets, weigh


class ImportDecision:
    """Turns the items of a page into operations on our side.

    Args:
        work: The page's work.
        importer: Gives the record importer of a binding model.
        leave: Told of a record that leaves the page, and why.
    """

    def __init__(
        self,
        work: WorkContext,
        importer: Callable[[str], Any],
        leave: Callable[[Item, Exception], None],
    ) -> None:
        self._env: Env = work.env
        self._backend = work.collection
        self._backend_id: int = self._backend.id
        self._importer = importer
        self._leave = leave

    def decide(self, items: list[Item]) -> list[Operation]:
        """Decide about all items, as often as something that was missing had to be brought.

        Args:
            items: Dependencies first.
        """
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
        for model, same in by_model(items):
            self._importer(model).binder.prefetch([i.external_id for i in same])
        self._env.memo[PLANNED] = planned
        with self._env.in_phase(DECIDE):
            for item in items:
                try:
                    try:
                        operations[id(item)] = self._decide_one(item)
                    except NotGathered as need:
                        gathering.note(need)
                        again.append(item)
                except (SkipRecord, ParkError, MissingRecordError) as outcome:
                    planned.pop((item.model, item.external_id), None)
                    self._leave(item, outcome)
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
        scheme, row, values_here = importer.scheme, item.binding or BindingRow(), item.ours or {}
        written_there = _written(item.pending, EXTERNAL)
        written_here = _written(item.pending, self._env[importer.record_model].store.name)
        theirs = Side(row.seen_external, scheme.their_image(item.payload), written_there)
        ours = Side(row.seen_internal, scheme.our_image(values_here), written_here)
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
            operation.values = changed_only(values, values_here)
            if operation.values:
                operation.kind = "write"
        settled = (*weighed.moved, *weighed.agreed)
        operation.done_external = tuple(f for g in (*settled, *weighed.one_way) for f in g.theirs)
        operation.done_internal = tuple(f for g in settled for f in g.ours)
        operation.reason = _why(theirs, fields, operation)
        return operation

    def decide_gone(self, item: Item) -> Operation:
        """Apply the backend's policy to a record that was deleted there."""
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
    ours = item.ours or {}
    return all(equal(values[f], ours[f]) for f in group.ours if f in values and f in ours)


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
