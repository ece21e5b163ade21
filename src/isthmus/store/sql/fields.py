"""What fields a mapped class has, told in the words of `isthmus.env.Field`."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Column, types
from sqlalchemy.orm import ColumnProperty, Mapper, MapperProperty, RelationshipDirection, RelationshipProperty

from isthmus.env import Field, FieldType
from isthmus.store.sql.base import UtcDateTime

_TYPES: Final[tuple[tuple[type, FieldType], ...]] = (
    (UtcDateTime, "datetime"),
    (types.JSON, "json"),
    (types.Boolean, "boolean"),
    (types.Integer, "integer"),
    (types.Float, "float"),
    (types.Numeric, "decimal"),
    (types.DateTime, "datetime"),
    (types.Date, "date"),
    (types.LargeBinary, "binary"),
    (types.Text, "text"),
    (types.String, "char"),
)


def fields_of(mapper: Mapper[Any], names: Mapping[type, str]) -> dict[str, Field]:
    """Describe a mapped class.

    A column with a foreign key is a many2one to the model of the table it points to; a relationship to one is
    another name for that; a relationship to many is an x2many. ``info={"field": "html"}`` on
    a column overrides the type.

    Args:
        mapper: The class's mapper.
        names: Model name of each mapped class that is a model.
    """
    mappers = {cls.__mapper__: name for cls, name in names.items() if hasattr(cls, "__mapper__")}
    # Of the classes that share a table, a foreign key points to the one that all rows belong to.
    tables = {
        m.local_table: name
        for m, name in mappers.items()
        if m.inherits is None or m.inherits.local_table is not m.local_table
    }
    fields: dict[str, Field] = {}
    for prop in mapper.iterate_properties:
        field = _field(prop, names, tables)
        if field is not None:
            fields[field.name] = field
    return fields


def _field(prop: MapperProperty[Any], names: Mapping[type, str], tables: Mapping[Any, str]) -> Field | None:
    if isinstance(prop, ColumnProperty) and isinstance(prop.columns[0], Column):
        return _column_field(prop, prop.columns[0], tables)
    if isinstance(prop, RelationshipProperty):
        relation = names.get(prop.mapper.class_)
        if prop.direction is RelationshipDirection.MANYTOONE:
            return Field(name=prop.key, type="many2one", relation=relation, readonly=True)
        kind: FieldType = "many2many" if prop.secondary is not None else "one2many"
        return Field(name=prop.key, type=kind, relation=relation)
    return None


def _column_field(prop: ColumnProperty[Any], column: Column[Any], tables: Mapping[Any, str]) -> Field:
    relation: str | None = None
    by_type: FieldType = next((name for cls, name in _TYPES if isinstance(column.type, cls)), "char")
    kind: FieldType = column.info.get("field", by_type)
    for key in column.foreign_keys:
        if not column.primary_key:
            kind, relation = "many2one", tables.get(key.column.table)
    has_default = column.default is not None or column.server_default is not None
    required = not column.nullable and not has_default and not column.primary_key
    return Field(
        name=prop.key, type=kind, relation=relation, required=required, readonly=bool(column.primary_key)
    )
