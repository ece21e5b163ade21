"""Access to the records of one model in one env."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, overload

from isthmus.env.domain import Domain, parse
from isthmus.env.field import Field, Key
from isthmus.env.record import Record, relation_keys
from isthmus.errors import MissingRecordError, RecordValueError, UnknownFieldError


class Model:
    """A model's records, as `env[name]` gives it.

    Attributes:
        env: The unit of work.
        store: The store that holds the records.
    """

    def __init__(self, env: Any, name: str, store: Any, record_class: type[Record]) -> None:
        """Belong to *env*; made by the env only."""
        self.env = env
        self._name = name
        self.store = store
        self._record_class = record_class
        self._fields: Mapping[str, Field] | None = None

    @property
    def fields(self) -> Mapping[str, Field]:
        """What fields it has, by name; a remote store is asked when they are first needed."""
        # No cached_property: before Python 3.12 all models of all threads would wait for one that asks.
        if self._fields is None:
            if self.env.transaction.written and not self.store.is_described(self._name):
                self.env.external_call(f"read the fields of {self._name}")
            self._fields = self.store.fields(self._name)
        return self._fields

    def field(self, name: str) -> Field | None:
        """Give one of its fields; None when there is none of that name."""
        return self.fields.get(name)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    @overload
    def browse(self, ids: list[Key] | tuple[Key, ...]) -> list[Record]: ...
    @overload
    def browse(self, ids: Key) -> Record: ...
    def browse(self, ids: Any) -> Any:
        """Give the record of a key, or the records of a list of keys, without reading."""
        if isinstance(ids, (list, tuple)):
            return self._browse_all(ids)
        return self._record_class(self, ids)

    def _browse_all(self, ids: Sequence[Key]) -> list[Record]:
        group = list(ids)
        return [self._record_class(self, key, group) for key in group]

    def search(
        self, domain: Domain = (), *, order: str | None = None, limit: int | None = None, offset: int = 0
    ) -> list[Record]:
        """Find records.

        Args:
            domain: Which; empty takes all (but archived ones, unless the domain names
                ``active`` or the context has ``active_test=False``).
            order: Field names, each with an optional ``desc``, comma separated.
            limit: At most so many; None for all.
            offset: Leave out so many first.

        Raises:
            UnknownFieldError: When the domain or order names no field.
            DomainError: When the domain is malformed.
        """  # noqa: DOC502 - raised by what is called
        found = self.store.search(
            self.env, self._name, parse(domain), order=order, limit=limit, offset=offset
        )
        return self._browse_all(found)

    def search_count(self, domain: Domain = ()) -> int:
        """Count the records that `search` would find."""
        return int(self.store.search_count(self.env, self._name, parse(domain)))

    def read(
        self, ids: Sequence[Key], fields: Sequence[str], *, missing: Literal["skip", "raise"] = "skip"
    ) -> list[dict[str, Any]]:
        """Read plain values of many records at once.

        Args:
            ids: Keys; the rows come in this order.
            fields: Names; ``id`` is always there.
            missing: What to do about keys that have no record.

        Raises:
            UnknownFieldError: When a field does not exist.
            MissingRecordError: When *missing* is "raise" and a record is not there.
        """  # noqa: DOC502 - raised by what is called
        self.check_fields(fields)
        rows: list[dict[str, Any]] = self.store.read(self.env, self._name, list(ids), list(fields))
        if missing == "raise" and len(rows) < len(ids):
            gone = sorted(set(map(str, ids)) - {str(r["id"]) for r in rows})
            raise MissingRecordError(f"{self._name} {', '.join(gone)} does not exist (any more)")
        return rows

    @overload
    def create(self, values: Mapping[str, Any]) -> Record: ...
    @overload
    def create(self, values: list[Mapping[str, Any]] | list[dict[str, Any]]) -> list[Record]: ...
    def create(self, values: Any) -> Any:
        """Create one record from a mapping, or many from a list of mappings.

        Raises:
            UnknownFieldError: When a field does not exist.
            RecordValueError: When *values* is neither a mapping nor a list of them.
        """  # noqa: DOC502 - raised by what is called
        many = isinstance(values, (list, tuple))
        rows = list(values) if many else [values]
        self.env.check_writable(f"create of {self._name}")
        ids = self.store.create(self.env, self._name, [self._checked(row) for row in rows])
        return self.browse(ids) if many else self.browse(ids[0])

    def write(self, ids: Iterable[Key], values: Mapping[str, Any]) -> None:
        """Write the same values to many records.

        Raises:
            UnknownFieldError: When a field does not exist.
            MissingRecordError: When a record is not there.
        """  # noqa: DOC502 - raised by what is called
        self.env.check_writable(f"write of {self._name}")
        keys = list(ids)
        if keys and values:
            self.store.write(self.env, self._name, keys, self._checked(values))

    def unlink(self, ids: Iterable[Key]) -> None:
        """Delete records."""
        self.env.check_writable(f"unlink of {self._name}")
        keys = list(ids)
        if keys:
            self.store.unlink(self.env, self._name, keys)

    def exists(self, ids: Iterable[Key]) -> list[Record]:
        """Give those of the records that exist, in the same order."""
        rows = self.store.read(self.env, self._name, list(ids), [])
        return self._browse_all([row["id"] for row in rows])

    def with_delay(self, **options: Any) -> Any:
        """Give a proxy whose method calls on the model become jobs."""
        return self.env.delayer.with_delay(self, **options)

    def delayable(self, **options: Any) -> Any:
        """Give a proxy whose method call on the model is prepared, to be delayed later."""
        return self.env.delayer.delayable(self, **options)

    def check_fields(self, names: Iterable[str]) -> None:
        """Refuse names that are no fields.

        Raises:
            UnknownFieldError: For the first one; names near fields.
        """
        for name in names:
            if self.field(name) is None:
                raise UnknownFieldError(self._name, name, self.fields)

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(values, Mapping):
            raise RecordValueError(f"values of {self._name} must be a mapping, not {type(values).__name__}")
        self.check_fields(values)
        return {name: relation_keys(value) for name, value in values.items()}

    def __repr__(self) -> str:
        """Show the name."""
        return f"<model {self._name}>"
