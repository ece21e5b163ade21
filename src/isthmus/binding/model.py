"""A binding: the link between a record of ours and its counterpart on one backend."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, cast

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from isthmus.env import Env, Field, Key, Model, Record
from isthmus.errors import MissingRecordError
from isthmus.store.sql import SqlModel


class BindingState(StrEnum):
    """What a binding is good for."""

    LINKED = "linked"
    """Both sides exist (or ours does and its export is due)."""
    TOMBSTONE = "tombstone"
    """One side was deleted; kept so that a later walk does not bring it back."""
    FROZEN = "frozen"
    """Left alone by every run until someone sets it free."""


class BindingModel(Model):
    """Access to bindings: their own fields, and through them those of the records."""

    def __init__(self, env: Env, name: str, store: Any, record_class: type[Record]) -> None:
        """Belong to *env*; made by the env only."""
        super().__init__(env, name, store, record_class)
        self.own_fields: Mapping[str, Field] = store.fields(name)
        self.binds: str = store.mapped(name)._binds
        self.is_direct: bool = self.binds == name

    @property
    def fields(self) -> Mapping[str, Field]:
        """Its own fields and those of the records; their store is asked when they are first needed."""
        if self._fields is None:
            ours = self.env[self.binds].fields if self.binds in self.env and not self.is_direct else {}
            self._fields = MappingProxyType({**ours, **self.own_fields})
        return self._fields

    def field(self, name: str) -> Field | None:
        """Give a field; for its own ones the store of the records, which may be away, is not asked."""
        return self.own_fields.get(name) or super().field(name)

    def read(
        self, ids: Sequence[Key], fields: Sequence[str], *, missing: Any = "skip"
    ) -> list[dict[str, Any]]:
        """Read plain values; those of the records come in one further read."""
        own = [f for f in fields if f in self.own_fields]
        rows = super().read(ids, [*own, "record_id"] if len(own) < len(fields) else own, missing=missing)
        if len(own) < len(fields):
            self.check_fields(fields)
            records = self.env[self.binds]
            keys = {r["id"]: records.store.key(self.binds, r["record_id"]) for r in rows if r["record_id"]}
            theirs = {
                r["id"]: r for r in records.read(list(keys.values()), [f for f in fields if f not in own])
            }
            for row in rows:
                found = theirs.get(keys.get(row["id"]), {})
                row |= {f: found.get(f) for f in fields if f not in own}
                if "record_id" not in own:
                    del row["record_id"]
        return rows

    def write(self, ids: Iterable[Key], values: Mapping[str, Any]) -> None:
        """Write the bindings' own fields to them and the others to their records.

        Raises:
            MissingRecordError: When a binding has no record to write to.
        """
        keys = list(ids)
        own = {k: v for k, v in values.items() if k in self.own_fields}
        ours = {k: v for k, v in values.items() if k not in own}
        self.check_fields(ours)
        if own:
            super().write(keys, own)
        if ours:
            rows = super().read(keys, ["record_id"], missing="raise")
            bare = [str(r["id"]) for r in rows if r["record_id"] is None]
            if bare:
                raise MissingRecordError(
                    f"{self._name} {', '.join(bare)} has no record to write {sorted(ours)} to"
                )
            records = self.env[self.binds]
            records.write([records.store.key(self.binds, r["record_id"]) for r in rows], ours)

    def create(self, values: Any) -> Any:
        """Create bindings; values of the record's fields create the record first, as ``_inherits`` did."""
        many = isinstance(values, (list, tuple))
        rows = [dict(v) for v in values] if many else [dict(values)]
        for row in () if self.is_direct else rows:
            ours = {k: row.pop(k) for k in list(row) if k not in self.own_fields}
            if not row.get("record_id"):
                row["record_id"] = str(self.env[self.binds].create(ours).id)
            elif ours:
                key = self.env[self.binds].store.key(self.binds, row["record_id"])
                self.env[self.binds].write([key], ours)
        made = super().create(rows)
        return made if many else made[0]


class BindingRecord(Record):
    """A binding record: the record's attributes are readable and writable through it."""

    __slots__ = ()

    @property
    def record(self) -> Record | None:
        """The record of ours; None when it was never there. A direct binding is the record itself."""
        if self._bindings.is_direct:
            return self
        text = self["record_id"]
        if text is None:
            return None
        model = self.env[self._bindings.binds]
        return cast("Record", model.browse(model.store.key(model.name, text)))

    @property
    def _bindings(self) -> BindingModel:
        return cast("BindingModel", self._model)

    @property
    def backend(self) -> Any:
        """The backend's record, of its own type."""
        base = self["backend_id"]
        return self.env[base["type"]].browse(base.id)

    def _read(self, name: str) -> Any:
        if name in self._bindings.own_fields:
            return super()._read(name)
        record = self.record
        return None if record is None else record[name]

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign a field: the binding's own to it, another one to the record.

        Raises:
            MissingRecordError: When there is no record to assign it to.
        """
        if name in Record.__slots__ or name in self._bindings.own_fields or name not in self._bindings.fields:
            super().__setattr__(name, value)
            return
        record = self.record
        if record is None:
            raise MissingRecordError(f"{self!r} has no record to assign {name!r} to")
        setattr(record, name, value)


class Binding(SqlModel):
    """Base of binding tables; a connector declares one per model it synchronises.

    ``class TrelloCard(Binding): _name = "trello.card"; _binds = "project.task"`` and a ``__tablename__``.
    A model that carries its external ID itself is its own ("direct") binding: ``_binds`` is its
    own name, its record's columns stand beside those of the binding, and `record_id` stays empty.

    Attributes:
        _binds: The model of ours whose records it binds.
    """

    __abstract__ = True
    _extends = ("external.binding",)
    _binds: ClassVar[str] = ""
    _model_class: ClassVar[type[Model]] = BindingModel
    _record_class: ClassVar[type[Record]] = BindingRecord

    id: Mapped[int] = mapped_column(primary_key=True)
    record_id: Mapped[str | None]
    """Key of our record, as text, since its store may have any kind of key."""
    external_id: Mapped[str | None]
    """Their key, exactly as the other system spells it. None until the first export is done."""
    scope: Mapped[str] = mapped_column(default="")
    """Lets one record of ours stand for several there: one binding per scope."""
    state: Mapped[str] = mapped_column(default=BindingState.LINKED.value)
    """A `BindingState`."""
    sync_date: Mapped[datetime | None]
    """When it was last synchronised."""
    seen_external: Mapped[dict[str, Any] | None]
    """Their source values as last seen; the base against which their changes show."""
    seen_internal: Mapped[dict[str, Any] | None]
    """Our source values as last seen; the base against which our changes show."""
    revision: Mapped[int] = mapped_column(default=0)
    """Grows with each rewriting of the images; tells whether a value read earlier is still fresh."""

    @declared_attr
    @classmethod
    def backend_id(cls) -> Mapped[int]:
        """The backend."""
        return mapped_column(ForeignKey("isthmus_backend.id"))

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> Any:
        """Two processes may bind at once: the constraints, not the code, decide who wins."""
        return (
            UniqueConstraint("backend_id", "external_id"),
            UniqueConstraint("backend_id", "record_id", "scope"),
        )
