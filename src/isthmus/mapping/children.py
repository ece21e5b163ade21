"""Mapping of lines: the records that belong to the record being mapped."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

from isthmus.component import AbstractComponent
from isthmus.errors import ConfigurationError, NoComponentError
from isthmus.mapping.lines import BoundLines, KeyedLines, Line, NewLines
from isthmus.mapping.mapper import Mapper
from isthmus.mapping.record import MapOptions, MapRecord

Command: TypeAlias = tuple[int, Any, Any]
"""What to do with a line: (0, 0, values) create, (1, id, values) update, (2, id, 0) remove,
(4, id, 0) move it here from another parent."""


class MapChild(AbstractComponent):
    """Maps the lines of one parent, each with the mapper of the lines' model."""

    _name = "base.map.child"
    _inherit = "base"
    _usage = "map.child"

    _child_mapper_usage: ClassVar[str] = "mapper"

    def _child_mapper(self) -> Mapper:
        """Find the mapper of one line."""
        mapper: Mapper = self.component(usage=self._child_mapper_usage)
        return mapper

    def _child_binder(self) -> Any:
        """Find the binder of the lines; None when their model binds nothing."""
        try:
            binder = self.component(usage="binder")
        except NoComponentError:
            return None
        try:
            binder.unwrap_model()
        except ConfigurationError:
            # A binder for any model is found for a model without bindings, too, and says so when asked.
            return None
        return binder

    def skip_item(self, map_record: MapRecord) -> bool:  # noqa: ARG002
        """Leave a line out; a hook. On import a line left out is no line: ours is removed."""
        return False

    def get_items(
        self, items: Sequence[Any], parent: MapRecord, to_attr: str, options: MapOptions
    ) -> list[Any]:
        """Map all lines.

        Args:
            items: The sources of the lines.
            parent: What they are lines of.
            to_attr: The parent's target field.
            options: The parent's, without what concerns only the parent itself.
        """
        mapper = self._child_mapper()
        mapped = []
        for item in items:
            map_record = mapper.map_record(item, parent=parent)
            if self.skip_item(map_record):
                continue
            given = MapOptions(options, for_create=self._is_new(item, parent), existing=None)
            values = self.get_item_values(map_record, to_attr, given)
            if values:
                mapped.append(values)
        return self.format_items(mapped)

    def get_item_values(
        self,
        map_record: MapRecord,
        to_attr: str,  # noqa: ARG002
        options: MapOptions,
    ) -> dict[str, Any]:
        """Map one line; a hook.

        Args:
            map_record: The line.
            to_attr: The parent's target field.
            options: With ``for_create`` and ``existing`` of this line.
        """
        return map_record.values(**options)

    def format_items(self, items_values: Sequence[dict[str, Any]]) -> list[Any]:
        """Bring the lines' values into the form the parent's field takes; a hook."""
        return list(items_values)

    def _is_new(self, item: Any, parent: MapRecord) -> bool:
        """Tell whether the target of an item does not exist yet."""
        binder = self._child_binder()
        if binder is None or not hasattr(item, "_name"):
            # Lines without IDs of their own are written together with their parent.
            return bool(parent.options.for_create)
        return binder.to_external(item, wrap=item._name != self.work.model_name) is None


class ImportMapChild(MapChild):
    """Maps lines of a payload to commands that make our lines equal to them.

    Which line of ours a line of theirs is, tell the fields `_map_child_key` of the child mapper,
    or else the binder of the lines' model. Our lines are read from the option ``existing``.
    """

    _name = "base.map.child.import"
    _inherit = "base.map.child"
    _usage = "import.map.child"
    _child_mapper_usage = "import.mapper"

    def get_items(
        self, items: Sequence[Any], parent: MapRecord, to_attr: str, options: MapOptions
    ) -> list[Command]:
        """Map all lines, and find which of ours go.

        Args:
            items: The payloads of the lines.
            parent: What they are lines of.
            to_attr: The parent's field that has the lines.
            options: The parent's; ``existing`` is our parent, or None when it is new.
        """
        mapper = self._child_mapper()
        ours = options.existing
        existing = [] if ours is None else list(ours[to_attr])
        lines = self._lines(mapper, existing, parent, to_attr)
        mapped = []
        for item in items:
            map_record = mapper.map_record(item, parent=parent)
            if self.skip_item(map_record):
                continue
            line, values = self._matched(lines, map_record, to_attr, options)
            if not values:
                continue
            if line is not None:
                values = {"id": line.id, **values}
            mapped.append(values)
        removed: list[Command] = [(2, line_id, 0) for line_id in lines.left()]
        moved: list[Command] = [(4, line_id, 0) for line_id in lines.moved]
        return [*removed, *moved, *self.format_items(mapped)]

    def format_items(self, items_values: Sequence[dict[str, Any]]) -> list[Command]:
        """Make the commands that create and update lines.

        Args:
            items_values: Values of the lines; those of a line of ours have its key as ``id``.
        """
        return list(_commands(items_values))

    def _lines(self, mapper: Mapper, existing: list[Any], parent: MapRecord, to_attr: str) -> "_Lines":
        if mapper._map_child_key:
            return KeyedLines(existing, mapper)
        binder = self._child_binder()
        if binder is None:
            return NewLines(existing, mapper)
        field = parent.mapper.model.fields.get(to_attr)
        related = None if field is None else field.relation
        return BoundLines(existing, mapper, binder, unwrap=related not in {None, self.work.model_name})

    def _matched(
        self, lines: "_Lines", map_record: MapRecord, to_attr: str, options: MapOptions
    ) -> tuple[Line | None, dict[str, Any]]:
        """Find the line of ours and map the item for it."""
        if not isinstance(lines, KeyedLines):
            line = lines.take(map_record)
            return line, self._values(map_record, to_attr, options, line)
        # The key is among the mapped values. Those of an update come first: mapping for a new
        # line may do what should happen once per line, such as drawing a number.
        new = None
        values = self._values(map_record, to_attr, options, _UNKNOWN)
        if not lines.has_key(values):
            new = self._values(map_record, to_attr, options, None)
        line = lines.take(map_record, values if new is None else new)
        if line is None:
            return None, self._values(map_record, to_attr, options, None) if new is None else new
        if map_record.mapper.children:
            # Its own lines were compared with nothing yet.
            return line, self._values(map_record, to_attr, options, line)
        return line, values

    def _values(
        self, map_record: MapRecord, to_attr: str, options: MapOptions, line: Line | None
    ) -> dict[str, Any]:
        given = MapOptions(options, for_create=line is None, existing=line and line.record)
        return self.get_item_values(map_record, to_attr, given)


class ExportMapChild(MapChild):
    """Maps lines of ours to plain values, in order."""

    _name = "base.map.child.export"
    _inherit = "base.map.child"
    _usage = "export.map.child"
    _child_mapper_usage = "export.mapper"


_Lines: TypeAlias = KeyedLines | BoundLines | NewLines
_UNKNOWN = Line(id=None, record=None)


def _commands(items_values: Iterable[dict[str, Any]]) -> Iterable[Command]:
    for item in items_values:
        values = dict(item)
        line_id = values.pop("id", None)
        yield (0, 0, values) if line_id is None else (1, line_id, values)
