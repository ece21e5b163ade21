"""SQLite databases for tests: files in one folder."""

import sqlite3
from contextlib import closing
from pathlib import Path


class SqliteFiles:
    """Makes and removes SQLite files.

    Args:
        directory: Where they go; it must exist.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def url(self, name: str) -> str:
        """Tell the URL of the database *name*."""
        return f"sqlite:///{self._file(name)}"

    def create(self, name: str, template: str | None) -> None:
        """Make the file, empty or as a copy of *template*."""
        with closing(sqlite3.connect(self._file(name))) as new:
            if template is None:
                new.execute("VACUUM")  # writes the file
                return
            # Not a copy of the file: what is in the template's write-ahead log belongs to it.
            with closing(sqlite3.connect(self._file(template))) as old:
                old.backup(new)

    def drop(self, name: str) -> int:
        """Remove the file and its companions. SQLite cannot tell who has it open: always 0."""
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self._file(name)}{suffix}").unlink(missing_ok=True)
        return 0

    def close(self) -> None:
        """Do nothing: there is no server."""

    def _file(self, name: str) -> Path:
        return self._directory.resolve() / f"{name}.db"
