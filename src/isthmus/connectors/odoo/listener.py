"""What sends our changes to an Odoo."""

from collections.abc import Iterable
from typing import Any

from isthmus.env import ModelExtension
from isthmus.job import job
from isthmus.sync import ExportListener
from isthmus.sync.sibling import delay_export
from isthmus.sync.theirs import bind_for_export


class PartnerListener(ExportListener):
    """Partners: those that are bound, or that the backend's export domain takes."""

    _name = "odoo.partner.listener"
    _inherit = "base.export.listener"
    _apply_on = "res.partner"
    _backend_model = "odoo.backend"
    _binding_model = "odoo.partner"


class PartnerOffer(ModelExtension):
    """What becomes of a partner that one Odoo has brought: the others are offered it."""

    _inherit = "odoo.partner"

    @job(max_retries=20)
    def offer(self, source: Any, record_id: str) -> str:
        """Bind a record for every other active Odoo whose export domain takes it, and delay its export.

        Args:
            source: The backend that it came from.
            record_id: Key of the record, as text.
        """
        model: Any = self
        env, name = model.env, model.binds
        key = env[name].store.key(name, record_id)
        taken = [b for b in _others(env, source) if env[name].search_count(_taken(b, name, key))]
        for backend in taken:
            with backend.work_on(model.name) as work:
                row = bind_for_export(env, work.component(usage="binder"), key, "")
            if row.id is not None and row.is_linked:
                delay_export(env, model.name, row.id)
        return f"offered to {', '.join(b['name'] for b in taken) or 'nobody'}"


def _others(env: Any, source: Any) -> Iterable[Any]:
    found = env["odoo.backend"].search([("active", "=", True), ("id", "!=", source.id)], order="id")
    return [b for b in found if "res.partner" in (b.option("export_domain") or {})]


def _taken(backend: Any, name: str, key: Any) -> list[Any]:
    chosen = backend.option("export_domain")[name]
    return [("id", "=", key), *chosen]
