"""The queue for Prometheus: what the database holds, and what this worker's processes have counted."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Self
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry
from sqlalchemy import Engine

from isthmus.errors import DatabaseBusyError
from isthmus.job.desk.address import THIS_MACHINE, Address
from isthmus.job.desk.overview import LaneLoad, Overview, SlotUse, WorkerSeen
from isthmus.job.desk.tally import Spread, Tally
from isthmus.job.lane.lanes import Lanes
from isthmus.job.moves import Times
from isthmus.store.sql.engine import READONLY

STATES: Final = ("waiting", "later", "held", "running", "failed")
"""How jobs are counted: could be run, at their time, when others have ended, being run, failed."""

_FRESH_S: Final = 5.0
"""Seconds for which what was read from the database is told again."""
_SHARE: Final = 20
"""Reading takes at most one part in so many of the time, however large the queue is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The queue at one moment, as the database has it.

    Attributes:
        lanes: What there is to do in each lane.
        ages: Age in seconds of the oldest job of each that could be run.
        slots: Who holds the places of lanes with a capacity.
        capacities: The capacities of lanes that have one.
        workers: The workers.
    """

    lanes: list[LaneLoad]
    ages: dict[str, float]
    slots: dict[str, SlotUse]
    capacities: dict[str, int]
    workers: list[WorkerSeen]


class Reader:
    """Reads the queue's standing, and not more often than is bearable.

    Args:
        engine: The hub's engine.
        times: Whose time counts.
        lanes: The rules of lanes.
    """

    def __init__(self, engine: Engine, times: Times, lanes: Lanes) -> None:
        self._engine = engine
        self._overview = Overview(engine, times)
        self._lanes = lanes
        self._lock = threading.Lock()
        self._found: Standing | None = None
        self._good_until = 0.0
        self._known: set[str] = set()

    def read(self) -> Standing | None:
        """Tell how the queue stands, or stood some seconds ago; None while the database is away."""
        with self._lock:
            began = time.monotonic()
            if began >= self._good_until:
                try:
                    self._found = self._look()
                except DatabaseBusyError:
                    self._found = None
                now = time.monotonic()
                self._good_until = now + max(_FRESH_S, (now - began) * _SHARE)
            return self._found

    def _look(self) -> Standing:
        loads = {load.lane: load for load in self._overview.lanes()}
        with self._engine.execution_options(**{READONLY: True}).begin() as connection:
            self._lanes.refresh(connection)
        slots, now = self._overview.slots(), self._overview.now()
        # A lane that has run empty has 0: without a value an alarm would go on with the last one.
        self._known.update(loads)
        for name in self._known - set(loads):
            loads[name] = LaneLoad(lane=name)
        rules = self._lanes.rules
        limited = {*rules.settings, *rules.set_now, *loads, *slots}
        capacities = {name: rules.rule(name).capacity for name in sorted(limited)}
        return Standing(
            lanes=[loads[name] for name in sorted(loads)],
            ages={
                name: max((now - load.oldest).total_seconds(), 0.0) if load.oldest else 0.0
                for name, load in loads.items()
            },
            slots=slots,
            capacities={name: most for name, most in capacities.items() if most is not None},
            workers=self._overview.workers(),
        )


class QueueCollector(Collector):
    """Gives the metrics, each time it is asked.

    Args:
        read: Tells how the queue stands; None when the database is away.
        tally: Tells what the processes have counted.
    """

    def __init__(self, read: Callable[[], Standing | None], tally: Callable[[], Tally]) -> None:
        self._read = read
        self._tally = tally

    def describe(self) -> list[Metric]:
        """Give nothing: registering it shall not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give everything."""
        standing = self._read()
        up = GaugeMetricFamily(
            "isthmus_database_up", "1 when the database answered, else 0: what it would tell is left out."
        )
        up.add_metric([], float(standing is not None))
        yield up
        if standing is not None:
            yield from _standing(standing)
        yield from _counted(self._tally())


def _standing(standing: Standing) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("isthmus_jobs", "Jobs that have not ended.", labels=["lane", "state"])
    ages = GaugeMetricFamily(
        "isthmus_oldest_job_age_seconds", "Age of the oldest job that could be run.", labels=["lane"]
    )
    for load in standing.lanes:
        counts = (load.ready, load.later, load.held, load.running, load.failed)
        for state, count in zip(STATES, counts, strict=True):
            jobs.add_metric([load.lane, state], count)
        ages.add_metric([load.lane], standing.ages[load.lane])
    used = GaugeMetricFamily("isthmus_lane_slots_used", "Places of a lane that are held.", labels=["lane"])
    most = GaugeMetricFamily("isthmus_lane_slots_capacity", "Places that a lane has.", labels=["lane"])
    for lane, capacity in standing.capacities.items():
        use = standing.slots.get(lane)
        used.add_metric([lane], len(use.holders) if use else 0)
        most.add_metric([lane], capacity)
    workers = GaugeMetricFamily(
        "isthmus_workers", "Processes that claim jobs: alive, leaving, or gone.", labels=["state"]
    )
    for state in ("alive", "leaving", "gone"):
        workers.add_metric([state], sum(_state_of(worker) == state for worker in standing.workers))
    threads = GaugeMetricFamily("isthmus_worker_threads", "Jobs that live workers can run at a time.")
    threads.add_metric([], sum(worker.threads for worker in standing.workers if _state_of(worker) == "alive"))
    yield from (jobs, ages, used, most, workers, threads)


def _state_of(worker: WorkerSeen) -> str:
    return "gone" if not worker.alive else "leaving" if worker.leaving else "alive"


def _counted(tally: Tally) -> Iterator[Metric]:
    finished = CounterMetricFamily(
        "isthmus_jobs_finished", "Executions that this worker has ended.", labels=["lane", "outcome"]
    )
    for (lane, outcome), count in sorted(tally.finished.items()):
        finished.add_metric([lane, outcome], count)
    failures = CounterMetricFamily(
        "isthmus_job_failures", "Errors of executions, also of those that are tried again.", labels=["type"]
    )
    for name, count in sorted(tally.failures.items()):
        failures.add_metric([name], count)
    run = HistogramMetricFamily("isthmus_job_seconds", "How long executions took.")
    wait = HistogramMetricFamily(
        "isthmus_job_wait_seconds", "Time from the delaying of jobs to their first execution, of a sample."
    )
    for family, spread in ((run, tally.run), (wait, tally.wait)):
        family.add_metric([], _buckets(spread), spread.total)
    yield from (finished, failures, run, wait)


def _buckets(spread: Spread) -> list[Any]:
    told, below = [], 0
    for end, count in zip([*map(str, spread.ends), "+Inf"], spread.counts, strict=True):
        below += count
        told.append([end, below])
    return told


class MetricsServer:
    """Serves metrics over HTTP while its ``with`` block runs.

    Args:
        collector: What is served.
        address: Where it listens.
    """

    def __init__(self, collector: QueueCollector, address: Address = THIS_MACHINE) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(collector)
        self._address = address
        self._server: WSGIServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin to listen.

        Raises:
            UsageError: When the address cannot be listened on, mostly because another does.
        """  # noqa: DOC502 - made by the address
        try:
            self._server, self._thread = start_http_server(
                self._address.port, self._address.host, self._registry
            )
        except OSError as exc:
            raise self._address.refused("--metrics", exc) from exc
        # Where it was free to choose, it has chosen.
        self._address = self._address._replace(port=self._server.server_port)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    @property
    def url(self) -> str:
        """Where the metrics are."""
        return f"{self._address.url}/metrics"
