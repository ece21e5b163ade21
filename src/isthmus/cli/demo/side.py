"""Our side of the demo: how somebody works there, and how its records are read afresh."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from isthmus.cli.demo.crash import HeldAnswer
from isthmus.hub import Hub

Rows = list[dict[str, Any]]
"""Records with their ``id``; relations are IDs, nothing is None."""

ARCHIVED_TOO = ("active", "in", [True, False])


class OurSide(Protocol):
    """Where projects, stages and tasks are.

    Attributes:
        place: Where that is, in a sentence: "here", "in Odoo".
        title: What it is, in a heading.
        settings: Lines of the settings file that say so, beside those of every demo.
        made: The answer to a create of ours that can be held back; None where nothing is asked of a server.
    """

    place: str
    title: str
    settings: str
    made: HeldAnswer | None

    def connect(self, hub: Hub) -> list[str]:
        """Make what the hub needs to reach it, and say so."""
        ...

    def create(self, model: str, values: Mapping[str, Any]) -> int:
        """Let somebody create a record."""
        ...

    def write(self, model: str, key: int, values: Mapping[str, Any]) -> None:
        """Let somebody change a record."""
        ...

    def unlink(self, model: str, key: int) -> None:
        """Let somebody delete a record."""
        ...

    def rows(self, model: str, fields: Sequence[str]) -> Rows:
        """Read all records afresh, archived ones too, in the order of their IDs."""
        ...

    def hints(self) -> list[str]:
        """Say how to play on by hand."""
        ...


class SqlSide:
    """Our records are in the hub's own database.

    Args:
        run_id: The run.
    """

    place = "here"
    title = "A database here, a Trello there"
    settings = ""
    made: HeldAnswer | None = None

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._hub: Hub | None = None

    def connect(self, hub: Hub) -> list[str]:
        """Take the hub's database."""
        self._hub = hub
        return []

    def _env(self) -> Any:
        assert self._hub is not None, "connect() comes first"  # noqa: S101 - the order of our own calls
        return self._hub.env(user="demo", run_id=self._run_id)

    def create(self, model: str, values: Mapping[str, Any]) -> int:
        """Let somebody create a record."""
        with self._env() as env:
            made: int = env[model].create(dict(values)).id
        return made

    def write(self, model: str, key: int, values: Mapping[str, Any]) -> None:
        """Let somebody change a record."""
        with self._env() as env:
            env[model].write([key], dict(values))

    def unlink(self, model: str, key: int) -> None:
        """Let somebody delete a record."""
        with self._env() as env:
            env[model].unlink([key])

    def rows(self, model: str, fields: Sequence[str]) -> Rows:
        """Read all records afresh, archived ones too."""
        with self._env() as env:
            found = env[model].search([ARCHIVED_TOO], order="id")
            rows: Rows = env[model].read([record.id for record in found], list(fields))
        return rows

    def hints(self) -> list[str]:
        """Nothing beside the commands of every demo."""
        return []
