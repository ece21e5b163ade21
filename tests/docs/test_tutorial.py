"""The tutorials can be followed to the letter."""

import doctest
import io
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from isthmus.cli.program import app
from isthmus.simulators.odoo import OdooSimulator

FOLDER = Path(__file__).parents[2] / "docs/tutorial"
PAGES = sorted(page.name for page in FOLDER.glob("*.md"))
LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page: str) -> list[tuple[str, str]]:
    """Give the code blocks of a page, each with its language."""
    return re.findall(r"(?ms)^```(\w*)\n(.*?)^```", (FOLDER / page).read_text())


def run_command(command: str) -> str:
    """Run a command of the program and give what it prints."""
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    return done.stdout


def run_python(code: str) -> str:
    """Run Python code and give what it prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(code, "tutorial", "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def sessions(block: str) -> list[tuple[str, str]]:
    """Split a console block into commands and what each prints."""
    found = re.findall(r"(?ms)^\$ (.*?)\n(.*?)(?=^\$ |\Z)", block)
    assert found
    return found


@pytest.fixture
def odoo() -> Iterator[OdooSimulator]:
    """An Odoo that nobody has used yet."""
    with OdooSimulator() as running:
        yield running


@pytest.mark.parametrize(("page", "commands"), [("first-sync.md", 12), ("sync-odoo-with-trello.md", 9)])
def test_the_tutorial_does_what_it_says(
    tmp_path: Path, trello_simulator: Any, odoo: OdooSimulator, monkeypatch: pytest.MonkeyPatch, page: str,
    commands: int,
) -> None:  # fmt: skip
    """
    Every command and every piece of Python of the page runs, and prints what the page shows.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    trello_simulator.seed_demo()
    printed, checked = "", 0

    said = {
        "http://127.0.0.1:8099": trello_simulator.url,
        "http://127.0.0.1:8069": odoo.url,
        "ODOO_KEY": odoo.api_key(),
        "KEY ": f"{trello_simulator.key} ",
        "TOKEN ": f"{trello_simulator.token} ",
    }

    for kind, shown in blocks(page):
        block = shown
        for text, really in said.items():
            block = block.replace(text, really)
        if kind == "python":
            printed = run_python(block)
        elif kind == "console":
            for command, expected in sessions(block):
                output = run_command(command)
                checked += 1
                alike = doctest.OutputChecker().check_output(expected, output, LIKE)
                assert alike, f"{command} prints\n{output}instead of\n{expected}"
        elif kind == "toml":
            Path("isthmus.toml").write_text(block)
        elif not block.startswith("isthmus simulator"):
            assert printed == block

    assert checked == commands


@pytest.mark.parametrize("page", PAGES)
def test_every_kind_of_block_is_looked_at(page: str) -> None:
    """
    No block of a page is of a kind that the test above passes over.
    """
    assert {kind for kind, _ in blocks(page)} <= {"", "console", "python", "toml"}
