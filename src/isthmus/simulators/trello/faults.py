"""Misbehaviour on demand: seeded plans, one-shots, and effects that come late."""

from dataclasses import dataclass
from enum import StrEnum

from isthmus.simulators.loopback import Fault, FaultDeck
from isthmus.simulators.loopback import FaultPlan as AnyFaultPlan

__all__ = ["Fault", "FaultPlan", "Faults", "Kind"]


class Kind(StrEnum):
    """What can go wrong with one request."""

    RATE_LIMIT = "rate_limit"
    """429, and so are the next requests of the burst. Not applied."""
    SERVER_ERROR = "server_error"
    """500, 502 or 503. Not applied, unless the fault says so."""
    TIMEOUT_BEFORE = "timeout_before"
    """Never applied; the connection is held, then closed without an answer."""
    TIMEOUT_AFTER = "timeout_after"
    """Applied; the connection is held, then closed without an answer."""
    RESET_BEFORE = "reset_before"
    """Never applied; the connection is reset."""
    RESET_AFTER = "reset_after"
    """Applied; the connection is reset."""
    TRUNCATED = "truncated"
    """Applied; half of the body arrives, with the length of all of it."""
    WRONG_TYPE = "wrong_type"
    """200 with an HTML page, as a proxy does. Not applied, unless the fault says so."""
    SLOW = "slow"
    """Applied; the answer comes after a while."""
    LATE = "late"
    """No answer; applied when `Faults.release` is called. A read is never applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan(AnyFaultPlan):
    """Faults drawn by chance, the same ones for the same seed and order of requests.

    Attributes:
        kinds: What may go wrong; all kinds but ``late`` when not given.
        methods: Requests with other HTTP methods are left alone.
    """

    kinds: tuple[str, ...] = tuple(kind for kind in Kind if kind is not Kind.LATE)
    methods: tuple[str, ...] = ("GET", "POST", "PUT", "DELETE")


class Faults(FaultDeck):
    """Decides, per request, what goes wrong; a request is chosen by HTTP method and path.

    >>> faults = Faults()
    >>> faults.next("timeout_after", method="POST", path="/cards")
    >>> faults.choose("POST", "/1/lists") is None
    True
    >>> faults.choose("POST", "/1/cards").kind
    <Kind.TIMEOUT_AFTER: 'timeout_after'>
    >>> faults.choose("POST", "/1/cards") is None
    True
    """

    kinds = Kind
    plans = FaultPlan
    subject = "path"

    def next(
        self,
        kind: str,
        *,
        method: str | None = None,
        path: str | None = None,
        times: int = 1,
        **options: float | bool,
    ) -> None:
        """Let the next matching request go wrong.

        Args:
            kind: One of `Kind`.
            method: Only requests with this method.
            path: Only requests to this path, ``/1`` may be left out; ``*`` stands for anything.
            times: For so many requests.
            options: Fields of `Fault`.
        """
        self.add(kind, method, path, times, **options)

    def add(
        self,
        kind: str,
        method: str | None = None,
        subject: str | None = None,
        times: int = 1,
        **options: float | bool,
    ) -> None:
        """As `next`."""
        super().add(kind, method, subject.removeprefix("/1") if subject else None, times, **options)

    def choose(self, method: str, subject: str) -> Fault | None:
        """Decide about one request by its method and path."""
        return super().choose(method, subject.removeprefix("/1"))

    def _is_read(self, method: str) -> bool:
        return method == "GET"
