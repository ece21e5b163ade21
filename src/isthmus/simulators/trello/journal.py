"""The log of requests, for tests that count them; credentials never get into it."""

import re
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase

from isthmus.simulators.loopback import Log

_SECRETS = re.compile(r"(?i)\b(key|token|secret|oauth_[a-z_]+)=[^&]*")
_TOKEN_PATH = re.compile(r"(/tokens?/)[^/?]+")


def masked(path: str, query: str = "") -> str:
    """Write path and query without credentials.

    >>> masked("/1/tokens/abc/webhooks", "key=k1&fields=all&token=t1")
    '/1/tokens/***/webhooks?key=***&fields=all&token=***'
    """
    path = _TOKEN_PATH.sub(r"\1***", path)
    shown = _SECRETS.sub(r"\1=***", query)
    return f"{path}?{shown}" if query else path


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """One request as it was answered.

    Attributes:
        method: The HTTP method.
        path: Path and query, credentials masked.
        route: Method and path template, None for an unknown route.
        status: The HTTP status sent; 0 when no answer was sent.
        fault: The kind of fault that hit it.
        applied: Whether it reached the API (a late one: not yet).
    """

    method: str
    path: str
    route: str | None
    status: int
    fault: str | None = None
    applied: bool = True


class RequestLog(Log[LoggedRequest]):
    """All requests to the API since the start or the last `clear`."""

    def count(self, method: str | None = None, path: str | None = None) -> int:
        """Count requests.

        Args:
            method: Only those with this method.
            path: Only those whose path below ``/1`` (without query) has this form; ``*`` for anything.
        """
        return len(self.matching(method, path))

    def matching(self, method: str | None = None, path: str | None = None) -> list[LoggedRequest]:
        """List requests, chosen as in `count`."""
        return [
            entry
            for entry in self
            if method in (None, entry.method)
            and fnmatchcase(entry.path.partition("?")[0].removeprefix("/1"), path or "*")
        ]

    def by_route(self) -> Counter[str]:
        """Count requests per route (unknown routes under their method and path)."""
        return Counter(entry.route or f"{entry.method} {entry.path.partition('?')[0]}" for entry in self)
