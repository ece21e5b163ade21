"""The database: rows, links between rows, and what a transaction must take back."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from isthmus.simulators.odoo.fields import Row

Action = Literal["create", "write", "unlink"]


class Table:
    """Rows by ID. A row is replaced, never changed, so a reader may keep one."""

    def __init__(self, name: str, indexed: Iterable[str]) -> None:
        self.name = name
        self.rows: dict[int, Row] = {}
        self.indexes: dict[str, dict[Any, dict[int, None]]] = {column: {} for column in indexed}
        self._last = 0

    def next_id(self) -> int:
        """Draw an ID; as with PostgreSQL, a rollback does not give it back."""
        self._last += 1
        return self._last

    def reserve(self, up_to: int) -> None:
        """Let the IDs go on after *up_to*."""
        self._last = max(self._last, up_to)

    def by(self, column: str, value: Any) -> Iterable[int]:
        """Find the IDs of the rows that have a value in an indexed column."""
        return tuple(self.indexes[column].get(value, ()))

    def put(self, row_id: int, row: Row | None) -> Row | None:
        """Set or remove a row, and give back the one before."""
        old = self.rows.get(row_id)
        if row is None:
            self.rows.pop(row_id, None)
        else:
            self.rows[row_id] = row
        left, entered = old or {}, row or {}
        for column, index in self.indexes.items():
            before, after = left.get(column), entered.get(column)
            if before == after:
                continue
            if before is not None:
                index[before].pop(row_id, None)
            if after is not None:
                index.setdefault(after, {})[row_id] = None
        return old


class Link:
    """The pairs of a many2many."""

    def __init__(self) -> None:
        self.sides: tuple[dict[int, dict[int, None]], dict[int, dict[int, None]]] = ({}, {})

    def of(self, record: int, *, flipped: bool) -> Iterable[int]:
        """Find the partners of a record."""
        return tuple(self.sides[flipped].get(record, ()))

    def change(self, left: int, right: int, *, add: bool) -> bool:
        """Add or remove a pair; tell whether anything changed."""
        there = right in self.sides[0].get(left, ())
        if there == add:
            return False
        if add:
            self.sides[0].setdefault(left, {})[right] = None
            self.sides[1].setdefault(right, {})[left] = None
        else:
            del self.sides[0][left][right]
            del self.sides[1][right][left]
        return True


class Change(NamedTuple):
    """What one transaction did to one record, for who watches commits.

    Attributes:
        model: The record's model.
        record_id: Its ID.
        action: What was done; a record that was created and written in one transaction was created.
        fields: The fields that were written.
        uid: Who did it.
        row: Its values as they were kept: after it, or before a deletion.
    """

    model: str
    record_id: int
    action: Action
    fields: frozenset[str]
    uid: int
    row: Row


@dataclass
class Transaction:
    """What was done since `start`, so that it can be taken back."""

    start: datetime
    rows: list[tuple[str, int, Row | None, Row | None]] = field(default_factory=list)
    links: list[tuple[str, int, int, bool]] = field(default_factory=list)
    changes: dict[tuple[str, int], Change] = field(default_factory=dict)

    def note(self, change: Change) -> None:
        """Remember a change for the watchers, one per record."""
        key = (change.model, change.record_id)
        before = self.changes.get(key)
        if before is None:
            self.changes[key] = change
        elif before.action == "create" and change.action == "unlink":
            del self.changes[key]
        else:
            action = "create" if before.action == "create" else change.action
            self.changes[key] = Change(
                change.model, change.record_id, action, before.fields | change.fields, change.uid, change.row
            )


class Database:
    """All tables and links."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.links: dict[str, Link] = {}

    def put(self, transaction: Transaction, model: str, row_id: int, row: Row | None) -> None:
        """Set or remove a row."""
        old = self.tables[model].put(row_id, row)
        transaction.rows.append((model, row_id, old, row))

    def link(self, transaction: Transaction, name: str, left: int, right: int, *, add: bool) -> bool:
        """Add or remove a pair."""
        changed = self.links[name].change(left, right, add=add)
        if changed:
            transaction.links.append((name, left, right, add))
        return changed

    def undo(self, transaction: Transaction) -> None:
        """Take back everything."""
        self.undo_to(transaction, (0, 0))

    def undo_to(self, transaction: Transaction, mark: tuple[int, int]) -> None:
        """Take back what was done after a savepoint."""
        while len(transaction.rows) > mark[0]:
            model, row_id, old, _ = transaction.rows.pop()
            self.tables[model].put(row_id, old)
        while len(transaction.links) > mark[1]:
            name, left, right, add = transaction.links.pop()
            self.links[name].change(left, right, add=not add)

    def redo(self, transaction: Transaction) -> bool:
        """Do again what was taken back; tell whether nobody else was at the same rows meanwhile."""
        done = Transaction(transaction.start)
        for model, row_id, old, new in transaction.rows:
            if self.tables[model].rows.get(row_id) is not old:
                self.undo(done)
                return False
            self.put(done, model, row_id, new)
        for name, left, right, add in transaction.links:
            self.link(done, name, left, right, add=add)
        return True


def savepoint(transaction: Transaction) -> tuple[int, int]:
    """Mark where a transaction stands."""
    return len(transaction.rows), len(transaction.links)


def ids_of(rows: dict[int, Row]) -> Iterator[int]:
    """Go through the IDs of a table."""
    return iter(sorted(rows))
