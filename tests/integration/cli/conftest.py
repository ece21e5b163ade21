"""Run commands of the program in this process, in a folder of their own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from isthmus.cli.program import app
from isthmus.hub import Hub
from isthmus.settings import Settings
from isthmus.simulators.trello import TrelloSimulator


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


class Folder:
    """A folder in which commands are run; it is the working directory."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self._patch = monkeypatch
        monkeypatch.chdir(path)
        self.printed = ""

    def set(self, name: str, value: str) -> None:
        """Set an environment variable for all that follows."""
        self._patch.setenv(name, value)

    def run(self, *words: str, **env: str) -> Result:
        """Run a command to its end."""
        done = CliRunner().invoke(app, words, env=env, prog_name="isthmus")
        self.printed += done.stdout + done.stderr
        return Result(done.exit_code, done.stdout, done.stderr)

    def ok(self, *words: str) -> Result:
        """Run a command that must succeed."""
        result = self.run(*words)
        assert result.code == 0, result.err
        return result

    @contextmanager
    def hub(self) -> Iterator[Hub]:
        """Open the hub of the folder."""
        with Hub(Settings.load(self.path / "isthmus.toml")) as hub:
            yield hub

    def connect(self, trello: TrelloSimulator, *words: str) -> Result:
        """Add a simulator as a backend, with credentials from the environment."""
        self.set("DEMO_KEY", trello.key)
        self.set("DEMO_TOKEN", trello.token)
        credentials = ("--key", "env:DEMO_KEY", "--token", "env:DEMO_TOKEN")
        return self.run("backend", "add", "trello", "--url", trello.url, *credentials, *words)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """An empty folder."""
    monkeypatch.delenv("ISTHMUS_DATABASE_URL", raising=False)
    return Folder(tmp_path, monkeypatch)


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
def connected(ready: Folder, trello: TrelloSimulator) -> Folder:
    """A folder with a backend."""
    assert ready.connect(trello, "--board", "all").code == 0
    return ready


@pytest.fixture
def synced(connected: Folder) -> Folder:
    """A folder whose backend has been imported."""
    connected.ok("import", "trello")
    return connected
