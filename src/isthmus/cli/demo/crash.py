"""A worker that dies in the worst moment: its card is made, and it never hears of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from isthmus.clock import SystemClock
from isthmus.errors import FailError
from isthmus.simulators.trello import TrelloSimulator

_PATIENCE_S: Final = 30.0
_LOOK_S: Final = 0.01


def killed_after_create(
    trello: TrelloSimulator, settings_file: Path, pids: Callable[[], Sequence[int]]
) -> str:
    """Start a real worker, and kill it between the making of a card and the answer.

    Args:
        trello: Holds its next answer to a created card back.
        settings_file: The worker's settings.
        pids: Lists the processes that run jobs, as they have signed in.

    Returns:
        A sentence on what happened.

    Raises:
        FailError: When the worker does not create a card.
    """  # noqa: DOC502 - raised by what is called
    trello.faults.next("slow", method="POST", path="/cards", delay_s=_PATIENCE_S)
    before = trello.requests.count("POST", "/cards")
    command = [sys.executable, "-m", "isthmus.cli", "--settings", str(settings_file), "worker", "--no-poll"]
    with (settings_file.parent / "killed-worker.log").open("wb") as log:
        worker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        # Logged as applied: the card is there. The answer comes half a minute later, to nobody.
        _wait_for_create(trello, before, worker)
        at_work = pids()
    finally:
        # First the one that would replace it.
        worker.kill()
        worker.wait()
    for pid in at_work:
        os.kill(pid, signal.SIGKILL)
    killed = ", ".join(map(str, at_work))
    return f"worker {killed} was killed by SIGKILL while it waited for the answer to POST /cards"


def _wait_for_create(trello: TrelloSimulator, before: int, worker: subprocess.Popen[bytes]) -> None:
    clock, end = SystemClock(), time.monotonic() + _PATIENCE_S
    while True:
        sent = trello.requests.matching("POST", "/cards")[before:]
        if any(request.applied and request.fault == "slow" for request in sent):
            return
        if worker.poll() is not None or time.monotonic() > end:
            raise FailError(
                "the worker of the demo made no card; see killed-worker.log in its folder (--keep)"
            )
        clock.sleep(_LOOK_S)
