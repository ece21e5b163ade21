"""One thing on our side, whichever store holds it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from isthmus.env.field import X2MANY, Key
from isthmus.errors import UnknownFieldError, near
from isthmus.event import CollectedEvents, collect


class Record:
    """A record: a model, a key, and its values read through the store.

    ``record.name`` and ``record["name"]`` read a field: a many2one gives a record or None, an
    x2many a list of records.

    Attributes:
        id: The record's key.
        env: The unit of work it was read in.
    """

    __slots__ = ("_group", "_handle", "_model", "id")

    def __init__(self, model: Any, record_id: Key, group: Sequence[Key] | None = None) -> None:
        """Belong to *model*; *group* are keys worth reading together with this one."""
        object.__setattr__(self, "_model", model)
        object.__setattr__(self, "id", record_id)
        object.__setattr__(self, "_group", group)
        object.__setattr__(self, "_handle", None)

    @property
    def env(self) -> Any:
        """The unit of work."""
        return self._model.env

    @property
    def _name(self) -> str:
        """The model's name."""
        return str(self._model._name)

    def __getattr__(self, name: str) -> Any:
        """Read a field.

        Raises:
            AttributeError: When the model has no such field; names near ones.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        if self._model.field(name) is None:
            known = near(name, self._model.fields)
            raise AttributeError(f"model {self._name!r} has no field or method {name!r}{known}")
        return self._read(name)

    def __getitem__(self, name: str) -> Any:
        """Read a field.

        Raises:
            UnknownFieldError: When the model has no such field.
        """
        if self._model.field(name) is None:
            raise UnknownFieldError(self._name, name, self._model.fields)
        return self._read(name)

    def _read(self, name: str) -> Any:
        field = self._model.field(name)
        value = self._model.store.get(self, name)
        if field.relation is None or value is None:
            return value
        other = self.env[field.relation]
        return other.browse(value)

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign a field (SQL store only; code for any store uses `write`)."""
        if name in Record.__slots__:
            object.__setattr__(self, name, value)
        elif self._model.field(name) is not None:
            self.env.check_writable(f"{self._name}.{name}")
            self._model.store.set(self, name, value)
        else:
            object.__setattr__(self, name, value)

    def write(self, values: Mapping[str, Any]) -> None:
        """Write values to this record."""
        self._model.write([self.id], values)

    def unlink(self) -> None:
        """Delete this record."""
        self._model.unlink([self.id])

    def read(self, fields: Sequence[str]) -> dict[str, Any]:
        """Read several fields in their plain form (keys for relations).

        Raises:
            MissingRecordError: When the record does not exist.
        """  # noqa: DOC502 - raised by what is called
        return dict(self._model.read([self.id], fields, missing="raise")[0])

    def exists(self) -> bool:
        """Tell whether the store still has this record."""
        return bool(self._model.exists([self.id]))

    def event(self, name: str, collection: Any = None) -> CollectedEvents:
        """Collect the listeners of an event of this record's model.

        Args:
            name: Starts with ``on_``.
            collection: A backend: only its listeners and those of no backend are reached.
        """
        return collect(self.env, self.env.components, self._name, name, collection)

    def with_delay(self, **options: Any) -> Any:
        """Give a proxy whose method calls on this record become jobs."""
        return self.env.delayer.with_delay(self, **options)

    def delayable(self, **options: Any) -> Any:
        """Give a proxy whose method call on this record is prepared, to be delayed later."""
        return self.env.delayer.delayable(self, **options)

    def __eq__(self, other: object) -> bool:
        """Equal when model and key are."""
        return isinstance(other, Record) and other._name == self._name and bool(other.id == self.id)

    def __hash__(self) -> int:
        """Hash model and key."""
        return hash((self._name, self.id))

    def __repr__(self) -> str:
        """Show model and key, never values."""
        return f"{self._name}({self.id!r})"

    def __iter__(self) -> Iterator["Record"]:
        """Yield itself, as a recordset of one does in Odoo."""
        yield self


def relation_keys(value: Any) -> Any:
    """Turn records into their keys, alone or in a list; other values stay.

    >>> relation_keys([1, 2])
    [1, 2]
    """
    if isinstance(value, Record):
        return value.id
    if isinstance(value, (list, tuple, set, frozenset)):
        return [relation_keys(v) if isinstance(v, Record) else v for v in value]
    return value


__all__ = ["X2MANY", "Record", "relation_keys"]
