"""The measurements, the same for every contestant."""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from time import perf_counter

from contestant import PICKUP, Contestant, Setup
from tally import Reader
from workers import Process, cpu_seconds, producing, working

Figures = dict[str, float]
"""What one run has found, by the name of the measure."""

_LONGEST_S = 180
_STALLED_S = 30
_NEARLY = 0.98
_FIRST_GUESS = 300
_MOST = 300_000


@dataclass(frozen=True)
class Budget:
    """How much is done.

    Attributes:
        seconds: How long one run shall last.
        jobs: Jobs of each run; None takes as many as fill the seconds.
        pickups: Jobs that an idle worker picks up.
        idle_s: How long a worker is watched doing nothing.
        bulk: Jobs of one call.
        done: Finished jobs in the grown table.
        future: Jobs of next month there.
    """

    seconds: float = 3.0
    jobs: int | None = None
    pickups: int = 200
    idle_s: float = 10.0
    bulk: int = 10_000
    done: int = 500_000
    future: int = 200_000


def wait(seconds: float) -> None:
    """Let so much time pass."""
    threading.Event().wait(seconds)


class Measure:
    """Runs contestants.

    Args:
        budget: How much is done.
        settle: Brings a contestant's database to rest after it was filled.
    """

    def __init__(self, budget: Budget, settle: Callable[[Contestant], None]) -> None:
        self.budget = budget
        self._settle = settle
        self._counts: dict[tuple[str, str, str, str], int] = {}

    # -- draining ----------------------------------------------------------------------

    def drain(self, contestant: Contestant, kind: str, setup: Setup) -> Figures:
        """Fill the table, let workers empty it, give the jobs per second.

        The clock runs from the first job that has run to the last one that is finished: how long a worker
        takes to start is no speed of a queue.
        """

        def play(count: int) -> tuple[int, float]:
            return self._drain(contestant, kind, setup, count)

        count = self._count(("drain", contestant.url, kind, str(setup)), play)
        jobs, seconds = play(count)
        return {"jobs/s": jobs / seconds}

    def _drain(self, contestant: Contestant, kind: str, setup: Setup, count: int) -> tuple[int, float]:
        contestant.clear()
        before = contestant.finished(kind)
        contestant.fill(kind, count)
        self._settle(contestant)
        with _folder() as folder:
            reader = Reader(folder)
            with working(contestant, kind, setup, folder) as processes:
                for process in processes:
                    process.go()
                jobs, seconds = _watch(contestant, reader, count, processes)
        after = contestant.finished(kind)
        if after is not None and before is not None and after - before != count:
            raise RuntimeError(f"{contestant.name}: {after - before} of {count} jobs ({kind}) ended well")
        return jobs, seconds

    def _count(self, key: tuple[str, str, str, str], play: Callable[[int], tuple[int, float]]) -> int:
        """Find out how many jobs last as long as a run shall; known after the first time."""
        if self.budget.jobs is not None:
            return self.budget.jobs
        if key not in self._counts:
            count, target = _FIRST_GUESS, self.budget.seconds
            while True:
                jobs, seconds = play(count)
                wanted = min(max(int(jobs / seconds * target), 100), _MOST)
                if seconds >= target / 4 or wanted <= count:
                    break
                count = min(wanted, count * 20)
            self._counts[key] = wanted
        return self._counts[key]

    # -- delaying ----------------------------------------------------------------------

    def enqueue(self, contestant: Contestant, kind: str, setup: Setup) -> Figures:  # noqa: ARG002
        """Delay jobs one by one on one connection, a commit each, no worker there."""

        def play(count: int) -> tuple[int, float]:
            contestant.clear()
            self._settle(contestant)
            with _folder() as folder, producing(contestant, "enqueue", folder, kind=kind, count=count) as one:
                one.go()
                return count, one.facts(_LONGEST_S)["seconds"]

        jobs, seconds = play(self._count(("enqueue", contestant.url, kind, ""), play))
        return {"jobs/s": jobs / seconds}

    def bulk(self, contestant: Contestant, kind: str, setup: Setup) -> Figures:  # noqa: ARG002
        """Delay many jobs in one call."""
        count = self.budget.bulk
        contestant.clear()
        self._settle(contestant)
        with _folder() as folder, producing(contestant, "bulk", folder, count=count) as one:
            one.go()
            return {"jobs/s": count / one.facts(_LONGEST_S)["seconds"]}

    # -- idle workers ------------------------------------------------------------------

    def pickup(self, contestant: Contestant, kind: str, setup: Setup) -> Figures:  # noqa: ARG002
        """Delay a job now and then, and give the milliseconds until the worker, idle each time, has begun it.

        Counted from the beginning of the call that delays it, and once more from its return: then the commit
        is not in it.
        """
        count = self.budget.pickups
        contestant.clear()
        self._settle(contestant)
        with _folder() as folder:
            reader = Reader(folder, count)
            with working(contestant, PICKUP, setup, folder) as processes:
                for process in processes:
                    process.go()
                with producing(contestant, "trickle", folder, kind=PICKUP, count=count) as one:
                    # One has been delayed by way of preparation.
                    _until(lambda: reader.picked_up()[0] > 0, processes)
                    wait(0.3)
                    one.go()
                    facts = one.facts(_LONGEST_S)
                    _until(lambda: reader.picked_up()[0] > facts["before"][0], processes)
                    _until(lambda: all(reader.picked_up()), processes)
            instants = reader.picked_up()
        from_call = [(at - since) / 1e6 for at, since in zip(instants, facts["before"], strict=True)]
        from_return = [(at - since) / 1e6 for at, since in zip(instants, facts["after"], strict=True)]
        return {
            "p50 ms": _percentile(from_call, 50),
            "p99 ms": _percentile(from_call, 99),
            "p50 ms from return": _percentile(from_return, 50),
            "p99 ms from return": _percentile(from_return, 99),
        }

    def idle(self, contestant: Contestant, kind: str, setup: Setup) -> Figures:  # noqa: ARG002
        """Give the share of a processor that a worker process takes while there is nothing to do."""
        contestant.clear()
        self._settle(contestant)
        with _folder() as folder, working(contestant, PICKUP, setup, folder) as processes:
            for process in processes:
                process.go()
            wait(min(2.0, self.budget.idle_s))
            began, used = perf_counter(), [cpu_seconds(process.pid) for process in processes]
            wait(self.budget.idle_s)
            seconds = perf_counter() - began
            shares = [
                (cpu_seconds(p.pid) - start) / seconds for p, start in zip(processes, used, strict=True)
            ]
        return {"% CPU": 100 * max(shares)}


def _watch(contestant: Contestant, reader: Reader, count: int, processes: list[Process]) -> tuple[int, float]:
    """Wait until the table is empty; give the jobs after the first look, and the seconds since."""
    _until(lambda: reader.ran() > 0, processes, every=0.001)
    already, began = reader.ran(), perf_counter()
    latest, latest_at = already, began
    while True:
        ran, now = reader.ran(), perf_counter()
        if ran >= _NEARLY * count and not contestant.left():
            break
        if ran != latest:
            latest, latest_at = ran, now
        elif now - latest_at > 1.0 and not contestant.left():
            break
        if now - latest_at > _STALLED_S or now - began > _LONGEST_S or all(p.ended() for p in processes):
            raise RuntimeError(f"{ran} of {count} jobs have run, then no more; {processes[0].log()}")
        wait(0.003 if ran >= _NEARLY * count else 0.01)
    return max(count - already, 1), perf_counter() - began


def _until(condition: Callable[[], bool], processes: list[Process], every: float = 0.005) -> None:
    end = perf_counter() + _STALLED_S
    while not condition():
        if perf_counter() > end or any(process.ended() for process in processes):
            raise RuntimeError(f"nothing is run by the worker; {processes[0].log()}")
        wait(every)


@contextmanager
def _folder() -> Iterator[Path]:
    # Shared memory where there is any: the counters are written all the time.
    shared = Path("/dev/shm")
    base = shared if shared.is_dir() and os.access(shared, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="isthmus-bench-", dir=base) as folder:
        yield Path(folder)


def _percentile(values: list[float], percent: int) -> float:
    return values[0] if len(values) == 1 else quantiles(values, n=100, method="inclusive")[percent - 1]
