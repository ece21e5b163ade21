"""Exports to an Odoo, and what happens there when a record of ours is deleted."""

from collections.abc import Iterable
from typing import Any

from isthmus.sync import Deleter, Dependency, Item, RecordExporter


class PartnerExporter(RecordExporter):
    """Partners; the one that they belong to goes first."""

    _name = "odoo.partner.exporter"
    _inherit = "base.record.exporter"
    _collection = "odoo.backend"
    _apply_on = "odoo.partner"

    def _export_dependencies(self, item: Item) -> Iterable[Dependency]:
        partner: Any = item.record
        if partner["country_id"] is not None:
            self.work.countries.load()
        yield from self._export_dependency(partner["parent_id"], "odoo.partner")


class OdooDeleter(Deleter):
    """Archives or deletes there."""

    _name = "odoo.deleter"
    _inherit = "base.deleter"
    _collection = "odoo.backend"
    _archived = {"active": False}
