"""Which processes still live: each holds the lock on a file of its own while it does.

The kernel frees the lock when the process ends, however it ends, so what a dead process
held (leases, jobs) is free at once on the same machine. On another machine only time tells.
"""

import fcntl
import os
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Final
from uuid import uuid4

_HOST: Final = socket.gethostname()
_folder_lock = threading.Lock()


class Owner:
    """This process's identity as an owner of leases and jobs: ``place:pid:token``.

    The place is the host and the folder of the lock files: another user, a container with the same host
    name or a service with a temporary folder of its own has other files, so that nothing is known of
    its processes here.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Create and lock a file in *folder* (a per-user temporary one when None)."""
        self._folder = folder or Path(tempfile.gettempdir()) / f"isthmus-{os.getuid()}"
        self._pid = -1
        self._text = ""
        self._file: int | None = None

    def __str__(self) -> str:
        """Give the identity; a forked child gets its own."""
        if self._pid != os.getpid():
            with _folder_lock:
                if self._pid != os.getpid():
                    self._begin()
        return self._text

    def _begin(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        token = uuid4().hex
        self._file = os.open(self._folder / f"{token}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._text = f"{self._place()}:{os.getpid()}:{token}"
        self._pid = os.getpid()

    def _place(self) -> str:
        found = self._folder.stat()
        return f"{_HOST}/{found.st_dev:x}.{found.st_ino:x}"

    def sign(self) -> None:
        """Give a sign of life that processes on the same machine see, whatever the database does."""
        if self._pid == os.getpid() and self._file is not None:
            os.utime(self._file)

    def silent_for(self, owner: str) -> float | None:
        """Tell how many seconds ago another owner gave its last `sign`; None when that is not known here."""
        place, _, rest = owner.partition(":")
        if place != str(self).partition(":")[0]:
            return None
        try:
            seen = (self._folder / f"{rest.rpartition(':')[2]}.lock").stat().st_mtime
        except FileNotFoundError:
            return None
        return max(0.0, time.time() - seen)

    def is_gone(self, owner: str) -> bool:
        """Tell whether another owner's process is provably dead.

        Args:
            owner: The identity as it was stored.

        Returns:
            True only when its lock file was in our folder and its lock is free; False means
            "alive or unknown".
        """
        ours = str(self)
        place, _, rest = owner.partition(":")
        token = rest.rpartition(":")[2]
        if place != ours.partition(":")[0] or owner == ours:
            return False
        path = self._folder / f"{token}.lock"
        try:
            handle = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            # The file goes only after its process was found dead (below) or at a reboot.
            return True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(handle)
        path.unlink(missing_ok=True)
        return True
