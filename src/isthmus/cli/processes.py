"""A supervisor: starts worker processes, replaces those that die, and brings all of them to a good end."""

import logging
import selectors
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from isthmus.cli.lifeline import NOW, STOP, Lines

logger = logging.getLogger("isthmus.worker")

STUCK: Final = 75
"""Exit code of a process that ended itself since one of its jobs had to be ended by force."""

Command = Callable[[int, int], Sequence[str]]
"""Makes the command line of a process, from its place (0, 1, ...) and the number of its lifeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How patient a supervisor is.

    Attributes:
        first: Until a process that died is replaced; doubles each time it dies again.
        longest: What it doubles to.
        settled: Once it has lived so long, its next death counts as the first.
        slack: How much longer than the grace a process may take to end, and how long after it was
            told to end at once.
    """

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=30)
    settled: timedelta = timedelta(minutes=1)
    slack: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why no process can be started: a person must change something.

    Attributes:
        type: The error's class.
        message: What it says.
        exit_code: What the program ends with.
    """

    type: str
    message: str
    exit_code: int


@dataclass(slots=True, kw_only=True)
class Summary:
    """What came of it.

    Attributes:
        jobs: How many jobs there were, by how they ended; of a process that was killed as far as it
            has told (once a second).
        given_back: How many were handed back unfinished.
        replaced: How many processes were replaced.
        failure: Why it ended by itself; None when it was told to.
    """

    jobs: Counter[str] = field(default_factory=Counter)
    given_back: int = 0
    replaced: int = 0
    failure: Failure | None = None


class Supervisor:
    """Keeps a number of worker processes running.

    Each has a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone, and a
    lifeline (`isthmus.cli.lifeline.Lifeline`) at whose other end it learns that the supervisor
    is gone. Its standard output goes to standard error: the supervisor's is for the result.

    Args:
        command: Makes the command lines.
        count: How many processes.
        grace: How long running jobs may go on after the first `stop`. The processes see to it
            themselves; one that does not is killed in the end.
        waits: How patient it is otherwise.
    """

    def __init__(self, command: Command, count: int, *, grace: timedelta, waits: Waits | None = None) -> None:
        self._command = command
        self._grace = grace
        self._waits = waits or Waits()
        self._summary = Summary()
        self._children: dict[int, _Child] = {}
        self._due: dict[int, float] = dict.fromkeys(range(count), 0.0)
        self._pauses: dict[int, timedelta] = {}
        self._asked = 0
        self._step = 0
        self._deadline = float("inf")
        self._selector = selectors.DefaultSelector()
        self._ear, self._bell = socket.socketpair()
        for end in (self._ear, self._bell):
            end.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ, self._drain)

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        return [child.process.pid for child in self._children.values()]

    @property
    def bell(self) -> int:
        """The file descriptor to which any byte is written to wake it (`signal.set_wakeup_fd`)."""
        return self._bell.fileno()

    def stop(self) -> None:
        """Go one step further towards the end; from any thread, or from a signal's handler.

        The first step lets running jobs end within the grace, the second hands them back at once, the
        third kills what is left.
        """
        self._asked += 1
        with suppress(OSError):
            self._bell.send(b"!")

    def run(self) -> Summary:
        """Work until it was told to stop and every process has ended, or until none can be started."""
        try:
            while self._goes_on():
                self._start_due()
                for key, _ in self._selector.select(self._patience()):
                    key.data()
                self._reap()
        finally:
            # Whatever happened: the processes learn by it that they are on their own, and end.
            for child in self._children.values():
                child.line.close()
        return self._summary

    def close(self) -> None:
        """Let its own sockets go, when no signal is told to it any more."""
        self._selector.close()
        self._ear.close()
        self._bell.close()

    # -- life of a process -------------------------------------------------------------

    def _start_due(self) -> None:
        now = time.monotonic()
        for place in [place for place, due in self._due.items() if due <= now and not self._step]:
            del self._due[place]
            try:
                child = _Child.start(self._command, place)
            except OSError as exc:
                self._again(place, f"a worker process cannot be started ({exc.strerror or exc})")
                continue
            self._children[place] = child
            self._selector.register(child.line, selectors.EVENT_READ, child.receive)

    def _reap(self) -> None:
        for place, child in list(self._children.items()):
            if child.process.poll() is None:
                continue
            child.receive()  # what it said last
            self._selector.unregister(child.line)
            child.line.close()
            del self._children[place]
            self._summary.jobs += child.jobs
            self._summary.given_back += child.given_back
            self._judge(place, child)

    def _judge(self, place: int, child: "_Child") -> None:
        """Decide what is to be done about a process that has ended."""
        if child.failure is not None:
            self._summary.failure = self._summary.failure or child.failure
            self._asked = max(self._asked, 1)
            return
        code: int = child.process.returncode
        told = f"worker process {child.process.pid} {_how(code)}"
        if self._step:
            logger.log(logging.WARNING if code else logging.DEBUG, "%s", told)
            return
        self._summary.replaced += 1
        if child.trouble:
            told = f"a worker process could not start ({child.trouble})"
        if time.monotonic() - child.since >= self._waits.settled.total_seconds():
            self._pauses.pop(place, None)
        if code == STUCK:
            logger.warning("%s, and is replaced", told)
            self._due[place] = 0.0
        else:
            self._again(place, told)

    def _again(self, place: int, why: str) -> None:
        pause = self._pauses.get(place, self._waits.first)
        self._pauses[place] = min(2 * pause, self._waits.longest)
        self._due[place] = time.monotonic() + pause.total_seconds()
        logger.warning("%s, and is replaced in %g s", why, pause.total_seconds())

    # -- the end -----------------------------------------------------------------------

    def _goes_on(self) -> bool:
        """Go as far towards the end as was asked for, or as patience has run out."""
        if self._step and time.monotonic() >= self._deadline:
            logger.warning("worker processes %s do not end in time", self.pids)
            self._asked = max(self._asked, self._step + 1)
        while self._step < self._asked:
            self._step += 1
            if self._step == 1 and self._summary.failure is None:
                logger.info("worker stops: running jobs may end, another signal gives them back at once")
            slack = self._waits.slack
            wait = {1: self._grace + slack, 2: slack}.get(self._step)
            self._deadline = float("inf") if wait is None else time.monotonic() + wait.total_seconds()
            for child in self._children.values():
                child.press(self._step)
        return not self._step or bool(self._children)

    def _patience(self) -> float | None:
        ends = [self._deadline] if self._step else list(self._due.values())
        nearest = min(ends, default=float("inf"))
        return None if nearest == float("inf") else max(0.0, nearest - time.monotonic())

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while self._ear.recv(1024):
                pass


class _Child:
    """A worker process, as its supervisor sees it."""

    def __init__(self, process: "subprocess.Popen[bytes]", line: socket.socket) -> None:
        self.process = process
        self.line = line
        self.since = time.monotonic()
        self.jobs: Counter[str] = Counter()
        self.given_back = 0
        self.failure: Failure | None = None
        self.trouble = ""
        self._lines = Lines(self._hear)

    @classmethod
    def start(cls, command: Command, place: int) -> "_Child":
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                process = subprocess.Popen(
                    command(place, theirs.fileno()),
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=2,
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        return cls(process, ours)

    def receive(self) -> None:
        """Take what it has said."""
        try:
            while received := self.line.recv(65_536):
                self._lines.feed(received)
        except BlockingIOError:
            return
        except ConnectionResetError:
            pass  # it died before it had read what it was told
        # It is gone, or nearly: without this wait the loop would spin until the kernel is through with it.
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0.05)

    def _hear(self, told: dict[str, Any]) -> None:
        """Take one message: totals so far, or why it cannot start."""
        if "jobs" in told:
            self.jobs = Counter(told["jobs"])
            self.given_back = told["given_back"]
        if "failure" in told:
            self.failure = Failure(**told["failure"])
        if "trouble" in told:
            self.trouble = told["trouble"]

    def press(self, step: int) -> None:
        """Tell it to end: 1 when its jobs have ended, 2 at once, 3 by force."""
        if step <= 2:
            with suppress(OSError):
                self.line.send(STOP if step == 1 else NOW)
        else:
            self.process.kill()


def _how(code: int) -> str:
    """Say how a process ended.

    >>> _how(-9), _how(75)
    ('was ended by SIGKILL', 'ended itself because a job had to be ended by force')
    """
    if code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return (
        "ended itself because a job had to be ended by force" if code == STUCK else f"ended with code {code}"
    )
