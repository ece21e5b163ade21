"""Records in the hub's own database: SQLAlchemy mapped classes behind the store seam."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, inspect, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Mapper, RelationshipDirection, RelationshipProperty, Session
from sqlalchemy.orm.util import identity_key

from isthmus.env import X2MANY, CreateSafety, Env, Field, Key, Record
from isthmus.env.domain import AllOf, leaves
from isthmus.errors import (
    ConfigurationError,
    MissingRecordError,
    OutsideError,
    RecordValueError,
    UnknownModelError,
)
from isthmus.store.sql.fields import fields_of
from isthmus.store.sql.insertion import Insertion
from isthmus.store.sql.query import Query

_GROUP: Final = 1_000
"""Records that are loaded together when one of them is looked at."""
_MANY: Final = 50
"""Records from which on their keys are drawn beforehand."""
_CHUNK: Final = 5_000
"""Keys in one IN list: SQLite takes 32,766 parameters, PostgreSQL 65,535."""


class SqlStore:
    """The store of mapped classes.

    Args:
        models: Mapped class by model name.
    """

    name = "sql"
    transactional = True
    synchronous = True
    create_safety = CreateSafety.NONE  # never asked: a create is part of the transaction

    def __init__(self, models: Mapping[str, type]) -> None:
        self._classes = dict(models)
        self.names: dict[type, str] = {cls: name for name, cls in models.items()}
        self._fields: dict[str, dict[str, Field]] = {}
        self._plans: dict[str, dict[str, tuple[str | None, str]]] = {}
        self._insertions: dict[str, Insertion | None] = {}
        self._query = Query(self.mapper, self.fields)

    # -- description -------------------------------------------------------------------

    def models(self) -> Collection[str]:
        """List the names of the models that live here."""
        return self._classes.keys()

    def place(self) -> str:
        """Say that the records are in our database."""
        return "our SQL database"

    def mapped(self, model: str) -> Any:
        """Give the mapped class of a model.

        Raises:
            UnknownModelError: When no such model lives here.
        """
        try:
            return self._classes[model]
        except KeyError:
            raise UnknownModelError(model, self._classes) from None

    def mapper(self, model: str) -> Mapper[Any]:
        """Give the SQLAlchemy mapper of a model."""
        mapper: Mapper[Any] = self.mapped(model).__mapper__
        return mapper

    def fields(self, model: str) -> Mapping[str, Field]:
        """Tell a model's fields by name.

        Raises:
            ConfigurationError: When the table has a primary key of several columns.
        """
        if model not in self._fields:
            mapper = self.mapper(model)
            if len(mapper.primary_key) != 1:
                raise ConfigurationError(
                    f"model {model!r} ({mapper.class_.__name__}) has a primary key of several columns; "
                    f"a record needs a single one"
                )
            self._fields[model] = fields_of(mapper, self.names)
        return self._fields[model]

    def is_described(self, model: str) -> bool:  # noqa: ARG002 - the seam's signature
        """Tell that nobody is asked."""
        return True

    def key(self, model: str, text: str) -> Key:
        """Turn the text form of a key back into the key."""
        kind = self.mapper(model).primary_key[0].type.python_type
        return kind(text) if kind in {int, UUID} else text

    # -- reading -----------------------------------------------------------------------

    def search(
        self, env: Env, model: str, domain: AllOf, *, order: str | None, limit: int | None, offset: int
    ) -> list[Key]:
        """Find keys, in order."""
        statement = select(self._key(model)).where(*self._where(env, model, domain))
        statement = statement.order_by(*self._query.order(model, order))
        if limit is not None:
            statement = statement.limit(limit)
        if offset:
            statement = statement.offset(offset)
        return list(env.session.scalars(statement))

    def search_count(self, env: Env, model: str, domain: AllOf) -> int:
        """Count what `search` would find."""
        statement = (
            select(func.count()).select_from(self.mapped(model)).where(*self._where(env, model, domain))
        )
        return int(env.session.scalar(statement) or 0)

    def _where(self, env: Env, model: str, domain: AllOf) -> list[Any]:
        conditions: list[Any] = [self._query.where(model, domain)]
        active = self.fields(model).get("active")
        hides = active is not None and active.type == "boolean" and env.ctx.get("active_test", True)
        if hides and not any(leaf.path[0] == "active" for leaf in leaves(domain)):
            conditions.append(self.mapped(model).active.is_(True))
        polymorphic = self.mapper(model).polymorphic_identity
        if polymorphic is not None and self.mapper(model).inherits is not None:
            conditions.append(self.mapper(model).polymorphic_on == polymorphic)
        return conditions

    def _key(self, model: str) -> Any:
        mapper = self.mapper(model)
        return getattr(mapper.class_, mapper.get_property_by_column(mapper.primary_key[0]).key)

    def _attribute(self, model: str, field: str) -> Any:
        attribute = getattr(self.mapped(model), field)
        if isinstance(attribute.property, RelationshipProperty):
            column = next(iter(attribute.property.local_columns))
            return getattr(self.mapped(model), self.mapper(model).get_property_by_column(column).key)
        return attribute

    def read(
        self, env: Env, model: str, ids: Sequence[Key], fields: Sequence[str], *, lock: bool = False
    ) -> list[dict[str, Any]]:
        """Read values, in the order of *ids*; missing records are left out.

        With *lock* nobody else writes the rows until the transaction ends.
        """
        described = self.fields(model)
        plain = [f for f in fields if described[f].type not in X2MANY]
        columns = [self._attribute(model, f) for f in plain]
        key = self._key(model)
        session = env.session
        rows: dict[Key, dict[str, Any]] = {}
        for chunk in _chunks(ids):
            statement = select(key, *columns).where(key.in_(chunk)).order_by(key)
            for row in session.execute(statement.with_for_update() if lock else statement):
                rows[row[0]] = {"id": row[0], **dict(zip(plain, row[1:], strict=True))}
        for field in fields:
            if described[field].type in X2MANY:
                self._read_many(session, model, field, rows)
        return [rows[i] for i in ids if i in rows]

    def _read_many(self, session: Session, model: str, field: str, rows: dict[Key, dict[str, Any]]) -> None:
        relation = getattr(self.mapped(model), field)
        target = relation.property.mapper
        key, other = self._key(model), target.primary_key[0]
        for row in rows.values():
            row[field] = []
        for chunk in _chunks(list(rows)):
            statement = select(key, other).join(relation).where(key.in_(chunk)).order_by(key, other)
            for owner, member in session.execute(statement):
                rows[owner][field].append(member)

    def load(self, env: Env, model: str, ids: Sequence[Key]) -> dict[Key, Any]:
        """Load instances by one statement per 5,000 keys, so that later access needs none.

        Returns:
            The instances by key; keep them while they shall stay loaded.
        """
        key, session = self._key(model), env.session
        found: dict[Key, Any] = {}
        for chunk in _chunks(ids):
            for instance in session.scalars(select(self.mapped(model)).where(key.in_(chunk))):
                found[getattr(instance, key.key)] = instance
        return found

    def instance(self, record: Record) -> Any:
        """Give the mapped instance behind a record.

        Raises:
            MissingRecordError: When the record does not exist.
            OutsideError: When it would have to be read inside ``env.outside()``.
        """  # noqa: DOC502 - raised by what is called
        handle = record._handle
        env = record.env
        epoch = env.transaction.epoch
        if handle is not None and handle[0] is epoch and (env.is_outside or not _is_expired(handle[1])):
            return handle[1]
        if record._group is not None and not env.is_outside:
            self._load_group(record)
        instance = self._get(env, record._name, record.id)
        if instance is None:
            raise MissingRecordError(f"{record!r} does not exist (any more)")
        record._handle = (epoch, instance)
        return instance

    def _load_group(self, record: Record) -> None:
        """Load a record and those it was found with by one statement, unless it is loaded."""
        env, cls = record.env, self.mapped(record._name)
        known = env.session.identity_map.get(identity_key(cls, record.id))
        if known is not None and not _is_expired(known):
            return
        group = list(record._group or ())
        start = group.index(record.id) if record.id in group else 0
        # The session forgets what nobody holds: the newest group is kept.
        env.memo[self, record._name] = self.load(env, record._name, group[start : start + _GROUP])

    def _get(self, env: Env, model: str, key: Key) -> Any:
        session = env.transaction.session
        try:
            return session.get(self.mapped(model), key)
        except InvalidRequestError as exc:
            if not env.is_outside:
                raise
            raise OutsideError(
                f"{model}({key!r}) is not loaded and cannot be read inside env.outside()"
            ) from exc

    def get(self, record: Record, field: str) -> Any:
        """Read one field of one record.

        Raises:
            OutsideError: When it is not loaded and the env is outside its transaction.
            InvalidRequestError: SQLAlchemy's own, elsewhere.
        """
        if not record.env.is_outside:
            record.env.transaction.session  # noqa: B018 - begins a transaction; expired values need one
        instance = self.instance(record)
        described = self.fields(record._name)[field]
        try:
            many = described.type in X2MANY
            value = getattr(instance, field if many else self._attribute(record._name, field).key)
        except InvalidRequestError as exc:
            if not record.env.is_outside:
                raise
            raise OutsideError(
                f"{record!r}.{field} is not loaded and cannot be read inside env.outside()"
            ) from exc
        if many:
            mapper = getattr(type(instance), field).property.mapper
            return [mapper.primary_key_from_instance(child)[0] for child in value]
        return value

    # -- writing -----------------------------------------------------------------------

    def set(self, record: Record, field: str, value: Any) -> None:
        """Assign one field of one record."""
        self.write(record.env, record._name, [record.id], {field: value})

    def create(self, env: Env, model: str, values: Sequence[Mapping[str, Any]]) -> list[Key]:
        """Create records by one flush; events follow it."""
        session, cls = env.session, self.mapped(model)
        setter = self._setter(env, model)
        instances = []
        for row in values:
            instance = cls()
            for field, value in row.items():
                setter(instance, field, value)
            instances.append(instance)
        key = self._key(model).key
        if len(instances) == 1 and self._insert(env, model, instances[0]):
            return [getattr(instances[0], key)]
        if len(instances) >= _MANY:
            self._number(session, model, [i for i in instances if getattr(i, key) is None])
        session.add_all(instances)
        session.flush()
        return [getattr(i, key) for i in instances]

    def _insert(self, env: Env, model: str, instance: Any) -> bool:
        """Insert a single record without a flush, where that comes to the same."""
        if model not in self._insertions:
            self._insertions[model] = Insertion.of(self.mapper(model))
        insertion = self._insertions[model]
        transaction: Any = env.transaction
        return insertion is not None and transaction.insert(insertion, instance)

    def _number(self, session: Session, model: str, instances: Sequence[Any]) -> None:
        """Draw the keys of a bulk beforehand, where a sequence makes them.

        PostgreSQL then takes the rows by executemany; telling the key of each row costs three times as long.
        """
        column = self.mapper(model).primary_key[0]
        dialect = session.get_bind().dialect
        if dialect.name != "postgresql" or column.identity is not None:
            return
        table = dialect.identifier_preparer.format_table(column.table)
        name = func.pg_get_serial_sequence(table, column.name)
        if not instances or session.scalar(select(name)) is None:
            return
        numbers = select(func.nextval(name)).select_from(func.generate_series(1, len(instances)))
        key = self._key(model).key
        for instance, number in zip(instances, session.scalars(numbers), strict=True):
            setattr(instance, key, number)

    def write(self, env: Env, model: str, ids: Sequence[Key], values: Mapping[str, Any]) -> None:
        """Write the same values to records.

        Raises:
            MissingRecordError: When one does not exist.
        """  # noqa: DOC502 - raised by what is called
        env.session  # noqa: B018 - refuses outside, begins the transaction
        setter = self._setter(env, model)
        for instance in self._instances(env, model, ids):
            for field, value in values.items():
                setter(instance, field, value)
        if any(self.fields(model)[field].type in X2MANY for field in values):
            env.flush()  # what a command list created needs its key to be read

    def unlink(self, env: Env, model: str, ids: Sequence[Key]) -> None:
        """Delete records; their unlink events come first.

        Raises:
            MissingRecordError: When one does not exist.
        """  # noqa: DOC502 - raised by what is called
        session = env.session
        for instance in self._instances(env, model, ids):
            session.delete(instance)
        session.flush()

    def _instances(self, env: Env, model: str, ids: Sequence[Key]) -> list[Any]:
        one = len(ids) == 1
        found = {ids[0]: self._get(env, model, ids[0])} if one else self.load(env, model, ids)
        gone = [i for i in ids if found.get(i) is None]
        if gone:
            raise MissingRecordError(f"{model} {', '.join(map(str, gone))} does not exist (any more)")
        return [found[i] for i in ids]

    def _setter(self, env: Env, model: str) -> Callable[[Any, str, Any], None]:
        plan = self._plans.get(model)
        if plan is None:
            plan = self._plans[model] = {
                name: (None if field.type in X2MANY else self._attribute_key(model, name), field.type)
                for name, field in self.fields(model).items()
            }

        def assign(instance: Any, field: str, value: Any) -> None:
            attribute, kind = plan[field]
            if attribute is None:
                self._assign_many(env, model, instance, field, value)
            else:
                setattr(instance, attribute, _checked(model, field, kind, value))

        return assign

    def _attribute_key(self, model: str, field: str) -> str:
        if self.fields(model)[field].readonly and field in self.mapper(model).relationships:
            relation = self.mapper(model).relationships[field]
            if relation.direction is RelationshipDirection.MANYTOONE:
                return str(self._attribute(model, field).key)
        return field

    def _assign_many(self, env: Env, model: str, instance: Any, field: str, value: Any) -> None:
        """Take a list of keys, or Odoo's command list."""
        target = getattr(self.mapped(model), field).property.mapper.class_
        collection = getattr(instance, field)
        if not any(isinstance(item, (tuple, list)) for item in value or ()):
            value = [(6, 0, list(value or ()))]
        for command in value:
            code, key, rest = (*command, None, None)[:3]
            if code == 0:
                line_model = self.names.get(target)
                child = target()
                for name, item in (rest or {}).items():
                    if line_model:
                        self._setter(env, line_model)(child, name, item)
                    else:
                        setattr(child, name, item)
                collection.append(child)
            elif code == 6:
                keep = [self._member(env, target, k) for k in rest or ()]
                collection[:] = keep
            elif code == 5:
                collection.clear()
            elif code == 4:
                child = self._member(env, target, key)
                if child not in collection:
                    collection.append(child)
            else:
                child = self._member(env, target, key)
                if code == 1:
                    for name, item in (rest or {}).items():
                        setattr(child, name, item)
                elif code in {2, 3} and child in collection:
                    collection.remove(child)
                    if code == 2:
                        env.session.delete(child)

    def _member(self, env: Env, target: type, key: Key) -> Any:
        child = env.session.get(target, key)
        if child is None:
            raise MissingRecordError(
                f"{self.names.get(target, target.__name__)}({key!r}) does not exist (any more)"
            )
        return child


def _checked(model: str, field: str, kind: str, value: Any) -> Any:
    """Refuse what the database would refuse later, or silently change.

    Raises:
        RecordValueError: Names the model and the field.
    """
    if value is False and kind != "boolean":
        return None  # Odoo's empty value
    if kind == "datetime" and value is not None:
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise RecordValueError(f"{model}.{field} takes an aware datetime, not {value!r}")
    elif (
        kind == "date" and value is not None and (not isinstance(value, date) or isinstance(value, datetime))
    ):
        raise RecordValueError(f"{model}.{field} takes a date, not {value!r}")
    elif kind in {"char", "text", "html"} and value is not None:
        if not isinstance(value, str):
            raise RecordValueError(f"{model}.{field} takes text, not {type(value).__name__}")
        if "\x00" in value:
            raise RecordValueError(f"{model}.{field} cannot hold the character NUL")
    elif kind in {"integer", "boolean"} and value is not None and not isinstance(value, int):
        raise RecordValueError(f"{model}.{field} takes {kind}, not {value!r}")
    return value


def _is_expired(instance: Any) -> bool:
    return bool(inspect(instance).expired)


def _chunks(ids: Iterable[Key]) -> Iterable[list[Key]]:
    keys = list(ids)
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]
