"""Worker processes as a test sees them: started in milliseconds, heard, stopped, killed."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from queue import Empty, Queue
from typing import Any, TypeVar

import entries
from sqlalchemy import func, select

from isthmus.hub import Hub
from isthmus.job import State
from isthmus.job.table import JOBS
from isthmus.testing.crash import Crashed, start_child

Words = tuple[Any, ...]
Inbox = Queue[tuple["Child", Words | None]]
_C = TypeVar("_C", bound="Child")

_LONGEST_S = 60.0
_LIVING = (State.PENDING, State.STARTED, State.WAIT_DEPENDENCIES)


class Child:
    """A process that runs a function of `entries`; the first thing it says is ``works``, with its number.

    A thread listens: a process that nobody hears would wait in the middle of a transaction.

    Args:
        function: Name of the function.
        url: Its database.
        *args: Further arguments.
        crash_at: Number of the SQL statement, commit or end of a transaction at which it kills itself.
        inbox: Where it is put what it says, with itself, and None for its end; an own one if left out.

    Attributes:
        pid: Its process, once it was heard.
        is_gone: True when it was waited for.
    """

    def __init__(
        self, function: str, url: str, *args: Any, crash_at: int | None = None, inbox: "Inbox | None" = None
    ) -> None:
        self._wire, theirs = get_context("forkserver").Pipe()
        program = Path(entries.__file__)
        self._end = start_child(program, function, url, theirs, *args, crash_at=crash_at)
        theirs.close()
        self.pid = 0
        self.is_gone = False
        self._inbox: Inbox = Queue() if inbox is None else inbox
        self._listener = threading.Thread(target=self._listen, name="crew", daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        with suppress(EOFError, ConnectionResetError):
            while True:
                words = self._wire.recv()
                if words[0] == "works":
                    self.pid = words[1]
                self._inbox.put((self, words))
        self._inbox.put((self, None))

    def hear(self) -> Words:
        """Wait for the next thing it says.

        Raises:
            TimeoutError: When it says nothing, or has ended.
        """
        try:
            _, words = self._inbox.get(timeout=_LONGEST_S)
        except Empty:
            words = None
        if words is None:
            raise TimeoutError("a worker process says nothing any more")
        return words

    def expect(self, *words: Any) -> Words:
        """Wait until it says something that begins with these words."""
        while (said := self.hear())[: len(words)] != words:
            pass
        return said

    def tell(self, order: str) -> None:
        """Give it an order: ``go`` or ``stop``."""
        self._wire.send(order)

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it with kill -9, unless it has done so itself."""
        with suppress(ProcessLookupError):
            self.send_signal(signal.SIGKILL)
        self.bury()

    def bury(self) -> None:
        """Wait for the end of one that was killed, or kills itself."""
        with suppress(Crashed):
            self._wait()

    def stop(self) -> None:
        """Let it end in order."""
        self.tell("stop")
        self._wait()

    def _wait(self) -> None:
        self.is_gone = True
        self._listener.join()
        self._wire.close()
        self._end()


class Member(Child):
    """A worker process.

    Args:
        url: Its database.
        threads: How many jobs it runs at a time.
        crash_at: As of `Child`.
        inbox: As of `Child`.
        shift: How wrong its clock is.
        answer_s: Seconds after which it gives up a connection without an answer.
        **options: Settings of the queue.
    """

    def __init__(
        self, url: str, threads: int = 2, *, crash_at: int | None = None, inbox: "Inbox | None" = None,
        shift: timedelta = timedelta(), answer_s: float | None = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__("work", url, threads, shift, answer_s, options, crash_at=crash_at, inbox=inbox)


@contextmanager
def lent(child: _C) -> Iterator[_C]:
    """Lend a process; it is ended in order, or killed after a failure."""
    try:
        yield child
        if not child.is_gone:
            child.stop()
    finally:
        if not child.is_gone and child.pid:
            child.kill()


@contextmanager
def member(url: str, threads: int = 2, **options: Any) -> Iterator[Member]:
    """Lend a worker process that works already."""
    with lent(Member(url, threads, **options)) as made:
        made.expect("works")
        yield made


# -- the database --------------------------------------------------------------------------


def texts(hub: Hub) -> list[str]:
    """List the rows that jobs have written, in order."""
    with hub.env(readonly=True) as env:
        return [str(entry.text) for entry in env[entries.NAME].search([], order="id")]


def living(hub: Hub) -> int:
    """Count the jobs that have not come to an end."""
    counts = hub.queue.counts()
    return sum(counts.get(state, 0) for state in _LIVING)


def states(hub: Hub) -> dict[State, int]:
    """Count the jobs by state, without those of which there are none; exactly, however many there are."""
    by_state = select(JOBS.c.state, func.count()).group_by(JOBS.c.state)
    with hub.engine.connect() as connection:
        return {State(state): count for state, count in connection.execute(by_state)}
