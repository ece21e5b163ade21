"""Several worker processes at once, and what their jobs write down of each other.

`work` and `enqueue` are run in a process of their own (`isthmus.testing.crash`), which forks the others.
"""

import os
import random
import signal
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

CONTRACT: Final = Path(__file__).parents[1] / "contract"
if str(CONTRACT) not in sys.path:
    sys.path.append(str(CONTRACT))

from queue_program import NAME, Entry, EntryJobs  # noqa: E402 - beside the contract tests

from isthmus.env import ModelExtension  # noqa: E402
from isthmus.errors import TransactionError  # noqa: E402
from isthmus.hub import Hub  # noqa: E402
from isthmus.job import State, Worker, job  # noqa: E402
from isthmus.settings import JobSettings, Settings  # noqa: E402
from isthmus.testing.crash import run_in_child, start_child  # noqa: E402

KEYS: Final = [f"key {number:03}" for number in range(100)]
"""The identity keys of `enqueue`."""
KEYS_AT_ONCE: Final = 20
"""How many of them one transaction takes."""
SEED: Final = 742

_MOMENT_S: Final = 0.02
"""How long a job that takes part does nothing, as one that waits for another system."""


def note(log: str, line: str) -> None:
    """Append a line to a file; lines of several processes stand in the order in which they were written."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{line}\n".encode())
    finally:
        os.close(file)


class CrowdJobs(ModelExtension):
    """Jobs that tell when they begin and end."""

    _inherit = NAME

    @job(max_retries=0)
    def take_part(self, log: str, name: str, dies: bool = False, seconds: float = _MOMENT_S) -> None:
        """Tell of the beginning and the end; one that dies takes its process with it, the first time."""
        note(log, f"begin {name}")
        threading.Event().wait(seconds)
        note(log, f"end {name}")
        mark = Path(f"{log}.{name}.died")
        if dies and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    @job(max_retries=0)
    def step(self, text: str, trouble: str = "") -> str:
        """Write a row, and have the trouble that the file *trouble* tells of as long as it is there."""
        self.env[NAME].create({"text": text})
        self.env.flush()
        if trouble and Path(trouble).exists():
            if Path(trouble).read_text() == "fail":
                raise TransactionError(f"{text} has trouble")
            Path(trouble).unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return text

    @job(batch=50)
    def small(self, text: str) -> None:
        """Write a row, in a transaction with others."""
        self.env[NAME].create({"text": text})

    @job(batch=20)
    def small_or_deadly(self, text: str, deadly: bool = False) -> None:
        """Write a row, in a transaction with others; a deadly one takes its process with it each time."""
        self.env[NAME].create({"text": text})
        self.env.flush()
        if deadly:
            os.kill(os.getpid(), signal.SIGKILL)


def make_hub(url: str, **options: Any) -> Hub:
    """Make a hub of the tests' model."""
    settings = Settings(database_url=url, plugins=(), models=(), job=JobSettings(**options))
    return Hub(settings, plugins=[], models={NAME: Entry}, extensions=[EntryJobs, CrowdJobs])


def migrate(url: str) -> None:
    """Bring a database to the schema of this commit, with the table of the tests' model."""
    with make_hub(url) as hub:
        hub.upgrade()
        Entry.__table__.create(hub.engine)  # type: ignore[attr-defined]


# -- what a test asks ----------------------------------------------------------------------


def all_done(hub: Hub, count: int) -> Callable[[], bool]:
    """Make the question whether so many jobs are done."""
    return lambda: hub.queue.counts()[State.DONE] >= count


def texts(hub: Hub) -> Counter[str]:
    """Count the rows that jobs have written, by their text."""
    with hub.env(readonly=True) as env:
        return Counter(str(entry.text) for entry in env[NAME].search())


def most_at_once(lines: Sequence[str]) -> int:
    """Tell how many jobs were between their beginning and their end at most."""
    running = most = 0
    for line in lines:
        running += 1 if line.startswith("begin") else -1
        most = max(most, running)
    return most


def begun(lines: Sequence[str]) -> list[str]:
    """List the names of jobs in the order in which they began."""
    return [line.removeprefix("begin ") for line in lines if line.startswith("begin ")]


@contextmanager
def crew(url: str, count: int, **options: Any) -> Iterator[list[int]]:
    """Let so many processes work; gives their numbers. They end when the block does.

    Args:
        url: The database.
        count: How many processes, each with one thread.
        **options: Of `isthmus.settings.JobSettings`.
    """
    pipe = get_context("forkserver").Pipe
    (hear, tell), (end, until_end) = pipe(duplex=False), pipe(duplex=False)
    wait = start_child(Path(__file__), "work", url, count, options, tell, end)
    tell.close()
    end.close()
    pids: list[int] = []
    try:
        with hear:
            try:
                pids += [hear.recv() for _ in range(count)]
                yield pids
            finally:
                until_end.close()
                # They let go of the pipe with their end.
                ended = hear.poll(60)
    finally:
        if not ended:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        wait()
    assert ended


def delay_equal_jobs(url: str, count: int, turns: int) -> None:
    """Let so many processes delay equal jobs, until all have; see `enqueue`."""
    run_in_child(Path(__file__), "enqueue", url, count, turns)


# -- the program ---------------------------------------------------------------------------


def fork(count: int, work: Callable[[int, int], None]) -> Iterator[int]:
    """Start processes; they hear of the end of this generator by the end of a pipe, and are waited for.

    Args:
        count: How many.
        work: What each does, given its index and the pipe.

    Raises:
        ChildProcessError: In the end, when one has failed.
    """
    reader, writer = os.pipe()
    pids = []
    for index in range(count):
        pid = os.fork()
        if pid == 0:
            os.close(writer)
            try:
                work(index, reader)
            except BaseException:  # noqa: BLE001 - told here, since the process ends
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        pids.append(pid)
    try:
        yield from pids
    finally:
        os.close(writer)
        statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    killed = -signal.SIGKILL
    if any(os.waitstatus_to_exitcode(status) not in {0, killed} for status in statuses):
        raise ChildProcessError("a process has failed")


def work(_points: Any, url: str, count: int, options: dict[str, Any], tell: Any, end: Any) -> None:
    """Work until there is an end; each process tells its number."""

    def one(_: int, pipe: int) -> None:
        with make_hub(url, **options) as hub, Worker(hub.queue, 1):
            tell.send(os.getpid())
            os.read(pipe, 1)

    processes = fork(count, one)
    for _ in range(count):
        next(processes)
    end.poll(None)
    processes.close()  # type: ignore[attr-defined]


def enqueue(_points: Any, url: str, count: int, turns: int) -> None:
    """Delay equal jobs from all processes at once, half of them in opposite order."""

    def one(index: int, pipe: int) -> None:
        rng = random.Random(SEED + index)
        order = 1 if index % 2 else -1
        with make_hub(url) as hub:
            os.read(pipe, 1)
            for _ in range(turns):
                keys = sorted(rng.sample(KEYS, KEYS_AT_ONCE))[::order]
                with hub.env() as env:
                    for key in keys:
                        env[NAME].with_delay(identity_key=key).nothing()

    processes = fork(count, one)
    for _ in range(count):
        next(processes)
    processes.close()  # type: ignore[attr-defined]
