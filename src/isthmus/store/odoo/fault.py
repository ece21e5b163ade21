"""An error as Odoo tells it, and where it happened."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from isthmus.http import shorten

_FRAME: Final = re.compile(r'^  File ".*", line \d+, in (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error as Odoo tells it.

    Attributes:
        name: The exception's class with its module: "odoo.exceptions.ValidationError".
        message: What it says, without our secrets.
        debug: The traceback; only looked into, never shown.
    """

    name: str
    message: str
    debug: str = ""

    @classmethod
    def told(cls, data: Any, scrub: Callable[[str], str] = str) -> "Fault | None":
        """Read the error object that both protocols send.

        Args:
            data: What should be such an object.
            scrub: Masks secrets.

        Returns:
            The fault; None when *data* is something else.
        """
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            return None
        message = data.get("message")
        arguments = data.get("arguments")
        # A RedirectWarning's message also has its action and its button.
        if data["name"].endswith("RedirectWarning") and isinstance(arguments, list) and arguments:
            message = arguments[0]
        return cls(name=data["name"], message=scrub(str(message or "")), debug=str(data.get("debug") or ""))

    @property
    def kind(self) -> str:
        """The exception's class, without its module."""
        return self.name.rpartition(".")[2]

    @property
    def frames(self) -> list[str]:
        """The functions of the traceback, as far as it is told; the last one raised."""
        found: list[str] = _FRAME.findall(self.debug)
        return found

    @property
    def said(self) -> str:
        """What Odoo says, in one short line; a traceback is not shown."""
        return shorten(self.message.partition("Traceback (most recent call last)")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a fault happened, for messages.

    Attributes:
        server: Host and port.
        database: The database.
        login: Who called.
        uid: The caller's user; None before the login.
        model: The model that was called; empty for a login.
        ids: The records it was called on; None when on none.
    """

    server: str
    database: str
    login: str | None
    uid: int | None = None
    model: str = ""
    ids: Sequence[int] | None = None
