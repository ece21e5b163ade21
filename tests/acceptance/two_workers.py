"""What each of two worker processes does: import and export until it is told to stop."""

from collections import Counter
from pathlib import Path
from typing import Any

from world import FastClock, Installation, settings_for

from isthmus.errors import IsthmusError
from isthmus.hub import Hub
from isthmus.sync import service
from isthmus.testing.crash import CrashPoints

_JOBS_OF_A_ROUND = 40


def work(_points: CrashPoints, url: str, key_file: str, clock: FastClock, orders: Any) -> Counter[str]:
    """Do a round whenever ``go`` comes, and say so; settle at ``settle``, end at anything else.

    Gives what went wrong, by kind of error.
    """
    trouble: Counter[str] = Counter()
    # A job is never overdue: heartbeats are given by the machine's clock, which is slower.
    settings = settings_for(url, Path(key_file), job={"lease_s": 1e7}, page_size=5)
    with Hub(settings, clock=clock) as hub:
        place = Installation(hub, clock)
        while (order := orders.recv()) in {"go", "settle"}:
            if order == "go":
                _round(place, trouble)
            else:
                _settle(place)
            orders.send("done")
    return trouble


def _round(place: Installation, trouble: Counter[str]) -> None:
    try:
        with place.hub.env(user="worker") as env:
            service.import_backend(env, place.backend(env))
    except IsthmusError as error:
        # A run by hand or a poll fails as a whole; the cursor is where it was, the next one goes on.
        trouble[type(error).__name__] += 1
    place.hub.queue.run_pending(limit=_JOBS_OF_A_ROUND)


def _settle(place: Installation) -> None:
    """Run until nothing changes any more, jumping over every wait."""
    for full in (False, True, False):
        place.imports(full=full)
        place.exports()
