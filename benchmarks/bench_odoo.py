"""Importing tasks into an Odoo, beside a loop that creates them one by one through odoorpc.

The Odoo is a simulated one in a process of its own, whose every answer takes 5 ms at least. The records come
from memory by an adapter component, in pages of 500, through the importer that every connector uses: mapping,
leases, effects, `load`, what Odoo made of it read back, images, bindings and journal. The loop knows the
values beforehand, creates a sample of the same tasks, and remembers nothing. They run in turns, each on a
server of its own.
"""

import argparse
import gc
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any
from urllib.parse import urlsplit

import httpx2
import odoorpc

from contest import RESULTS, Row, publish
from isthmus.adapter import CRUDAdapter
from isthmus.backend import Backend, create_key_file
from isthmus.binding import Binding
from isthmus.hub import Hub
from isthmus.mapping import ExportMapper, ImportMapper, mapping
from isthmus.settings import Settings
from isthmus.store.sql import SqlModel
from isthmus.sync import ExportListener, service
from isthmus.testing import Databases

PAGE = 500
LATENCY_S = 0.005
CHANGED = 500
"""Tasks that a person changes at once, for the observer to find."""
_PATIENCE_S = 60.0
WANTED = 20
"""How much faster than the loop an import shall be."""

TASK = "project.task"
MODELS = ("project.project", "project.task.type", TASK)


class BenchBackend(Backend):
    _name = "bench.backend"
    _extends = ("connector.backend",)
    __mapper_args__ = {"polymorphic_identity": "bench.backend"}


class BenchCard(Binding):
    __tablename__ = "bench_card"
    _name = "bench.card"
    _binds = TASK


class BenchAdapter(CRUDAdapter):
    _name = "bench.adapter"
    _collection = "bench.backend"
    _abstract = False


class BenchImportMapper(ImportMapper):
    _name = "bench.import.mapper"
    _inherit = "base.import.mapper"
    _collection = "bench.backend"
    direct = [("name", "name"), ("text", "description"), ("position", "sequence")]

    @mapping(reads=("project", "stage"), writes=("project_id", "stage_id"))
    def place(self, payload: Any) -> dict[str, Any]:
        return {"project_id": payload["project"], "stage_id": payload["stage"]}

    @mapping(reads=("closed",), writes=("active",))
    def active(self, payload: Any) -> dict[str, Any]:
        return {"active": not payload["closed"]}

    @mapping(reads=("due",), writes=("date_deadline",))
    def deadline(self, payload: Any) -> dict[str, Any]:
        return {"date_deadline": datetime.fromisoformat(payload["due"]) if payload["due"] else None}


class BenchExportMapper(ExportMapper):
    _name = "bench.export.mapper"
    _inherit = "base.export.mapper"
    _collection = "bench.backend"
    direct = [("name", "name"), ("description", "text"), ("sequence", "position")]


class BenchListener(ExportListener):
    _name = "bench.listener"
    _inherit = "base.export.listener"
    _apply_on = TASK
    _binding_model = "bench.card"
    _backend_model = "bench.backend"


@dataclass
class Server:
    """A simulated Odoo in a process of its own.

    Attributes:
        url: Where it is.
        database: Its database.
        login: Its administrator.
        password: The administrator's password.
    """

    url: str
    database: str
    login: str
    password: str

    def control(self, verb: str, route: str, **values: Any) -> Any:
        """Use a control route: it has no latency and is not counted."""
        answer = httpx2.request(verb, f"{self.url}/_control/{route}", json=values, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def client(self) -> odoorpc.ODOO:
        """Log in with the other client."""
        address = urlsplit(self.url)
        odoo = odoorpc.ODOO(str(address.hostname), port=int(address.port or 0))
        odoo.login(self.database, self.login, self.password)
        return odoo


@contextmanager
def server() -> Iterator[Server]:
    """Start a server with nothing in it."""
    command = [sys.executable, "-m", "isthmus.simulators.odoo", "--latency-s", str(LATENCY_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = dict(process.stdout.readline().split(maxsplit=1) for _ in range(4))
            yield Server(**{name: value.strip() for name, value in told.items()})
        finally:
            process.terminate()


@dataclass(frozen=True)
class Place:
    """Where tasks go: a project with its stages, by their keys."""

    project: int
    stages: tuple[int, ...]

    @classmethod
    def make(cls, told: Server) -> "Place":
        """Make them."""
        odoo = told.client()
        project = odoo.env["project.project"].create({"name": "Bench"})
        stages = odoo.env["project.task.type"]
        return cls(
            project,
            tuple(stages.create({"name": name, "project_ids": [(6, 0, [project])]}) for name in "ABC"),
        )


def payloads(count: int, place: Place) -> list[dict[str, Any]]:
    """Make *count* records as the other system would show them."""
    return [
        {
            "id": f"{number:024x}",
            "name": f"Card {number}",
            "text": f"<p>What card {number} is about, in a line or two of text.</p>",
            "position": number,
            "project": place.project,
            "stage": place.stages[number % len(place.stages)],
            "due": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}T12:00:00+00:00"
            if number % 3 == 0
            else None,
            "closed": number % 50 == 0,
        }
        for number in range(1, count + 1)
    ]


class Spent:
    """The time that something takes: seconds that pass, and those of this process's processor."""

    def __init__(self) -> None:
        self.seconds, self.processor = -perf_counter(), -process_time()

    def end(self) -> None:
        """Stop the clocks."""
        self.seconds += perf_counter()
        self.processor += process_time()


# -- the loop ----------------------------------------------------------------------------


def by_hand(payload: dict[str, Any]) -> dict[str, Any]:
    """Write a task's values down as somebody would who knows the fields."""
    return {
        "name": payload["name"],
        "description": payload["text"],
        "sequence": payload["position"],
        "project_id": payload["project"],
        "stage_id": payload["stage"],
        "active": not payload["closed"],
        "date_deadline": (payload["due"] or "").replace("T", " ").removesuffix("+00:00") or False,
    }


def loop(told: Server, sample: int) -> Spent:
    """Create tasks one by one."""
    values = [by_hand(payload) for payload in payloads(sample, Place.make(told))]
    tasks = told.client().env[TASK]
    spent = Spent()
    made = [tasks.create(row) for row in values]
    spent.end()
    _expect(len(set(made)), sample, "tasks made one by one")
    return spent


# -- ours --------------------------------------------------------------------------------


@contextmanager
def hub_beside(told: Server, url: str, key_file: Path) -> Iterator[Hub]:
    """Make a hub whose tasks are in an Odoo, with the benchmark's backend."""
    settings = Settings(
        database_url=url, key_file=key_file, plugins=("odoo",), models=(),
        stores={"company": {"backend": "company", "models": MODELS, "lag": 1}},
    )  # fmt: skip
    components = [BenchAdapter, BenchImportMapper, BenchExportMapper, BenchListener]
    models = {"bench.backend": BenchBackend, "bench.card": BenchCard}
    with Hub(settings, models=models, components=components) as hub:
        hub.upgrade()
        SqlModel.metadata.create_all(hub.engine, tables=[BenchCard.__table__])
        with hub.env() as env:
            here = env["odoo.backend"].create({"name": "company", "url": told.url})
            here.set_credentials({"key": told.password})
            here.set_options({"database": told.database, "login": told.login})
            env["bench.backend"].create({"name": "bench"})
        yield hub


def import_pages(hub: Hub, records: Sequence[dict[str, Any]], expected: str) -> Spent:
    """Import records page by page."""
    done, spent = 0, Spent()
    with hub.env() as env:
        backend = service.get_backend(env, "bench")
        with backend.work_on("bench.card") as work:
            importer = work.component(usage="record.importer")
            for start in range(0, len(records), PAGE):
                page = records[start : start + PAGE]
                done += importer.run_page(page, read_at=env.locks.now()).done[expected]
    spent.end()
    _expect(done, len(records), f"tasks {expected}")
    return spent


def observe(hub: Hub, expected: int) -> float:
    """Look once for changes in Odoo, and give the seconds it took."""
    began = perf_counter()
    with hub.env() as env:
        report = service.observe_backend(env, service.get_backend(env, "bench"))
    seconds = perf_counter() - began
    _expect(report.done["observed"], expected, "changes observed")
    return seconds


def settle(hub: Hub, told: Server) -> None:
    """Poll until the window that is told again has passed: then it is one call."""
    began = perf_counter()
    while perf_counter() - began < _PATIENCE_S:
        observe(hub, 0)
        told.control("DELETE", "calls")
        observe(hub, 0)
        if len(told.control("GET", "calls")["calls"]) == 1:
            return
    raise RuntimeError("a poll with nothing new stays at more than one call")


# -- the contest -------------------------------------------------------------------------


class Contest:
    """Rates by name, a list of one per round.

    Args:
        count: Tasks to import.
        sample: Tasks that the loop creates.
        databases: Give each round a database of its own.
        key_file: The hub's key.
    """

    def __init__(self, count: int, sample: int, databases: Databases, key_file: Path) -> None:
        self._count = count
        self._sample = sample
        self._databases = databases
        self._key_file = key_file
        self.rates: dict[str, list[float]] = {}

    def _note(self, name: str, rate: float) -> None:
        self.rates.setdefault(name, []).append(rate)

    def _spent(self, name: str, count: int, spent: Spent) -> None:
        self._note(name, count / spent.seconds)
        self._note(f"{name}, processor", count / spent.processor)

    def run(self) -> None:
        """Run one round: the loop, then the import and what follows it."""
        with server() as told:
            self._spent("loop", self._sample, loop(told, self._sample))
        with ExitStack() as stack:
            told = stack.enter_context(server())
            url = stack.enter_context(self._databases.fresh("sqlite"))
            hub = stack.enter_context(hub_beside(told, url, self._key_file))
            count, records = self._count, payloads(self._count, Place.make(told))
            gc.freeze()  # as a worker does when it has started
            told.control("DELETE", "calls")
            self._spent("import", count, import_pages(hub, records, "created"))
            calls = told.control("GET", "calls")["calls"]
            loads = sum(call["method"] == "load" and call["model"] == TASK for call in calls)
            _expect(loads, -(-count // PAGE), f"calls of load for {count} tasks")
            self._note("calls", len(calls))
            self._spent("again", count, import_pages(hub, records, "unchanged"))
            self._poll(hub, told)

    def _poll(self, hub: Hub, told: Server) -> None:
        settle(hub, told)
        odoo = told.client()
        self._note("poll", 1 / median(observe(hub, 0) for _ in range(10)))
        self._note("search", 1 / median(_timed(lambda: empty_search(odoo)) for _ in range(10)))
        some = odoo.env[TASK].search([], limit=CHANGED)
        values = {"args": [some, {"name": "Renamed"}], "login": told.login}
        told.control("POST", "call", model=TASK, method="write", **values)
        self._note("observe", len(some) / observe(hub, len(some)))
        self._note("read", len(some) / _timed(lambda: read_one_by_one(odoo, some)))


def empty_search(odoo: odoorpc.ODOO) -> None:
    """Ask for what was written later than anything, as a loop would."""
    odoo.execute(TASK, "search_read", [("write_date", ">", "2099-01-01 00:00:00")], ["write_date"])


def read_one_by_one(odoo: odoorpc.ODOO, ids: Sequence[int]) -> None:
    """Read tasks one by one."""
    for key in ids:
        odoo.execute(TASK, "read", [key], ["name", "description", "stage_id", "project_id", "active"])


def _timed(work: Callable[[], None]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def _expect(found: int, wanted: int, what: str) -> None:
    if found != wanted:
        raise RuntimeError(f"{found} {what} instead of {wanted}")


def main() -> None:
    """Measure and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="only see that it runs: the figures say nothing")
    parser.add_argument("--quick", action="store_true", help="3,000 tasks")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for NAME.json")
    options = parser.parse_args()
    count, sample, rounds = 10_000, 500, 3
    if options.quick:
        count, sample = 3_000, 300
    if options.tiny:
        count, sample, rounds = 30, 10, 1
    with tempfile.TemporaryDirectory() as folder, Databases(Path(folder)) as databases:
        key_file = Path(folder) / "isthmus.key"
        create_key_file(key_file)
        contest = Contest(count, sample, databases, key_file)
        for _ in range(rounds):
            contest.run()
    rate = {name: median(found) for name, found in contest.rates.items()}
    each = f"odoorpc, one by one ({sample} of them)"
    rows = [
        Row(f"import, {rate['calls']:.0f} calls", rate["import"], each, rate["loop"], WANTED),
        Row("import, by our processor's time", rate["import, processor"], each, rate["loop, processor"]),
        Row("import, nothing changed", rate["again"], "import", rate["import"]),
        Row("poll, nothing new", rate["poll"], "odoorpc, an empty search", rate["search"]),
        Row(
            f"observe {min(CHANGED, count)} changed tasks",
            rate["observe"],
            "odoorpc, read one by one",
            rate["read"],
        ),
    ]
    title = f"{count:,} tasks into an Odoo that takes {LATENCY_S * 1_000:.0f} ms per request"
    publish("odoo", title, rows, options.results)


if __name__ == "__main__":
    os.environ.pop("ISTHMUS_DATABASE_URL", None)  # the databases are ours
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    main()
