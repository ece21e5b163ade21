"""The rules of lanes: what is set at run time wins over the settings, those over the parent's defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Final

from isthmus.job.lane.name import upwards
from isthmus.settings import ChannelSettings, JobSettings

UNLIMITED: Final = -1
"""Stands for "no limit, although something less special says so" where None says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What one place says of a lane; None says nothing. The columns of `isthmus.job.table.Channel`."""

    capacity: int | None = None
    paused: bool | None = None
    sequential: bool | None = None
    throttle_s: float | None = None
    keep_done_s: float | None = None
    default_capacity: int | None = None
    default_sequential: bool | None = None

    @classmethod
    def of(cls, settings: ChannelSettings) -> "Wishes":
        """Read what the settings say.

        >>> Wishes.of(ChannelSettings(capacity="unlimited", throttle="1s")).throttle_s
        1.0
        """
        return cls(
            capacity=_number(settings.capacity),
            paused=settings.paused,
            sequential=settings.sequential,
            throttle_s=settings.throttle,
            keep_done_s=settings.keep_done,
            default_capacity=_number(settings.default_capacity),
            default_sequential=settings.default_sequential,
        )

    def over(self, below: "Wishes") -> "Wishes":
        """Let this win over what another place says."""
        mine = ((field.name, getattr(self, field.name)) for field in fields(self))
        return Wishes(**{name: getattr(below, name) if own is None else own for name, own in mine})


WISHES: Final = tuple(field.name for field in fields(Wishes))
"""Names of what may be set."""


def _number(capacity: int | str | None) -> int | None:
    return UNLIMITED if capacity == "unlimited" else None if capacity is None else int(capacity)


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for one lane; what lanes above it say holds beside it.

    Attributes:
        capacity: How many of its jobs run at the same time; None for any number.
        paused: True when none is begun.
        sequential: True when they run one after the other, and none past a failed one.
        throttle: Time at least between two beginnings; None for none.
        keep_done: Time after which its ended jobs are removed.
    """

    capacity: int | None
    paused: bool
    sequential: bool
    throttle: timedelta | None
    keep_done: timedelta


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a job of a lane must pass, in the lane itself and above; each from the lane upwards.

    Attributes:
        paused: The paused lane, if there is one.
        sequential: Lanes in which it must be its turn.
        slots: Lanes in which it needs a slot, with their capacities.
        throttles: Lanes in which it must be time, with their throttles.
    """

    paused: str | None
    sequential: tuple[str, ...]
    slots: tuple[tuple[str, int], ...]
    throttles: tuple[tuple[str, timedelta], ...]

    @property
    def plain(self) -> bool:
        """True when there is nothing to pass."""
        return not (self.paused or self.slots or self.throttles)


class Rules:
    """The rules of all lanes at one moment; never changed, so threads may share them.

    Args:
        settings: The settings of the queue.
        set_now: What is set at run time, by lane.
    """

    def __init__(self, settings: JobSettings, set_now: Mapping[str, Wishes]) -> None:
        self.settings = {name: Wishes.of(given) for name, given in settings.channels.items()}
        self.set_now = dict(set_now)
        self._keep_done = timedelta(seconds=settings.keep_done)
        self._bounds: dict[str, Bounds] = {}

    def wishes(self, lane: str) -> Wishes:
        """Tell what is said of the lane itself."""
        nothing = Wishes()
        return self.set_now.get(lane, nothing).over(self.settings.get(lane, nothing))

    def source(self, lane: str, name: str) -> str:
        """Tell where a value of a lane comes from.

        Args:
            lane: The lane.
            name: Name of the value in `Wishes`.

        Returns:
            ``set`` at run time, ``settings``, ``sequential`` for the capacity that follows from that, the
            lane above that says it; empty when nobody says anything.
        """
        if getattr(self.set_now.get(lane), name, None) is not None:
            return "set"
        if getattr(self.settings.get(lane), name, None) is not None:
            return "settings"
        if name == "capacity" and self.rule(lane).sequential:
            return "sequential"
        above = upwards(lane)[1:]
        if name in {"capacity", "sequential"} and above:
            return above[0] if getattr(self.wishes(above[0]), f"default_{name}") is not None else ""
        if name == "keep_done_s":
            return next((other for other in above if self.wishes(other).keep_done_s is not None), "")
        return ""

    def rule(self, lane: str) -> Rule:
        """Tell what holds for a lane."""
        line = upwards(lane)
        own = self.wishes(lane)
        above = self.wishes(line[1]) if len(line) > 1 else Wishes()
        own = own.over(Wishes(capacity=above.default_capacity, sequential=above.default_sequential))
        keep = next((s for s in (self.wishes(other).keep_done_s for other in line) if s is not None), None)
        capacity = None if own.capacity in {None, UNLIMITED} else own.capacity
        return Rule(
            capacity=1 if own.sequential else capacity,
            paused=bool(own.paused),
            sequential=bool(own.sequential),
            throttle=timedelta(seconds=own.throttle_s) if own.throttle_s else None,
            keep_done=self._keep_done if keep is None else timedelta(seconds=keep),
        )

    def bounds(self, lane: str) -> Bounds:
        """Tell what a job of a lane must pass; remembered, so that a lane without rules costs nothing."""
        found = self._bounds.get(lane)
        if found is None:
            rules = [(other, self.rule(other)) for other in upwards(lane)]
            found = self._bounds[lane] = Bounds(
                paused=next((other for other, rule in rules if rule.paused), None),
                sequential=tuple(other for other, rule in rules if rule.sequential),
                slots=tuple((other, rule.capacity) for other, rule in rules if rule.capacity is not None),
                throttles=tuple((other, rule.throttle) for other, rule in rules if rule.throttle is not None),
            )
        return found
