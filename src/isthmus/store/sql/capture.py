"""What a flush really changed, told to the listeners after it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from weakref import WeakSet

from sqlalchemy import delete, event, inspect, select
from sqlalchemy.orm import Mapper, ORMExecuteState, RelationshipProperty, Session
from sqlalchemy.orm.base import PASSIVE_NO_INITIALIZE

from isthmus.env import ChangedFields, Env
from isthmus.errors import TransactionError

ROUNDS: Final = 50
"""Deliveries in a row before listeners that never come to rest are an error."""

Kind = Literal["create", "write", "unlink"]


@dataclass(frozen=True, slots=True)
class Change:
    """One record's change in one flush."""

    kind: Kind
    model: str
    key: Any
    fields: ChangedFields
    ctx: Mapping[str, Any]
    instance: Any = None
    """The mapped instance of a deleted record: its loaded values stay readable."""


_watched: "WeakSet[type]" = WeakSet()


def watch(cls: type) -> None:
    """Let SQLAlchemy remember old values of a mapped class, also of expired attributes."""
    if cls in _watched:
        return
    _watched.add(cls)
    mapper: Mapper[Any] = inspect(cls)
    for attribute in mapper.column_attrs:
        event.listen(getattr(cls, attribute.key), "set", _noop, active_history=True)


def _noop(*_: Any) -> None:
    """Be a listener: only its ``active_history`` matters."""


class Capture:
    """Collects and delivers the changes of one session.

    Args:
        env: Gives the env whose listeners hear of them.
        names: Model name of each mapped class.
        heard: Tells whether a model has any listener at all; others cost nothing.
    """

    def __init__(
        self, env: Callable[[], Env], names: Mapping[type, str], heard: Callable[[str], bool]
    ) -> None:
        self._env = env
        self._names = names
        self._heard = heard
        self._pending: list[Change] = []
        self._announced: set[int] = set()
        self._delivering = False

    def attach(self, listen: Callable[[str, Callable[..., Any]], None]) -> None:
        """Listen to a session; *listen* takes the name of an event and its handler."""
        listen("after_flush", self._after_flush)
        listen("do_orm_execute", self._bulk)

    def model_of(self, entity: type) -> str | None:
        """Give the model of a mapped class, if listeners want to hear of it."""
        name = self._names.get(entity)
        return name if name is not None and self._heard(name) else None

    # -- collecting --------------------------------------------------------------------

    def announce_deletes(self, session: Session) -> None:
        """Deliver ``on_record_unlink`` of the objects that the next flush deletes, just before they go."""
        doomed = [*session.deleted, *(i for i in session.dirty if _is_orphan(i))]
        changes = []
        for instance in doomed:
            model = self.model_of(type(instance))
            if model is not None and id(instance) not in self._announced:
                self._announced.add(id(instance))
                changes.append(self._unlinked(model, instance))
        if changes:
            self._tell_now(session, changes)

    def _tell_now(self, session: Session, changes: list[Change]) -> None:
        """Tell of deletions while the records are still there, also from within a listener."""
        self.deliver(session)
        # A query of a listener must not flush the very deletion that it is told of.
        with session.no_autoflush:
            self._tell(changes)

    def _unlinked(self, model: str, instance: Any) -> Change:
        key = inspect(instance).mapper.primary_key_from_instance(instance)[0]
        return Change("unlink", model, key, ChangedFields({}), self._env().ctx, instance)

    def _after_flush(self, session: Session, context: Any) -> None:
        ctx = self._env().ctx
        for instance in session.new:
            model = self.model_of(type(instance))
            if model is not None:
                self._pending.append(_created(model, instance, ctx))
        deleted = {state for state, (is_delete, listed) in context.states.items() if is_delete and not listed}
        for instance in session.dirty:
            model = self.model_of(type(instance))
            if model is not None and inspect(instance) not in deleted:
                change = _written(model, instance, ctx)
                if change is not None:
                    self._pending.append(change)
        for state in deleted:
            # Not announced: an application's own session, whose flush nobody precedes.
            model = self.model_of(state.class_)
            instance = state.obj()
            if model is not None and instance is not None and id(instance) not in self._announced:
                self._pending.append(self._unlinked(model, instance))
        self._announced.clear()

    def _bulk(self, state: ORMExecuteState) -> Any:
        mapper = state.bind_mapper
        if mapper is None or not (state.is_update or state.is_delete or state.is_insert):
            return None
        model = self.model_of(mapper.class_)
        if model is None:
            return None
        if state.is_insert:
            return self._bulk_insert(state, model, mapper)
        return self._bulk_change(state, model, mapper)

    def _bulk_insert(self, state: ORMExecuteState, model: str, mapper: Mapper[Any]) -> Any:
        if state.statement._returning:  # type: ignore[attr-defined]  # no public reader
            raise TransactionError(
                f"a bulk insert of {model} with its own RETURNING cannot be observed: leave it out, "
                f"or use env[{model!r}].create()"
            )
        result = state.invoke_statement(statement=state.statement.returning(mapper.primary_key[0]))  # type: ignore[attr-defined]
        frozen = result.freeze()
        given = state.parameters or ()
        names = {n for row in ([given] if isinstance(given, Mapping) else given) for n in row}
        self.inserted(model, frozen().scalars(), names)
        return frozen()

    def _bulk_change(self, state: ORMExecuteState, model: str, mapper: Mapper[Any]) -> Any:
        session, statement = state.session, state.statement
        key = mapper.primary_key[0]
        attributes = list(mapper.column_attrs)
        columns = [getattr(mapper.class_, a.key) for a in attributes]
        rows = select(key, *columns)
        where = statement.whereclause  # type: ignore[attr-defined]  # update and delete have it
        before = {r[0]: r[1:] for r in session.execute(rows if where is None else rows.where(where))}
        ctx = self._env().ctx
        if isinstance(statement, type(delete(mapper.class_))):
            self._tell_now(session, [Change("unlink", model, k, ChangedFields({}), ctx) for k in before])
            return state.invoke_statement()
        result = state.invoke_statement()
        after = {r[0]: r[1:] for r in session.execute(rows.where(key.in_(list(before))))} if before else {}
        for record_id, old in before.items():
            new = after.get(record_id, old)
            changed = {a.key: o for a, o, n in zip(attributes, old, new, strict=True) if o != n}
            if changed:
                self._pending.append(Change("write", model, record_id, ChangedFields(changed), ctx))
        return result

    def touch(self, model: str, ids: Iterable[Any]) -> None:
        """Take in changes that were made behind the session's back; which fields is unknown."""
        if not self._heard(model):
            return
        ctx = self._env().ctx
        names = frozenset(self._env()[model].fields)
        self._pending += [Change("write", model, key, ChangedFields({}, names), ctx) for key in ids]

    def inserted(self, model: str, ids: Iterable[Any], fields: Iterable[str]) -> None:
        """Take in records that were inserted as rows."""
        if self._heard(model):
            changed, ctx = ChangedFields({}, frozenset(fields)), self._env().ctx
            self._pending += [Change("create", model, key, changed, ctx) for key in ids]

    def created(self, instance: Any) -> None:
        """Take in a record that was inserted without a flush."""
        model = self.model_of(type(instance))
        if model is not None:
            self._pending.append(_created(model, instance, self._env().ctx))

    # -- delivering --------------------------------------------------------------------

    @property
    def pending(self) -> bool:
        """True while collected changes wait for delivery."""
        return bool(self._pending)

    def deliver(self, session: Session) -> None:
        """Tell the listeners, round after round, until nothing new has changed.

        Raises:
            TransactionError: When listeners still cause changes after 50 rounds; names the models.
        """
        if self._delivering:
            return
        self._delivering = True
        try:
            for _ in range(ROUNDS):
                batch, self._pending = self._pending, []
                if not batch:
                    return
                self._tell(batch)
                session.flush()
            if self._pending:
                models = sorted({c.model for c in self._pending})
                raise TransactionError(
                    f"listeners still change {', '.join(models)} after {ROUNDS} rounds; "
                    f"one of them writes what another one undoes"
                )
        finally:
            self._delivering = False

    def _tell(self, batch: list[Change]) -> None:
        env = self._env()
        collected: dict[Any, Any] = {}
        before = env._ctx
        with env.inside("a listener"):
            try:
                for change in batch:
                    env._ctx = change.ctx
                    # One collecting for all records of a bulk.
                    place = (change.kind, change.model, id(change.ctx))
                    record = env[change.model].browse(change.key)
                    if place not in collected:
                        collected[place] = record.event(f"on_record_{change.kind}")
                    if change.kind == "unlink":
                        if change.instance is not None:
                            record._handle = (env.transaction.epoch, change.instance)
                        collected[place].notify(record)
                    else:
                        collected[place].notify(record, change.fields)
            finally:
                env._ctx = before

    def keep(self, count: int) -> None:
        """Drop what was collected after the first *count* changes: a savepoint was undone."""
        del self._pending[count:]

    def __len__(self) -> int:
        """Tell how many changes wait for delivery."""
        return len(self._pending)

    def forget(self) -> None:
        """Drop what was collected: the transaction was rolled back."""
        self._pending.clear()
        self._announced.clear()


def _created(model: str, instance: Any, ctx: Mapping[str, Any]) -> Change:
    state = inspect(instance)
    given = frozenset(k for k, v in state.dict.items() if v is not None and k in state.mapper.attrs)
    return Change(
        "create", model, state.mapper.primary_key_from_instance(instance)[0], ChangedFields({}, given), ctx
    )


def _written(model: str, instance: Any, ctx: Mapping[str, Any]) -> Change | None:
    state = inspect(instance)
    old: dict[str, Any] = {}
    names: set[str] = set()  # a list that was never loaded has changed, but from what is not known
    for attribute in state.mapper.attrs:
        if attribute.key not in state.committed_state and not isinstance(attribute, RelationshipProperty):
            continue
        history = state.get_history(attribute.key, PASSIVE_NO_INITIALIZE)
        if not history.has_changes():
            continue
        if isinstance(attribute, RelationshipProperty):
            if attribute.uselist:
                names.add(attribute.key)
            if attribute.uselist and attribute.key in state.dict:
                old[attribute.key] = [
                    attribute.mapper.primary_key_from_instance(o)[0]
                    for o in (*history.unchanged, *history.deleted)
                ]
            continue
        before = history.deleted[0] if history.deleted else None
        if history.deleted and history.added and before == history.added[0]:
            continue
        old[attribute.key] = before
    if not old and not names:
        return None
    key = state.mapper.primary_key_from_instance(instance)[0]
    return Change("write", model, key, ChangedFields(old, frozenset(old) | names), ctx)


def _is_orphan(instance: Any) -> bool:
    """Tell whether a flush deletes an object because it left its parent (``delete-orphan``)."""
    state = inspect(instance)
    mapper = state.mapper
    return bool(mapper._delete_orphans) and bool(mapper._is_orphan(state))
