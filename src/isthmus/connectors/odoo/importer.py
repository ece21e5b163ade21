"""Imports from an Odoo: everything that is selected, and from then on what has changed."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from isthmus.adapter import in_chunks
from isthmus.connectors.odoo.adapter import OdooAdapter
from isthmus.errors import ParkError
from isthmus.store.odoo.feed import Feed
from isthmus.sync import BatchImporter, CursorBook, Dependency, Item, Operation, RecordImporter, Report

STREAM: Final = "odoo.changes/"
"""Cursor stream of a model's changes; the name of the model there follows."""


class OdooBatchImporter(BatchImporter):
    """Brings the records of a model up to date: whole at first and on request, by their changes afterwards.

    The backend's option ``import_domain`` selects new ones by the model's name there, in Odoo's syntax;
    without an entry none. What is bound is followed in any case. Filters: ``full`` walks everything again.
    """

    _name = "odoo.batch.importer"
    _inherit = "base.batch.importer"
    _collection = "odoo.backend"

    @property
    def _adapter(self) -> OdooAdapter:
        found: OdooAdapter = self.backend_adapter
        return found

    @property
    def _domain(self) -> list[Any] | None:
        found = (self.backend_record.option("import_domain") or {}).get(self._adapter._odoo_model)
        return None if found is None else list(found)

    @property
    def _size(self) -> int:
        return int(self.env.services.settings.page_size)

    @property
    def _feed(self) -> Feed:
        lag = timedelta(seconds=float(self.backend_record.option("lag_s")))
        return self._adapter.feed(lag, self.env.now)

    def run(self, filters: Mapping[str, Any] | None = None) -> Report:
        """Import the model's records."""
        name, model = self.backend_record["name"], self._adapter._odoo_model
        if self._domain is None and not self._bound():
            report = Report()
            report.notes.append(
                f"no {model} is selected: isthmus backend set {name} 'import_domain={{\"{model}\": []}}' "
                f"takes all"
            )
            return report
        mark = CursorBook(self.env, self.backend_record.id).load(STREAM + model)
        return self._full() if mark is None or (filters or {}).get("full") else self._since(dict(mark))

    def _bound(self) -> set[str]:
        found: set[str] = self.binder.table.external_ids(self.env.session)
        return found

    def _importer(self) -> RecordImporter:
        found: RecordImporter = self.component(usage="record.importer")
        return found

    def _move(self, mark: Mapping[str, Any]) -> None:
        CursorBook(self.env, self.backend_record.id).save(STREAM + self._adapter._odoo_model, mark)

    # -- whole -------------------------------------------------------------------------

    def _full(self) -> Report:
        report, seen, left = Report(), set[str](), set[str]()
        # What happens from here on is found by the next run.
        mark = self._feed.mark_now()
        try:
            for payloads, read_at in self._selected():
                report.add(self._importer().run_page(payloads, read_at=read_at))
                seen.update(payload["id"] for payload in payloads)
                self._progress(len(seen))
        except ParkError:
            # One of them cannot be read: by their IDs each is a matter of its own.
            left.update(self._adapter.search({"domain": self._domain}))
        report.add(self._others((self._bound() | left) - seen))
        self._move(mark)
        with self.env.outside():
            pass
        return report

    def _selected(self) -> Iterable[tuple[list[Mapping[str, Any]], Any]]:
        """Give the pages of what is selected, each with the time before it was read."""
        if self._domain is None:
            return
        pages = self._adapter.pages({"domain": self._domain}, self._size)
        read_at = self.env.locks.now()
        for page in pages:
            yield list(page), read_at
            read_at = self.env.locks.now()

    def _others(self, external_ids: set[str]) -> Report:
        """Look at what was not met: what cannot be read, and what is bound, but deleted or not selected."""
        report = Report()
        missing = external_ids - self._adapter.visible(external_ids)
        hidden = self._adapter.hidden(missing)
        if hidden:
            report.notes.append(
                f"{len(hidden)} bound {self._adapter._odoo_model} are hidden from our user there"
            )
        for chunk in in_chunks(sorted(external_ids - hidden), self._size):
            report.add(self._importer().run_ids(chunk))
        return report

    def _progress(self, done: int) -> None:
        progress = getattr(self.work, "progress", None)
        if progress is not None:
            progress(self._adapter._odoo_model, done, None)

    # -- since the cursor --------------------------------------------------------------

    def _since(self, mark: dict[str, Any]) -> Report:
        report, size = Report(), self._size
        while True:
            rows, mark = self._feed.page(mark, size)
            touched = self.taking_part([str(row["id"]) for row in rows])
            report.add(self._page(touched, mark))
            if len(rows) < size:
                break
        if not report.changed and not report.done:
            report.notes.append("no changes since the cursor")
        return report

    def _page(self, external_ids: list[str], mark: dict[str, Any]) -> Report:
        if external_ids:
            return self._importer().run_ids(external_ids, cursor=lambda: self._move(mark))
        self._move(mark)
        with self.env.outside():
            pass
        return Report()

    def taking_part(self, external_ids: list[str]) -> list[str]:
        """Keep what is bound or selected."""
        bound = self.binder.table.by_external(self.env.session, external_ids) if external_ids else {}
        others = [int(key) for key in external_ids if key not in bound]
        selected: set[str] = set()
        if others and self._domain is not None:
            selected.update(self._adapter.search({"domain": [["id", "in", others], *self._domain]}))
        return [key for key in external_ids if key in bound or key in selected]


class PartnerImporter(RecordImporter):
    """Partners; the one that they belong to comes along."""

    _name = "odoo.partner.importer"
    _inherit = "base.record.importer"
    _collection = "odoo.backend"
    _apply_on = "odoo.partner"

    def look(self, external_ids: Iterable[str]) -> Report:
        """Look at records that a webhook has told of: those that are bound or selected."""
        batch: OdooBatchImporter = self.component(usage="batch.importer")
        return self.run_ids(batch.taking_part(list(external_ids)))

    def _import_dependencies(self, item: Item) -> Iterable[Dependency]:
        payload = item.payload or {}
        if payload.get("country_code"):
            self.work.countries.load()
        yield Dependency("odoo.partner", payload.get("parent_id"))

    def _after_import(self, operation: Operation) -> None:
        """Let a new partner go on to other Odoos, by a job: our partners may lie in a remote store."""
        if operation.kind == "create" and self._goes_on:
            self.model.with_delay(description="offer a new partner to other backends").offer(
                self.backend_record, str(operation.record_id)
            )

    @cached_property
    def _goes_on(self) -> bool:
        backends = self.env["odoo.backend"].search([
            ("active", "=", True),
            ("id", "!=", self.backend_record.id),
        ])
        return any(self.record_model in (b.option("export_domain") or {}) for b in backends)
