"""Questions to whoever sits at the terminal."""

import getpass
import sys
from collections.abc import Mapping, Sequence

import typer

from isthmus.errors import UsageError, near


def is_interactive() -> bool:
    """Tell whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def require_person(option: str, what: str) -> None:
    """Go on only where somebody can be asked.

    Args:
        option: The option that gives it without a question.
        what: What it is, and where to find it.

    Raises:
        UsageError: When nobody can be asked; names the option.
    """
    if not is_interactive():
        raise UsageError(f"{option} is missing: {what}")


def ask_secret(option: str, what: str) -> str:
    """Ask for something that is not shown while it is typed.

    Args:
        option: The option that gives it without a question.
        what: What it is, and where to find it.

    Raises:
        UsageError: When nobody can be asked.
        Abort: When the terminal is closed instead.
    """  # noqa: DOC502 - the first by what is called
    require_person(option, what)
    answer = ""
    while not answer:
        # typer's own prompt shows the question before it hides what is typed: a quick paste would be seen.
        try:
            answer = getpass.getpass(f"{what}: ", stream=sys.stderr).strip()
        except EOFError as exc:
            raise typer.Abort from exc
    return answer


def ask(option: str, what: str, default: str | None = None) -> str:
    """Ask for something.

    Args:
        option: The option that gives it without a question.
        what: What it is.
        default: What an empty answer means.

    Raises:
        UsageError: When nobody can be asked.
    """  # noqa: DOC502 - raised by what is called
    require_person(option, what)
    answer: str = typer.prompt(what, default=default, err=True)
    return answer.strip()


def choose(answer: str | Sequence[str], things: Sequence[Mapping[str, str]], option: str) -> list[str]:
    """Find what an answer means: "all", numbers in the list, IDs, or names.

    Args:
        answer: Comma separated, or the parts.
        things: Each has ``id`` and ``name``.
        option: For the message.

    Returns:
        The IDs, in the order of the list.

    Raises:
        UsageError: When a part means nothing, or several things.

    >>> boards = [{"id": "5a", "name": "Website"}, {"id": "5b", "name": "Office"}]
    >>> choose("2, website", boards, "--board"), choose("all", boards, "--board")
    (['5a', '5b'], ['5a', '5b'])
    """
    parts = [p.strip() for p in (answer.split(",") if isinstance(answer, str) else answer) if p.strip()]
    if [p.lower() for p in parts] == ["all"]:
        return [thing["id"] for thing in things]
    chosen: set[str] = set()
    for part in parts:
        found = _find(part, things)
        if not found:
            raise UsageError(f"{option}: nothing is called {part!r}{near(part, [t['name'] for t in things])}")
        if len(found) > 1:
            raise UsageError(f"{option}: several are called {part!r}, give an ID: {', '.join(found)}")
        chosen.update(found)
    return [thing["id"] for thing in things if thing["id"] in chosen]


def _find(part: str, things: Sequence[Mapping[str, str]]) -> list[str]:
    exact = [t["id"] for t in things if part in {t["id"], t["name"]}]
    if exact:
        return exact
    loose = [t["id"] for t in things if t["name"].strip().lower() == part.lower()]
    if loose:
        return loose
    if part.isdecimal() and 1 <= int(part) <= len(things):
        return [things[int(part) - 1]["id"]]
    return []
