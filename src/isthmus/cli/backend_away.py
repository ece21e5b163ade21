"""Warnings of backends that are looked at again and again, and never to the end."""

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final

from isthmus.cli.output import shown

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.job.desk.desk import Desk

_LOOKS: Final = {"poll": "looked at", "walk": "walked through"}
"""The jobs of `isthmus.sync.polling`, the one that misses more first."""
_LONGEST: Final = 300
"""Characters of an error: it is one line among others."""


def look(desk: "Desk", backend: Any) -> dict[str, Any] | None:
    """Tell since when a backend could not be looked at, and why; None when nothing is known against it.

    A poll has no last try, so it is never among the failed jobs: what shows is that it came back with an
    error.

    Args:
        desk: Shows the jobs.
        backend: The backend's record.

    Returns:
        **Shape** ``{"job": int, "method": str, "since": datetime, "error": str}``.
    """
    from isthmus.job import State

    # Also while it is tried again: what is away lets people wait.
    back = {
        job.method: job
        for job in desk.scheduled(backend["type"], str(backend.id))
        if job.error and job.state in {State.PENDING, State.STARTED}
    }
    for method in _LOOKS:
        if method in back:
            job = back[method]
            error = shorten(job.error or "", _LONGEST, placeholder=" ...")
            return {"job": job.id, "method": method, "since": job.created_at, "error": error}
    return None


def warning(backend: Mapping[str, Any], homes: Sequence[str]) -> str:
    """Say what could not be looked at, and how to find out which side is away.

    Args:
        backend: **Shape** ``{"name": str, "away": {...}}``, as `look` gives it.
        homes: Backends that our records live in: each look at another backend needs them, too.
    """
    away = backend["away"]
    tests = " or ".join(f"isthmus backend test {name}" for name in dict.fromkeys([backend["name"], *homes]))
    return (
        f"backend {backend['name']!r} could not be {_LOOKS[away['method']]} since {shown(away['since'])}: "
        f"{away['error'].rstrip('.')}: {tests}"
    )
