"""What importers, exporters and deleters have in common."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar, Final

from isthmus.binding import Binder, BindingModel, Image
from isthmus.component import AbstractComponent
from isthmus.env import plain
from isthmus.errors import RecordLockedError
from isthmus.mapping import FieldGroup, MappingPlan, field_groups

_GROUPS: Final = "isthmus.sync.groups"
VERSION: Final = "@version"
"""Key of an external image for the other side's own version of the record."""


class ConnectorComponent(AbstractComponent):
    """Base of connector components, with the helpers the field knows.

    Source:
        ``base.connector`` of OCA/connector 18.0.
    """

    _name = "base.connector"
    _inherit = "base"
    _abstract = True

    @property
    def backend_record(self) -> Any:
        """The backend."""
        return self.work.collection

    def binder_for(self, model: str | None = None) -> Any:
        """Find the binder of a model, by default of the model worked on."""
        return self.component(usage="binder", model_name=model)

    def advisory_lock_or_retry(self, lock: str, *, retry_seconds: float = 1) -> Any:
        """Claim a name for the backend's lease time, or try the job again later at no cost.

        Args:
            lock: What is claimed: action, backend, model, external ID.
            retry_seconds: Seconds until the retry.

        Returns:
            The grant; give it to ``env.locks.settle`` in the last transaction, or let it end by time.

        Raises:
            RecordLockedError: When another holds it.
        """
        lasting = self.backend_record.lease_time  # read before: no query may happen around the taking
        self.env.external_call(f"take the lock {lock!r}")
        grant = self.env.locks.take([lock], lasting=lasting)
        if grant.refused:
            raise RecordLockedError(
                f"another process holds the lock {lock!r}", retry_in=timedelta(seconds=retry_seconds)
            )
        return grant


class Synchronizer(ConnectorComponent):
    """Base of importers, exporters and deleters.

    Attributes:
        _base_mapper_usage: Usage of the mapper it works with.
        _base_backend_adapter_usage: Usage of the adapter it works with.
    """

    _name = "base.synchronizer"
    _inherit = "base.connector"
    _abstract = True

    _base_mapper_usage: ClassVar[str] = "mapper"
    _base_backend_adapter_usage: ClassVar[str] = "backend.adapter"

    @cached_property
    def mapper(self) -> Any:
        """The mapper."""
        return self.component(usage=self._base_mapper_usage)

    @cached_property
    def binder(self) -> Binder:
        """The binder."""
        found: Binder = self.component(usage="binder")
        return found

    @cached_property
    def backend_adapter(self) -> Any:
        """The adapter."""
        return self.component(usage=self._base_backend_adapter_usage)

    # -- steps of decide that both directions have --------------------------------------

    def _validate_create_data(self, data: Mapping[str, Any]) -> None:
        """Refuse values for a new record.

        Raises:
            InvalidDataError: To park the record.
        """

    def _validate_update_data(self, data: Mapping[str, Any]) -> None:
        """Refuse values for an existing record.

        Raises:
            InvalidDataError: To park the record.
        """

    # -- what both directions need to know of the mapping ---------------------------------

    def _plan_of(self, usage: str) -> MappingPlan:
        found = self.many_components(usage=usage)
        if not found:
            return MappingPlan(())
        plan: MappingPlan = self.component(usage=usage).plan
        return plan

    @cached_property
    def scheme(self) -> "Scheme":
        """Field groups of this model, joined from both mappers; made once per registry."""
        key = (_GROUPS, self.collection._name, tuple(self.collection.version_chain), self.work.model_name)
        memo = self.work.registry.memo
        if key not in memo:
            memo[key] = Scheme(self._plan_of("import.mapper"), self._plan_of("export.mapper"))
        found: Scheme = memo[key]
        return found

    @property
    def record_model(self) -> str:
        """Name of the model of ours that is bound."""
        model = self.model
        return model.binds if isinstance(model, BindingModel) else str(model.name)


class Scheme:
    """The field groups of a binding model and which way each may go.

    Args:
        importing: Plan of the import mapper.
        exporting: Plan of the export mapper.
    """

    __slots__ = ("_exportable", "_importable", "groups", "our_fields", "their_fields", "their_reads")

    def __init__(self, importing: MappingPlan, exporting: MappingPlan) -> None:
        self.groups: tuple[FieldGroup, ...] = field_groups(importing, exporting)
        self._importable = self._covered(importing, lambda group: group.theirs)
        self._exportable = self._covered(exporting, lambda group: group.ours)
        self.their_fields: tuple[str, ...] = tuple(f for g in self.groups for f in g.theirs)
        self.our_fields: tuple[str, ...] = tuple(f for g in self.groups for f in g.ours)
        self.their_reads = importing.reads

    def _covered(self, plan: MappingPlan, fields: Any) -> frozenset[FieldGroup]:
        read = {f for e in plan.entries if e.two_way and not e.only_create for f in e.reads}
        return frozenset(g for g in self.groups if read & set(fields(g)))

    def importable(self, group: FieldGroup) -> bool:
        """Tell whether the import mapper covers a group."""
        return group in self._importable

    def exportable(self, group: FieldGroup) -> bool:
        """Tell whether the export mapper covers a group."""
        return group in self._exportable

    def their_image(self, payload: Any) -> Image:
        """Take the image of their record: the grouped fields that it has, in plain form."""
        return {f: plain(payload[f]) for f in self.their_fields if f in payload}

    def is_seen(self, seen: Image | None, payload: Any) -> bool:
        """Tell whether an image knows all that a payload shows."""
        return seen is not None and all(
            f in seen and seen[f] == v for f, v in self.their_image(payload).items()
        )

    def with_version(self, seen: Image, payload: Any, field: str | None) -> Image:
        """Note the version of their record in its image, if the image knows all that the record shows."""
        image = {k: v for k, v in seen.items() if k != VERSION}
        if field is not None and field in payload and self.is_seen(seen, payload):
            image[VERSION] = plain(payload[field])
        return image

    def our_image(self, values: Any) -> Image:
        """Take the image of our record."""
        return {f: plain(values[f]) for f in self.our_fields if f in values}


def lease_keys(
    backend_id: int, model: str, external_id: str | None, record: tuple[str | None, str]
) -> list[str]:
    """Name what must be leased to work on a record: their side, and ours with its scope.

    >>> lease_keys(1, "trello.card", "5f", ("7", ""))
    ['1/trello.card/e/5f', '1/trello.card/r/7/']
    """
    keys = [] if external_id is None else [f"{backend_id}/{model}/e/{external_id}"]
    record_id, scope = record
    return keys if record_id is None else [*keys, f"{backend_id}/{model}/r/{record_id}/{scope}"]


def equal(before: Any, after: Any) -> bool:
    """Tell whether a value to be written is what is there already."""
    return bool(plain(before) == plain(after))


def changed_only(
    values: dict[str, Any], ours: dict[str, Any], fields: Iterable[str] | None = None
) -> dict[str, Any]:
    """Keep the values that differ from what is there.

    >>> changed_only({"name": "a", "sequence": 2}, {"name": "a", "sequence": 1})
    {'sequence': 2}
    """
    names = values.keys() if fields is None else fields
    return {n: values[n] for n in names if n in values and (n not in ours or not equal(ours[n], values[n]))}
