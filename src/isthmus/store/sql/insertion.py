"""Inserting one record without a flush: the unit of work takes longer than the statement."""

from typing import Any, cast

from sqlalchemy import Column, Table, insert
from sqlalchemy.orm import Mapper, Session, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value


class Insertion:
    """Inserts single records of one mapped class.

    Made for classes where a flush would do nothing but one INSERT: one table, one key that the database
    makes, no version column, nobody who wants to hear of the insert.

    Args:
        mapper: The class's.
    """

    def __init__(self, mapper: Mapper[Any]) -> None:
        key = mapper.primary_key[0]
        self._mapper = mapper
        self._key = mapper.get_property_by_column(key).key
        columns = {attribute.key: attribute.columns[0] for attribute in mapper.column_attrs}
        self._columns = {name: column.key for name, column in columns.items() if name != self._key}
        # As in a flush: None asks for the default of a column that has one, unless its type has a None of
        # its own.
        self._made = [
            name
            for name, column in columns.items()
            if name != self._key and (column.default is not None or column.server_default is not None)
        ]
        self._none_is_default = frozenset(
            name for name in self._made if not columns[name].type.should_evaluate_none
        )
        self._others = frozenset(mapper.attrs.keys()) - columns.keys()
        self._statement = insert(cast(Table, mapper.local_table)).returning(
            key, *(columns[name] for name in self._made)
        )

    @classmethod
    def of(cls, mapper: Mapper[Any]) -> "Insertion | None":
        """Make one for a mapped class; None where only a flush will do."""
        plain = (
            isinstance(mapper.local_table, Table)
            and mapper.inherits is None
            and mapper.polymorphic_on is None
            and mapper.version_id_col is None
            and len(mapper.primary_key) == 1
            # No attribute that is an expression, which none can assign.
            and all(
                len(attribute.columns) == 1 and isinstance(attribute.columns[0], Column)
                for attribute in mapper.column_attrs
            )
        )
        return cls(mapper) if plain else None

    def takes(self, instance: Any) -> bool:
        """Tell whether an instance has nothing but values of columns, no key yet, and nobody hears of it."""
        given = vars(instance)
        return (
            given.get(self._key) is None
            and self._others.isdisjoint(given)
            # Asked each time: a plugin may begin to listen when records have been created already.
            and not self._mapper.dispatch.before_insert
            and not self._mapper.dispatch.after_insert
        )

    def insert(self, session: Session, instance: Any) -> None:
        """Insert an instance; the session has it then as if it had been flushed."""
        given = vars(instance)
        row = {
            column: given[name]
            for name, column in self._columns.items()
            if name in given and (given[name] is not None or name not in self._none_is_default)
        }
        key, *made = session.connection().execute(self._statement, row).one()
        set_committed_value(instance, self._key, key)
        for name, value in zip(self._made, made, strict=True):
            if self._columns[name] not in row:
                set_committed_value(instance, name, value)
        make_transient_to_detached(instance)
        session.add(instance)
