"""Bindings in bulk: a page of them is one query and one statement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import String, any_, bindparam, cast, insert, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from isthmus.binding.model import Binding, BindingState

Image = dict[str, Any]
"""Source values of one side by field name, in plain form (`isthmus.env.plain`)."""


@dataclass(slots=True)
class BindingRow:
    """One binding as synchronizers handle it; the fields are those of `Binding`."""

    id: int | None = None
    record_id: str | None = None
    external_id: str | None = None
    scope: str = ""
    state: str = BindingState.LINKED.value
    seen_external: Image | None = None
    seen_internal: Image | None = None
    revision: int = 0
    sync_date: datetime | None = None

    @property
    def is_linked(self) -> bool:
        """True when runs may touch it."""
        return self.state == BindingState.LINKED


class BindingTable:
    """The bindings of one backend and binding model.

    Args:
        mapped: The mapped class.
        backend_id: The backend.
    """

    def __init__(self, mapped: type[Binding], backend_id: int) -> None:
        self._mapped = mapped
        self._backend_id = backend_id
        self._direct = mapped._binds == mapped._name
        # A direct binding is the record itself, so its own key is the record's.
        record_id: Any = cast(mapped.id, String).label("record_key") if self._direct else mapped.record_id
        self._columns = (
            mapped.id, record_id, mapped.external_id, mapped.scope, mapped.state,
            mapped.seen_external, mapped.seen_internal, mapped.revision, mapped.sync_date,
        )  # fmt: skip

    def by_external(self, session: Session, external_ids: Iterable[str]) -> dict[str, BindingRow]:
        """Find bindings by external ID."""
        rows = self._find(session, self._mapped.external_id, list(external_ids))
        return {row.external_id: row for row in rows if row.external_id is not None}

    def by_record(self, session: Session, record_ids: Iterable[str]) -> list[BindingRow]:
        """Find bindings by record key (text); several per record when scopes differ."""
        if self._direct:
            return self._find(session, self._mapped.id, [int(key) for key in record_ids])
        return self._find(session, self._mapped.record_id, list(record_ids))

    def by_id(self, session: Session, ids: Iterable[int]) -> dict[int, BindingRow]:
        """Find bindings by their own key."""
        return {row.id: row for row in self._find(session, self._mapped.id, list(ids)) if row.id is not None}

    def _find(self, session: Session, column: Any, keys: Sequence[Any]) -> list[BindingRow]:
        found: list[BindingRow] = []
        for start in range(0, len(keys), 5_000):
            statement = select(*self._columns).where(
                self._mapped.backend_id == self._backend_id,
                _among(session, column, keys[start : start + 5_000]),
            )
            found += [BindingRow(*row) for row in session.execute(statement)]
        return found

    def external_ids(self, session: Session, seen: Mapping[str, str] | None = None) -> set[str]:
        """List the external IDs of linked bindings, or those whose external image has the values *seen*."""
        statement = select(self._mapped.external_id).where(
            self._mapped.backend_id == self._backend_id,
            self._mapped.external_id.is_not(None),
            self._mapped.state == BindingState.LINKED.value,
        )
        for field, value in (seen or {}).items():
            statement = statement.where(self._mapped.seen_external[field].as_string() == value)
        return {text for text in session.scalars(statement) if text is not None}

    def linked(self, session: Session) -> list[BindingRow]:
        """List the bindings that runs may touch, in order of their keys."""
        statement = (
            select(*self._columns)
            .where(
                self._mapped.backend_id == self._backend_id, self._mapped.state == BindingState.LINKED.value
            )
            .order_by(self._mapped.id)
        )
        return [BindingRow(*row) for row in session.execute(statement)]

    def insert(self, session: Session, rows: Sequence[BindingRow], now: datetime) -> None:
        """Add bindings by one statement and note their keys."""
        if not rows:
            return
        if self._direct:
            for row in rows:
                row.id = int(row.record_id or 0)
            self.update(session, rows, now)
            return
        statement = insert(self._mapped).returning(self._mapped.id, sort_by_parameter_order=True)
        values = [
            {
                "backend_id": self._backend_id,
                "record_id": r.record_id,
                "external_id": r.external_id,
                "scope": r.scope,
                "state": r.state,
                "sync_date": now,
                "seen_external": r.seen_external,
                "seen_internal": r.seen_internal,
                "revision": r.revision + 1,
            }
            for r in rows
        ]
        for row, key in zip(rows, session.scalars(statement, values), strict=True):
            row.id = key
            row.revision += 1

    def update(self, session: Session, rows: Sequence[BindingRow], now: datetime) -> None:
        """Rewrite bindings: external ID, state and images."""
        if not rows:
            return
        table = self._mapped.__table__
        statement = (
            update(table)  # type: ignore[arg-type]  # a mapped class's table
            .where(table.c.id == bindparam("key"))
            .values(
                external_id=bindparam("new_external_id"),
                record_id=bindparam("new_record_id"),
                state=bindparam("new_state"),
                seen_external=bindparam("new_seen_external"),
                seen_internal=bindparam("new_seen_internal"),
                revision=table.c.revision + 1,
                sync_date=now,
            )
        )
        values = [
            {
                "key": r.id,
                "new_external_id": r.external_id,
                "new_record_id": None if self._direct else r.record_id,
                "new_state": r.state,
                "new_seen_external": r.seen_external,
                "new_seen_internal": r.seen_internal,
            }
            for r in rows
        ]
        session.connection().execute(statement, values)
        for row in rows:
            row.revision += 1


def _among(session: Session, column: Any, keys: Sequence[Any]) -> Any:
    """Give the condition that a column has one of many values.

    PostgreSQL takes them as one array: with hundreds of parameters the driver spends longer on the
    text of the statement, and the server on its plan, than on the rows.
    """
    if session.get_bind().dialect.name == "postgresql":
        return column == any_(literal(list(keys), ARRAY(column.type)))
    return column.in_(keys)
