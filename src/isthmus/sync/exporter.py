"""Exporters: their steps, each in its phase. `isthmus.sync.theirs` runs them."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from isthmus.env import Record
from isthmus.mapping import MapRecord
from isthmus.sync.item import Dependency, Item, Operation
from isthmus.sync.report import Report
from isthmus.sync.sight import read_visible
from isthmus.sync.synchronizer import Synchronizer
from isthmus.sync.theirs import ExportRun


class Exporter(Synchronizer):
    """Base of components that bring our records there."""

    _name = "base.exporter"
    _inherit = "base.synchronizer"
    _usage = "exporter"
    _abstract = True
    _base_mapper_usage: ClassVar[str] = "export.mapper"


class RecordExporter(Exporter):
    """Exports the record of one binding of the model it works on.

    Connectors override the steps that start with an underscore; each belongs to a phase, and doing
    another phase's work in it raises an error.
    """

    _name = "base.record.exporter"
    _inherit = "base.exporter"
    _usage = "record.exporter"
    _abstract = False

    @cached_property
    def read_fields(self) -> tuple[str, ...]:
        """Our fields that are read before deciding: those of the groups and those the mapper reads."""
        return tuple(dict.fromkeys((*self.scheme.our_fields, *self.mapper.plan.reads)))

    # -- gather ------------------------------------------------------------------------

    def _should_import(self, item: Item) -> bool:  # noqa: ARG002 - a hook
        """Tell whether their record shall be imported too: it is, by a job."""
        return False

    def _export_dependencies(self, item: Item) -> Iterable[Dependency]:  # noqa: ARG002 - a hook
        """Yield what must be there first, by `_export_dependency`."""
        return ()

    def _export_dependency(
        self, relation: Record | None, binding_model: str, scope: str = ""
    ) -> Iterable[Dependency]:
        """Describe a record of ours that must be there first; an empty relation is none."""
        if relation is not None:
            yield Dependency(binding_model, relation.id, scope)

    # -- lease -------------------------------------------------------------------------

    def _lock(self, item: Item) -> Iterable[str]:  # noqa: ARG002 - a hook
        """Yield names to claim beside the record itself."""
        return ()

    # -- decide ------------------------------------------------------------------------

    def _has_to_skip(self, item: Item) -> str | None:  # noqa: ARG002 - a hook
        """Give the reason to leave the record alone, or None."""
        return None

    def _map_data(self, item: Item) -> MapRecord:
        """Prepare the mapping of our record."""
        prepared: MapRecord = self.mapper.map_record(item.record)
        return prepared

    def _create_data(self, item: Item, map_record: MapRecord) -> dict[str, Any]:
        """Map everything for a new record there."""
        return map_record.values(for_create=True, scope=item.scope)

    def _update_data(self, item: Item, map_record: MapRecord, fields: Sequence[str]) -> dict[str, Any]:
        """Map what depends on our changed *fields*."""
        return map_record.values(fields=fields, scope=item.scope, external_id=item.external_id)

    # -- write -------------------------------------------------------------------------

    def _create(self, operation: Operation) -> Any:
        """Create their record and give their answer: the record, or its ID."""
        key = operation.intent.key if operation.intent else None
        return self.backend_adapter.create(operation.values, key=key)

    def _update(self, operation: Operation) -> Any:
        """Write their record and give their answer: the record, or None."""
        return self.backend_adapter.write(operation.item.external_id, operation.values)

    # -- last transaction --------------------------------------------------------------

    def _after_export(self, operation: Operation) -> None:
        """Do something of our own database, or delay a job, in the transaction that ends the operation."""

    # -- run ---------------------------------------------------------------------------

    def run(self, binding: Record, *, fields: Iterable[str] | None = None) -> Report:  # noqa: ARG002
        """Export the record of a binding.

        Args:
            binding: The binding; its external ID is empty before the first export.
            fields: What is said to have changed; a hint, the images decide.
        """
        return ExportRun(self.work).run(binding.id)


class BatchExporter(Exporter):
    """Exports all bindings of a model that have something to export."""

    _name = "base.batch.exporter"
    _inherit = "base.exporter"
    _usage = "batch.exporter"
    _abstract = False

    def run(self, filters: Mapping[str, Any] | None = None) -> Report:
        """Export every linked binding of the model on this backend.

        Args:
            filters: **Shape** ``{"binding_ids": [int, ...]}`` to choose some.
        """
        report = Report()
        progress = getattr(self.work, "progress", None)
        ids = list((filters or {}).get("binding_ids") or self._pending(report))
        for done, binding_id in enumerate(ids, start=1):
            report.add(self.component(usage="record.exporter").run(self.model.browse(binding_id)))
            if progress is not None:
                progress(self.model.name, done, len(ids))
        return report

    def _pending(self, report: Report) -> list[int]:
        """List bindings whose record differs from its image, or that were never exported."""
        exporter = self.component(usage="record.exporter")
        records = self.env[self.record_model]
        fields = [f for f in exporter.scheme.our_fields if f in records.fields]
        rows = self.binder.table.linked(self.env.session)
        found: list[int] = []
        for start in range(0, len(rows), 500):
            page = [r for r in rows[start : start + 500] if r.record_id is not None]
            keys = {r.id: records.store.key(records.name, str(r.record_id)) for r in page}
            read, hidden = read_visible(records, list(keys.values()), fields)
            if hidden:
                report.skipped["hidden from our user by a record rule"] += len(hidden)
            now = {r["id"]: r for r in read}
            for row in page:
                if keys[row.id] in hidden:
                    continue
                values = now.get(keys[row.id])
                changed = values is None or exporter.scheme.our_image(values) != row.seen_internal
                if row.id is not None and (row.external_id is None or changed):
                    found.append(row.id)
        return found
