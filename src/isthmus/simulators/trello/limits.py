"""The published rate limits, counted in fixed windows; answers carry no hint when to return."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from isthmus.clock import Clock


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in a window.

    Attributes:
        name: What is counted: requests of a key, of a token, or below ``/members/``.
        most: Requests allowed in one window.
        window: Length of the window.
        error: The code in the body of the 429.
    """

    name: str
    most: int
    window: timedelta
    error: str


LIMITS: Final = (
    Limit("key", 300, timedelta(seconds=10), "API_KEY_LIMIT_EXCEEDED"),
    Limit("token", 100, timedelta(seconds=10), "API_TOKEN_LIMIT_EXCEEDED"),
    Limit("members", 100, timedelta(seconds=900), "RATE_LIMIT_EXCEEDED"),
)
"""As in the vendor's guide "Rate limits", 2026-01-26."""


@dataclass(slots=True)
class RateLimits:
    """Counts the requests of every credential.

    Attributes:
        clock: Tells which window it is.
        limits: What is enforced; empty switches it off.
    """

    clock: Clock
    limits: tuple[Limit, ...] = LIMITS
    _windows: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def refuse(self, *, key: str, token: str, path: str) -> str | None:
        """Count one request; give the error code when it is one too many, else None."""
        refused = None
        for limit in self.limits:
            if limit.name == "members" and not path.startswith("/members/"):
                continue
            who = key if limit.name == "key" else token
            window = int(self.clock.now().timestamp() // limit.window.total_seconds())
            at, count = self._windows.get((limit.name, who), (window, 0))
            count = count + 1 if at == window else 1
            self._windows[limit.name, who] = (window, count)
            if count > limit.most:
                refused = refused or limit.error
        return refused
