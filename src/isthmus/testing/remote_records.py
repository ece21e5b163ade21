"""The other side of `RemoteStore`: records in a second database, behind calls like Odoo's."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape, unescape
from typing import Any, Final

from sqlalchemy import Column, Integer, MetaData, String, Table, UniqueConstraint, delete, insert, select
from sqlalchemy.exc import IntegrityError

from isthmus.clock import Clock
from isthmus.component import ComponentRegistry
from isthmus.env import X2MANY, CreateSafety, Env, Field, Key, Model, ModelClasses, Record, Services
from isthmus.errors import RecordValueError, near
from isthmus.store.odoo.wire import from_wire, to_wire
from isthmus.store.sql import SqlStore, SqlTransaction, make_engine
from isthmus.testing.remote_faults import WRITES
from isthmus.testing.remote_wire import key_from_wire

_STAMPS: Final = ("create_date", "write_date")
_TAG: Final = re.compile(r"<[a-zA-Z/!]")

_created_key = Table(
    "remote_created_key",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("model", String, nullable=False),
    Column("key", String, nullable=False, index=True),
    Column("record", String, nullable=False, index=True),
    # Filled where a key may be used once only (``native_key``): two creates at once cannot both win.
    Column("once", String),
    UniqueConstraint("model", "once"),
)
"""The keys that records were created with, as Odoo keeps external IDs in a table of its own."""


@dataclass(frozen=True, slots=True)
class _Stopped:
    """The clock of one transaction: it stands at its start, as ``NOW()`` does in Odoo's database."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        raise NotImplementedError


class RemoteRecords:
    """What the server does for each call; every call is a transaction of its own.

    Args:
        database_url: The second database; its tables are made if they are missing.
        models: Mapped class by model name.
        create_safety: What a create does with a key of the client's.
        clock: Stamps ``create_date`` and ``write_date``.

    Attributes:
        methods: What can be called, by name.
    """

    def __init__(
        self,
        database_url: str,
        models: Mapping[str, type],
        *,
        create_safety: CreateSafety,
        clock: Clock,
    ) -> None:
        self.create_safety = create_safety
        self.clock = clock
        self.store = SqlStore(models)
        self._engine = make_engine(database_url)
        for table in _tables(models.values()):
            table.create(self._engine, checkfirst=True)
        _created_key.create(self._engine, checkfirst=True)
        self._services = Services(
            stores=dict.fromkeys(models, self.store),
            components=ComponentRegistry.build([]),
            clock=clock,
            classes=ModelClasses([], model=Model, record=Record, mapped=models),
            names=self.store.names,
        )
        self.methods: dict[str, Callable[..., Any]] = {
            "search": self._search,
            "search_count": self._search_count,
            "search_read": self._search_read,
            "read": self._read,
            "create": self._create,
            "write": self._write,
            "unlink": self._unlink,
            "fields_get": self._fields_get,
        }
        if create_safety is not CreateSafety.NONE:
            self.methods |= {"find_keys": self._find_keys, "keys_of": self._keys_of}

    @contextmanager
    def env(self, *, readonly: bool = False, at: datetime | None = None, **ctx: Any) -> Iterator[Env]:
        """Open a transaction on the second database, for a call or for a test that looks inside.

        Args:
            readonly: True when nothing is written.
            at: What the env takes for now; None asks the clock.
            **ctx: Context keys.
        """
        transaction = SqlTransaction(
            self._engine, names=self.store.names, heard=lambda _model: False, readonly=readonly
        )
        services = replace(self._services, clock=_Stopped(at or self.clock.now()))
        env = Env(services, transaction, ctx=ctx, readonly=readonly)
        transaction.bind(env)
        try:
            yield env
            transaction.commit()
        except BaseException:
            transaction.rollback()
            raise
        finally:
            transaction.close()

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def call(
        self, method: str, model: str, args: Mapping[str, Any], *, at: datetime, context: Mapping[str, Any]
    ) -> Any:
        """Do one call in a transaction of its own.

        Args:
            method: One of `methods`.
            model: The model.
            args: The method's arguments, as they came over the wire.
            at: When the call came: the start of its transaction, and so its ``write_date``.
            context: Context keys.

        Raises:
            RecordValueError: When there is no such method.
            IntegrityError: When the database refuses values.
        """
        if method not in self.methods:
            raise RecordValueError(f"there is no method {method!r}{near(method, self.methods)}")
        for last in (False, True):
            try:
                with self.env(readonly=method not in WRITES, at=at, **context) as env:
                    return self.methods[method](env, model, **args)
            except IntegrityError:
                if last or not args.get("keys"):
                    raise
                # Somebody used a key at this very moment: now it is there.
        return None

    # -- methods -----------------------------------------------------------------------

    def _search(
        self, env: Env, model: str, domain: Sequence[Any] = (), order: str | None = None,
        limit: int | None = None, offset: int = 0,
    ) -> list[Any]:  # fmt: skip
        found = env[model].search(self._domain(model, domain), order=order, limit=limit, offset=offset)
        return [to_wire(record.id) for record in found]

    def _search_count(self, env: Env, model: str, domain: Sequence[Any] = ()) -> int:
        count: int = env[model].search_count(self._domain(model, domain))
        return count

    def _search_read(
        self, env: Env, model: str, domain: Sequence[Any], fields: Sequence[str], **page: Any
    ) -> list[Any]:
        return self._read(env, model, self._search(env, model, domain, **page), fields)

    def _read(self, env: Env, model: str, ids: Sequence[Any], fields: Sequence[str]) -> list[Any]:
        return [to_wire(row) for row in env[model].read(self._keys(model, ids), fields)]

    def _create(
        self, env: Env, model: str, values: Sequence[Mapping[str, Any]], keys: Sequence[str] | None = None
    ) -> list[Any]:
        rows = [self._values(model, row, env.now(), new=True) for row in values]
        if keys is None:
            return [to_wire(record.id) for record in env[model].create(rows)]
        if self.create_safety is CreateSafety.NONE or len(keys) != len(values):
            raise RecordValueError("create() takes one key per record, and none at all on this server")
        native = self.create_safety is CreateSafety.NATIVE_KEY
        known = self._find(env, model, keys) if native else {}
        fresh = {key: row for key, row in zip(keys, rows, strict=True) if key not in known}
        made = dict(zip(fresh, [r.id for r in env[model].create(list(fresh.values()))], strict=True))
        marks = [
            {"model": model, "key": key, "record": str(i), "once": key if native else None}
            for key, i in made.items()
        ]
        if marks:
            env.session.execute(insert(_created_key), marks)
        return [to_wire(made[key] if key in made else known[key][0]) for key in keys]

    def _write(self, env: Env, model: str, ids: Sequence[Any], values: Mapping[str, Any]) -> bool:
        env[model].write(self._keys(model, ids), self._values(model, values, env.now(), new=False))
        return True

    def _unlink(self, env: Env, model: str, ids: Sequence[Any]) -> bool:
        env[model].unlink(self._keys(model, ids))
        created = _created_key.c
        env.session.execute(
            delete(_created_key).where(created.model == model, created.record.in_([str(i) for i in ids]))
        )
        return True

    def _fields_get(self, env: Env, model: str) -> dict[str, Any]:
        """Describe fields by name; the key's field also tells its Python type."""
        kind = self.store.mapper(model).primary_key[0].type.python_type.__name__
        return {
            f.name: {"type": f.type, "relation": f.relation, "required": f.required, "readonly": f.readonly}
            | ({"key": kind} if f.name == self._key_field(model) else {})
            for f in env[model].fields.values()
        }

    def _find_keys(self, env: Env, model: str, keys: Sequence[str]) -> dict[str, list[Any]]:
        return {key: [to_wire(i) for i in ids] for key, ids in self._find(env, model, keys).items()}

    def _keys_of(self, env: Env, model: str, ids: Sequence[Any]) -> list[list[Any]]:
        created = _created_key.c
        statement = select(created.record, created.key).where(
            created.model == model, created.record.in_([str(i) for i in ids])
        )
        rows = env.session.execute(statement)
        return [[to_wire(self.store.key(model, record)), key] for record, key in rows]

    # -- translation -------------------------------------------------------------------

    def _find(self, env: Env, model: str, keys: Sequence[str]) -> dict[str, list[Key]]:
        statement = select(_created_key.c.key, _created_key.c.record).where(
            _created_key.c.model == model, _created_key.c.key.in_(list(keys))
        )
        found: dict[str, list[Key]] = {}
        for key, record in env.session.execute(statement.order_by(_created_key.c.id)):
            found.setdefault(key, []).append(self.store.key(model, record))
        return found

    def _key_field(self, model: str) -> str:
        mapper = self.store.mapper(model)
        return str(mapper.get_property_by_column(mapper.primary_key[0]).key)

    def _key(self, model: str, value: Any) -> Key:
        return key_from_wire(self.store.mapper(model).primary_key[0].type.python_type.__name__, value)

    def _keys(self, model: str, ids: Iterable[Any]) -> list[Key]:
        return [self._key(model, value) for value in ids]

    def _domain(self, model: str, domain: Sequence[Any]) -> list[Any]:
        return [self._term(model, token) if isinstance(token, list) else token for token in domain]

    def _term(self, model: str, token: list[Any]) -> Any:
        if len(token) != 3 or not isinstance(token[0], str):
            return token
        path, operator, value = token
        field: Field | None = None
        for name in path.split("."):
            field = self.store.fields(model).get(name) if model in self.store.models() else None
            if field is None:
                return token  # the search names what is wrong with it
            here, model = model, field.relation or ""
        if isinstance(value, list):
            return path, operator, [self._value(here, field, item, search=True) for item in value]
        return path, operator, self._value(here, field, value, search=True)

    def _value(self, model: str, field: Any, value: Any, *, search: bool = False) -> Any:
        if field.name == self._key_field(model):
            return None if value is False else self._key(model, value)
        known = field.relation in self.store.models()
        if field.type in X2MANY and not search:
            return [self._command(field, item) for item in value or ()]
        if field.relation is not None and known and value is not False and value is not None:
            return value if isinstance(value, str) and search else self._key(field.relation, value)
        if search or field.type in X2MANY:
            return value  # text stands for an instant in a domain, False for empty
        return from_wire(field, value)

    def _command(self, field: Field, item: Any) -> Any:
        if not isinstance(item, list):
            return self._key(str(field.relation), item)
        code, key, rest = (*item, None, None)[:3]
        if code in {0, 1} and isinstance(rest, Mapping):
            rest = self._plain(str(field.relation), rest)
        elif code == 6:
            rest = self._keys(str(field.relation), rest or ())
        return code, key if code in {0, 5, 6} else self._key(str(field.relation), key), rest

    def _plain(self, model: str, values: Mapping[str, Any]) -> dict[str, Any]:
        fields = self.store.fields(model)
        return {n: self._value(model, fields[n], v) if n in fields else v for n, v in values.items()}

    def _values(self, model: str, values: Mapping[str, Any], at: datetime, *, new: bool) -> dict[str, Any]:
        """Read the values of a create or write and bring them into the form that is kept.

        Raises:
            RecordValueError: When a required value is empty.
        """
        fields = self.store.fields(model)
        kept = {n: v for n, v in self._plain(model, values).items() if n not in _STAMPS}
        for name, value in kept.items():
            field = fields.get(name)
            if field is None:
                continue
            if value is None and field.required:
                raise RecordValueError(f"missing required value for the field {name!r} of {model}")
            if isinstance(value, str) and field.type == "html" and value and not _TAG.search(value):
                kept[name] = f"<p>{escape(unescape(value), quote=False)}</p>"
            elif isinstance(value, str) and name == "name":
                kept[name] = value.strip()
        stamps = _STAMPS if new else _STAMPS[1:]
        return kept | {name: at for name in stamps if name in fields}


def _tables(classes: Iterable[type]) -> list[Any]:
    """List the tables of mapped classes and of their many2many relations, those pointed to first."""
    tables: dict[Any, None] = {}
    for cls in classes:
        mapper: Any = cls.__mapper__  # type: ignore[attr-defined]  # a mapped class
        tables |= dict.fromkeys(mapper.tables)
        tables |= {r.secondary: None for r in mapper.relationships if r.secondary is not None}
    metadata = next(iter(tables)).metadata
    return [table for table in metadata.sorted_tables if table in tables]
