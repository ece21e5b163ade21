"""Bindings in bulk: a page of them is one query and one statement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import String, cast, inspect, select, update
from sqlalchemy.orm import Session

from isthmus.binding.model import Binding, BindingState
from isthmus.env import Env
from isthmus.store.sql import among, given, insert_rows

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
        self._table: Any = mapped.__table__
        self._backend_id = backend_id
        mapper: Any = inspect(mapped)
        kind = mapper.polymorphic_on
        self._identity = {} if kind is None else {kind.key: mapper.polymorphic_identity}
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
                among(session.get_bind().dialect, column, keys[start : start + 5_000]),
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

    def insert(self, env: Env, rows: Sequence[BindingRow]) -> None:
        """Add bindings by one statement and note their keys."""
        if not rows:
            return
        if self._direct:
            for row in rows:
                row.id = int(row.record_id or 0)
            self.update(env, rows)
            return
        env.flush()  # what waits to be written may be about the same keys
        env.transaction.mark(f"bindings of {self._mapped._name}")
        names = ("record_id", "external_id", "scope", "state", "seen_external", "seen_internal", "revision")
        values = [
            (r.record_id, r.external_id, r.scope, r.state, r.seen_external, r.seen_internal, r.revision + 1)
            for r in rows
        ]
        same = {"backend_id": self._backend_id, "sync_date": env.now(), **self._identity}
        insert_rows(env.session.connection(), self._table, names, values, same)
        keys = self._keys(env.session, rows)
        for row in rows:
            row.id = keys[row.external_id, row.record_id, row.scope]
            row.revision += 1
        env.transaction.created(self._mapped._name, [row.id for row in rows], (*names, *same))

    def _keys(
        self, session: Session, rows: Sequence[BindingRow]
    ) -> dict[tuple[str | None, str | None, str], int]:
        """Find the keys of bindings that were inserted."""
        columns = self._table.c
        if all(row.external_id is not None for row in rows):
            column, known = columns.external_id, [row.external_id for row in rows]
        else:
            column, known = columns.record_id, [row.record_id for row in rows]
        connection = session.connection()
        statement = select(columns.external_id, columns.record_id, columns.scope, columns.id).where(
            columns.backend_id == self._backend_id, among(connection.dialect, column, known)
        )
        return {(row[0], row[1], row[2]): row[3] for row in connection.execute(statement)}

    def update(self, env: Env, rows: Sequence[BindingRow]) -> None:
        """Rewrite bindings: external ID, state and images."""
        if not rows:
            return
        env.transaction.mark(f"bindings of {self._mapped._name}")
        columns, connection = self._table.c, env.session.connection()
        names = ("id", "external_id", "record_id", "state", "seen_external", "seen_internal")
        values = [
            (
                r.id, r.external_id, None if self._direct else r.record_id, r.state,
                r.seen_external, r.seen_internal,
            )
            for r in rows
        ]  # fmt: skip
        new = given(connection.dialect, self._table, names, values)
        connection.execute(
            update(self._table)
            .where(columns.id == new.c.id)
            .values({columns[name]: new.c[name] for name in names[1:]})
            .values(revision=columns.revision + 1, sync_date=env.now())
        )
        for row in rows:
            row.revision += 1
