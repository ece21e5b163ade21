"""Functions that go between a source field and a target field in `direct`."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from isthmus.errors import ComponentDefinitionError
from isthmus.mapping.trouble import DATA_FAULTS, mapping_error

ModifierFunction: TypeAlias = Callable[[Any, Any, str], Any]
"""Gets the mapper, the source record and the target field; gives the value."""


class Modifier:
    """A modifier that knows which source field it reads.

    Attributes:
        source: The source field; None when nobody said.
    """

    __slots__ = ("_apply", "source")

    def __init__(self, apply: ModifierFunction, source: str | None) -> None:
        self._apply = apply
        self.source = source

    def __call__(self, mapper: Any, record: Any, to_attr: str) -> Any:
        """Give the value for the target field."""
        return self._apply(mapper, record, to_attr)


def source_field(modifier: str | ModifierFunction) -> str | None:
    """Tell which source field a modifier reads.

    A modifier says it by an attribute ``source``; a function made by a function may also close
    over a variable ``field``, a name or another modifier, as the field's own do.

    Returns:
        The name; None when the modifier does not say: it then always runs, one way.

    >>> def upper(field):
    ...     def modifier(self, record, to_attr):
    ...         return record[field].upper()
    ...     return modifier
    >>> source_field(upper("name"))
    'name'
    """
    if isinstance(modifier, str):
        return modifier
    said = getattr(modifier, "source", None)
    if said is not None or isinstance(modifier, Modifier):
        return said if isinstance(said, str) else None
    code = getattr(modifier, "__code__", None)
    cells = getattr(modifier, "__closure__", None)
    if code is None or not cells or "field" not in code.co_freevars:
        return None
    inner = cells[code.co_freevars.index("field")].cell_contents
    return source_field(inner) if isinstance(inner, str) or callable(inner) else None


def none(field: str | ModifierFunction, *, source: str | None = None) -> Modifier:
    """Give None for what the other side writes for "nothing": empty text, False, an empty list.

    A number stays, zero too.

    Args:
        field: Source field, or a modifier.
        source: The source field, where *field* is a modifier that does not say it.
    """
    read = _reader(field)

    def apply(mapper: Any, record: Any, to_attr: str) -> Any:
        value = read(mapper, record, to_attr)
        if value or (value == 0 and value is not False):
            return value
        return None

    return Modifier(apply, source or source_field(field))


def convert(
    field: str | ModifierFunction, conv_type: Callable[[Any], Any], *, source: str | None = None
) -> Modifier:
    """Convert a value with a type or a function; None stays None.

    Args:
        field: Source field, or a modifier.
        conv_type: ``int``, ``str``, ``Decimal``, or any function of one value.
        source: The source field, where *field* is a modifier that does not say it.
    """
    read = _reader(field)
    name = source or source_field(field)
    wanted = getattr(conv_type, "__name__", repr(conv_type))

    def apply(mapper: Any, record: Any, to_attr: str) -> Any:
        value = read(mapper, record, to_attr)
        if value is None:
            return None
        try:
            return conv_type(value)
        except DATA_FAULTS as fault:
            what = f"cannot convert a value of type {type(value).__name__} with {wanted}"
            if value == "":
                what = f"cannot convert an empty text with {wanted}; if it means nothing, put none() inside"
            raise mapping_error(mapper, what, field=name or to_attr) from fault

    return Modifier(apply, name)


def m2o_to_external(
    field: str | ModifierFunction, binding: str | None = None, *, source: str | None = None
) -> Modifier:
    """Give the external ID of the record a many2one points to.

    Args:
        field: Source field, or a modifier that gives a record.
        binding: The model that binds the related one; None when the related model has the
            external ID itself.
        source: The source field, where *field* is a modifier that does not say it.
    """
    read = _reader(field)
    name = source or source_field(field)

    def apply(mapper: Any, record: Any, to_attr: str) -> Any:
        related = read(mapper, record, to_attr)
        if related is None:
            return None
        model = getattr(related, "_name", None)
        if model is None:
            kind = type(related).__name__
            raise mapping_error(mapper, f"is no many2one: it gives a {kind}", field=name or to_attr)
        binder = mapper.component(usage="binder", model_name=binding or model)
        external_id = binder.to_external(related, wrap=binding is not None)
        if external_id is None or external_id == "":
            what = (
                f"{model} {related.id} has no external ID in {binding or model!r}; export it first: "
                f"let the exporter's _export_dependencies yield it"
            )
            raise mapping_error(mapper, what, field=name or to_attr)
        return external_id

    return Modifier(apply, name)


def external_to_m2o(
    field: str | ModifierFunction, binding: str | None = None, *, source: str | None = None
) -> Modifier:
    """Give the key of our record that an external ID stands for.

    Args:
        field: Source field, or a modifier that gives an external ID.
        binding: The model that binds the related one; None when the related model has the
            external ID itself.
        source: The source field, where *field* is a modifier that does not say it.
    """
    read = _reader(field)
    name = source or source_field(field)

    def apply(mapper: Any, record: Any, to_attr: str) -> Any:
        value = read(mapper, record, to_attr)
        # Zero is an ID, and equal to False.
        if value is None or value is False or value == "":
            return None
        if value is True or not isinstance(value, (str, int)):
            what = f"an external ID is text or a whole number, this is a {type(value).__name__}"
            raise mapping_error(mapper, what, field=name or to_attr)
        model = binding or _relation(mapper, to_attr)
        binder = mapper.component(usage="binder", model_name=model)
        found = binder.to_internal(str(value), unwrap=binding is not None)
        if found is None:
            what = (
                f"{model!r} knows no external ID {str(value)!r}; import it first: "
                f"let the importer's _import_dependencies yield it"
            )
            raise mapping_error(mapper, what, field=name or to_attr)
        return found.id

    return Modifier(apply, name)


def follow_m2o_relations(field: str | ModifierFunction, *, source: str | None = None) -> Modifier:
    """Walk along relations, as in ``"partner_id.country_id.code"``; None where one is empty.

    Nested objects of a payload are walked in the same way.

    Args:
        field: The path, or a modifier.
        source: The source field, if it is not the first name of the path.
    """
    if not isinstance(field, str):
        return Modifier(field, source or source_field(field))
    first, *path = field.split(".")

    def apply(mapper: Any, record: Any, to_attr: str) -> Any:  # noqa: ARG001
        value = _read(record, first)
        for name in path:
            if value is None:
                return None
            value = _read(value, name)
        return value

    return Modifier(apply, source or first)


def translate(
    field: str | ModifierFunction, table: str | None = None, *, source: str | None = None
) -> Modifier:
    """Translate a code with a table of the model's `RecordMapper`, in the mapper's direction.

    Args:
        field: Source field, or a modifier that gives a code.
        table: Name of the table; the source field's name when None.
        source: The source field, where *field* is a modifier that does not say it.

    Raises:
        ComponentDefinitionError: When neither *table* nor the source field is known.
    """
    read = _reader(field)
    name = source or source_field(field)
    used = table or name
    if used is None:
        raise ComponentDefinitionError("translate() needs the name of a table: translate(modifier, 'table')")

    def apply(mapper: Any, record: Any, to_attr: str) -> Any:
        codes = mapper.component(usage="record.mapper")
        way = codes.to_internal if mapper._source_is_payload else codes.to_external
        return way(used, read(mapper, record, to_attr))

    return Modifier(apply, name)


def _reader(field: str | ModifierFunction) -> ModifierFunction:
    if not isinstance(field, str):
        return field
    return lambda mapper, record, to_attr: _read(record, field)  # noqa: ARG005


def _read(record: Any, name: str) -> Any:
    return record.get(name) if isinstance(record, Mapping) else record[name]


def _relation(mapper: Any, target: str) -> str:
    field = mapper.model.fields.get(target)
    if field is None or field.relation is None:
        raise mapping_error(mapper, f"our field {target!r} is no many2one; name the binding model")
    return str(field.relation)
