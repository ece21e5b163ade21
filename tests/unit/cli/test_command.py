"""How a command is made: help, examples, and the options that every command has."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from isthmus.cli.command import command, group
from isthmus.cli.program import app
from isthmus.cli.session import Session
from isthmus.errors import BackendError, FailError, UsageError


def commands(of: typer.Typer = app, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """List every command of the program by its words."""
    for found in of.registered_commands:
        yield (*path, str(found.name))
    for below in of.registered_groups:
        assert below.typer_instance is not None
        yield from commands(below.typer_instance, (*path, str(below.typer_instance.info.name)))


def program(action: Any) -> typer.Typer:
    """Make a program of two commands, of which one does *action*."""
    made = group("isthmus", help="For tests.")

    @made.callback()
    def _nothing() -> None: ...

    @command(made, "act", examples=("isthmus act",))
    def act(session: Session, word: Annotated[str, typer.Option("--word")] = "none") -> int | None:
        """Do it.

        Raises:
            Whatever: this is not for users.
        """
        return action(session, word)  # type: ignore[no-any-return]

    return made


@pytest.mark.parametrize("words", sorted(commands()), ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(words: tuple[str, ...]) -> None:
    """
    The help says what the command does and shows how it is typed; nothing of it is for programmers.
    """
    result = CliRunner().invoke(app, [*words, "--help"], prog_name="isthmus")

    assert result.exit_code == 0
    examples = result.stdout.partition("Examples:")[2]
    assert f"isthmus {' '.join(words)}" in examples or "isthmus --settings" in examples
    assert "Raises:" not in result.stdout
    assert "Args:" not in result.stdout
    assert "--json" in result.stdout


def test_there_are_the_commands_that_are_promised() -> None:
    """
    No command got lost on the way into the program.
    """
    found = {" ".join(words) for words in commands()}

    assert found == {
        "init", "sync", "import", "export", "status", "worker", "simulator", "demo",
        "db upgrade", "db status",
        "backend add", "backend list", "backend show", "backend set", "backend test", "backend disable",
        "backend enable", "backend remove", "backend rotate-key",
        "webhook url", "webhook rotate",
        "cursor show", "cursor reset",
        "channel list", "channel show", "channel set", "channel reset",
        "jobs list", "jobs show", "jobs retry", "jobs cancel", "jobs done", "jobs prune", "jobs watch",
        "schedule list", "schedule run", "schedule pause", "schedule resume",
        "inbox list", "inbox show", "inbox resolve",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code"),
    [(FailError("no"), 1), (UsageError("no"), 2), (BackendError("no"), 3), (OSError(28, "no"), 1)],
)
def test_an_error_ends_the_command_with_its_exit_code(error: Exception, code: int) -> None:
    """
    One sentence on standard error, the error's own exit code, nothing on standard output.
    """

    def fail(_session: Session, _word: str) -> int:
        raise error

    result = CliRunner().invoke(program(fail), ["act"])

    assert result.exit_code == code
    assert result.stderr == "isthmus: no\n"
    assert result.stdout == ""


def test_an_unexpected_error_is_a_sentence_too() -> None:
    """
    A bug says what it is and how to see more; its traceback is shown on request only.
    """

    def fail(_session: Session, _word: str) -> int:
        raise ZeroDivisionError("division by zero\nand more")

    short = CliRunner().invoke(program(fail), ["act"])
    long = CliRunner().invoke(program(fail), ["act", "--debug"])

    what = "unexpected ZeroDivisionError: division by zero"
    sentence = f"isthmus: {what} (run the command with --debug to see where)\n"
    assert (short.exit_code, short.stderr) == (1, sentence)
    assert "Traceback" in long.stderr
    assert long.stderr.endswith(sentence)


def test_with_json_an_error_is_the_document() -> None:
    """
    A script reads why a command failed from where it reads everything else.
    """

    def fail(_session: Session, _word: str) -> int:
        raise BackendError("no such backend")

    result = CliRunner().invoke(program(fail), ["act", "--json"])

    document = json.loads(result.stdout)
    assert document["error"] == {"type": "BackendError", "message": "no such backend", "exit_code": 3}
    assert result.stderr == "isthmus: no such backend\n"


def test_what_a_command_returns_is_the_exit_code() -> None:
    """
    None is success, a number is itself.
    """
    codes = [CliRunner().invoke(program(lambda *_, c=c: c), ["act"]).exit_code for c in (None, 0, 1, 3)]

    assert codes == [0, 0, 1, 3]


def test_shared_options_stand_before_or_after_the_commands_name(tmp_path: Any) -> None:
    """
    ``isthmus --json status`` and ``isthmus status --json`` are the same.
    """
    missing = str(tmp_path / "nowhere.toml")

    before = CliRunner().invoke(app, ["--json", "--settings", missing, "status"])
    after = CliRunner().invoke(app, ["status", "--json", "--settings", missing])

    first, second = json.loads(before.stdout), json.loads(after.stdout)
    assert first["error"] == second["error"]
    assert first["error"]["exit_code"] == before.exit_code == after.exit_code == 3
