"""What goes wrong with calls of a `RemoteServer`: one-shots, seeded plans, effects that come late."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from isthmus.simulators.loopback import FaultDeck
from isthmus.simulators.loopback import FaultPlan as AnyFaultPlan

WRITES: Final = ("create", "write", "unlink")


class FaultKind(StrEnum):
    """What can go wrong with one call."""

    ERROR_BEFORE = "error_before"
    """An error of the kind that goes by itself (serialisation). Not applied."""
    ACCESS = "access"
    """Access is denied. Not applied."""
    TIMEOUT_BEFORE = "timeout_before"
    """Never applied; the connection is held, then closed without an answer."""
    TIMEOUT_AFTER = "timeout_after"
    """Applied; the connection is held, then closed without an answer."""
    RESET_BEFORE = "reset_before"
    """Never applied; the connection is cut."""
    RESET_AFTER = "reset_after"
    """Applied; the connection is cut."""
    BAD_GATEWAY_BEFORE = "bad_gateway_before"
    """Never applied; status 502 with an HTML page."""
    BAD_GATEWAY_AFTER = "bad_gateway_after"
    """Applied; status 502 with an HTML page."""
    LATE = "late"
    """No answer; a write is applied when `RemoteFaults.release` is called, with the stamp of the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan(AnyFaultPlan):
    """Faults drawn by chance: the same ones for the same seed and order of calls.

    Attributes:
        kinds: What may go wrong; all kinds but ``late`` and ``access`` when not given.
        methods: Other methods are left alone.
    """

    kinds: tuple[str, ...] = tuple(k for k in FaultKind if k not in {FaultKind.LATE, FaultKind.ACCESS})
    methods: tuple[str, ...] = (*WRITES, "search", "search_count", "read")


class RemoteFaults(FaultDeck):
    """Decides, per call, what goes wrong; a call is chosen by method and model.

    >>> faults = RemoteFaults()
    >>> faults.next("timeout_after", method="create")
    >>> faults.choose("read", "project.task") is None
    True
    >>> faults.choose("create", "project.task").kind
    <FaultKind.TIMEOUT_AFTER: 'timeout_after'>
    >>> faults.choose("create", "project.task") is None
    True

    Attributes:
        hold_s: How long `next` lets a connection be held at most, in seconds; a client that gives up ends it.
    """

    kinds = FaultKind
    plans = FaultPlan
    subject = "model"

    def __init__(self) -> None:
        super().__init__()
        self.hold_s = 2.0

    def next(self, kind: str, *, method: str | None = None, model: str | None = None, times: int = 1) -> None:
        """Let the next matching calls go wrong.

        Args:
            kind: One of `FaultKind`.
            method: Only calls of this method.
            model: Only calls on this model; ``*`` stands for anything.
            times: How many.
        """
        self.add(kind, method, model, times, hold_s=self.hold_s)

    def _is_read(self, method: str) -> bool:
        return method not in WRITES
