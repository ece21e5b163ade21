"""Jobs that write a row each, and the worker process that runs them, talks of it, and may die at any time."""

import os
import threading
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from isthmus.clock import Clock, SystemClock
from isthmus.env import ModelExtension
from isthmus.errors import DatabaseBusyError
from isthmus.hub import Hub
from isthmus.job import Claimed, Outcome, Worker, job
from isthmus.settings import JobSettings, Settings
from isthmus.store.sql import SqlModel
from isthmus.testing.crash import CrashPoints

NAME = "acceptance.entry"
_PAUSE_S = 0.01


class Entry(SqlModel):
    """A row that a job writes."""

    __tablename__ = "acceptance_entry"
    _name = NAME

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class EntryJobs(ModelExtension):
    """The jobs."""

    _inherit = NAME

    @job(retry_pattern={1: 1})
    def add(self, text: str) -> str:
        """Write a row."""
        self.env[NAME].create({"text": text})
        self.env.flush()
        say("wrote", text)
        return text

    @job(batch=20)
    def add_together(self, text: str) -> None:
        """Write a row, in a transaction with others."""
        self.env[NAME].create({"text": text})

    @job
    def add_sum(self, text: str) -> None:
        """Write a row that tells what the jobs before it have written."""
        self.env[NAME].create({"text": f"{text} after {', '.join(self.env.parent_results)}"})

    @job(retry_pattern={1: 1})
    def add_and_wait(self, text: str, mark: str) -> None:
        """Write a row; who finds no file *mark* makes it and waits to be told to go on."""
        self.env[NAME].create({"text": text})
        self.env.flush()
        wait_once(mark)

    @job
    def wait_and_add(self, text: str, mark: str) -> None:
        """Do the same, but wait outside the transaction and write the row after it."""
        with self.env.outside():
            wait_once(mark)
        self.env[NAME].create({"text": text})


# -- talking -------------------------------------------------------------------------------

_wire: Connection | None = None
_wire_lock = threading.Lock()
_go = threading.Event()


def say(*words: Any) -> None:
    """Tell the test, if it has started this process."""
    if _wire is not None:
        with _wire_lock:
            _wire.send(words)


def wait_once(mark: str) -> None:
    """Say ``waits`` and wait for ``go``; do nothing when somebody has done so before."""
    if not Path(mark).exists():
        Path(mark).touch()
        say("waits")
        _go.wait()


# -- processes -----------------------------------------------------------------------------


class ShiftedClock(SystemClock):
    """The clock of a machine on which it is set wrongly."""

    def __init__(self, shift: timedelta) -> None:
        self._shift = shift

    def now(self) -> datetime:
        """Tell the wrong time."""
        return super().now() + self._shift


def make_hub(url: str, *, clock: Clock | None = None, **options: Any) -> Hub:
    """Make a hub of the model; *options* are settings of the queue."""
    settings = Settings(database_url=url, plugins=(), models=(), job=JobSettings(**options))
    return Hub(settings, plugins=[], models={NAME: Entry}, extensions=[EntryJobs], clock=clock)


def work(
    points: CrashPoints, url: str, wire: Connection, threads: int, shift: timedelta, answer_s: float | None,
    options: dict[str, Any],
) -> None:  # fmt: skip
    """Work until ``stop`` comes; ``go`` lets a job go on that waits.

    Args:
        points: Where to die.
        url: The database.
        wire: To the test.
        threads: How many jobs at a time.
        shift: How wrong the clock is.
        answer_s: Seconds after which a connection without an answer is given up; None for the usual.
        options: Settings of the queue.
    """
    global _wire
    _wire = wire
    clock = ShiftedClock(shift) if shift else None
    with make_hub(url, clock=clock, **options) as hub:
        if answer_s is not None:
            hub.queue.watch.answer_s = answer_s
        if points.fatal is not None:
            points.watch(hub.engine)
        worker = Worker(hub.queue, threads)
        worker.on_claimed = _say_claimed
        worker.on_finished = _say_finished
        say("works", os.getpid())
        with worker:
            while (order := wire.recv()) != "stop":
                assert order == "go"
                _go.set()


def enqueue(_points: CrashPoints, url: str, wire: Connection, prefix: str) -> None:
    """Delay jobs that write a row each until ``stop`` comes, whatever the database does.

    Says ``tries`` before each, ``has`` when it is acknowledged and ``away`` when it is not: that one may
    have been committed all the same.

    Args:
        points: Not used.
        url: The database.
        wire: To the test.
        prefix: Of the rows.
    """
    clock = SystemClock()
    with make_hub(url) as hub:
        wire.send(("works", os.getpid()))
        number = 0
        while not wire.poll():
            number += 1
            text = f"{prefix} {number}"
            wire.send(("tries", text))
            try:
                with hub.env() as env:
                    if number % 2:  # a job alone is written another way
                        env[NAME].create({"text": f"cause of {text}"})
                    env[NAME].with_delay().add(text)
            except DatabaseBusyError as exc:
                wire.send(("away", text, str(exc)))
            else:
                wire.send(("has", text))
            clock.sleep(_PAUSE_S)


def _say_claimed(claimed: Claimed) -> None:
    say("claimed", claimed.id)


def _say_finished(outcome: Outcome) -> None:
    say("finished", outcome.job_id, None if outcome.state is None else outcome.state.value, outcome.message)
