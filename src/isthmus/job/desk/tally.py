"""What the processes of a worker have counted: plain numbers in memory, gathered through a private folder."""

import json
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

from isthmus.job.state import State

RUN_BUCKETS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0,
)  # fmt: skip
"""Upper ends of the ranges, in seconds, by which running times are counted."""
WAIT_BUCKETS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0,
)  # fmt: skip
"""The same for the time from the delaying of a job to its first beginning."""
OTHERS: Final = "other"
"""Stands for lanes and error types beyond the first so many: each value is a series in a database."""

SAMPLE_EVERY_S: Final = 0.05
"""Seconds between two jobs of a process whose waiting time is looked up."""
_MOST_LANES: Final = 200
_MOST_TYPES: Final = 100
_OUTCOMES: Final[Mapping[State | None, str]] = {
    State.DONE: "done", State.FAILED: "failed", State.PENDING: "returned", State.CANCELLED: "superseded",
    None: "lost",
}  # fmt: skip
OUTCOMES: Final = tuple(_OUTCOMES.values())
"""How a job that was begun may end, as it is counted."""


@dataclass(slots=True)
class Spread:
    """How many durations fell into which range.

    Attributes:
        ends: Upper ends of the ranges, in seconds; above the last there is one more.
        counts: How many fell into each.
        total: The sum of all, in seconds.
    """

    ends: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.counts = self.counts or [0] * (len(self.ends) + 1)

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.ends, seconds)] += 1
        self.total += seconds

    def join(self, counts: Sequence[int], total: float) -> None:
        """Add what another has counted."""
        self.counts = [mine + other for mine, other in zip(self.counts, counts, strict=True)]
        self.total += total


class Tally:
    """Counts what becomes of jobs in one process; its threads share it.

    >>> tally = Tally()
    >>> tally.ended("root.mail", State.DONE, seconds=0.02)
    >>> tally.ended("root.mail", None, seconds=0.02)
    >>> tally.finished
    {('root.mail', 'done'): 1, ('root.mail', 'lost'): 1}

    Attributes:
        finished: Jobs by lane and outcome (`OUTCOMES`).
        failures: Errors by type, also those after which a job is tried again.
        run: Running times.
        wait: Times from the delaying to the first beginning.
    """

    def __init__(self) -> None:
        self.finished: dict[tuple[str, str], int] = {}
        self.failures: dict[str, int] = {}
        self.run = Spread(RUN_BUCKETS)
        self.wait = Spread(WAIT_BUCKETS)
        self._lanes: set[str] = set()
        self._asked_at = -SAMPLE_EVERY_S
        self._lock = threading.Lock()

    @property
    def wants_wait(self) -> bool:
        """True now and then: how long a job has waited stands in its row, which costs a look."""
        now = time.monotonic()
        if now - self._asked_at < SAMPLE_EVERY_S:
            return False
        self._asked_at = now
        return True

    def began(self, waited: float) -> None:
        """Count the first beginning of a job.

        Args:
            waited: Seconds since it could have begun.
        """
        with self._lock:
            self.wait.add(max(waited, 0.0))

    def ended(
        self, lane: str, state: State | None, *, seconds: float, error_type: str = "", count: int = 1
    ) -> None:
        """Count the end of jobs that were begun.

        Args:
            lane: Their lane.
            state: The state they have now; None when another has taken them over.
            seconds: How long each ran.
            error_type: Full name of the error's class; empty without one.
            count: How many.
        """
        with self._lock:
            if lane not in self._lanes:
                if len(self._lanes) >= _MOST_LANES:
                    lane = OTHERS
                self._lanes.add(lane)
            key = (lane, _OUTCOMES.get(state, OTHERS))
            self.finished[key] = self.finished.get(key, 0) + count
            for _ in range(count):
                self.run.add(seconds)
            if error_type:
                if error_type not in self.failures and len(self.failures) >= _MOST_TYPES:
                    error_type = OTHERS
                self.failures[error_type] = self.failures.get(error_type, 0) + count

    # -- between processes -------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Give everything as what JSON has."""
        with self._lock:
            return {
                "finished": [[*key, count] for key, count in self.finished.items()],
                "failures": dict(self.failures),
                "run": [list(self.run.counts), self.run.total],
                "wait": [list(self.wait.counts), self.wait.total],
            }

    def add(self, snapshot: Mapping[str, Any]) -> None:
        """Add what another process has counted."""
        with self._lock:
            for lane, outcome, count in snapshot["finished"]:
                self.finished[lane, outcome] = self.finished.get((lane, outcome), 0) + count
            for name, count in snapshot["failures"].items():
                self.failures[name] = self.failures.get(name, 0) + count
            self.run.join(*snapshot["run"])
            self.wait.join(*snapshot["wait"])


class Sheet:
    """One process's file in the folder through which the processes of a worker are counted together.

    It is replaced in one step, so a reader sees a whole one, and it stays when the process dies: what
    that has counted, up to the last second, goes on counting.

    Args:
        folder: The folder, which only this user may read.
        tally: What is written.
    """

    def __init__(self, folder: Path, tally: Tally) -> None:
        self._path = folder / f"{os.getpid()}-{uuid4().hex}.json"
        self._tally = tally
        self._written = ""

    def write(self) -> None:
        """Write what has been counted, when it has changed; to be called about once a second."""
        text = json.dumps(self._tally.snapshot(), separators=(",", ":"))
        if text != self._written:
            fresh = self._path.with_suffix(".new")
            fresh.write_text(text)
            fresh.replace(self._path)
            self._written = text


class Sheets:
    """Adds up the sheets of all processes, dead ones included.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, tuple[int, dict[str, Any]]] = {}

    def tally(self) -> Tally:
        """Give the sum."""
        total = Tally()
        for path in sorted(self._folder.glob("*.json")):
            total.add(self._snapshot(path))
        return total

    def _snapshot(self, path: Path) -> dict[str, Any]:
        changed = path.stat().st_mtime_ns
        known = self._read.get(path.name)
        if known is None or known[0] != changed:
            known = self._read[path.name] = (changed, json.loads(path.read_text()))
        return known[1]

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Make the folder if need be."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(folder)
