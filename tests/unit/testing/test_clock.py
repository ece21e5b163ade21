"""The frozen clock moves only when it is told to."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from isthmus.clock import Clock
from isthmus.testing import FrozenClock


def test_time_stands_still() -> None:
    """
    Two looks at the clock see the same instant.
    """
    clock = FrozenClock()

    assert clock.now() == clock.now()


def test_sleeping_takes_no_time_and_moves_the_hands() -> None:
    """
    A sleep returns at once, the clock has moved, and the test can see how long it was to be.
    """
    clock: Clock = FrozenClock(datetime(2026, 1, 1, tzinfo=UTC))

    clock.sleep(0.5)
    clock.sleep(86_400)

    assert clock.now() == datetime(2026, 1, 2, 0, 0, 0, 500_000, tzinfo=UTC)
    assert clock.slept == [0.5, 86_400]


def test_any_zone_is_told_in_utc() -> None:
    """
    A clock started at one o'clock in Paris says noon.
    """
    clock = FrozenClock(datetime(2026, 1, 1, 13, tzinfo=timezone(timedelta(hours=1))))

    assert clock.now().isoformat() == "2026-01-01T12:00:00+00:00"


def test_a_naive_start_is_refused() -> None:
    """
    An instant without a zone is a mistake that is told at once.
    """
    with pytest.raises(ValueError, match="aware instant"):
        FrozenClock(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


def test_time_never_goes_back() -> None:
    """
    The clock refuses a negative step and stays where it was.
    """
    clock = FrozenClock()
    before = clock.now()

    with pytest.raises(ValueError, match="goes forward"):
        clock.advance(timedelta(seconds=-1))

    assert clock.now() == before
