"""Which line of ours a line of theirs is: by natural key, by binding, or not at all."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from isthmus.errors import MappingError
from isthmus.mapping.record import MapRecord
from isthmus.mapping.trouble import complaint, external_id_of


@dataclass(frozen=True, slots=True)
class Line:
    """A line of ours.

    Attributes:
        id: Its key.
        record: The line itself; None when only its key is known.
    """

    id: Any
    record: Any


class NewLines:
    """Nothing tells which line is which: lines can only be created."""

    moved: tuple[Any, ...] = ()

    def __init__(self, existing: list[Any], mapper: Any) -> None:
        self._existing = existing
        self._mapper = mapper

    def take(self, map_record: MapRecord) -> Line | None:
        """Say that a line is new.

        Raises:
            MappingError: When the parent has lines already, so that creating would double them.
        """
        if self._existing:
            raise MappingError(_unrecognisable(self._mapper, map_record))
        return None

    def left(self) -> list[Any]:
        """Give the keys of all lines of ours: an empty payload needs no recognising."""
        return [line.id for line in self._existing]


class KeyedLines:
    """Lines that some of their own fields tell apart; equal ones are taken in their order."""

    moved: tuple[Any, ...] = ()

    def __init__(self, existing: list[Any], mapper: Any) -> None:
        self._key = tuple(mapper._map_child_key)
        self._mapper = mapper
        self._waiting: dict[tuple[Any, ...], deque[Any]] = {}
        for line in existing:
            key = tuple(_comparable(line[name]) for name in self._key)
            self._waiting.setdefault(key, deque()).append(line)

    def has_key(self, values: dict[str, Any]) -> bool:
        """Tell whether the values have every field of the key."""
        return all(name in values for name in self._key)

    def take(self, map_record: MapRecord, values: dict[str, Any]) -> Line | None:
        """Take the next line of ours that has the key of these values.

        Raises:
            MappingError: When the values lack a field of the key.
        """
        missing = [name for name in self._key if name not in values]
        if missing:
            what = f"_map_child_key names {missing[0]!r}, which was not mapped"
            raise MappingError(complaint(self._mapper, what, at=map_record))
        waiting = self._waiting.get(tuple(_comparable(values[name]) for name in self._key))
        if not waiting:
            return None
        line = waiting.popleft()
        return Line(line.id, line)

    def left(self) -> list[Any]:
        """Give the keys of the lines of ours that nobody took."""
        return [line.id for lines in self._waiting.values() for line in lines]


class BoundLines:
    """Lines that have external IDs.

    Attributes:
        moved: Keys of lines taken that belonged to another parent.
    """

    def __init__(self, existing: list[Any], mapper: Any, binder: Any, *, unwrap: bool) -> None:
        """Compare with *existing*; *unwrap* when they are the bound records, not the bindings."""
        self._existing = {line.id: line for line in existing}
        self._mapper = mapper
        self._binder = binder
        self._unwrap = unwrap
        self._seen: set[str] = set()
        self._taken: set[Any] = set()
        self.moved: list[Any] = []

    def take(self, map_record: MapRecord) -> Line | None:
        """Take the line of ours that is bound to the item's external ID.

        Raises:
            MappingError: When an ID comes twice, or an item has none and lines exist.
        """
        external_id = external_id_of(self._mapper, map_record.source)
        if external_id is None:
            if self._existing:
                raise MappingError(_unrecognisable(self._mapper, map_record))
            return None
        text = str(external_id)
        if text in self._seen:
            raise MappingError(complaint(self._mapper, "the payload has this line twice", at=map_record))
        self._seen.add(text)
        found = self._binder.to_internal(text, unwrap=self._unwrap)
        if found is None:
            return None
        self._taken.add(found.id)
        if found.id not in self._existing:
            self.moved.append(found.id)
        return Line(found.id, self._existing.get(found.id, found))

    def left(self) -> list[Any]:
        """Give the keys of lines of ours that are bound and that nobody took.

        A line without a binding was added on our side and waits for its export: it stays.
        """
        return [
            line_id
            for line_id, line in self._existing.items()
            if line_id not in self._taken and self._binder.to_external(line, wrap=self._unwrap) is not None
        ]


def _comparable(value: Any) -> Any:
    """Turn a record into its key, as mapped values have it."""
    return value.id if hasattr(value, "_name") and hasattr(value, "id") else value


def _unrecognisable(mapper: Any, map_record: MapRecord) -> str:
    what = (
        f"nothing tells which existing line this is; give the mapper _map_child_key = (field, ...), "
        f"or the payload {mapper._external_id_key!r} and the lines a binder"
    )
    return complaint(mapper, what, at=map_record)
