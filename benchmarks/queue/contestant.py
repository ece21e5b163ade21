"""What a contestant can do: be filled, work in child processes until it is empty, take jobs."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

import psycopg

if TYPE_CHECKING:  # children import what they need, not what measures them
    from child import Child

NOOP, ROW, BATCH, BATCH_ROW, PICKUP = "noop", "row", "batch", "batch_row", "pickup"
"""Kinds of jobs: does nothing; writes a row; the two in batches of one transaction; says when it began."""

MODULES = {
    "raw": ("by_raw", "Raw"),
    "isthmus": ("by_isthmus", "Isthmus"),
    "procrastinate": ("by_procrastinate", "Procrastinate"),
    "pgqueuer": ("by_pgqueuer", "PgQueuer"),
    "celery": ("by_celery", "Celery"),
}
"""Module and class of each contestant; imported only where it plays."""

Put = Callable[[int], object]
"""Delays the job of a number, or so many jobs, and has that committed."""


@dataclass(frozen=True)
class Setup:
    """How a contestant's workers are set up.

    Attributes:
        processes: How many.
        at_once: Jobs at a time in each: threads, tasks, or what its makers call it.
        batch: How many jobs are taken in one go, where that can be said.
    """

    processes: int = 1
    at_once: int = 1
    batch: int = 0

    def __str__(self) -> str:
        return f"{self.processes} x {self.at_once}" + (f", batch {self.batch}" if self.batch else "")


class Contestant:
    """One queue on one database."""

    name: ClassVar[str]
    packages: ClassVar[Sequence[str]] = ()
    """Distributions it needs beside those of Isthmus."""
    setups: ClassVar[Mapping[str, Sequence[Setup]]] = {}
    """By kind of jobs, those that are worth a try: the best counts. A kind that is missing is not played."""

    def __init__(self, url: str) -> None:
        self.url = url

    @classmethod
    def missing(cls, kind: str) -> str:  # noqa: ARG003 - others look at it
        """Say why it cannot play with this kind of jobs; empty when it can."""
        absent = [package for package in cls.packages if find_spec(package) is None]
        return f"not installed: {', '.join(absent)}" if absent else ""

    # -- in the process that measures --------------------------------------------------

    def install(self) -> None:
        """Make its tables in an empty database."""
        raise NotImplementedError

    def clear(self) -> None:
        """Remove all jobs and what they have written."""
        raise NotImplementedError

    def fill(self, kind: str, count: int) -> None:
        """Put in jobs that can be run at once."""
        raise NotImplementedError

    def left(self) -> bool:
        """Tell whether any job is waiting or running."""
        raise NotImplementedError

    def finished(self, kind: str) -> int | None:
        """Count the jobs that have ended well, by what they have left behind; None where that is nothing."""
        raise NotImplementedError

    def close(self) -> None:
        """Close what is open."""

    # -- in child processes ------------------------------------------------------------

    def work(self, kind: str, setup: Setup, child: "Child") -> None:
        """Prepare one worker process, say `Child.ready`, work until `Child.stop`."""
        raise NotImplementedError

    def producer(self, kind: str) -> AbstractContextManager[Put]:
        """Give what delays one job, each with a commit of its own."""
        raise NotImplementedError

    def bulk(self) -> AbstractContextManager[Put]:
        """Give what delays many jobs in one call."""
        raise NotImplementedError


class SqlContestant(Contestant):
    """A contestant whose state is told by SQL on PostgreSQL."""

    clear_sql: ClassVar[str]
    left_sql: ClassVar[str]
    finished_sql: ClassVar[Mapping[str, str]]
    """By kind; ``""`` stands for those that are not there."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._connection: psycopg.Connection | None = None

    @property
    def connection(self) -> psycopg.Connection:
        """The connection of the process that measures."""
        if self._connection is None:
            self._connection = psycopg.connect(self.url, autocommit=True)
        return self._connection

    def clear(self) -> None:
        self.connection.execute(self.clear_sql)

    def left(self) -> bool:
        return self.connection.execute(self.left_sql).fetchone() == (True,)

    def finished(self, kind: str) -> int:
        sql = self.finished_sql.get(kind, self.finished_sql[""])
        return self.connection.execute(sql).fetchone()[0]  # type: ignore[index] - a count has a row

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def find(name: str) -> type[Contestant]:
    """Give a contestant's class."""
    module, cls = MODULES[name]
    return getattr(import_module(module), cls)
