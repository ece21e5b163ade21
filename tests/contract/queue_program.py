"""The model of the queue's contract tests, and a worker program that they start and kill.

``python queue_program.py URL [THREADS]`` works until it is told to stop by SIGTERM, or killed.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from isthmus.clock import Clock
from isthmus.env import ModelExtension
from isthmus.errors import NetworkRetryableError, RecordLockedError, SkipRecord
from isthmus.hub import Hub
from isthmus.job import Worker, job
from isthmus.settings import JobSettings, Settings
from isthmus.store.sql import SqlModel

NAME = "contract.queue.entry"

DURING: dict[str, Callable[[Any], Any]] = {}
"""What a job named so in its argument does beside writing its row; only in the test's own process."""


class Entry(SqlModel):
    """A row that a job writes."""

    __tablename__ = "contract_queue_entry"
    _name = NAME

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    user: Mapped[str | None] = mapped_column("user_name")
    run: Mapped[str | None]
    job: Mapped[str | None]


class EntryJobs(ModelExtension):
    """The jobs of the tests."""

    _inherit = NAME

    @job(retry_pattern={1: 10, 3: 60}, max_retries=3)
    def add(self, text: str, during: str | None = None) -> str:
        """Write a row."""
        values = {"text": text, "user": self.env.user, "run": self.env.run_id, "job": self.env.job_id}
        self.env[NAME].create(values)
        self.env.flush()
        if during is not None:
            DURING[during](self)
        return text.upper()

    @job
    def add_late(self, text: str, during: str) -> None:
        """Do something else first, then write a row."""
        DURING[during](self)
        self.env[NAME].create({"text": text})

    @job
    def add_around(self, during: str) -> None:
        """Write a row, leave the transaction, write another one."""
        self.env[NAME].create({"text": "before"})
        with self.env.outside():
            DURING[during](self)
        self.env[NAME].create({"text": "after"})

    @job(max_retries=0)
    def add_or_hang(self, text: str, mark: str) -> None:
        """Write a row; the first time say so in the file *mark* and never come to an end."""
        self.env[NAME].create({"text": text})
        self.env.flush()
        if not Path(mark).exists():
            Path(mark).touch()
            print("hangs", flush=True)  # noqa: T201 - the test waits for it
            threading.Event().wait()

    @job
    def rename(self, text: str) -> None:
        """Write a record."""
        self.write({"text": text})

    @job
    def nothing(self) -> int:
        """Leave the env alone."""
        return 42

    @job(retry_pattern={1: 10, 3: 60}, max_retries=3)
    def unreachable(self) -> None:
        """Write a row and find the other system away."""
        self.env[NAME].create({"text": "never"})
        raise NetworkRetryableError("the shop does not answer")

    @job
    def locked(self) -> None:
        """Find the record locked."""
        raise RecordLockedError("another process synchronises it")

    @job
    def skipped(self) -> None:
        """Write a row and leave the record alone after all."""
        self.env[NAME].create({"text": "never"})
        raise SkipRecord("it is up to date")

    @job
    def broken(self, secret: str) -> None:
        """Fail."""
        self.env[NAME].create({"text": "never"})
        raise ValueError("no such list")

    @job
    def with_more(self, count: int) -> None:
        """Delay other jobs."""
        for number in range(count):
            self.env[NAME].with_delay().add(f"more {number}")

    def unmarked(self) -> None:
        """Be no job."""


def make_hub(url: str, *, clock: Clock | None = None, **options: Any) -> Hub:
    """Make a hub of the tests' model."""
    settings = Settings(database_url=url, plugins=(), models=(), job=JobSettings(**options))
    return Hub(settings, plugins=[], models={NAME: Entry}, extensions=[EntryJobs], clock=clock)


def main() -> None:
    """Work until SIGTERM."""
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with make_hub(sys.argv[1]) as hub, Worker(hub.queue, threads):
        print(f"works {os.getpid()}", flush=True)  # noqa: T201 - the test waits for it
        end.wait()


if __name__ == "__main__":
    main()
