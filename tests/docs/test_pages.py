"""Pages lead to pages that are there and show commands that exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from isthmus.cli.program import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
VERBS = re.findall(r"(?m)^([a-z-]+):.*## ", (ROOT / "Makefile").read_text())


def relative(path: Path) -> str:
    """Name a page as the tree does."""
    return path.relative_to(ROOT).as_posix()


def commands_of(page: Path) -> list[str]:
    """List the commands that a page shows: lines of its code blocks, and code in its text."""
    text = page.read_text()
    blocks = "\n".join(re.findall(r"(?ms)^ *```\w*\n(.*?)^ *```", text))
    lines = [line.strip().removeprefix("$ ") for line in blocks.splitlines()]
    inline = re.findall(r"`((?:isthmus|make) [^`]*)`", re.sub(r"(?ms)^ *```.*?^ *```", "", text))
    return [line for line in (*lines, *inline) if line.startswith(("isthmus ", "make "))]


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_link_leads_to_something(page: Path) -> None:
    """
    What a page links to in this repository is there.
    """
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())

    missing = [link for link in links if not (page.parent / link).exists()]

    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_command_exists(page: Path) -> None:
    """
    A command that a page shows is one of the program's or of the Makefile's, with options it has.
    """
    wrong = {command: why for command in commands_of(page) if (why := what_is_wrong(command))}

    assert wrong == {}


def what_is_wrong(command: str) -> str | None:
    """Say why a command cannot be run as it is shown; None when it can."""
    program, *words = shlex.split(command, comments=True)
    if program == "make":
        return None if words and words[0] in VERBS else "no such verb in the Makefile"
    found = typer.main.get_command(app)
    for word in words:
        if hasattr(found, "commands") and not word.startswith("-"):
            if word.isupper():
                return None  # stands for any command
            if word not in found.commands:
                return f"{found.name} has no command {word!r}"
            found = found.commands[word]
        elif word.startswith("--"):
            known = {name for param in found.params for name in (*param.opts, *param.secondary_opts)}
            if word.partition("=")[0] not in known | {"--help"}:
                return f"{found.name} has no option {word!r}"
    return None


def test_the_glossary_is_in_order_and_has_each_word_once() -> None:
    """
    Who looks a word up finds it by the alphabet.
    """
    page = (ROOT / "docs/reference/glossary.md").read_text()

    words = [word.partition(",")[0] for word in re.findall(r"(?m)^\*\*(.+?)\*\*$", page)]

    assert words
    assert words == sorted(set(words))
