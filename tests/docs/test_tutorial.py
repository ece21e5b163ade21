"""The tutorial can be followed to the letter."""

import doctest
import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from isthmus.cli.program import app

PAGE = Path(__file__).parents[2] / "docs/tutorial/first-sync.md"
BLOCKS = re.findall(r"(?ms)^```(\w*)\n(.*?)^```", PAGE.read_text())
LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def run_command(command: str) -> str:
    """Run a command of the program and give what it prints."""
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    return done.stdout


def run_python(code: str) -> str:
    """Run Python code and give what it prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(code, PAGE.name, "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def sessions(block: str) -> list[tuple[str, str]]:
    """Split a console block into commands and what each prints."""
    found = re.findall(r"(?ms)^\$ (.*?)\n(.*?)(?=^\$ |\Z)", block)
    assert found
    return found


def test_the_tutorial_does_what_it_says(
    tmp_path: Path, trello_simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Every command and every piece of Python of the page runs, and prints what the page shows.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    trello_simulator.seed_demo()
    printed, checked = "", 0

    for kind, shown in BLOCKS:
        block = shown.replace("http://127.0.0.1:8099", trello_simulator.url)
        block = block.replace("KEY ", f"{trello_simulator.key} ").replace(
            "TOKEN ", f"{trello_simulator.token} "
        )
        if kind == "python":
            printed = run_python(block)
        elif kind == "console":
            for command, expected in sessions(block):
                output = run_command(command)
                checked += 1
                alike = doctest.OutputChecker().check_output(expected, output, LIKE)
                assert alike, f"{command} prints\n{output}instead of\n{expected}"
        elif not block.startswith("isthmus simulator"):
            assert printed == block

    assert checked == 12


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in BLOCKS}))
def test_every_kind_of_block_is_looked_at(kind: str) -> None:
    """
    No block of the page is of a kind that the test above passes over.
    """
    assert kind in {"", "console", "python"}
