"""When something is due: wall clocks, summer time, periods, and what cannot be read."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from isthmus.errors import JobDefinitionError
from isthmus.job.schedule.cron import Timetable
from isthmus.testing import FrozenClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def table(text: str, tz: str = "UTC") -> Timetable:
    """Read a text that is not ``off``."""
    read = Timetable.read(text, tz, "here")
    assert read is not None
    return read


def dues(text: str, tz: str, clock: FrozenClock, *, until: timedelta) -> list[str]:
    """Let the clock go on in steps of a minute and tell when something was due, by the wall clock there."""

    def walk() -> Iterator[str]:
        plan = table(text, tz)
        end = clock.now() + until
        due = plan.first(clock.now())
        while clock.now() < end:
            clock.advance(timedelta(minutes=1))
            if due <= clock.now():
                yield clock.now().astimezone(ZoneInfo(tz)).strftime("%d. %H:%M %Z")
                due = plan.after(due, clock.now())

    return list(walk())


def before_spring() -> FrozenClock:
    """Stand before the night in which Zurich's clocks go from 02:00 to 03:00."""
    return FrozenClock(datetime(2026, 3, 28, 23, tzinfo=UTC))


def before_autumn() -> FrozenClock:
    """Stand before the night in which Zurich's clocks go from 03:00 back to 02:00."""
    return FrozenClock(datetime(2026, 10, 24, 22, tzinfo=UTC))


def test_a_time_that_spring_skips_is_made_up_for_at_once() -> None:
    """
    What is due at 02:30 is due when the clocks have gone to 03:00, once, and at 02:30 the next day.
    """
    found = dues("30 2 * * *", "Europe/Zurich", before_spring(), until=timedelta(days=1, hours=6))

    assert found == ["29. 03:00 CEST", "30. 02:30 CEST"]


def test_two_times_that_spring_skips_are_one() -> None:
    """
    The hour that is not there is made up for once.
    """
    found = dues("0,30 2 * * *", "Europe/Zurich", before_spring(), until=timedelta(hours=6))

    assert found == ["29. 03:00 CEST"]


def test_every_hour_goes_on_in_spring() -> None:
    """
    The wall clock says 01, 03, 04; real hours lie between.
    """
    found = dues("15 * * * *", "Europe/Zurich", before_spring(), until=timedelta(hours=4))

    assert found == ["29. 00:15 CET", "29. 01:15 CET", "29. 03:15 CEST", "29. 04:15 CEST"]


def test_a_time_that_autumn_repeats_is_due_once() -> None:
    """
    02:30 comes twice and counts the first time.
    """
    found = dues("30 2 * * *", "Europe/Zurich", before_autumn(), until=timedelta(days=1, hours=6))

    assert found == ["25. 02:30 CEST", "26. 02:30 CET"]


def test_the_second_of_the_doubled_hour_makes_up_for_nothing() -> None:
    """
    Asked within the second 02 o'clock, the next 02:30 is that of tomorrow and not one that is over.
    """
    within = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)  # 02:15 CET

    due = table("30 2 * * *", "Europe/Zurich").first(within)

    assert due == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_what_has_stars_goes_on_through_both_of_the_doubled_hours() -> None:
    """
    Every half hour is every half hour, whatever the wall clock says.
    """
    clock = before_autumn()
    clock.advance(timedelta(hours=1, minutes=45))

    found = dues("*/30 * * * *", "Europe/Zurich", clock, until=timedelta(hours=2))

    assert found == ["25. 02:00 CEST", "25. 02:30 CEST", "25. 02:00 CET", "25. 02:30 CET"]


@pytest.mark.parametrize(
    ("tz", "due"),
    [
        ("UTC", "2026-03-02T08:30:00+00:00"),
        ("Europe/Zurich", "2026-03-02T07:30:00+00:00"),
        ("Asia/Kathmandu", "2026-03-02T02:45:00+00:00"),
        ("America/New_York", "2026-03-01T13:30:00+00:00"),
    ],
)
def test_a_time_is_that_of_its_zone(tz: str, due: str) -> None:
    """
    Half past eight is a different instant everywhere; the answer is in UTC.
    """
    assert table("30 8 * * *", tz).first(NOON).isoformat() == due


def test_a_period_begins_at_once_and_keeps_its_beat() -> None:
    """
    What was missed is not made up for; the next one is in the future and in step.
    """
    plan = table("every 90s")

    assert plan.first(NOON) == NOON
    assert plan.after(NOON, NOON + timedelta(seconds=1)) == NOON + timedelta(seconds=90)
    assert plan.after(NOON, NOON + timedelta(seconds=90)) == NOON + timedelta(seconds=180)
    assert plan.after(NOON, NOON + timedelta(days=1, seconds=1)) == NOON + timedelta(days=1, seconds=90)


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("every 0.5s", timedelta(seconds=0.5)),
        ("every  15 m", timedelta(minutes=15)),
        ("every 2h", timedelta(hours=2)),
        ("every 1d", timedelta(days=1)),
    ],
)
def test_a_period_has_a_unit(text: str, period: timedelta) -> None:
    """
    Seconds, minutes, hours and days, with or without a space.
    """
    assert table(text).period == period


def test_seconds_may_stand_first() -> None:
    """
    Six fields of cron begin with seconds.
    """
    plan = table("*/20 * * * * *")

    assert plan.first(NOON) == NOON + timedelta(seconds=20)
    assert plan.after(NOON, NOON + timedelta(minutes=3, seconds=21)) == NOON + timedelta(
        minutes=3, seconds=40
    )


def test_off_is_never() -> None:
    """
    The word stands for no timetable.
    """
    assert Timetable.read(" off ", "UTC", "here") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("*/5 * * *", "wrong number of fields"),
        ("61 * * * *", "bad minute"),
        ("* * * * FOO", "bad day-of-week"),
        ("0 0 31 2 *", "bad day-of-month"),
        ("", "wrong number of fields"),
        ("every", "is no period"),
        ("every 0s", "is no period"),
        ("every -5s", "is no period"),
        ("every 5 weeks", "is no period"),
        ("every 99999999d", "is no period"),
        (15, "is no text"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, reason: str) -> None:
    """
    The message says where it stands, what is wrong and how it would be right.
    """
    with pytest.raises(JobDefinitionError, match=r"^setting x: ") as caught:
        Timetable.read(text, "UTC", "setting x")

    assert reason in str(caught.value)
    assert "every 90s" in str(caught.value)


@pytest.mark.parametrize("tz", ["Europe/Zurrich", "", "../etc/passwd", "Europe", None])
def test_an_unknown_zone_is_refused_with_its_place(tz: str) -> None:
    """
    Also one that names a folder or a file elsewhere.
    """
    with pytest.raises(JobDefinitionError, match=r"^here: there is no time zone"):
        Timetable.read("* * * * *", tz, "here")
