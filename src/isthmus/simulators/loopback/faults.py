"""Misbehaviour on demand: seeded plans, one-shots, and effects that come late."""

import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: What, one of the simulator's kinds.
        burst: How many requests in all get a 429 (``rate_limit``), at least 1.
        status: The status of a ``server_error``.
        applied: Whether a ``server_error`` or a page instead of an answer took effect all the same.
        hold_s: How long a connection is held at most, in seconds. A client that gives up
            earlier ends it.
        delay_s: How long a ``slow`` answer takes, in seconds.
    """

    kind: str
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
        kinds: What may go wrong.
        methods: Requests with other methods are left alone.
        hold_s: As in `Fault`, short so that tests are quick.
        delay_s: As in `Fault`.
        burst: Longest burst of 429.
        most: How many faults in all, None without bound.
    """

    seed: int = 0
    rate: float = 0.1
    kinds: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    hold_s: float = 0.3
    delay_s: float = 0.1
    burst: int = 3
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    fault: Fault
    method: str | None
    subject: str | None


class FaultDeck:
    """Decides, per request, what goes wrong. A simulator's own deck says what its requests are about.

    Attributes:
        kinds: What can go wrong.
        plans: The class of its plans.
        subject: What the second thing that chooses a request is called, such as its path.
        fired: How often each kind has happened.
    """

    kinds: ClassVar[type[StrEnum]]
    plans: ClassVar[type[FaultPlan]] = FaultPlan
    subject: ClassVar[str]
    orders: ClassVar[frozenset[str]] = frozenset({"clear", "plan", "next"})

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plan: FaultPlan | None = None
        self._random = random.Random(0)
        self._waiting: list[_Waiting] = []
        self._drawn = self._burst = 0
        self._late: deque[Callable[[], object]] = deque()
        self.fired: Counter[str] = Counter()

    def _is_read(self, method: str) -> bool:
        """Whether a method changes nothing (it is never applied late)."""
        raise NotImplementedError

    def plan(self, plan: FaultPlan | None) -> None:
        """Follow a plan from now on (None: no plan)."""
        for kind in plan.kinds if plan else ():
            self.kinds(kind)
        with self._lock:
            self._plan = plan
            self._random = random.Random(plan.seed if plan else 0)
            self._drawn = self._burst = 0

    def add(
        self,
        kind: str,
        method: str | None = None,
        subject: str | None = None,
        times: int = 1,
        **options: float | bool,
    ) -> None:
        """Let the next matching requests go wrong.

        Args:
            kind: One of `kinds`.
            method: Only requests with this method.
            subject: Only requests about this; ``*`` stands for anything.
            times: For so many requests.
            options: Fields of `Fault`.
        """
        fault = replace(Fault(kind=self.kinds(kind)), **options)  # type: ignore[arg-type]  # checked by Fault
        with self._lock:
            self._waiting += [_Waiting(fault=fault, method=method, subject=subject)] * times

    def clear(self) -> None:
        """Forget the plan and the one-shots; late effects stay until released."""
        self.plan(None)
        with self._lock:
            self._waiting.clear()

    def choose(self, method: str, subject: str) -> Fault | None:
        """Decide about one request."""
        with self._lock:
            fault = self._choose(method, subject)
            if fault is not None:
                self.fired[fault.kind] += 1
            return fault

    def _choose(self, method: str, subject: str) -> Fault | None:
        if self._burst:
            self._burst -= 1
            return Fault(kind=self.kinds("rate_limit"))
        for index, waiting in enumerate(self._waiting):
            if waiting.method in (None, method) and fnmatchcase(subject, waiting.subject or "*"):
                del self._waiting[index]
                self._burst = waiting.fault.burst - 1 if waiting.fault.kind == "rate_limit" else 0
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
        kind = self._random.choice(plan.kinds)
        burst, status = self._random.randint(1, max(1, plan.burst)), self._random.choice((500, 502, 503))
        if kind == "late" and self._is_read(method):
            kind = "timeout_before"
        if kind == "rate_limit":
            self._burst = burst - 1
        return Fault(
            kind=self.kinds(kind), burst=burst, status=status, hold_s=plan.hold_s, delay_s=plan.delay_s
        )

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

    # --- for the control routes --------------------------------------------------------

    def describe(self) -> dict[str, object]:
        """Show plan, one-shots and counts, for the control route."""
        with self._lock:
            waiting: Sequence[object] = [
                {"fault": asdict(entry.fault), "method": entry.method, self.subject: entry.subject}
                for entry in self._waiting
            ]
            plan = asdict(self._plan) if self._plan else None
            return {"plan": plan, "next": waiting, "fired": dict(self.fired), "pending": self.pending}

    def obey(self, values: Mapping[str, Any]) -> dict[str, object]:
        """Do what the body of the control route says: ``clear``, ``plan`` and ``next``.

        Raises:
            ValueError: When it says something else.
        """
        unknown = sorted(set(values) - self.orders)
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: only {', '.join(sorted(self.orders))} can be set")
        if values.get("clear"):
            self.clear()
        if "plan" in values:
            plan = dict(values["plan"] or {})
            for name in ("kinds", "methods"):
                if name in plan:
                    plan[name] = tuple(plan[name])
            self.plan(self.plans(**plan) if plan else None)
        if "next" in values:
            shot = dict(values["next"])
            self.add(shot.pop("kind"), subject=shot.pop(self.subject, None), **shot)
        return self.describe()
