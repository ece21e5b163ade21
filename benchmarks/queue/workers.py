"""Child processes: started, told to begin, listened to, ended."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from contestant import Contestant, Setup

_CHILD = Path(__file__).with_name("child.py")
_START_S = 60
_END_S = 15


class Process:
    """One child (`child`)."""

    def __init__(self, folder: Path, number: int, **given: Any) -> None:
        self._log = folder / f"log-{given['task']}-{number}"
        self._lines: queue.Queue[str] = queue.Queue()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(_CHILD), json.dumps({**given, "folder": str(folder)})],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # a Ctrl-C is for us; our end is the children's signal
            )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line.strip())
        self._lines.put("")

    def _line(self, timeout: float) -> str:
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise RuntimeError(f"a child said nothing for {timeout:.0f} s; {self.log()}") from None
        if not line:
            raise RuntimeError(f"a child has ended too early; {self.log()}")
        return line

    def log(self) -> str:
        """Give the end of what it has written on its standard error."""
        return "its log ends:\n" + "\n".join(self._log.read_text(errors="replace").splitlines()[-25:])

    def wait_ready(self) -> None:
        """Wait until it is prepared."""
        while self._line(_START_S) != "ready":
            pass

    def go(self) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def facts(self, timeout: float) -> dict[str, Any]:
        """Wait for what it has found."""
        return json.loads(self._line(timeout))

    def ended(self) -> bool:
        """Tell whether it has ended."""
        return self._process.poll() is not None

    def close(self) -> None:
        """Tell it to end, and wait; kill it when it does not."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            print(f"child {self.pid} did not end in {_END_S} s and is killed; {self.log()}", file=sys.stderr)
            os.killpg(self.pid, signal.SIGKILL)  # and what it has started: the group is its own
            self._process.wait()
        self._reader.join(_END_S)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def working(contestant: Contestant, kind: str, setup: Setup, folder: Path) -> Iterator[list[Process]]:
    """Lend the worker processes of a contestant, all prepared and none begun."""
    with ExitStack() as stack:
        made = []
        for number in range(setup.processes):
            process = Process(
                folder, number, task="work", name=contestant.name, url=contestant.url, kind=kind,
                setup=asdict(setup),
            )  # fmt: skip
            stack.callback(process.close)
            made.append(process)
        for process in made:
            process.wait_ready()
        yield made


@contextmanager
def producing(contestant: Contestant, task: str, folder: Path, **given: Any) -> Iterator[Process]:
    """Lend a process that delays jobs, prepared and not begun."""
    process = Process(folder, 0, task=task, name=contestant.name, url=contestant.url, **given)
    try:
        process.wait_ready()
        yield process
    finally:
        process.close()


def cpu_seconds(pid: int) -> float:
    """Tell how much processor time a process and those below it have used so far (Linux)."""
    parents: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, _, rest = path.read_text().partition(" (")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        fields = rest.rpartition(") ")[2].split()
        parents.setdefault(int(fields[1]), []).append(int(number))
        used[int(number)] = int(fields[11]) + int(fields[12])
    family, found = [pid], 0
    while family:
        one = family.pop()
        found += used.get(one, 0)
        family += parents.get(one, [])
    return found / os.sysconf("SC_CLK_TCK")
