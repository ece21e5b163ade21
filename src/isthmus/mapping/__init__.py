"""Mapping: records of one side translated into values of the other."""

from isthmus.mapping.children import ExportMapChild, ImportMapChild, MapChild
from isthmus.mapping.codes import RecordMapper
from isthmus.mapping.groups import FieldGroup, field_groups, one_way
from isthmus.mapping.mapper import ExportMapper, ImportMapper, Mapper
from isthmus.mapping.marks import changed_by, mapping, only_create
from isthmus.mapping.modifiers import (
    Modifier,
    convert,
    external_to_m2o,
    follow_m2o_relations,
    m2o_to_external,
    none,
    translate,
)
from isthmus.mapping.plan import MappingEntry, MappingPlan
from isthmus.mapping.record import MapOptions, MapRecord

__all__ = [
    "ExportMapChild",
    "ExportMapper",
    "FieldGroup",
    "ImportMapChild",
    "ImportMapper",
    "MapChild",
    "MapOptions",
    "MapRecord",
    "Mapper",
    "MappingEntry",
    "MappingPlan",
    "Modifier",
    "RecordMapper",
    "changed_by",
    "convert",
    "external_to_m2o",
    "field_groups",
    "follow_m2o_relations",
    "m2o_to_external",
    "mapping",
    "none",
    "one_way",
    "only_create",
    "translate",
]
