"""A connector of one page: things and kinds on a server that is an object of this process."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.adapter import CRUDAdapter
from isthmus.backend import Backend, create_key_file
from isthmus.binding import Binding
from isthmus.env import CreateSafety, Env, ModelExtension, Store
from isthmus.errors import IDMissingInBackend, InvalidDataError
from isthmus.hub import Hub
from isthmus.job import State
from isthmus.mapping import ExportMapper, ImportMapper, external_to_m2o, m2o_to_external
from isthmus.settings import Settings
from isthmus.store.sql import SqlModel, make_engine
from isthmus.sync import (
    Dependency,
    ExportListener,
    Inbox,
    Item,
    JournalEntry,
    RecordExporter,
    RecordImporter,
    Report,
)
from isthmus.testing import FrozenClock

ALL = ("active", "in", [True, False])

# --- our side --------------------------------------------------------------------------


def _now() -> datetime:
    return datetime.now(UTC)


class Kind(SqlModel):
    """What things are of."""

    __tablename__ = "unit_sync_kind"
    _name = "unit.kind"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    create_date: Mapped[datetime] = mapped_column(default=_now)
    write_date: Mapped[datetime] = mapped_column(default=_now, onupdate=_now)


class Thing(SqlModel):
    """A record with a parent, a kind, and fields that go both ways, in only, and out only."""

    __tablename__ = "unit_sync_thing"
    _name = "unit.thing"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    note: Mapped[str | None]
    amount: Mapped[int] = mapped_column(default=0)
    colour: Mapped[str | None]
    code: Mapped[str | None] = mapped_column(unique=True)
    active: Mapped[bool] = mapped_column(default=True)
    create_date: Mapped[datetime] = mapped_column(default=_now)
    write_date: Mapped[datetime] = mapped_column(default=_now, onupdate=_now)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("unit_sync_thing.id"))
    kind_id: Mapped[int | None] = mapped_column(ForeignKey("unit_sync_kind.id"))


# --- the server ------------------------------------------------------------------------


class MemoryServer:
    """Their side: records by model and ID, with faults on demand.

    Attributes:
        create_safety: What its adapters declare.
        answers_records: False answers a create by the ID and a write by nothing.
        calls: (method, model, ID) of each call, in order.
    """

    def __init__(self) -> None:
        self.create_safety = CreateSafety.PROBE
        self.answers_records = True
        self.calls: list[tuple[str, str, str | None]] = []
        self.on_call: Callable[[str, str, str | None], None] = lambda *_: None
        self._records: dict[str, dict[str, dict[str, Any]]] = {"memory.kind": {}, "memory.thing": {}}
        self._keys: dict[str, str] = {}
        self._faults: deque[tuple[str, Exception, bool]] = deque()
        self._last = 100

    # What people there do.

    def put(self, model: str, external_id: str, **values: Any) -> dict[str, Any]:
        record = self._records[model].setdefault(external_id, {"id": external_id})
        record |= values
        return dict(record)

    def thing(self, external_id: str, **values: Any) -> dict[str, Any]:
        usual = {"title": f"Thing {external_id}", "text": None, "qty": 0, "closed": False}
        known = self._records["memory.thing"].get(external_id, {})
        return self.put(
            "memory.thing", external_id, **{**usual, "parent": None, "kind": None, **known, **values}
        )

    def kind(self, external_id: str, title: str = "A kind") -> dict[str, Any]:
        return self.put("memory.kind", external_id, title=title)

    def remove(self, external_id: str, model: str = "memory.thing") -> None:
        del self._records[model][external_id]

    def all(self, model: str = "memory.thing") -> list[dict[str, Any]]:
        return [dict(record) for record in self._records[model].values()]

    def shown(self, external_id: str, model: str = "memory.thing") -> dict[str, Any]:
        return dict(self._records[model][external_id])

    def count(self, method: str) -> int:
        return sum(call[0] == method for call in self.calls)

    # What goes wrong.

    def fail(self, method: str, error: Exception, *, applied: bool = False) -> None:
        """Let the next call of a method raise, after it took effect or without any."""
        self._faults.append((method, error, applied))

    # What its API does.

    def call(self, method: str, model: str, external_id: str | None, action: Callable[[], Any]) -> Any:
        self.calls.append((method, model, external_id))
        self.on_call(method, model, external_id)
        for fault in self._faults:
            if fault[0] == method:
                self._faults.remove(fault)
                if fault[2]:
                    action()
                raise fault[1]
        return action()

    def read(self, model: str, external_id: str) -> dict[str, Any]:
        if external_id not in self._records[model]:
            raise IDMissingInBackend(f"{model} {external_id} is not there")
        return dict(self._records[model][external_id])

    def create(self, model: str, values: Mapping[str, Any], key: str | None) -> dict[str, Any]:
        if self.create_safety is CreateSafety.NATIVE_KEY and key in self._keys:
            return self.read(model, self._keys[str(key)])
        self._last += 1
        external_id = str(self._last)
        usual = {} if model == "memory.kind" else {"text": None, "qty": 0, "closed": False, "parent": None}
        self._records[model][external_id] = {"id": external_id, **usual, **self._normal(values)}
        if key is not None and self.create_safety is not CreateSafety.NONE:
            self._records[model][external_id]["key"] = key
            self._keys.setdefault(key, external_id)
        return self.read(model, external_id)

    def write(self, model: str, external_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        self.read(model, external_id)
        self._records[model][external_id] |= self._normal(values)
        return self.read(model, external_id)

    def delete(self, model: str, external_id: str) -> None:
        self.read(model, external_id)
        del self._records[model][external_id]

    @staticmethod
    def _normal(values: Mapping[str, Any]) -> dict[str, Any]:
        """Trim texts, and refuse a title that is empty: as servers do."""
        normal = {k: v.strip() if isinstance(v, str) else v for k, v in values.items()}
        if normal.get("title", "x") == "":
            raise InvalidDataError("a title is required")
        return normal


SERVERS: dict[str, MemoryServer] = {}
"""By URL of their backend."""


# --- the connector ---------------------------------------------------------------------


class MemoryBackend(Backend):
    """A server in this process."""

    _name = "memory.backend"
    _extends = ("connector.backend",)
    _credentials = ("token",)
    _options = {"export_domain": {}, "on_external_delete": "archive", "on_record_delete": "archive"}
    __mapper_args__ = {"polymorphic_identity": "memory.backend"}


class MemoryKind(Binding):
    __tablename__ = "unit_sync_memory_kind"
    _name = "memory.kind"
    _binds = "unit.kind"


class MemoryThing(Binding):
    __tablename__ = "unit_sync_memory_thing"
    _name = "memory.thing"
    _binds = "unit.thing"


class MemoryBackendMethods(ModelExtension):
    _inherit = "memory.backend"

    @contextmanager
    def work_on(self, model_name: str, **extra: Any) -> Iterator[Any]:
        server = SERVERS[self["url"]]  # type: ignore[index]
        with super().work_on(model_name, server=server, **extra) as work:  # type: ignore[misc]
            yield work


class MemoryAdapter(CRUDAdapter):
    _name = "memory.adapter"
    _collection = "memory.backend"
    _apply_on = ("memory.kind", "memory.thing")

    @property
    def create_safety(self) -> CreateSafety:  # type: ignore[override]
        return self.work.server.create_safety

    def _call(self, method: str, external_id: str | None, action: Callable[[], Any]) -> Any:
        self.env.external_call(f"{method} {self.model.name} {external_id}")
        return self.work.server.call(method, self.model.name, external_id, action)

    def read(self, external_id: str, fields: Any = None) -> Any:
        return self._call("read", external_id, lambda: self.work.server.read(self.model.name, external_id))

    def create(self, values: Mapping[str, Any], *, key: str | None = None) -> Any:
        server = self.work.server
        made = self._call("create", None, lambda: server.create(self.model.name, values, key))
        return made if server.answers_records else made["id"]

    def write(self, external_id: str, values: Mapping[str, Any]) -> Any:
        server = self.work.server
        made = self._call("write", external_id, lambda: server.write(self.model.name, external_id, values))
        return made if server.answers_records else None

    def delete(self, external_id: str) -> None:
        server = self.work.server
        self._call("delete", external_id, lambda: server.delete(self.model.name, external_id))

    def find_created(self, key: str, values: Mapping[str, Any], since: datetime) -> list[Any]:
        server = self.work.server
        found = self._call("find_created", None, lambda: server.all(self.model.name))
        return [record for record in found if record.get("key") == key]

    def creation_key(self, payload: Mapping[str, Any]) -> str | None:
        return payload.get("key")


class KindImportMapper(ImportMapper):
    _name = "memory.kind.import.mapper"
    _collection = "memory.backend"
    _apply_on = "memory.kind"
    direct = [("title", "name")]


class KindExportMapper(ExportMapper):
    _name = "memory.kind.export.mapper"
    _collection = "memory.backend"
    _apply_on = "memory.kind"
    direct = [("name", "title")]


class ThingImportMapper(ImportMapper):
    _name = "memory.thing.import.mapper"
    _collection = "memory.backend"
    _apply_on = "memory.thing"
    direct = [
        ("title", "name"),
        ("text", "note"),
        ("qty", "amount"),
        ("colour", "colour"),
        (external_to_m2o("parent", "memory.thing"), "parent_id"),
        (external_to_m2o("kind", "memory.kind"), "kind_id"),
    ]


class ThingExportMapper(ExportMapper):
    _name = "memory.thing.export.mapper"
    _collection = "memory.backend"
    _apply_on = "memory.thing"
    direct = [
        ("name", "title"),
        ("note", "text"),
        ("amount", "qty"),
        ("code", "code"),
        (m2o_to_external("parent_id", "memory.thing"), "parent"),
        (m2o_to_external("kind_id", "memory.kind"), "kind"),
    ]


class KindImporter(RecordImporter):
    _name = "memory.kind.importer"
    _inherit = "base.record.importer"
    _collection = "memory.backend"
    _apply_on = "memory.kind"


class ThingImporter(RecordImporter):
    _name = "memory.thing.importer"
    _inherit = "base.record.importer"
    _collection = "memory.backend"
    _apply_on = "memory.thing"

    def _import_dependencies(self, item: Item) -> Iterable[Dependency]:
        yield Dependency("memory.thing", item.payload.get("parent"))
        yield Dependency("memory.kind", item.payload.get("kind"))


class ThingExporter(RecordExporter):
    _name = "memory.thing.exporter"
    _inherit = "base.record.exporter"
    _collection = "memory.backend"
    _apply_on = "memory.thing"

    def _export_dependencies(self, item: Item) -> Iterable[Dependency]:
        yield from self._export_dependency(item.record["parent_id"], "memory.thing")
        yield from self._export_dependency(item.record["kind_id"], "memory.kind")


class ThingListener(ExportListener):
    _name = "memory.thing.listener"
    _inherit = "base.export.listener"
    _apply_on = "unit.thing"
    _binding_model = "memory.thing"
    _backend_model = "memory.backend"


MODELS = {cls._name: cls for cls in (Kind, Thing, MemoryBackend, MemoryKind, MemoryThing)}
COMPONENTS = (
    MemoryAdapter, KindImportMapper, KindExportMapper, ThingImportMapper, ThingExportMapper, KindImporter,
    ThingImporter, ThingExporter, ThingListener,
)  # fmt: skip


def make_tables(url: str) -> None:
    """Bring a database to the schema, with our own tables beside it."""
    with Hub(Settings(database_url=url, plugins=(), models=())) as hub:
        hub.upgrade()
    engine = make_engine(url)
    SqlModel.metadata.create_all(
        engine, tables=[cls.__table__ for cls in MODELS.values() if cls is not MemoryBackend]
    )
    engine.dispose()


# --- both sides ------------------------------------------------------------------------


class TwoSides:
    """A hub with one backend, and the server it talks to."""

    def __init__(
        self,
        url: str,
        folder: Path,
        *components: type,
        extensions: Iterable[type] = (),
        clock: FrozenClock | None = None,
        stores: Iterable[Store] = (),
    ) -> None:
        self.server = MemoryServer()
        self.clock = clock or FrozenClock()
        self.stores = list(stores)
        self.address = f"memory://{len(SERVERS)}"
        SERVERS[self.address] = self.server
        create_key_file(folder / "isthmus.key")
        self.folder = folder
        self.settings = Settings(database_url=url, key_file=folder / "isthmus.key", plugins=(), models=())
        self.hub = self.another_hub(*components, extensions=extensions)
        with self.hub.env(user="admin") as env:
            values = {"name": "main", "url": self.address, "lease_s": 30.0, "quiet_s": 60.0}
            self.backend_id = env["memory.backend"].create(values).id

    def another_hub(self, *components: type, extensions: Iterable[type] = ()) -> Hub:
        """Make one more hub over the same database: another process, as far as leases go."""
        away = {name for store in self.stores for name in store.models()}
        return Hub(
            self.settings,
            plugins=[],
            models={name: cls for name, cls in MODELS.items() if name not in away},
            stores=self.stores,
            components=[*COMPONENTS, *components],
            extensions=[MemoryBackendMethods, *extensions],
            clock=self.clock,
        )

    def backend(self, env: Env) -> Any:
        return env["memory.backend"].browse(self.backend_id)

    def set(self, **values: Any) -> None:
        """Set columns and options of the backend."""
        with self.hub.env() as env:
            columns = {k: v for k, v in values.items() if k in env["memory.backend"].fields}
            backend = self.backend(env)
            backend.write(columns)
            backend.set_options({k: v for k, v in values.items() if k not in columns})

    # -- runs --------------------------------------------------------------------------

    @contextmanager
    def work(self, model: str = "memory.thing", hub: Hub | None = None) -> Iterator[Any]:
        with (hub or self.hub).env(user="anna") as env, self.backend(env).work_on(model) as work:
            yield work

    def imports(
        self, *ids: str, model: str = "memory.thing", hub: Hub | None = None, **options: Any
    ) -> Report:
        with self.work(model, hub) as work:
            return work.component(usage="record.importer").run_ids(list(ids), **options)

    def lists(self, *payloads: Any, read_at: Any = None, hub: Hub | None = None, **options: Any) -> Report:
        """Import what a listing has read."""
        with self.work("memory.thing", hub) as work:
            moment = read_at or work.env.locks.now() + timedelta(microseconds=1)
            return work.component(usage="record.importer").run_page(payloads, read_at=moment, **options)

    def exports(self, binding_id: int, model: str = "memory.thing", hub: Hub | None = None) -> Report:
        with self.work(model, hub) as work:
            binding = work.env[model].browse(binding_id)
            return work.component(usage="record.exporter").run(binding)

    def jobs(self, rounds: int = 20) -> int:
        """Run all jobs, also those for later; tells how many."""
        ran = 0
        for _ in range(rounds):
            ran += self.hub.queue.run_pending()
            if not self.hub.queue.counts()[State.PENDING]:
                break
            self.clock.advance(timedelta(seconds=60))
        return ran

    # -- our side ----------------------------------------------------------------------

    def create(self, model: str = "unit.thing", **values: Any) -> Any:
        with self.hub.env(user="anna") as env:
            return env[model].create(values).id

    def write(self, record_id: Any, model: str = "unit.thing", **values: Any) -> None:
        with self.hub.env(user="anna") as env:
            env[model].write([record_id], values)

    def unlink(self, record_id: Any) -> None:
        with self.hub.env(user="anna") as env:
            env["unit.thing"].unlink([record_id])

    def ours(self, model: str = "unit.thing", **equal: Any) -> list[dict[str, Any]]:
        with self.hub.env(readonly=True) as env:
            records = env[model]
            domain = [(name, "=", value) for name, value in equal.items()]
            domain += [ALL] if "active" in records.fields else []
            found = records.search(domain, order="id")
            return records.read([r.id for r in found], list(records.fields))

    def one(self, **equal: Any) -> dict[str, Any]:
        (found,) = self.ours(**equal)
        return found

    def bind(self, record_id: Any, model: str = "memory.thing", **values: Any) -> int:
        """Bind a record that is to be exported."""
        with self.hub.env() as env:
            given = {"backend_id": self.backend_id, "record_id": str(record_id), **values}
            return env[model].create(given).id

    def linked(self, external_id: str, **values: Any) -> dict[str, Any]:
        """Import a thing and give our record of it."""
        self.server.thing(external_id, **values)
        self.imports(external_id)
        record_id = self.binding(external_id)["record_id"]
        return self.one(id=int(record_id))

    # -- what is kept ------------------------------------------------------------------

    def bindings(self, model: str = "memory.thing") -> list[dict[str, Any]]:
        with self.hub.env(readonly=True) as env:
            found = env[model].search([], order="id")
            return env[model].read([b.id for b in found], list(env[model].own_fields))

    def binding(self, external_id: str, model: str = "memory.thing") -> dict[str, Any]:
        (found,) = [b for b in self.bindings(model) if b["external_id"] == external_id]
        return found

    def inbox(self, state: str | None = "open") -> list[dict[str, Any]]:
        with self.hub.env(readonly=True) as env:
            return Inbox(env).list(state)

    def item(self) -> dict[str, Any]:
        """Give the one open item of the inbox, opened."""
        (row,) = self.inbox()
        with self.hub.env(readonly=True) as env:
            return Inbox(env).show(row["id"])

    def resolve(self, choice: Any) -> str:
        """Resolve the one open item."""
        (row,) = self.inbox()
        with self.hub.env(user="anna") as env:
            return Inbox(env).resolve(row["id"], choice)

    def effects(self, *states: str) -> list[dict[str, Any]]:
        with self.hub.env(readonly=True) as env:
            rows = env["isthmus.effect"].search(
                [("state", "in", states)] if states else [], order="created_at"
            )
            fields = ["kind", "state", "target", "record_id", "external_id", "sealed_values"]
            return env["isthmus.effect"].read([r.id for r in rows], fields)

    def journal(self) -> list[JournalEntry]:
        with self.hub.env(readonly=True) as env:
            rows = list(env.session.scalars(select(JournalEntry).order_by(JournalEntry.id)))
            env.session.expunge_all()
            return rows

    def pending(self) -> Counter[str]:
        """Count the waiting jobs by method and external ID or record."""
        return Counter(job.method for job in self.hub.queue.list(state="pending"))
