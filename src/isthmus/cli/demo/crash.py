"""A worker that dies in the worst moment: what it creates is made, and it never hears of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from isthmus.clock import SystemClock
from isthmus.errors import FailError
from isthmus.simulators.trello import TrelloSimulator

_PATIENCE_S: Final = 30.0
_LOOK_S: Final = 0.01


class HeldAnswer(Protocol):
    """The answer of a server to a create, which can be held back.

    Attributes:
        what: What it answers: "POST /cards".
    """

    what: str

    def hold(self, seconds: float) -> None:
        """Let the next answer come so much later; what was asked is done at once."""
        ...

    def is_held(self) -> bool:
        """Tell whether somebody waits for it by now."""
        ...

    def count(self) -> int:
        """Count the creates that were sent."""
        ...


class HeldCard:
    """Trello's answer to a created card.

    Args:
        trello: Makes the card at once.
    """

    what = "POST /cards"

    def __init__(self, trello: TrelloSimulator) -> None:
        self._trello = trello
        self._before = 0

    def hold(self, seconds: float) -> None:
        """Let the next answer come so much later."""
        self._before = self.count()
        self._trello.faults.next("slow", method="POST", path="/cards", delay_s=seconds)

    def is_held(self) -> bool:
        """Tell whether the card is there and its answer is not."""
        sent = self._trello.requests.matching("POST", "/cards")[self._before :]
        return any(request.applied and request.fault == "slow" for request in sent)

    def count(self) -> int:
        """Count the creates that were sent."""
        return self._trello.requests.count("POST", "/cards")


def killed_while_it_waits(answer: HeldAnswer, settings_file: Path, pids: Callable[[], Sequence[int]]) -> str:
    """Start a real worker, and kill it between the making of a record and the answer.

    Args:
        answer: Is held back.
        settings_file: The worker's settings.
        pids: Lists the processes that run jobs, as they have signed in.

    Returns:
        A sentence on what happened.

    Raises:
        FailError: When the worker does not create anything.
    """  # noqa: DOC502 - raised by what is called
    answer.hold(_PATIENCE_S)
    command = [sys.executable, "-m", "isthmus.cli", "--settings", str(settings_file), "worker", "--no-poll"]
    with (settings_file.parent / "killed-worker.log").open("wb") as log:
        worker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        # The answer comes half a minute later, to nobody.
        _wait_for_create(answer, worker)
        at_work = pids()
    finally:
        # First the one that would replace it.
        worker.kill()
        worker.wait()
    for pid in at_work:
        os.kill(pid, signal.SIGKILL)
    killed = ", ".join(map(str, at_work))
    return f"worker {killed} was killed by SIGKILL while it waited for the answer to {answer.what}"


def _wait_for_create(answer: HeldAnswer, worker: subprocess.Popen[bytes]) -> None:
    clock, end = SystemClock(), time.monotonic() + _PATIENCE_S
    while not answer.is_held():
        if worker.poll() is not None or time.monotonic() > end:
            raise FailError(
                f"the worker of the demo never waited for the answer to {answer.what}; "
                "see killed-worker.log in its folder (--keep)"
            )
        clock.sleep(_LOOK_S)
