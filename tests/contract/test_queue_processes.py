"""What a killed worker process leaves, and what several do at once (many: `acceptance/test_queue_breaks`)."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from isthmus.hub import Hub
from isthmus.job import State
from isthmus.testing.waiting import until

PROGRAM = Path(__file__).with_name("queue_program.py")


@pytest.fixture
def hub(queue_url: str, program: Any) -> Iterator[Hub]:
    """A hub of the test's own process."""
    with program.make_hub(queue_url) as made:
        yield made


@contextmanager
def worker(url: str, threads: int = 1) -> Iterator["subprocess.Popen[str]"]:
    """Run a worker process; it is killed at the end, if nobody has done that before."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), url, str(threads)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("works")
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def texts(hub: Hub, program: Any) -> Counter[str]:
    """Count the rows that jobs have written, by their text."""
    with hub.env(readonly=True) as env:
        return Counter(str(entry.text) for entry in env[program.NAME].search())


def test_a_worker_killed_in_the_middle_of_a_job_leaves_its_row_once(
    hub: Hub, program: Any, queue_url: str, tmp_path: Path
) -> None:
    """
    Killed with kill -9 between its row and its commit: the next worker runs the job again, at once.
    """
    with hub.env() as env:
        ref = env[program.NAME].with_delay().add_or_hang("a", str(tmp_path / "hung"))
    with worker(queue_url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n"
        process.send_signal(signal.SIGKILL)
        process.wait()

    hub.queue.run_pending()

    job = hub.queue.show(ref.id)
    assert (job.state, job.attempt, job.rescues) == (State.DONE, 2, 1)
    assert texts(hub, program) == {"a": 1}


def test_two_workers_never_run_one_job_twice(hub: Hub, program: Any, queue_url: str) -> None:
    """
    Two processes with two threads each share the jobs; each is done once, by whoever had it last.
    """
    wanted = [f"row {n}" for n in range(120)]
    with worker(queue_url, threads=2), worker(queue_url, threads=2):
        with hub.env() as env:
            for text in wanted:
                env[program.NAME].with_delay().add(text)
        until(lambda: hub.queue.counts()[State.DONE] == len(wanted))

    assert texts(hub, program) == dict.fromkeys(wanted, 1)
    # Not the claims: a job is given back, uncounted, that stands behind a slow one.
    assert {(job.retry, job.rescues) for job in hub.queue.list(limit=1_000)} == {(0, 0)}


def test_a_terminated_worker_ends_its_job_first(hub: Hub, program: Any, queue_url: str) -> None:
    """
    SIGTERM claims nothing more, and what runs is committed.
    """
    with hub.env() as env:
        for number in range(50):
            env[program.NAME].with_delay().add(f"row {number}")
    with worker(queue_url) as process:
        until(lambda: hub.queue.counts()[State.DONE] > 0)
        process.terminate()
        ended = process.wait(20)

    counts = hub.queue.counts()
    assert ended == 0
    assert counts[State.STARTED] == 0
    assert counts[State.DONE] + counts[State.PENDING] == 50
    assert json.loads(hub.queue.list(state=State.DONE)[0].result or "").startswith("ROW")
