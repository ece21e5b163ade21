"""Imports of many cards in a process of their own: how much memory they take, and what a crash leaves."""

import resource
from datetime import datetime

from crash_stories import open_hub
from world import Installation

from isthmus.testing.crash import CrashPoints


def import_all(points: CrashPoints, url: str, key_file: str, start: datetime) -> int:
    """Import what there is and give the peak of this process's memory in kilobytes."""
    with open_hub(url, key_file, start) as hub:
        points.passed.clear()
        points.watch(hub.engine)
        Installation(hub, hub.clock).imports()  # type: ignore[arg-type]  # a frozen one
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
