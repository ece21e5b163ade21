"""``isthmus worker``: a supervisor and its processes, with real jobs, until they are stopped or killed."""

import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from isthmus.hub import Hub
from isthmus.job import State
from isthmus.settings import Settings
from isthmus.testing import Databases
from isthmus.testing.waiting import until

PROGRAM = Path(sys.executable).with_name("isthmus")
PLUGIN = Path(__file__).with_name("worker_jobs.py")


class Place:
    """An installation with the plugin of these tests.

    Args:
        folder: Where the program is run.
        url: The database.
        patch: For the environment of the test's own process.
    """

    def __init__(self, folder: Path, url: str, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.signs = folder / "signs"
        self.signs.mkdir()
        site = folder / "site"
        info = site / "worker_jobs-1.dist-info"
        info.mkdir(parents=True)
        shutil.copy(PLUGIN, site)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: worker-jobs\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[isthmus.connectors]\nworker_jobs = worker_jobs\n")
        patch.syspath_prepend(str(site))
        patch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
        patch.setenv("ISTHMUS_DATABASE_URL", url)
        patch.setenv("ISTHMUS_PLUGINS", '["worker_jobs"]')
        patch.setenv("WORKER_JOBS_SIGNS", str(self.signs))
        self._patch = patch
        self._open = ExitStack()
        self.hub = self._open.enter_context(Hub(Settings.load()))
        self.hub.upgrade()

    def close(self) -> None:
        """Let the database go."""
        self._open.close()

    def set(self, name: str, value: str) -> None:
        """Set an environment variable for the commands that follow."""
        self._patch.setenv(name, value)

    def delay(self, method: str, *args: Any, **options: Any) -> int:
        """Delay a call; gives the job's number."""
        with self.hub.env() as env:
            ref = getattr(env["project.task"].with_delay(**options), method)(*args)
        assert ref.id is not None
        return int(ref.id)

    @contextmanager
    def worker(self, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a worker beside the test; its output is in the files ``out`` and ``err``."""
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            process = subprocess.Popen(
                [str(PROGRAM), "worker", "--no-poll", *words],
                cwd=self.folder,
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            for pid in self.pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    @property
    def log(self) -> str:
        """What the worker has logged."""
        return (self.folder / "err").read_text()

    @property
    def document(self) -> dict[str, Any]:
        """What the worker has printed in the end."""
        found: dict[str, Any] = json.loads((self.folder / "out").read_text())
        return found

    def pids(self) -> list[int]:
        """The processes that have begun to work, in order."""
        return [int(pid) for pid in re.findall(r'event="worker started".* isthmus_pid=(\d+)', self.log)]

    def until_started(self, count: int) -> list[int]:
        """Wait until so many processes have begun to work."""
        until(lambda: len(self.pids()) >= count, f"{count} processes work")
        return self.pids()

    def until_begun(self, text: str, times: int = 1) -> list[int]:
        """Wait until a slow job has begun; gives the processes in which it has."""

        def found() -> list[int]:
            signs = self.signs.glob(f"{text}.*")
            return [int(sign.suffix[1:]) for sign in signs if sign.suffix != ".go"]

        until(lambda: len(found()) >= times, f"job {text!r} has begun")
        return found()

    def let_end(self, text: str) -> None:
        """Let a slow job end."""
        (self.signs / f"{text}.go").touch()

    def names(self) -> list[str]:
        """The rows that jobs have written."""
        with self.hub.env(readonly=True) as env:
            return sorted(task["name"] for task in env["project.task"].search([]))

    def state(self, job_id: int) -> State:
        """The state of a job."""
        return State(self.hub.queue.show(job_id).state)


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and was not waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def place(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An installation, once on each database."""
    made = Place(tmp_path, database_url, monkeypatch)
    yield made
    made.close()


@pytest.fixture
def small(databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An installation on SQLite, for what is the same on each database."""
    with databases.fresh("sqlite") as url:
        made = Place(tmp_path, url, monkeypatch)
        yield made
        made.close()


def test_several_processes_run_jobs_and_tell_their_sum(place: Place) -> None:
    """
    Two slow jobs run in two processes at once, the others beside them; the sum is printed once.
    """
    with place.worker("--processes", "2", "--threads", "1", "--json") as process:
        pids = place.until_started(2)
        for text in ("a", "b"):
            place.delay("add_slowly", text)
        both = {*place.until_begun("a"), *place.until_begun("b")}
        jobs = [place.delay("add", f"row {number}") for number in range(5)]
        for text in ("a", "b"):
            place.let_end(text)
        until(lambda: all(place.state(job) == State.DONE for job in jobs), "all jobs are done")
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)

    assert code == 0
    assert both == set(pids)
    assert process.pid not in pids
    assert place.document["jobs"] == {"done": 7}
    assert (place.document["given_back"], place.document["replaced"]) == (0, 0)
    assert len(place.names()) == 7


def test_a_killed_process_is_replaced_and_its_job_run_again(place: Place) -> None:
    """
    Killed with kill -9 in the middle of a job: another process runs it, and its row is there once.
    """
    job = place.delay("add_slowly", "a")
    with place.worker("--threads", "1", "--json") as process:
        (first,) = place.until_begun("a")
        os.kill(first, signal.SIGKILL)
        place.until_begun("a", times=2)
        place.let_end("a")
        until(lambda: place.state(job) == State.DONE, "the job is done")
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)

    assert code == 0
    assert place.names() == ["a"]
    assert place.document["replaced"] == 1
    assert f"worker process {first} was ended by SIGKILL, and is replaced in 1 s" in place.log


def test_the_processes_end_when_their_supervisor_is_killed(place: Place) -> None:
    """
    After kill -9 of the supervisor what runs may end within the grace, the rest is handed back.
    """
    place.set("ISTHMUS_JOB__GRACE_S", "1")
    job = place.delay("add_slowly", "a")
    other = place.delay("add_slowly", "b")
    with place.worker("--processes", "2", "--threads", "1") as process:
        pids = place.until_started(2)
        place.until_begun("a")
        place.until_begun("b")
        process.kill()
        until(lambda: "the supervisor is gone" in place.log, "they have noticed")
        place.let_end("b")
        until(lambda: not any(map(alive, pids)), "the processes have ended")

    assert (place.state(job), place.state(other)) == (State.PENDING, State.DONE)
    assert place.hub.queue.show(job).retry == 0
    assert place.names() == ["b"]


def test_a_running_job_may_end_after_the_first_signal(place: Place) -> None:
    """
    SIGTERM: nothing more is claimed, and what runs is committed.
    """
    place.delay("add_slowly", "a")
    later = place.delay("add", "later")
    with place.worker("--threads", "1", "--json") as process:
        place.until_begun("a")
        process.send_signal(signal.SIGTERM)
        until(lambda: "worker stops" in place.log, "the signal has come")
        place.let_end("a")
        code = process.wait(30)

    assert code == 0
    assert place.names() == ["a"]
    assert place.state(later) == State.PENDING
    assert place.document["jobs"] == {"done": 1}


def test_a_second_signal_hands_running_jobs_back(place: Place) -> None:
    """
    The job is pending again at once, at no cost, and nothing of it is committed.
    """
    job = place.delay("add_slowly", "a")
    with place.worker("--threads", "1", "--json") as process:
        place.until_begun("a")
        process.send_signal(signal.SIGTERM)
        until(lambda: "worker stops" in place.log, "the first signal has come")
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)

    assert code == 0
    assert place.document["given_back"] == 1
    assert place.state(job) == State.PENDING
    assert (place.hub.queue.show(job).retry, place.names()) == (0, [])


def test_a_job_that_does_not_end_within_the_grace_is_handed_back(small: Place) -> None:
    """
    The setting says how long the grace is.
    """
    small.set("ISTHMUS_JOB__GRACE_S", "0.2")
    job = small.delay("add_slowly", "a")
    with small.worker("--json") as process:
        small.until_begun("a")
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)

    assert (code, small.document["given_back"]) == (0, 1)
    assert small.state(job) == State.PENDING


def test_a_job_that_does_not_end_is_ended_with_its_process(place: Place) -> None:
    """
    Cancelled while it waits for something that never comes: its process is replaced at once, its neighbour
    may end before.
    """
    place.set("ISTHMUS_JOB__FORCE_S", "0.2")
    deaf = place.delay("wait_for_ever")
    place.delay("add_slowly", "a")
    with place.worker("--threads", "2", "--json") as process:
        (first,) = place.until_begun("wait_for_ever")
        place.until_begun("a")
        place.hub.queue.cancel([deaf], by="anna")
        place.let_end("a")
        place.until_started(2)
        later = place.delay("add", "later")
        until(lambda: place.state(later) == State.DONE, "the next process works")
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)

    assert code == 0
    assert place.state(deaf) == State.CANCELLED
    assert place.names() == ["a", "later"]
    assert place.document["replaced"] == 1
    assert (
        f"worker process {first} ended itself because a job had to be ended by force, and is replaced"
        in place.log
    )


def test_a_job_that_outstays_its_time_fails_and_is_ended_with_its_process(place: Place) -> None:
    """
    Also in the middle of its transaction: it has failed, nothing of it is there, and the next process works.
    """
    place.set("ISTHMUS_JOB__FORCE_S", "0.2")
    deaf = place.delay("outstay")
    with place.worker("--threads", "1", "--json") as process:
        until(lambda: place.state(deaf) == State.FAILED, "the job has failed")
        later = place.delay("add", "later")
        until(lambda: place.state(later) == State.DONE, "the next process works")
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)

    assert code == 0
    assert place.hub.queue.show(deaf).error == "project.task.outstay took longer than its timeout of 0.5 s"
    assert place.hub.queue.show(deaf).rescues == 0
    assert place.names() == ["later"]
    assert place.document["replaced"] == 1


def test_a_signal_to_every_process_is_one_command(small: Place) -> None:
    """
    A service manager sends SIGTERM to all of them: running jobs may end all the same.
    """
    small.delay("add_slowly", "a")
    with small.worker("--json") as process:
        (pid,) = small.until_begun("a")
        process.send_signal(signal.SIGTERM)
        until(lambda: "worker stops" in small.log, "the signal has come")
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
        small.let_end("a")
        code = process.wait(30)

    assert (code, small.document["given_back"]) == (0, 0)
    assert small.names() == ["a"]


def test_a_process_that_is_told_to_end_is_replaced(small: Place) -> None:
    """
    SIGTERM to one process alone: its job ends, and another process takes its place.
    """
    small.delay("add_slowly", "a")
    with small.worker("--json") as process:
        (pid,) = small.until_begun("a")
        os.kill(pid, signal.SIGTERM)
        small.let_end("a")
        small.until_started(2)
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)

    assert (code, small.document["given_back"], small.document["jobs"]) == (0, 0, {"done": 1})
    assert f"worker process {pid} ended with code 0, and is replaced in 1 s" in small.log


def test_sighup_is_no_command(small: Place) -> None:
    """
    Nothing has to be read again: what is set for lanes at run time is looked up all the time.
    """
    with small.worker() as process:
        small.until_started(1)
        process.send_signal(signal.SIGHUP)
        job = small.delay("add", "a")
        until(lambda: small.state(job) == State.DONE, "the job is done")

        assert process.poll() is None


def test_ctrl_c_at_a_terminal_lets_running_jobs_end(small: Place) -> None:
    """
    The terminal's signal reaches the supervisor alone; it tells the others.
    """
    small.delay("add_slowly", "a")
    ours, theirs = pty.openpty()
    with (small.folder / "out").open("wb") as out, (small.folder / "err").open("wb") as err:
        # In a session of its own, with the terminal as its controlling one.
        process = subprocess.Popen(
            [str(PROGRAM), "worker", "--no-poll", "--json"],
            cwd=small.folder,
            stdin=theirs,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=lambda: control(theirs),  # noqa: PLW1509 - it takes no lock
        )
    os.close(theirs)
    try:
        small.until_begun("a")
        os.write(ours, b"\x03")
        until(lambda: "worker stops" in small.log, "the key has come")
        small.let_end("a")
        code = process.wait(30)
    finally:
        process.kill()
        process.wait()
        os.close(ours)

    assert (code, small.document["given_back"], small.document["jobs"]) == (0, 0, {"done": 1})


def control(terminal: int) -> None:
    """Make a terminal the one of this process; Ctrl-C counts although the tests' runner ignores it."""
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_only_jobs_of_the_given_lanes_are_run(place: Place) -> None:
    """
    A lane below a given one counts as well; those beside it wait for another worker.
    """
    inside = place.delay("add", "inside", channel="root.trello.import")
    outside = place.delay("add", "outside", channel="root.mail")
    with place.worker("--channels", "root.trello, cron") as process:
        until(lambda: place.state(inside) == State.DONE, "the job is done")
        last = place.delay("add", "last", channel="root.cron", priority=50)
        until(lambda: place.state(last) == State.DONE, "the last job is done")
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    assert place.state(outside) == State.PENDING
    assert place.names() == ["inside", "last"]


@pytest.mark.parametrize(
    ("words", "variables", "code", "sentence"),
    [
        ([], {"ISTHMUS_JOB__THREADS": "none"}, 3, "ISTHMUS_JOB__THREADS"),
        ([], {"ISTHMUS_PLUGINS": '["nowhere"]'}, 3, "plugin 'nowhere' is not installed"),
        (["--channels", "root..mail"], {}, 2, "--channels: a channel is named like root.trello.import"),
    ],
)
def test_what_a_person_must_change_is_said_once(
    small: Place, words: list[str], variables: dict[str, str], code: int, sentence: str
) -> None:
    """
    Three processes find it out, one sentence tells it, and the exit code is the error's own.
    """
    for name, value in variables.items():
        small.set(name, value)
    with small.worker("--processes", "3", "--json", *words) as process:
        ended = process.wait(30)

    assert ended == code
    assert small.log.count(sentence) == 1
    assert small.document["error"]["exit_code"] == code
    assert small.document["error"]["message"] in small.log


def test_a_database_without_its_schema_ends_the_worker(databases: Databases, small: Place) -> None:
    """
    The sentence has the command, and is said once.
    """
    with databases.fresh("sqlite") as url:
        small.set("ISTHMUS_DATABASE_URL", url)
        with small.worker("--processes", "2") as process:
            code = process.wait(30)

    assert code == 3
    assert small.log == "isthmus: the database is empty: run `isthmus db upgrade` (or `isthmus init`)\n"


def test_a_database_that_is_away_is_waited_for(small: Place) -> None:
    """
    A worker that is started before its database goes on as soon as that is there.
    """
    small.set("ISTHMUS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    with small.worker() as process:
        until(lambda: "could not start (" in small.log, "it was tried")

        assert "busy or away" in small.log
        assert "is replaced in 1 s" in small.log
        assert process.poll() is None


def test_what_jobs_print_does_not_disturb_the_document(small: Place) -> None:
    """
    Standard output has the one document and nothing else.
    """
    job = small.delay("print_something")
    with small.worker("--json") as process:
        until(lambda: small.state(job) == State.DONE, "the job is done")
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    assert small.document["jobs"] == {"done": 1}
    assert "printed by a job" in small.log


def test_metrics_of_all_processes_are_served(small: Place) -> None:
    """
    What the processes have counted is told together, also what a killed one had; with the queue's depth.
    """
    with small.worker("--processes", "2", "--metrics", "0") as process:
        first, second = small.until_started(2)
        (url,) = re.findall(r"isthmus_url=(\S+)", small.log)

        def told(name: str) -> float:
            with urllib.request.urlopen(url, timeout=10) as answer:
                found = re.findall(rf"(?m)^{re.escape(name)} (\S+)$", answer.read().decode())
            return float(found[0]) if found else 0.0

        for number in range(3):
            small.delay("add", f"row {number}")
        until(lambda: told('isthmus_jobs_finished_total{lane="root",outcome="done"}') == 3, "three are done")
        for pid in (first, second):
            os.kill(pid, signal.SIGKILL)
        small.delay("add", "last")
        until(lambda: told('isthmus_jobs_finished_total{lane="root",outcome="done"}') == 4, "four are done")
        until(lambda: told('isthmus_workers{state="alive"}') == 2, "both workers are told")
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)

    assert code == 0


def test_an_address_that_is_taken_is_said_once(small: Place) -> None:
    """
    No process is started for nothing.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with small.worker("--metrics", str(port)) as process:
            code = process.wait(30)

    assert code == 2
    assert f"--metrics: 127.0.0.1:{port} cannot be listened on: Address already in use" in small.log
    assert small.pids() == []
