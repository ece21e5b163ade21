"""One record on its way through a synchroniser, and what was decided for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from isthmus.binding import BindingRow, Image
from isthmus.env import Phase
from isthmus.errors import InvalidDataError
from isthmus.mapping import FieldGroup
from isthmus.store.sql import is_storable
from isthmus.sync.effect import Intent

GATHER: Final = Phase("gather", writes=False, calls=True)
DECIDE: Final = Phase("decide", writes=False, calls=False)
WRITE: Final = Phase("write", writes=True, calls=False)
CALL: Final = Phase("write", writes=False, calls=True)
LAST: Final = Phase("last transaction", writes=True, calls=False)


@dataclass(frozen=True, slots=True)
class Dependency:
    """A record that must be on the other side before another one.

    Attributes:
        model: The binding model.
        key: Their ID on an import, our record's key on an export.
        scope: Scope of the binding, on an export.
    """

    model: str
    key: Any
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Ref:
    """Stands for the key of a record that an earlier operation of the same page creates."""

    model: str
    external_id: str


@dataclass(frozen=True, slots=True)
class Planned:
    """What the binder gives for a record that the page is about to create: it has a key only."""

    _name: str
    id: Ref

    def __getattr__(self, name: str) -> Any:
        """Explain that there are no values yet.

        Raises:
            AttributeError: Always.
        """
        raise AttributeError(
            f"{self._name} of {self.id.external_id} is only about to be created: it has no {name!r} yet"
        )


class Snapshot:
    """Our record with values read beforehand: what an export mapper gets as its source.

    A many2one gives the record it points to, of which only the key is known unless it is read.

    Args:
        record: The record.
        values: What was read of it, relations as keys.
    """

    __slots__ = ("_name", "_values", "env", "id", "record")

    def __init__(self, record: Any, values: Mapping[str, Any]) -> None:
        self.record = record
        self.id = record.id
        self.env = record.env
        self._name = record._name
        self._values = values

    def __getitem__(self, name: str) -> Any:
        """Give a field; one that was not read beforehand is read through the record."""
        if name not in self._values:
            return self.record[name]
        value = self._values[name]
        relation = self.env[self._name].fields[name].relation
        if relation is None or value is None:
            return value
        return self.env[relation].browse(value)

    def __getattr__(self, name: str) -> Any:
        """Give a field as an attribute, or a method of the record."""
        if name in self._values:
            return self[name]
        return getattr(self.record, name)


@dataclass(slots=True)
class Conflict:
    """A field group that both sides changed.

    Attributes:
        group: The group.
        theirs: Their values, in their space.
        ours: Our values, in our space.
    """

    group: FieldGroup
    theirs: Image
    ours: Image

    @property
    def topic(self) -> str:
        """Names the group, the same each time."""
        return f"{'+'.join(sorted(self.group.ours))}~{'+'.join(sorted(self.group.theirs))}"


@dataclass(slots=True, kw_only=True, eq=False)
class Item:
    """One record under way.

    Attributes:
        model: The binding model.
        external_id: Their ID; None for a record not exported yet.
        payload: Their record as read; None when it does not exist (any more).
        read_at: When the payload was read, by the leases' clock; None: after its lease was taken.
        force: True writes although nothing seems to have changed.
        binding: The binding, if there is one.
        ours: Our record's values as read; None when there is no record.
        record: Our record, for export mapping.
        pending: Open effects of ours that concern it.
        adopted: The effect whose record was found and is bound by this item.
        depends: Items of the page that must be done first, since they are new.
        level: How many rounds of dependencies come before it.
    """

    model: str
    external_id: str | None = None
    payload: Mapping[str, Any] | None = None
    read_at: Any = None
    force: bool = False
    binding: BindingRow | None = None
    ours: dict[str, Any] | None = None
    record: Any = None
    scope: str = ""
    pending: list[Intent] = field(default_factory=list)
    adopted: Intent | None = None
    depends: list["Item"] = field(default_factory=list)
    level: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class Operation:
    """What was decided for one item.

    Attributes:
        kind: ``create``, ``write``, ``keep`` (only images move), ``orphan`` (ours is gone), or what
            the policy makes of their deletion: ``archive``, ``delete``, ``forget``, ``ask``.
        values: Values for the side that is written.
        conflicts: Groups that a person must decide; their images stay.
        seen_external: Their image after the operation, as far as it is known before it.
        done_external: Their fields whose image moves to what the side shows after the write.
        done_internal: Our fields, likewise.
        reason: Why, for journal and plan.
        merged_sets: Image of the written side's sets, which is not simply what it shows.
        source: Image of our side that the values were mapped from, where it is not the present one.
    """

    item: Item
    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    agreed: list[FieldGroup] = field(default_factory=list)
    done_external: tuple[str, ...] = ()
    done_internal: tuple[str, ...] = ()
    reason: str = ""
    record_id: Any = None
    intent: Intent | None = None
    source: Image | None = None
    merged_sets: Image = field(default_factory=dict)
    answer: Any = None


def resolve(value: Any, made: Mapping[Ref, Any]) -> Any:
    """Put the keys of created records in the place of their references, in lists and tuples too.

    Raises:
        KeyError: When a reference's record was not created.
    """  # noqa: DOC502 - by the lookup
    if isinstance(value, Ref):
        return made[value]
    if isinstance(value, list):
        return [resolve(v, made) for v in value]
    if isinstance(value, tuple):
        return tuple(resolve(v, made) for v in value)
    return value


def storable_key(model: str, key: str) -> str:
    """Give an external ID back, if the databases can hold it.

    Raises:
        InvalidDataError: When none can.
    """
    if not is_storable(key):
        raise InvalidDataError(f"a {model} came whose ID {key!r} no database can hold")
    return key


def by_model(items: Iterable[Item]) -> list[tuple[str, list[Item]]]:
    """Put items of the same binding model together, in order of the models' names."""
    ordered = sorted(items, key=lambda i: i.model)
    return [(model, list(same)) for model, same in groupby(ordered, key=lambda i: i.model)]
