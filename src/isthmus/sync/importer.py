"""Importers: their steps, each in its phase. `isthmus.sync.page` runs them over a page."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from isthmus.binding import external_key
from isthmus.errors import InvalidDataError
from isthmus.mapping import MapRecord
from isthmus.sync.item import Dependency, Item, Operation
from isthmus.sync.page import ImportPage
from isthmus.sync.report import Report
from isthmus.sync.synchronizer import Synchronizer


class Importer(Synchronizer):
    """Base of components that bring their records to us."""

    _name = "base.importer"
    _inherit = "base.synchronizer"
    _usage = "importer"
    _abstract = True
    _base_mapper_usage: ClassVar[str] = "import.mapper"

    @cached_property
    def read_fields(self) -> tuple[str, ...]:
        """Our fields that a merge looks at: those of the groups and those the mapper writes."""
        return tuple(dict.fromkeys((*self.scheme.our_fields, *self.mapper.plan.writes)))


class RecordImporter(Importer):
    """Imports records of the binding model it works on, alone or by the page.

    Connectors override the steps that start with an underscore; each belongs to a phase, and doing
    another phase's work in it raises an error.
    """

    _name = "base.record.importer"
    _inherit = "base.importer"
    _usage = "record.importer"
    _abstract = False

    def _scope(self, item: Item) -> str:  # noqa: ARG002 - a hook
        """Give the scope of the binding: one record of ours may be bound once in each."""
        return ""

    # -- gather ------------------------------------------------------------------------

    def _should_import(self, item: Item) -> bool:  # noqa: ARG002 - a hook
        """Tell whether the record takes part at all."""
        return True

    def _import_dependencies(self, item: Item) -> Iterable[Dependency]:  # noqa: ARG002 - a hook
        """Yield what must be here first: ``Dependency("trello.list", payload["idList"])``."""
        return ()

    # -- lease -------------------------------------------------------------------------

    def _lock(self, item: Item) -> Iterable[str]:  # noqa: ARG002 - a hook
        """Yield names to claim beside the record itself."""
        return ()

    # -- decide ------------------------------------------------------------------------

    def _is_uptodate(self, item: Item) -> bool:
        """Tell whether their record is as last seen, so that nothing needs to be looked at."""
        binding = item.binding
        return (
            binding is not None
            and binding.seen_external is not None
            and item.payload is not None
            and self.scheme.is_seen(binding.seen_external, item.payload)
        )

    def _must_skip(self, item: Item) -> str | None:  # noqa: ARG002 - a hook
        """Give the reason to leave the record alone, or None."""
        return None

    def _map_data(self, item: Item) -> MapRecord:
        """Prepare the mapping of their record."""
        prepared: MapRecord = self.mapper.map_record(item.payload)
        return prepared

    def _create_data(self, item: Item, map_record: MapRecord) -> dict[str, Any]:
        """Map everything for a new record of ours."""
        return map_record.values(for_create=True, external_id=item.external_id)

    def _update_data(self, item: Item, map_record: MapRecord, fields: Sequence[str]) -> dict[str, Any]:
        """Map what depends on the changed source *fields*."""
        return map_record.values(fields=fields, external_id=item.external_id, existing=item.record)

    # -- write -------------------------------------------------------------------------

    def _before_import(self, operation: Operation) -> None:
        """Be told of an operation just before it is carried out."""

    def _create(self, operation: Operation) -> Any:
        """Create the record of ours and give its key."""
        return self.env[self.record_model].create(operation.values).id

    def _update(self, operation: Operation) -> None:
        """Write the record of ours."""
        self.env[self.record_model].write([operation.record_id], operation.values)

    # -- last transaction --------------------------------------------------------------

    def _after_import(self, operation: Operation) -> None:
        """Do something of our own database, or delay a job, in the transaction that ends the operation."""

    # -- run ---------------------------------------------------------------------------

    def run(self, external_id: Any, *, force: bool = False) -> Report:
        """Import one record by its ID.

        Args:
            external_id: As the other side spells it.
            force: True looks at it although it seems unchanged.

        Raises:
            InvalidDataError: When the ID is empty.
        """
        key = external_key(external_id)
        if key is None:
            raise InvalidDataError(f"cannot import a {self.model.name} with an empty external ID")
        return self.run_ids([key], force=force)

    def look(self, external_ids: Iterable[str]) -> Report:
        """Look at records that may have changed there; one that is gone was deleted.

        A connector whose selection is not found out record by record (`_should_import`) leaves out here what
        is neither bound nor selected.

        Args:
            external_ids: Their IDs, as somebody has hinted at them.
        """
        return self.run_ids(list(external_ids))

    def run_ids(
        self, external_ids: Sequence[str], *, force: bool = False, cursor: Callable[[], None] | None = None
    ) -> Report:
        """Import records by ID: leased first, then read.

        Args:
            external_ids: The IDs of one page.
            force: True looks at them although they seem unchanged.
            cursor: Called in the last transaction to move the cursor with the page.
        """
        return ImportPage(self.work, cursor=cursor).run_ids(external_ids, force=force)

    def run_page(
        self, payloads: Sequence[Mapping[str, Any]], *, read_at: Any, cursor: Callable[[], None] | None = None
    ) -> Report:
        """Import records that a listing has read.

        Args:
            payloads: The records.
            read_at: ``env.locks.now()`` from before the listing: what was synchronised since is read again.
            cursor: Called in the last transaction to move the cursor with the page.
        """
        return ImportPage(self.work, cursor=cursor).run_payloads(payloads, read_at=read_at)


class BatchImporter(Importer):
    """Finds what to import and does it page by page; each connector has its own."""

    _name = "base.batch.importer"
    _inherit = "base.importer"
    _usage = "batch.importer"
    _abstract = True

    def run(self, filters: Mapping[str, Any] | None = None) -> Report:
        """Import what *filters* select.

        Raises:
            NotImplementedError: Unless a subclass has it.
        """
        raise NotImplementedError(f"batch importer {self._name} does not implement run()")
