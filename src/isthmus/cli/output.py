"""What a command prints: sentences and tables for people, or one JSON document."""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, TextIO

_WIDTH_OF_PIPES: Final = 160
"""Columns of a table that no terminal limits."""
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def harden(*streams: TextIO) -> None:
    """Let no character that a stream cannot spell end the program."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def shown(value: Any) -> str:
    r"""Write a value for people; what would steer their terminal is written out.

    >>> shown("a\x1b[31mb"), shown(None), shown(True)
    ('a\\x1b[31mb', '', 'yes')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False, default=_spelled)
    return _CONTROLS.sub(lambda m: m.group().encode("unicode_escape").decode("ascii"), str(value))


def _spelled(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


class Output:
    """Standard output and standard error of one run.

    Args:
        as_json: True when standard output gets one JSON document and nothing else.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def say(self, text: str = "") -> None:
        """Print a line for people."""
        if not self.as_json:
            sys.stdout.write(f"{_lines(text)}\n")
            sys.stdout.flush()

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
        """Print a table for people; nothing for no rows."""
        cells = [[shown(value) for value in row] for row in rows]
        if self.as_json or not cells:
            return
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        width = None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", _WIDTH_OF_PIPES))
        table = Table(
            *columns,
            title=title or None,
            title_justify="left",
            box=SIMPLE_HEAD,
            pad_edge=False,
            show_edge=False,
        )
        for column in table.columns:
            column.overflow = "fold"
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False).print(table)

    def facts(self, pairs: Iterable[tuple[str, Any]]) -> None:
        """Print names with their values, a line each; values of several lines are indented."""
        found = [(name, shown_lines(value)) for name, value in pairs]
        width = max((len(name) for name, _ in found), default=0)
        for name, lines in found:
            self.say(f"{name:<{width}}  {lines[0]}")
            for line in lines[1:]:
                self.say(f"{'':<{width}}  {line}")

    def document(self, content: Any) -> None:
        """Print the JSON document, when that is what was asked for."""
        if self.as_json:
            # ASCII, so that it can be read whatever this stream's encoding is.
            sys.stdout.write(json.dumps(content, default=_spelled) + "\n")
            sys.stdout.flush()

    def tell(self, text: str) -> None:
        """Print a line on standard error: what is not the result."""
        sys.stderr.write(f"{_lines(text)}\n")
        sys.stderr.flush()

    def error(self, message: str) -> None:
        """Print why the command failed, on standard error, as one sentence."""
        self.tell(f"isthmus: {' '.join(message.split())}")


def _lines(text: str) -> str:
    return "\n".join(shown(line) for line in text.split("\n"))


def shown_lines(value: Any) -> list[str]:
    """Write a value for people, line by line."""
    return [shown(line) for line in value.split("\n")] if isinstance(value, str) else [shown(value)]
