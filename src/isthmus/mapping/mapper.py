"""Mappers: they translate a record of one side into values of the other."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, TypeAlias

from isthmus.component import AbstractComponent
from isthmus.errors import ComponentDefinitionError, MappingError, NoComponentError
from isthmus.mapping.marks import MethodMark, collect_marks
from isthmus.mapping.modifiers import ModifierFunction, external_to_m2o, m2o_to_external
from isthmus.mapping.plan import MappingPlan
from isthmus.mapping.program import Program
from isthmus.mapping.record import MapOptions, MapRecord
from isthmus.mapping.steps import Step, child_step, direct_step, method_step, text_constants
from isthmus.mapping.trouble import DATA_FAULTS, complaint, located, mapping_error

DirectPair: TypeAlias = tuple[str | ModifierFunction, str]
ChildTriple: TypeAlias = tuple[str, str, str]

_PROGRAMS_KEPT: Final = 64


class Mapper(AbstractComponent):
    """What import and export mappers have in common.

    Values come in this order, a later one wins: `direct`, mapping methods (inherited ones
    first, then as declared), `children`, `finalize`, and what `MapRecord.update` forces.

    Attributes:
        direct: Pairs (source field or modifier, target field). May be a property.
        children: Triples (source field, target field, model of the lines). May be a property.
    """

    _name = "base.mapper"
    _inherit = "base"
    _usage = "mapper"

    _map_child_usage: ClassVar[str | None] = None
    """Usage of the component that maps lines."""
    _map_child_fallback: ClassVar[str | None] = None
    """Name of the component that maps lines where none has that usage."""
    _map_child_key: ClassVar[Sequence[str]] = ()
    """For a mapper of lines: target fields that tell which line of a parent is meant."""
    _external_id_key: ClassVar[str] = "id"
    """Field of a payload that has the external ID, for messages and to recognise lines."""
    _source_is_payload: ClassVar[bool] = False
    """True when a source is a payload, in which a field may be absent."""

    _map_methods: ClassVar[dict[str, MethodMark]] = {}
    _programs: ClassVar[dict[Any, Program]] = {}
    _finalizes: ClassVar[bool] = True

    direct: Sequence[DirectPair] = ()
    children: Sequence[ChildTriple] = ()

    _current: MapRecord | None = None
    _own_program: Program | None = None

    @classmethod
    def _complete_component_build(cls) -> None:
        super()._complete_component_build()
        cls._programs = {}
        cls._map_methods = collect_marks(cls)
        cls._finalizes = cls.finalize is not Mapper.finalize

    # -- use ---------------------------------------------------------------------------

    def map_record(self, record: Any, parent: MapRecord | None = None) -> MapRecord:
        """Prepare a record for mapping.

        Args:
            record: **Payload** ``{field: value}`` on import, a record of ours on export.
            parent: What it is a line of.

        Raises:
            MappingError: When a payload is no object.
        """
        if type(record) is not dict and self._source_is_payload:
            if not isinstance(record, Mapping):
                what = f"the payload must be an object, not a {type(record).__name__}"
                raise MappingError(complaint(self, what, at=MapRecord(self, record, parent)))
            # A mapping with defaults would seem to have every field.
            record = dict(record)
        return MapRecord(self, record, parent)

    def finalize(self, map_record: MapRecord, values: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Change the values when all are mapped; a hook.

        Args:
            map_record: What was mapped.
            values: All mapped values; may be changed and returned.
        """
        return values

    @property
    def options(self) -> MapOptions:
        """The options of the run under way; empty when there is none."""
        return MapOptions() if self._current is None else self._current.options

    @property
    def plan(self) -> MappingPlan:
        """What this mapper does, in the order it does it."""
        return self._program().plan

    def changed_by_fields(self) -> frozenset[str]:
        """Give every source field on which the mapper is known to depend."""
        return frozenset(self.plan.reads)

    def binder_for(self, model: str | None = None) -> Any:
        """Find the binder of a model, by default of the model worked on."""
        return self.component(usage="binder", model_name=model)

    # -- lines -------------------------------------------------------------------------

    def _get_map_child_component(self, model_name: str) -> Any:
        """Find what maps the lines of a model.

        Raises:
            NoComponentError: When no component has the usage and there is no fallback.
            ComponentDefinitionError: When this mapper has neither a usage nor a fallback for it.
        """
        if self._map_child_usage is not None:
            try:
                return self.component(usage=self._map_child_usage, model_name=model_name)
            except NoComponentError:
                if self._map_child_fallback is None:
                    raise
        if self._map_child_fallback is None:
            raise ComponentDefinitionError(
                f"mapper {self._name!r} has children, but neither _map_child_usage nor "
                f"_map_child_fallback: derive it from base.import.mapper or base.export.mapper"
            )
        return self.component_by_name(self._map_child_fallback, model_name)

    def _map_child(self, map_record: MapRecord, from_attr: str, to_attr: str, model_name: str) -> Any:
        items = map_record.source[from_attr]
        if items is None:
            items = []
        if not isinstance(items, (list, tuple)):
            kind = type(items).__name__
            raise mapping_error(self, f"must be a list of lines, not a {kind}", field=from_attr)
        child = self._get_map_child_component(model_name)
        return child.get_items(items, map_record, to_attr, _for_lines(map_record.options))

    # -- run ---------------------------------------------------------------------------

    def _run(
        self, map_record: MapRecord, options: MapOptions, for_create: bool, fields: frozenset[str]
    ) -> dict[str, Any]:
        program = self._own_program or self._program()
        outer, outer_options = self._current, map_record.options
        self._current = map_record
        map_record.options = options
        try:
            values: dict[str, Any] = {}
            program.run(for_create, fields)(self, map_record.source, values)
            return self._finalized(map_record, values) if self._finalizes else values
        finally:
            self._current = outer
            map_record.options = outer_options

    def _finalized(self, map_record: MapRecord, values: dict[str, Any]) -> dict[str, Any]:
        try:
            final = self.finalize(map_record, values)
        except (MappingError, *DATA_FAULTS) as fault:
            raise located(self, fault, shown=text_constants(self.finalize), method="finalize") from (
                fault.__cause__ or fault
            )
        if final is None:
            raise mapping_error(self, "must return the values", method="finalize")
        return final

    def _program(self) -> Program:
        """Give the compiled form; one per built class, `direct` and relations of the model."""
        if self._own_program is not None:
            return self._own_program
        direct = self._checked("direct", self.direct, 2)
        children = self._checked("children", self.children, 3)
        relations = self._relations(direct)
        key = (direct, children, relations)
        program = self._programs.get(key)
        if program is None:
            if len(self._programs) >= _PROGRAMS_KEPT:
                # A property that makes new modifiers each time would fill the memory.
                self._programs.clear()
            program = self._programs[key] = self._compiled(direct, children, relations)
        self._own_program = program
        return program

    def _checked(self, attribute: str, entries: Sequence[Any], length: int) -> tuple[Any, ...]:
        """Refuse entries of a wrong shape before Python does it in its own words.

        Raises:
            ComponentDefinitionError: For the first one; names the mapper.
        """
        for entry in entries:
            if not isinstance(entry, (tuple, list)) or len(entry) != length:
                raise ComponentDefinitionError(
                    f"mapper {self._name!r}: each entry of {attribute} has {length} parts, not as {entry!r}"
                )
            source, *names = entry
            good = isinstance(source, str) or (attribute == "direct" and callable(source))
            if not good or not all(isinstance(name, str) for name in names):
                raise ComponentDefinitionError(
                    f"mapper {self._name!r}: {attribute} has an entry that does not name fields: {entry!r}"
                )
        return tuple(tuple(entry) for entry in entries)

    def _compiled(
        self, direct: tuple[DirectPair, ...], children: tuple[ChildTriple, ...], relations: frozenset[str]
    ) -> Program:
        payload = self._source_is_payload
        steps: list[Step] = []
        for source, target in direct:
            ours = target if payload else source
            used = self._modifier_of_relation(str(source)) if ours in relations else source
            steps.append(direct_step(len(steps), used, target, payload=payload))
        for name, mark in self._map_methods.items():
            steps.append(method_step(len(steps), getattr(type(self), name), name, mark, payload=payload))
        for source_name, target, model_name in children:
            steps.append(child_step(source_name, target, model_name, payload=payload))
        return Program(steps, payload=payload)

    def _relations(self, direct: tuple[DirectPair, ...]) -> frozenset[str]:
        """Find our many2one fields that `direct` names without a modifier."""
        if self.work.model_name is None:
            return frozenset()
        fields = self.model.fields
        payload = self._source_is_payload
        ours = {target if payload else source for source, target in direct if isinstance(source, str)}
        return frozenset(
            name
            for name, field in fields.items()
            if name in ours and field.type == "many2one" and field.relation is not None
        )

    def _modifier_of_relation(self, source: str) -> ModifierFunction:
        return external_to_m2o(source) if self._source_is_payload else m2o_to_external(source)


class ImportMapper(Mapper):
    """Translates a payload of the other system into values of our record.

    A field that a payload does not have is not mapped, so that a partial payload empties
    nothing. A source for a many2one of ours is read as an external ID.
    """

    _name = "base.import.mapper"
    _abstract = True
    _inherit = "base.mapper"
    _usage = "import.mapper"
    _map_child_usage = "import.map.child"
    _map_child_fallback = "base.map.child.import"
    _source_is_payload = True


class ExportMapper(Mapper):
    """Translates our record into values for the other system.

    A many2one of ours gives the external ID of the record it points to.
    """

    _name = "base.export.mapper"
    _abstract = True
    _inherit = "base.mapper"
    _usage = "export.mapper"
    _map_child_usage = "export.map.child"
    _map_child_fallback = "base.map.child.export"


def _for_lines(options: MapOptions) -> MapOptions:
    """Leave out what is about the parent only: its changed fields, its being new, its ID."""
    return MapOptions({k: v for k, v in options.items() if k not in {"fields", "for_create", "external_id"}})
