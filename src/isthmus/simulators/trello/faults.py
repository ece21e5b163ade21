"""Misbehaviour on demand: seeded plans, one-shots, and effects that come late."""

import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase


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
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: What.
        burst: How many requests in all get a 429 (``rate_limit``), at least 1.
        status: The status of a ``server_error``.
        applied: Whether a ``server_error`` or ``wrong_type`` took effect all the same.
        hold_s: How long a connection is held at most, in seconds. A client that gives up
            earlier ends it.
        delay_s: How long a ``slow`` answer takes, in seconds.
    """

    kind: Kind
    burst: int = 1
    status: int = 503
    applied: bool = False
    hold_s: float = 2.0
    delay_s: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """Faults drawn by chance, the same ones for the same seed and order of requests.

    Attributes:
        seed: Decides everything.
        rate: Share of requests that go wrong, from 0 to 1.
        kinds: What may go wrong; all kinds but ``late`` when not given.
        methods: Requests with other methods are left alone.
        hold_s: As in `Fault`, short so that tests are quick.
        delay_s: As in `Fault`.
        burst: Longest burst of 429.
        most: How many faults in all, None without bound.
    """

    seed: int = 0
    rate: float = 0.1
    kinds: tuple[str, ...] = tuple(kind for kind in Kind if kind is not Kind.LATE)
    methods: tuple[str, ...] = ("GET", "POST", "PUT", "DELETE")
    hold_s: float = 0.3
    delay_s: float = 0.1
    burst: int = 3
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    fault: Fault
    method: str | None
    path: str | None


class Faults:
    """Decides, per request, what goes wrong.

    >>> faults = Faults()
    >>> faults.next("timeout_after", method="POST", path="/cards")
    >>> faults.choose("POST", "/1/lists") is None
    True
    >>> faults.choose("POST", "/1/cards").kind
    <Kind.TIMEOUT_AFTER: 'timeout_after'>
    >>> faults.choose("POST", "/1/cards") is None
    True
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plan: FaultPlan | None = None
        self._random = random.Random(0)
        self._waiting: list[_Waiting] = []
        self._drawn = self._burst = 0
        self._late: deque[Callable[[], object]] = deque()
        self.fired: Counter[str] = Counter()
        """How often each kind has happened."""

    def plan(self, plan: FaultPlan | None) -> None:
        """Follow a plan from now on (None: no plan)."""
        for kind in plan.kinds if plan else ():
            Kind(kind)
        with self._lock:
            self._plan = plan
            self._random = random.Random(plan.seed if plan else 0)
            self._drawn = self._burst = 0

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
        fault = replace(Fault(kind=Kind(kind)), **options)  # type: ignore[arg-type]  # checked by Fault
        waiting = _Waiting(fault=fault, method=method, path=path.removeprefix("/1") if path else None)
        with self._lock:
            self._waiting += [waiting] * times

    def clear(self) -> None:
        """Forget the plan and the one-shots; late effects stay until released."""
        self.plan(None)
        with self._lock:
            self._waiting.clear()

    def choose(self, method: str, path: str) -> Fault | None:
        """Decide about one request."""
        path = path.removeprefix("/1")
        with self._lock:
            fault = self._choose(method, path)
            if fault is not None:
                self.fired[fault.kind] += 1
            return fault

    def _choose(self, method: str, path: str) -> Fault | None:
        if self._burst:
            self._burst -= 1
            return Fault(kind=Kind.RATE_LIMIT)
        for index, waiting in enumerate(self._waiting):
            if waiting.method in (None, method) and fnmatchcase(path, waiting.path or "*"):
                del self._waiting[index]
                self._burst = waiting.fault.burst - 1 if waiting.fault.kind is Kind.RATE_LIMIT else 0
                return waiting.fault
        plan = self._plan
        if plan is None or method not in plan.methods:
            return None
        if self._random.random() >= plan.rate or not plan.kinds:
            return None
        if plan.most is not None and self._drawn >= plan.most:
            return None
        return self._draw(plan, method)

    def _draw(self, plan: FaultPlan, method: str) -> Fault:
        self._drawn += 1
        kind = Kind(self._random.choice(plan.kinds))
        burst, status = self._random.randint(1, max(1, plan.burst)), self._random.choice((500, 502, 503))
        if kind is Kind.LATE and method == "GET":
            kind = Kind.TIMEOUT_BEFORE
        if kind is Kind.RATE_LIMIT:
            self._burst = burst - 1
        return Fault(kind=kind, burst=burst, status=status, hold_s=plan.hold_s, delay_s=plan.delay_s)

    # --- late effects ------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """How many effects wait for their release."""
        return len(self._late)

    def postpone(self, effect: Callable[[], object]) -> None:
        """Keep an effect until it is released."""
        self._late.append(effect)

    def release(self, count: int | None = None) -> int:
        """Let postponed effects happen now, oldest first.

        Args:
            count: How many at most; None for all.

        Returns:
            How many happened.
        """
        done = 0
        while self._late and (count is None or done < count):
            self._late.popleft()()
            done += 1
        return done

    def drop_late(self) -> int:
        """Let postponed effects never happen; tell how many there were."""
        dropped = len(self._late)
        self._late.clear()
        return dropped

    def describe(self) -> dict[str, object]:
        """Show plan, one-shots and counts, for the control route."""
        with self._lock:
            waiting: Sequence[object] = [asdict(entry) for entry in self._waiting]
            plan = asdict(self._plan) if self._plan else None
            return {"plan": plan, "next": waiting, "fired": dict(self.fired), "pending": self.pending}
