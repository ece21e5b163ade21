"""What goes wrong with calls of a `RemoteServer`: one-shots, seeded plans, effects that come late."""

import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

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
    """No answer; applied when `RemoteFaults.release` is called, stamped with the time of the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """Faults drawn by chance: the same ones for the same seed and order of calls.

    Attributes:
        seed: Decides everything.
        rate: Share of calls that go wrong, from 0 to 1.
        kinds: What may go wrong.
        methods: Other methods are left alone.
        most: How many faults in all; None without bound.
    """

    seed: int = 0
    rate: float = 0.1
    kinds: tuple[str, ...] = tuple(k for k in FaultKind if k not in {FaultKind.LATE, FaultKind.ACCESS})
    methods: tuple[str, ...] = (*WRITES, "search", "search_count", "read")
    most: int | None = None


@dataclass(frozen=True, slots=True)
class _Waiting:
    kind: FaultKind
    method: str | None
    model: str | None


class RemoteFaults:
    """Decides, per call, what goes wrong.

    >>> faults = RemoteFaults()
    >>> faults.next("timeout_after", method="create")
    >>> faults.choose("read", "project.task") is None
    True
    >>> faults.choose("create", "project.task")
    <FaultKind.TIMEOUT_AFTER: 'timeout_after'>
    >>> faults.choose("create", "project.task") is None
    True

    Attributes:
        hold_s: How long a connection is held at most, in seconds; a client that gives up ends it.
        fired: How often each kind has happened.
    """

    def __init__(self) -> None:
        self.hold_s = 2.0
        self.fired: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._plan: FaultPlan | None = None
        self._random = random.Random(0)
        self._waiting: list[_Waiting] = []
        self._late: deque[Callable[[], object]] = deque()

    def plan(self, plan: FaultPlan | None) -> None:
        """Follow a plan from now on (None: no plan).

        Raises:
            ValueError: When it names a kind that does not exist.
        """  # noqa: DOC502 - raised by the enum
        for kind in plan.kinds if plan else ():
            FaultKind(kind)
        with self._lock:
            self._plan = plan
            self._random = random.Random(plan.seed if plan else 0)

    def next(self, kind: str, *, method: str | None = None, model: str | None = None, times: int = 1) -> None:
        """Let the next matching calls go wrong.

        Args:
            kind: One of `FaultKind`.
            method: Only calls of this method.
            model: Only calls on this model.
            times: How many.
        """
        with self._lock:
            self._waiting += [_Waiting(FaultKind(kind), method, model)] * times

    def clear(self) -> None:
        """Forget plan and one-shots; late effects stay until released."""
        self.plan(None)
        with self._lock:
            self._waiting.clear()

    def choose(self, method: str, model: str) -> FaultKind | None:
        """Decide about one call."""
        with self._lock:
            kind = self._choose(method, model)
            if kind is FaultKind.LATE and method not in WRITES:
                kind = FaultKind.TIMEOUT_BEFORE
            if kind is not None:
                self.fired[kind] += 1
            return kind

    def _choose(self, method: str, model: str) -> FaultKind | None:
        for index, waiting in enumerate(self._waiting):
            if waiting.method in {None, method} and waiting.model in {None, model}:
                del self._waiting[index]
                return waiting.kind
        plan = self._plan
        if plan is None or method not in plan.methods or not plan.kinds:
            return None
        if plan.most is not None and self.fired.total() >= plan.most:
            return None
        if self._random.random() >= plan.rate:
            return None
        return FaultKind(self._random.choice(plan.kinds))

    def postpone(self, effect: Callable[[], object]) -> None:
        """Keep an effect until it is released."""
        self._late.append(effect)

    def release(self, count: int | None = None) -> int:
        """Let postponed effects happen now, oldest first; tell how many did."""
        done = 0
        while self._late and (count is None or done < count):
            self._late.popleft()()
            done += 1
        return done

    def control(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Obey the body of the control route.

        Args:
            asked: Any of ``clear`` (true), ``plan`` (fields of `FaultPlan`), ``next`` (a list of arguments of
                `next`), ``release`` (a count, or true for all), ``hold_s``.

        Returns:
            What has fired, and how many effects wait.
        """
        if asked.get("clear"):
            self.clear()
        if "hold_s" in asked:
            self.hold_s = float(asked["hold_s"])
        if asked.get("plan"):
            self.plan(FaultPlan(**{n: _tuple(v) for n, v in asked["plan"].items()}))
        for shot in asked.get("next", ()):
            self.next(**shot)
        if release := asked.get("release"):
            self.release(None if release is True else int(release))
        return {"fired": dict(self.fired), "pending": len(self._late)}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else value
