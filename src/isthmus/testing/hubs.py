"""Hubs for tests: each on a database of its own, migrated, closed when the test ends."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from isthmus.backend import create_key_file
from isthmus.hub import Hub
from isthmus.settings import Settings
from isthmus.store.sql import SqlModel
from isthmus.testing.databases import Databases, Kind


class HubMaker:
    """Makes hubs for one test; what the fixture ``isthmus_hub`` gives.

    Args:
        databases: Where databases come from.
        directory: Where the key file goes.
    """

    def __init__(self, databases: Databases, directory: Path) -> None:
        self._databases = databases
        self._key_file = directory / "isthmus.key"
        self._stack = ExitStack()

    def __call__(
        self,
        *,
        kind: Kind = "sqlite",
        settings: Mapping[str, Any] | None = None,
        models: Mapping[str, type] | None = None,
        **keywords: Any,
    ) -> Hub:
        """Make a hub on a fresh database that has every table it needs.

        Args:
            kind: ``"sqlite"`` or ``"postgresql"``.
            settings: Settings that differ from their defaults: ``{"plugins": ("shop",)}``. The
                environment is not looked at.
            models: Mapped classes by model name; tables that no migration makes are made.
            **keywords: The other arguments of `Hub`: ``components``, ``clock``, ``stores`` ...
        """
        create_key_file(self._key_file)
        url = self._stack.enter_context(self._databases.fresh(kind))
        chosen = Settings(**{"database_url": url, "key_file": self._key_file, **(settings or {})})
        hub = self._stack.enter_context(Hub(chosen, models=models, **keywords))
        hub.upgrade()
        tables = [cls.__table__ for cls in (models or {}).values() if hasattr(cls, "__table__")]
        SqlModel.metadata.create_all(hub.engine, tables=tables)
        return hub

    def close(self) -> None:
        """Close the hubs and drop their databases.

        Raises:
            AssertionError: When a connection was left open.
        """  # noqa: DOC502 - raised by what is called
        self._stack.close()
