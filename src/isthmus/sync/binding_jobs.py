"""The jobs of binding models."""

from collections.abc import Iterable, Mapping
from typing import Any

from isthmus.component import WorkContext
from isthmus.env import ChangedFields, Env, ModelExtension
from isthmus.errors import BackendError
from isthmus.job import job
from isthmus.sync.item import Snapshot
from isthmus.sync.report import Report
from isthmus.sync.service import models_of

_RETRY = {1: 5, 3: 30, 6: 300}
"""Seconds by number of the retry: short at first, since most failures of a network are."""


class BindingJobs(ModelExtension):
    """What every binding model can do, at once or delayed."""

    _inherit = "external.binding"

    @job(retry_pattern=_RETRY, max_retries=20)
    def import_batch(self, backend: Any, filters: Mapping[str, Any] | None = None) -> str:
        """Import what the filters select from a backend."""
        with _active(backend).work_on(self._name) as work:  # type: ignore[attr-defined]  # the model
            report: Report = work.component(usage="batch.importer").run(filters)
        return report.sentence()

    @job(retry_pattern=_RETRY, max_retries=20)
    def import_record(self, backend: Any, external_id: str, force: bool = False) -> str:
        """Import one record by its external ID."""
        with _active(backend).work_on(self._name) as work:  # type: ignore[attr-defined]
            report: Report = work.component(usage="record.importer").run(external_id, force=force)
        return report.sentence()

    @job(retry_pattern=_RETRY, max_retries=20)
    def export_record(self, fields: Iterable[str] | None = None) -> str:
        """Export the binding's record."""
        with _active(self.backend).work_on(self._name) as work:  # type: ignore[attr-defined]
            report: Report = work.component(usage="record.exporter").run(self, fields=fields)
        return report.sentence()

    @job(retry_pattern=_RETRY, max_retries=20)
    def delete_record(self) -> str:
        """Apply the backend's policy there, after our record was deleted."""
        with _active(self.backend).work_on(self._name) as work:  # type: ignore[attr-defined]
            report: Report = work.component(usage="deleter").run(self)
        return report.sentence()


class BackendJobs(ModelExtension):
    """What every backend can do, at once or delayed."""

    _inherit = "connector.backend"

    env: Any

    @job(retry_pattern=_RETRY, max_retries=20)
    def notify_observed(self, model: str, record_id: Any, event: str, old: Mapping[str, Any] | None) -> str:
        """Tell listeners again of an observed change, after one of them failed."""
        records = self.env[model]
        # Not all its fields: some are not for everybody, and some are large.
        rows = records.read(
            [record_id], [n for n in _looked_at(self.env, self, model) if n in records.fields]
        )
        values = rows[0] if rows else {"id": record_id, **(old or {})}
        record = Snapshot(records.browse(record_id), values)
        arguments = () if old is None else (ChangedFields(dict(old)),)
        record.record.event(event).notify(record, *arguments)
        return f"{event} told"


def _looked_at(env: Env, backend: Any, model: str) -> list[str]:
    """List the fields of a model of ours that the exporters of a backend read."""
    found: dict[str, None] = {}
    for name in models_of(env, backend):
        if env[name].binds == model:
            exporter = WorkContext(name, collection=backend).component(usage="record.exporter")
            found.update(dict.fromkeys(exporter.read_fields))
    return list(found)


def _active(backend: Any) -> Any:
    if not backend["active"]:
        raise BackendError(
            f"backend {backend['name']!r} is disabled: `isthmus backend enable {backend['name']}`"
        )
    return backend
