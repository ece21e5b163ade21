"""Listeners that send our changes out."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from isthmus.backend import Backend
from isthmus.binding import BindingState
from isthmus.event import EventListener, skip_if
from isthmus.sync.sibling import delay_export
from isthmus.sync.theirs import bind_for_export

_SILENT = ("connector_no_export", "no_connector_export")


class ConnectorListener(EventListener):
    """Base of connectors' listeners.

    Source:
        ``base.connector.listener`` of OCA/connector 18.0.
    """

    _name = "base.connector.listener"
    _abstract = True

    def no_connector_export(self, record: Any) -> bool:  # noqa: ARG002 - the field's signature
        """Tell whether the context says that a change must not be exported; for `skip_if`."""
        return any(self.env.ctx.get(key) for key in _SILENT)


class ExportListener(ConnectorListener):
    """Binds records of ours where they shall go and delays their export.

    A connector's listener names the model of ours by ``_apply_on`` and the binding model:

    ``class TaskListener(ExportListener): _apply_on = "project.task"; _binding_model = "trello.card"``

    Attributes:
        _binding_model: The binding model.
        _backend_model: Model name of the backend type.
    """

    _name = "base.export.listener"
    _inherit = "base.connector.listener"
    _abstract = True

    _binding_model: ClassVar[str] = ""
    _backend_model: ClassVar[str] = ""

    def _scopes(self, record: Any, backend: Any) -> Iterable[str]:
        """Tell in which scopes a record takes part there; none leaves it unbound.

        The default takes what the backend's export domain takes.
        """
        domain = (backend.option("export_domain") or {}).get(record._name)
        if domain is not None and self.env[record._name].search_count([("id", "=", record.id), *domain]):
            yield ""

    def _backends(self) -> Iterator[Any]:
        """Give the active backends of the type."""
        model = self.env[self._backend_model]
        mapped: Any = model.store.mapped(self._backend_model)
        key = ("active backends", self._backend_model)
        if key not in self.env.memo:
            self.env.memo[key] = [b.id for b in model.search([("active", "=", True)], order="id")]
        assert issubclass(mapped, Backend)  # noqa: S101 - a slip of the connector's author
        yield from model.browse(self.env.memo[key])

    def _export(self, record: Any) -> None:
        for backend in self._backends():
            with backend.env.context(connector_no_export=True):
                binder = self._binder(backend)
                bound = {r.scope: r for r in binder.table.by_record(self.env.session, [str(record.id)])}
                for scope in self._scopes(record, backend):
                    if scope not in bound:
                        bound[scope] = bind_for_export(self.env, binder, record.id, scope)
            for row in bound.values():
                if row.is_linked and row.id is not None:
                    delay_export(self.env, self._binding_model, row.id)

    def _binder(self, backend: Any) -> Any:
        work = self.work.work_on(self._binding_model, collection=backend)
        return work.component(usage="binder")

    @skip_if(lambda self, record, *_, **__: self.no_connector_export(record))
    def on_record_create(self, record: Any, fields: Any = None) -> None:  # noqa: ARG002
        """Bind the new record where it shall go."""
        self._export(record)

    @skip_if(lambda self, record, *_, **__: self.no_connector_export(record))
    def on_record_write(self, record: Any, fields: Any = None) -> None:  # noqa: ARG002
        """Delay the export of every binding of the record."""
        self._export(record)

    @skip_if(lambda self, record, *_, **__: self.no_connector_export(record))
    def on_record_unlink(self, record: Any) -> None:
        """Make the bindings tombstones and delay the deletion there."""
        for backend in self._backends():
            work = self.work.work_on(self._binding_model, collection=backend)
            deleter = work.component(usage="deleter")
            for row in work.component(usage="binder").table.by_record(self.env.session, [str(record.id)]):
                if row.state == BindingState.LINKED:
                    deleter.delay(self._binding_model, row)
