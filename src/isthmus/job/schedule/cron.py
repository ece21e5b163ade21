"""When something is due: cron expressions and plain periods, in one notation."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from isthmus.errors import IsthmusError, JobDefinitionError

OFF: Final = "off"
"""Says that something is never due."""

_PERIOD: Final = re.compile(r"every +(\d+(?:\.\d+)?) *(s|m|h|d)")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LONGEST_S: Final = 10 * 365 * 86_400
_A_LEAP_DAY: Final = datetime(2024, 2, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Timetable:
    """The instants at which something is due.

    Attributes:
        text: As it was written.
        zone: Whose wall clock a cron expression is about.
        period: The time between two; None when the text is a cron expression.
    """

    text: str
    zone: ZoneInfo
    period: timedelta | None = None

    @classmethod
    def read(
        cls, text: str, tz: str, place: str, *, error: type[IsthmusError] = JobDefinitionError
    ) -> "Timetable | None":
        """Read a text such as ``*/15 * * * *``, ``every 90s`` or ``off``.

        Args:
            text: Five fields of cron, six with seconds first, or ``every`` and a number with s, m, h or d.
            tz: Name of a time zone.
            place: Where the text was written, for messages.
            error: What is raised when it is malformed.

        Returns:
            None for ``off``.

        >>> Timetable.read("every 1.5m", "UTC", "here").period
        datetime.timedelta(seconds=90)
        """
        try:
            zone = ZoneInfo(tz)
        except (OSError, ValueError, TypeError, KeyError):
            raise error(f"{place}: there is no time zone {tz!r}; one is named like Europe/Zurich") from None
        if not isinstance(text, str):
            raise error(f"{place}: {text!r} is no text such as '*/15 * * * *' or 'every 90s'")
        words = " ".join(text.split())
        if words == OFF:
            return None
        if words.startswith("every"):
            return cls(words, zone, _period(words, place, error))
        try:
            never = next(CronSim(words, _A_LEAP_DAY), None) is None
        except (CronSimError, AssertionError, TypeError, ValueError, OverflowError) as exc:
            reason = str(exc)[:1].lower() + str(exc)[1:] or "it cannot be read"
            raise error(
                f"{place}: {text!r} is no cron expression ({reason}); it has five fields such as "
                f"'*/15 * * * *', or is a period such as 'every 90s', or 'off'"
            ) from None
        if never:
            raise error(f"{place}: {text!r} is never due; write 'off' if that is meant")
        return cls(words, zone)

    def first(self, now: datetime) -> datetime:
        """Give the first due instant of something that was never done; a period begins at once.

        >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> Timetable.read("30 8 * * *", "Europe/Zurich", "here").first(noon).isoformat()
        '2026-03-02T07:30:00+00:00'
        """
        return now if self.period is not None else self._next(now)

    def after(self, due: datetime, now: datetime) -> datetime:
        """Give the next due instant after one that has come.

        What was missed since then is not made up for: the next one is in the future.

        Args:
            due: The one that has come; periods are counted on from it.
            now: The present.

        >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> Timetable.read("every 10m", "UTC", "here").after(noon, noon + timedelta(minutes=34)).minute
        40
        """
        if self.period is None:
            return self._next(now)
        missed = max(0, (now - due) // self.period)
        return due + (missed + 1) * self.period

    def _next(self, now: datetime) -> datetime:
        # In the hour that the clocks go through twice, cronsim answers with the first of the two.
        later = (moment for moment in CronSim(self.text, now.astimezone(self.zone)) if moment > now)
        return next(later).astimezone(UTC)


def _period(words: str, place: str, error: type[IsthmusError]) -> timedelta:
    found = _PERIOD.fullmatch(words)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise error(f"{place}: {words!r} is no period; one looks like 'every 90s', 'every 5m' or 'every 2h'")
    return max(timedelta(seconds=seconds), timedelta(milliseconds=1))
