"""The supervisor with real processes that have no jobs; `tests/integration/cli/test_worker.py` has some."""

import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from isthmus.cli.processes import Failure, Summary, Supervisor, Waits
from isthmus.testing.waiting import until

PROGRAM = Path(__file__).with_name("supervised_program.py")
SOON = timedelta(milliseconds=10)
LATER = timedelta(hours=1)


class Watched:
    """A supervisor at work in a thread.

    Args:
        folder: Where its processes leave their files.
        habits: What they do.
        count: How many.
        waits: How patient it is.
        grace: How long they may take to end.
    """

    def __init__(
        self, folder: Path, *habits: str, count: int = 1, waits: Waits | None = None, grace: timedelta = LATER
    ) -> None:
        self._folder = folder
        self._habits = habits
        self.ours = Supervisor(self._command, count, grace=grace, waits=waits)
        self.summary: Summary | None = None
        self._thread = threading.Thread(target=self._run)

    def _command(self, _place: int, lifeline: int) -> Sequence[str]:
        return [sys.executable, str(PROGRAM), str(lifeline), str(self._folder), *self._habits]

    def _run(self) -> None:
        self.summary = self.ours.run()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let it work; at the latest at the end all is killed."""
        self._thread.start()
        try:
            yield
        finally:
            for _ in range(3):
                self.ours.stop()
            self._thread.join()
            self.ours.close()

    @property
    def started(self) -> set[int]:
        """Every process that has come so far."""
        return {int(path.stem) for path in self._folder.glob("*.pid")}

    def end(self) -> Summary:
        """Wait until it has ended by itself."""
        self._thread.join(30)
        assert self.summary is not None, "the supervisor goes on"
        return self.summary

    def until_started(self, count: int) -> set[int]:
        """Wait until so many processes have come."""
        until(lambda: len(self.started) >= count, f"{count} processes have come")
        return self.started


def gone(pid: int) -> bool:
    """Tell whether there is no such process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_all_processes_end_when_it_is_told_to_stop(tmp_path: Path) -> None:
    """
    Three work, three end, and their jobs are counted together.
    """
    watched = Watched(tmp_path, "works", count=3)

    with watched.running():
        pids = watched.until_started(3)
        watched.ours.stop()
        summary = watched.end()

    assert all(gone(pid) for pid in pids)
    assert summary.jobs == {"done": 6, "failed": 3}
    assert (summary.given_back, summary.replaced, summary.failure) == (0, 0, None)


def test_a_process_that_is_killed_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """
    The log says by which signal it ended; the jobs that it had counted are in the sum.
    """
    watched = Watched(tmp_path, "works", waits=Waits(first=SOON))

    with watched.running():
        (first,) = watched.until_started(1)
        until(lambda: watched.ours._children[0].jobs, "it has told its jobs")
        os.kill(first, signal.SIGKILL)
        watched.until_started(2)
        watched.ours.stop()
        summary = watched.end()

    assert f"worker process {first} was ended by SIGKILL, and is replaced in 0.01 s" in caplog.text
    assert summary.jobs == {"done": 4, "failed": 2}
    assert summary.replaced == 1


def test_one_that_ended_itself_because_of_a_stuck_job_is_replaced_at_once(tmp_path: Path) -> None:
    """
    However long the pause after other deaths is.
    """
    watched = Watched(tmp_path, "stuck", "works", waits=Waits(first=LATER))

    with watched.running():
        watched.until_started(2)
        watched.ours.stop()
        summary = watched.end()

    assert summary.jobs == {"done": 3, "failed": 1}
    assert summary.replaced == 1


def pauses(caplog: pytest.LogCaptureFixture) -> list[str]:
    """List the announced pauses in order."""
    return re.findall(r"ended with code 1, and is replaced in (\S+) s", caplog.text)


def test_the_pause_doubles_up_to_a_limit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """
    A process that dies again and again is no load on the machine.
    """
    watched = Watched(tmp_path, "dies", waits=Waits(first=SOON, longest=4 * SOON))

    with watched.running():
        watched.until_started(5)

    assert pauses(caplog)[:4] == ["0.01", "0.02", "0.04", "0.04"]


def test_a_process_that_lived_long_enough_begins_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Its death is the first one again.
    """
    watched = Watched(tmp_path, "dies", waits=Waits(first=SOON, settled=timedelta(0)))

    with watched.running():
        watched.until_started(4)

    assert pauses(caplog)[:3] == ["0.01", "0.01", "0.01"]


def test_what_a_person_must_change_ends_all_processes(tmp_path: Path) -> None:
    """
    The one that cannot start is not tried again, and the others are told to end.
    """
    watched = Watched(tmp_path, "works", "failure", count=2)

    with watched.running():
        summary = watched.end()

    assert summary.failure == Failure(type="SchemaError", message="too old", exit_code=3)
    assert len(watched.started) == 2
    assert all(gone(pid) for pid in watched.started)


def test_a_start_that_may_work_later_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """
    The log says why it did not, and a later one works.
    """
    watched = Watched(tmp_path, "trouble", "works", waits=Waits(first=SOON))

    with watched.running():
        watched.until_started(2)
        watched.ours.stop()
        summary = watched.end()

    assert summary.failure is None
    assert "a worker process could not start (the database is away), and is replaced in 0.01 s" in caplog.text


def test_a_program_that_cannot_be_started_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A full process table or a missing file for a moment is no end.
    """
    supervisor = Supervisor(
        lambda _place, _lifeline: [str(tmp_path / "missing")], 1, grace=LATER, waits=Waits(first=SOON)
    )
    thread = threading.Thread(target=supervisor.run)
    thread.start()

    until(lambda: len(caplog.records) >= 2, "it was tried twice")
    supervisor.stop()
    thread.join()
    supervisor.close()

    assert "cannot be started (No such file or directory), and is replaced in 0.02 s" in caplog.text


def test_the_second_step_hands_back_at_once(tmp_path: Path) -> None:
    """
    A process that waits for its jobs does not wait any more.
    """
    watched = Watched(tmp_path, "hands back")

    with watched.running():
        watched.until_started(1)
        watched.ours.stop()
        watched.ours.stop()
        summary = watched.end()

    assert summary.given_back == 3


def test_the_third_step_kills(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """
    A process that hears nothing is ended by force.
    """
    watched = Watched(tmp_path, "deaf")

    with watched.running():
        (pid,) = watched.until_started(1)
        for _ in range(3):
            watched.ours.stop()
        watched.end()

    assert gone(pid)
    assert f"worker process {pid} was ended by SIGKILL" in caplog.text


def test_a_process_that_does_not_end_in_time_is_killed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Grace and patience go by, step after step, without another signal.
    """
    watched = Watched(tmp_path, "deaf", grace=SOON, waits=Waits(slack=SOON))

    with watched.running():
        (pid,) = watched.until_started(1)
        watched.ours.stop()
        watched.end()

    assert gone(pid)
    assert [r.levelname for r in caplog.records if "do not end in time" in r.message] == ["WARNING"] * 2


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "isthmus.worker")
