"""Importing records with their bindings, beside a Core bulk insert of the same rows.

The records come from memory by an adapter component, in pages of 500, through the importer that every
connector uses: leases, merge, images, journal. The insert that stands beside them writes the very rows that
the import left (records, bindings, journal), knows them all beforehand and does nothing else, in one
transaction.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from sqlalchemy import insert, select

from contest import Row, arguments, publish
from isthmus.adapter import CRUDAdapter
from isthmus.backend import Backend, create_key_file
from isthmus.binding import Binding
from isthmus.hub import Hub
from isthmus.mapping import ExportMapper, ImportMapper, mapping
from isthmus.models.project import Task
from isthmus.settings import Settings
from isthmus.store.sql import SqlModel
from isthmus.sync.table import JournalEntry
from isthmus.testing import Databases

PAGE = 500
CREATE = {"postgresql": 1 / 8, "sqlite": 1 / 15}
"""Share of the bulk insert's rate that a create shall reach."""
UNCHANGED = 5
"""How much faster than a create it shall be to see that nothing has changed."""


class BenchBackend(Backend):
    _name = "bench.backend"
    _extends = ("connector.backend",)
    __mapper_args__ = {"polymorphic_identity": "bench.backend"}


class BenchCard(Binding):
    __tablename__ = "bench_card"
    _name = "bench.card"
    _binds = "project.task"


class BenchAdapter(CRUDAdapter):
    _name = "bench.adapter"
    _collection = "bench.backend"
    _abstract = False


class BenchImportMapper(ImportMapper):
    _name = "bench.import.mapper"
    _inherit = "base.import.mapper"
    _collection = "bench.backend"
    direct = [("name", "name"), ("desc", "description"), ("pos", "sequence")]

    @mapping(reads=("closed",), writes=("active",))
    def active(self, payload: Any) -> dict[str, Any]:
        return {"active": not payload["closed"]}


class BenchExportMapper(ExportMapper):
    _name = "bench.export.mapper"
    _inherit = "base.export.mapper"
    _collection = "bench.backend"
    direct = [("name", "name"), ("description", "desc"), ("sequence", "pos")]

    @mapping(reads=("active",), writes=("closed",))
    def closed(self, task: Any) -> dict[str, Any]:
        return {"closed": not task["active"]}


def payloads(count: int, word: str) -> list[dict[str, Any]]:
    """Make *count* records as the other system would show them."""
    return [
        {
            "id": f"{number:024x}",
            "name": f"{word} card {number}",
            "desc": f"<p>What card {number} is about, in a line or two of text.</p>",
            "pos": number,
            "closed": number % 50 == 0,
            "url": f"https://example.org/c/{number}",
        }
        for number in range(1, count + 1)
    ]


@contextmanager
def hub_on(url: str, key_file: Path) -> Iterator[Hub]:
    """Make a hub with the benchmark's backend, on an empty database."""
    settings = Settings(database_url=url, key_file=key_file, plugins=())
    components = [BenchAdapter, BenchImportMapper, BenchExportMapper]
    models = {"bench.backend": BenchBackend, "bench.card": BenchCard}
    with Hub(settings, models=models, components=components) as hub:
        hub.upgrade()
        SqlModel.metadata.create_all(hub.engine, tables=[BenchCard.__table__])
        with hub.env() as env:
            env["bench.backend"].create({"name": "bench"})
        yield hub


def run(hub: Hub, records: list[dict[str, Any]], expected: str) -> float:
    """Import *records* page by page and give the seconds it took."""
    counts = 0
    began = perf_counter()
    with hub.env() as env:
        backend = env["bench.backend"].browse(1)
        with backend.work_on("bench.card") as work:
            importer = work.component(usage="record.importer")
            for start in range(0, len(records), PAGE):
                read_at = env.locks.now()
                report = importer.run_page(records[start : start + PAGE], read_at=read_at)
                counts += report.done[expected]
    seconds = perf_counter() - began
    if counts != len(records):
        raise RuntimeError(f"{counts} of {len(records)} records are {expected}")
    return seconds


def bulk_insert(hub: Hub) -> float:
    """Write the rows that an import has left once more, and give the seconds it took."""
    tables = [cls.__table__ for cls in (Task, BenchCard, JournalEntry)]
    with hub.engine.begin() as connection:
        rows = [
            [dict(row) for row in connection.execute(select(table).order_by(table.c.id)).mappings()]
            for table in tables
        ]
        for table in reversed(tables):
            connection.execute(table.delete())
    began = perf_counter()
    with hub.engine.begin() as connection:
        for table, found in zip(tables, rows, strict=True):
            connection.execute(insert(table), found)
    return perf_counter() - began


def measure(kind: str, databases: Databases, key_file: Path, count: int, rounds: int) -> list[Row]:
    """Run every pass *rounds* times, each round on a database of its own."""
    seconds: dict[str, list[float]] = {n: [] for n in ("bulk insert", "create", "unchanged", "update")}
    first, second = payloads(count, "a"), payloads(count, "another")
    for _ in range(rounds):
        with databases.fresh(kind) as url, hub_on(url, key_file) as hub:  # type: ignore[arg-type]
            seconds["create"].append(run(hub, first, "created"))
            seconds["bulk insert"].append(bulk_insert(hub))
            seconds["unchanged"].append(run(hub, first, "unchanged"))
            seconds["update"].append(run(hub, second, "updated"))
    rates = {name: count / median(found) for name, found in seconds.items()}
    core, create = rates["bulk insert"], rates["create"]
    return [
        Row(f"{kind}: create", create, "Core bulk insert", core, CREATE[kind]),
        Row(f"{kind}: update", rates["update"], "Core bulk insert", core),
        Row(f"{kind}: unchanged", rates["unchanged"], "create", create, UNCHANGED),
    ]


def main() -> None:
    """Measure on both databases and publish the table."""
    options = arguments(__doc__.splitlines()[0])
    count, rounds = (30, 1) if options.tiny else (10_000, 3)
    rows = []
    with tempfile.TemporaryDirectory() as folder, Databases(Path(folder)) as databases:
        key_file = Path(folder) / "isthmus.key"
        create_key_file(key_file)
        for kind in ("sqlite", "postgresql"):
            rows += measure(kind, databases, key_file, count, rounds)
    publish("import", f"{count:,} records with bindings, pages of {PAGE}", rows, options.results)


if __name__ == "__main__":
    os.environ.pop("ISTHMUS_DATABASE_URL", None)  # the databases are ours
    main()
