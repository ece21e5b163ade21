"""Inserting one record without a flush: the unit of work takes longer than the statement."""

from typing import Any, cast

from sqlalchemy import Table, insert
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
        self._key = mapper.get_property_by_column(key).key
        self._columns = {attribute.key: attribute.columns[0].key for attribute in mapper.column_attrs}
        self._others = frozenset(mapper.attrs.keys()) - self._columns.keys()
        self._statement = insert(cast(Table, mapper.local_table)).returning(key)

    @classmethod
    def of(cls, mapper: Mapper[Any]) -> "Insertion | None":
        """Make one for a mapped class; None where only a flush will do."""
        plain = (
            isinstance(mapper.local_table, Table)
            and mapper.inherits is None
            and mapper.polymorphic_on is None
            and mapper.version_id_col is None
            and len(mapper.primary_key) == 1
            and all(len(attribute.columns) == 1 for attribute in mapper.column_attrs)
            and not mapper.dispatch.before_insert
            and not mapper.dispatch.after_insert
        )
        return cls(mapper) if plain else None

    def takes(self, instance: Any) -> bool:
        """Tell whether an instance has nothing but values of columns, and no key yet."""
        given = vars(instance)
        return given.get(self._key) is None and self._others.isdisjoint(given)

    def insert(self, session: Session, instance: Any) -> None:
        """Insert an instance; the session has it then as if it had been flushed."""
        given = vars(instance)
        row = {column: given[name] for name, column in self._columns.items() if name in given}
        row.pop(self._columns[self._key], None)
        made = session.connection().execute(self._statement, row).scalar_one()
        set_committed_value(instance, self._key, made)
        make_transient_to_detached(instance)
        session.add(instance)
