"""What goes wrong with calls: once, by a plan, or for as long as a switch is on."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from isthmus.clock import Clock
from isthmus.simulators.loopback import Fault, FaultDeck
from isthmus.simulators.loopback import FaultPlan as AnyFaultPlan

__all__ = ["CALLS", "READS", "Fault", "FaultPlan", "Faults", "Kind", "WrongClock"]

READS: Final = frozenset({
    "about",
    "authenticate",
    "check_access_rights",
    "context_get",
    "default_get",
    "exists",
    "fields_get",
    "get_metadata",
    "has_access",
    "login",
    "name_get",
    "name_search",
    "read",
    "read_group",
    "search",
    "search_count",
    "search_read",
    "version",
    "web_read",
    "web_search_read",
})
"""Methods that change nothing."""

CALLS: Final = ("create", "write", "unlink", "load", "copy", "search", "search_read", "search_count", "read")
"""What a plan hits when it does not say."""


class Kind(StrEnum):
    """What can go wrong with one call."""

    RATE_LIMIT = "rate_limit"
    """429 with a page, and so are the next requests of the burst. Not applied."""
    MAINTENANCE = "maintenance"
    """503 with the page of a proxy. Not applied."""
    SERVER_ERROR = "server_error"
    """500, 502, 503 or 504 with a page. Not applied, unless the fault says so."""
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
    SERIALIZATION = "serialization"
    """Odoo's own retries are used up: ``psycopg2.errors.SerializationFailure``. Not applied."""
    ACCESS = "access"
    """``odoo.exceptions.AccessError`` for the model. Not applied."""
    LATE = "late"
    """No answer; applied when `Faults.release` is called. A read is never applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan(AnyFaultPlan):
    """Faults drawn by chance, the same ones for the same seed and order of calls.

    Attributes:
        kinds: What may go wrong; all kinds but ``late`` and ``access`` when not given.
        methods: Calls of other methods are left alone.
    """

    kinds: tuple[str, ...] = tuple(kind for kind in Kind if kind not in {Kind.LATE, Kind.ACCESS})
    methods: tuple[str, ...] = CALLS


class Faults(FaultDeck):
    """Decides, per call, what goes wrong; a call is chosen by method and model.

    Attributes:
        maintenance: While true every request is answered by 503 and a page.
        cut_over_bytes: A proxy that cuts answers with longer bodies, at that length.
        clock_offset: How wrong the server's clock is.
        version: A version the server claims to have, such as ``8.0``.

    >>> faults = Faults()
    >>> faults.next("timeout_after", method="create", model="project.*")
    >>> faults.choose("create", "res.partner") is None
    True
    >>> faults.choose("create", "project.task").kind
    <Kind.TIMEOUT_AFTER: 'timeout_after'>
    """

    kinds = Kind
    plans = FaultPlan
    subject = "model"
    orders = FaultDeck.orders | {"maintenance", "cut_over_bytes", "version", "clock_offset_s"}

    def __init__(self) -> None:
        super().__init__()
        self.maintenance = False
        self.cut_over_bytes: int | None = None
        self.clock_offset = timedelta()
        self.version: str | None = None

    def next(
        self,
        kind: str,
        *,
        method: str | None = None,
        model: str | None = None,
        times: int = 1,
        **options: float | bool,
    ) -> None:
        """Let the next matching call go wrong.

        Args:
            kind: One of `Kind`.
            method: Only calls of this method.
            model: Only calls on this model; ``*`` stands for anything.
            times: For so many calls.
            options: Fields of `Fault`.
        """
        self.add(kind, method, model, times, **options)

    def clear(self) -> None:
        """Forget the plan and the one-shots and switch everything off; late effects stay until released."""
        super().clear()
        self.maintenance = False
        self.cut_over_bytes = None
        self.clock_offset = timedelta()
        self.version = None

    def describe(self) -> dict[str, object]:
        """Show plan, one-shots, switches and counts, for the control route."""
        return super().describe() | {
            "maintenance": self.maintenance,
            "cut_over_bytes": self.cut_over_bytes,
            "clock_offset_s": self.clock_offset.total_seconds(),
            "version": self.version,
        }

    def obey(self, values: Any) -> dict[str, object]:
        """Do what the body of the control route says; the switches are set by their names."""
        super().obey(values)
        for name in ("maintenance", "cut_over_bytes", "version"):
            if name in values:
                setattr(self, name, values[name])
        if "clock_offset_s" in values:
            self.clock_offset = timedelta(seconds=values["clock_offset_s"])
        return self.describe()

    def _is_read(self, method: str) -> bool:
        return method in READS


class WrongClock:
    """A clock that is as wrong as the faults say.

    Args:
        clock: The right one.
        faults: Tell by how much.
    """

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults

    def now(self) -> datetime:
        """Tell the present instant, or another one."""
        return self._clock.now() + self._faults.clock_offset

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._clock.sleep(seconds)
