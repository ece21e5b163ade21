"""The program as people and scripts run it: the installed ``isthmus``, in a folder, against a server."""

import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

import forked
import pytest

from isthmus.hub import Hub
from isthmus.settings import Settings
from isthmus.simulators.trello import FaultPlan, TrelloSimulator
from isthmus.testing.crash import run_in_child
from isthmus.testing.waiting import until

PROGRAM = Path(sys.executable).with_name("isthmus")
HEAVY = ("sqlalchemy", "alembic", "httpx2", "cryptography")


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def _heed_ctrl_c() -> None:
    """Let Ctrl-C end the child although the one who runs the tests in the background ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Folder:
    """A folder in which the program is run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("ISTHMUS_")}
        self.printed = ""

    def run(self, *words: str) -> Result:
        """Run a command to its end, in a process of its own that knows the program already."""
        with TemporaryDirectory() as place:
            out, err = Path(place, "out"), Path(place, "err")
            code = run_in_child(forked.__file__, "run", words, str(self.path), self.env, str(out), str(err))
            result = Result(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))
        self.printed += result.out + result.err
        return result

    def run_installed(self, *words: str, timeout_s: float = 60) -> Result:
        """Run the installed command to its end, as people do."""
        done = subprocess.run(
            [str(PROGRAM), *words],
            cwd=self.path,
            env=self.env,
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
        self.printed += done.stdout + done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str) -> Result:
        """Run a command that must succeed."""
        result = self.run(*words)
        assert result.code == 0, result.err
        return result

    @contextmanager
    def running(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """Run a command beside the test; its output is in the files ``out`` and ``err``."""
        with (self.path / "out").open("w") as out, (self.path / "err").open("w") as err:
            process = subprocess.Popen(
                [str(PROGRAM), *words],
                cwd=self.path,
                env=self.env,
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                encoding="utf-8",
                preexec_fn=_heed_ctrl_c,  # noqa: PLW1509 - it takes no lock
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def read(self, name: str) -> str:
        """Give what a running command has printed."""
        return (self.path / name).read_text(encoding="utf-8")

    @contextmanager
    def hub(self) -> Iterator[Hub]:
        """Open the same hub in the test's own process."""
        with Hub(Settings.load(self.path / "isthmus.toml")) as hub:
            yield hub


def request_of(curl: str) -> Request:
    """Give the request that a printed ``curl`` makes."""
    words = shlex.split(curl)
    name, _, value = words[words.index("-H") + 1].partition(": ")
    return Request(words[-1], words[words.index("-d") + 1].encode(), {name: value})


def connect(folder: Folder, trello: TrelloSimulator, *words: str) -> Result:
    """Add the simulator as a backend, with credentials from the environment."""
    folder.env |= {"DEMO_KEY": trello.key, "DEMO_TOKEN": trello.token}
    credentials = ("--key", "env:DEMO_KEY", "--token", "env:DEMO_TOKEN")
    return folder.run("backend", "add", "trello", "--url", trello.url, *credentials, *words)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder."""
    return Folder(tmp_path)


@pytest.fixture
def ready(folder: Folder) -> Folder:
    """A folder after ``isthmus init``."""
    folder.ok("init")
    return folder


@pytest.fixture
def trello() -> Iterator[TrelloSimulator]:
    """A simulator with two boards of two lists of three cards."""
    with TrelloSimulator() as simulator:
        simulator.seed_demo(boards=2, lists=2, cards=3)
        yield simulator


@pytest.fixture
def synced(ready: Folder, trello: TrelloSimulator) -> Folder:
    """A folder whose backend has been imported."""
    assert connect(ready, trello, "--board", "all").code == 0
    ready.ok("import", "trello")
    return ready


# -- start -----------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("backend", "add"), ("worker",), ("demo",), ("inbox",)], ids=" ".join)
def test_help_imports_nothing_heavy(words: Sequence[str]) -> None:
    """
    Help is there before SQLAlchemy, Alembic, httpx2 or cryptography could even be imported.
    """
    code = (
        "import sys\n"
        "from isthmus.cli import main\n"
        f"sys.argv = ['isthmus', *{list(words)!r}, '--help']\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        f"print('IMPORTED', code, [m for m in {HEAVY!r} if m in sys.modules])\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "IMPORTED 0 []"


# -- the way through -------------------------------------------------------------------


def test_from_an_empty_folder_to_a_sync(folder: Folder, trello: TrelloSimulator, database_url: str) -> None:
    """
    Init, add, import, and a second run that says why it did nothing; on both databases.
    """
    assert folder.run_installed("init", "--database", database_url).code == 0
    added = connect(folder, trello, "--board", "all", "--json").document
    imported = folder.ok("import", "trello", "--json").document
    again = folder.ok("sync", "trello", "--json").document
    status = folder.ok("status", "--json").document

    assert [board["name"] for board in added["boards"]] == ["Website", "Mobile app"]
    assert imported["import"]["done"] == {"created": 2 + 4 + 12}
    assert imported["sentence"] == "18 created"
    assert again["changed"] is False
    assert again["sentence"].startswith("nothing changed: no changes since the cursor")
    assert status["backends"][0]["bindings"]["trello.card"] == {"linked": 12}
    assert status["backends"][0]["last_sync"]
    assert status["problems"] == ["no worker is running, changes are not looked for: isthmus worker"]


def test_sync_goes_both_ways_under_one_run_id(synced: Folder, trello: TrelloSimulator) -> None:
    """
    A change on each side is on both after it; journal and log carry the run that is printed.
    """
    there = trello.state.cards()[0]
    trello.state.update_card(there, name="From there")
    with synced.hub() as hub, hub.env(user="anna", run_id="run-of-anna") as env:
        env["project.task"].search([], order="id", limit=2)[1].write({"name": "From here"})

    result = synced.ok("sync", "trello", "--json", "-v")

    run = result.document["run"]
    with synced.hub() as hub, hub.env(readonly=True) as env:
        names = {task["name"] for task in env["project.task"].search([])}
        runs = {j["operation"]: j["run_id"] for j in env["isthmus.journal"].search([], order="id")}
        directions = {j["direction"]: j["run_id"] for j in env["isthmus.journal"].search([], order="id")}
        jobs = [j["run_id"] for j in env["isthmus.job"].search([])]
    assert {"From there", "From here"} <= names
    assert "From here" in {card["name"] for card in trello.state.cards()}
    assert result.document["jobs"] == {"done": 1}
    assert runs["write"] in {run, "run-of-anna"}
    assert directions["import"] == run
    assert directions["export"] == "run-of-anna"
    assert jobs == ["run-of-anna"]
    assert f"isthmus_run_id={run}" in result.err


def test_at_a_terminal_the_program_asks_and_shows_no_secret(ready: Folder, trello: TrelloSimulator) -> None:
    """
    Key and token are asked for without an echo, the boards are listed to choose from.
    """
    ours, theirs = pty.openpty()
    with closing_fd(ours):
        with closing_fd(theirs):
            process = subprocess.Popen(
                [str(PROGRAM), "backend", "add", "trello", "--url", trello.url],
                cwd=ready.path,
                env=ready.env,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                # Without a terminal of the one who runs the test.
                start_new_session=True,
            )
        screen = ""
        for question, answer in (
            ("API key", trello.key),
            ("token", trello.token),
            ("[all]", "Websit"),
            ("[all]", "2"),
        ):
            screen += heard(ours, question)
            os.write(ours, f"{answer}\n".encode())
        screen += heard(ours, "Next:")
        code = process.wait(timeout=30)

    assert code == 0
    assert trello.key not in screen
    assert trello.token not in screen
    assert "nothing is called 'Websit'; did you mean 'Website'?" in screen
    boards = ready.ok("backend", "show", "trello", "--json").document["backend"]["options"]["boards"]
    assert boards == [trello.state.boards()[1]["id"]]


@contextmanager
def closing_fd(number: int) -> Iterator[None]:
    """Close a file descriptor at the end."""
    try:
        yield
    finally:
        os.close(number)


def heard(terminal: int, text: str) -> str:
    """Read from a terminal until a text has come.

    Raises:
        TimeoutError: When it does not come; shows what did.
    """
    screen = ""
    while text not in screen:
        if not select.select([terminal], [], [], 20)[0]:
            raise TimeoutError(f"{text!r} did not come, only {screen!r}")
        screen += os.read(terminal, 4096).decode()
    return screen


# -- long runs -------------------------------------------------------------------------


def test_a_worker_works_both_ways_until_it_is_told_to_stop(synced: Folder, trello: TrelloSimulator) -> None:
    """
    It runs our jobs, finds their changes, is seen by status, and ends with code 0 on SIGTERM.
    """
    synced.env["ISTHMUS_POLL_S"] = "0.5"
    card = trello.state.cards()[0]
    with synced.running("worker", "--threads", "2", "--json") as process:
        until(lambda: "worker started" in synced.read("err"), "the worker runs")
        pid = re.findall(r'event="worker started".* isthmus_pid=(\d+)', synced.read("err"))[0]
        until(lambda: synced.ok("status", "--json").document["workers"], "status knows the worker")
        status = synced.ok("status", "--json").document
        trello.state.update_card(card, name="From there")
        with synced.hub() as hub:
            with hub.env(user="anna", run_id="run-of-anna") as env:
                env["project.task"].search([], order="id desc", limit=1)[0].write({"name": "From here"})

            def here() -> int:
                with hub.env(readonly=True) as env:
                    found: int = env["project.task"].search_count([("name", "=", "From there")])
                    return found

            until(here, "their change is here")
        until(lambda: "From here" in {c["name"] for c in trello.state.cards()}, "our change is there")
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=30)

    assert code == 0
    assert status["problems"] == []
    assert status["workers"][0].endswith(f":{pid}")
    assert json.loads(synced.read("out"))["jobs"] == {"done": 1}
    assert re.search(r"event=.job ended.* isthmus_run_id=run-of-anna", synced.read("err"))
    assert synced.ok("status", "--json").document["workers"] == []


def test_a_killed_worker_is_not_counted_any_more(ready: Folder) -> None:
    """
    Nobody has to clean up after kill -9 of the supervisor, nor of the process that it has started.
    """
    with ready.running("worker") as process:
        until(lambda: ready.ok("status", "--json").document["workers"], "status knows the worker")
        pid = int(ready.ok("status", "--json").document["workers"][0].rpartition(":")[2])
        process.kill()
        process.wait()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

        until(lambda: not ready.ok("status", "--json").document["workers"], "it is not counted")


def test_watch_goes_on_until_ctrl_c(synced: Folder, trello: TrelloSimulator) -> None:
    """
    One document per run, one after another, also after the server was away; Ctrl-C is a good end.
    """

    def documents() -> list[dict[str, Any]]:
        return [json.loads(line) for line in synced.read("out").splitlines()]

    with synced.running("sync", "trello", "--watch", "--every", "0.2", "--json") as process:
        until(lambda: len(documents()) >= 2, "two runs are done")
        # Not stopped: another test's server could be given its port meanwhile.
        trello.faults.plan(FaultPlan(rate=1, kinds=("server_error",)))
        until(lambda: "tried again in 0.2 s" in synced.read("err"), "the outage is told")
        trello.faults.plan(None)
        trello.state.update_card(trello.state.cards()[0], name="After the outage")
        until(lambda: any(d["changed"] for d in documents()), "the change is found")
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=30)

    assert code == 0
    assert synced.read("err").endswith("stopped\n")
    assert len({d["run"] for d in documents()}) == len(documents())


def test_the_simulator_serves_until_it_is_told_to_stop(ready: Folder) -> None:
    """
    What it prints is all that one needs to connect.
    """
    with ready.running("simulator", "trello", "--seed-demo", "--json") as process:
        until(lambda: ready.read("out").endswith("\n"), "the simulator runs")
        words = json.loads(ready.read("out"))["next"][0].split()
        assert words[0] == "isthmus"
        ready.ok(*words[1:])
        imported = ready.ok("import", "trello", "--json").document
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=30)

    assert imported["import"]["done"] == {"created": 3 + 12 + 300}
    assert code == 0


def test_the_demo_ends_in_agreement(folder: Folder) -> None:
    """
    All its steps are seen, in less than half a minute, and both sides are the same at the end.
    """
    result = folder.run_installed("demo", "--json", timeout_s=120)

    shown = result.document
    lines = [line for step in shown["steps"] for line in step["lines"]]
    assert result.code == 0
    assert shown["agree"] is True
    assert shown["differences"] == []
    assert [(t["there"], t["here"]) for t in shown["totals"]] == [(3, 3), (12, 12), (303, 303)]
    assert shown["compared"] > 1_500
    assert shown["seconds"] < 30
    assert any("0 more creates were sent, there is 1 card" in line for line in lines)
    assert lines[-1].startswith("nothing changed: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--with", "oddo"), "our side is one of sql, odoo, not 'oddo'; did you mean 'odoo'?"),
        (("--with", "odoo", "--odoo-version", "old"), "version"),
    ],
)
def test_the_demo_says_what_our_side_may_be(folder: Folder, words: Sequence[str], said: str) -> None:
    """
    A side or version that there is not is refused in one sentence.
    """
    result = folder.run("demo", *words)

    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err


def test_a_kept_demo_can_be_played_with(folder: Folder) -> None:
    """
    Our side is in an Odoo here; servers stay until Ctrl-C, and the commands that are printed work.
    """
    folder.env["TMPDIR"] = str(folder.path)
    with folder.running("demo", "--with", "odoo", "--keep") as process:
        until(
            lambda: "Ctrl-C ends the server" in folder.read("out") or process.poll() is not None, "it is over"
        )
        shown = folder.read("out")
        words = re.findall(r"isthmus (--settings \S+) sync", shown)[0].split()
        edit = re.findall(r"(?m)^  (curl .*_control/call)$", shown)[0]
        again = folder.ok(*words, "sync", "trello", "--json").document
        urlopen(request_of(edit)).close()
        edited = folder.ok(*words, "sync", "trello", "--json").document
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=30)

    assert code == 0
    assert "both sides agree: 1842 values compared" in shown
    assert re.findall(r"0 more creates were sent, there is 1 (\w+)", shown) == ["card", "task"]
    assert again["sentence"].startswith("nothing changed: ")
    assert edited["sentence"] == "jobs: 1 done"
    assert Path(words[1]).exists()
