"""Warnings of keys that end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from isthmus.cli.backend_key import expiry, warning

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        (
            timedelta(days=-2),
            "has expired on 2026-02-27: make a new one there and store it: isthmus backend set",
        ),
        (timedelta(0), "has expired on 2026-03-01"),
        (timedelta(hours=3), "expires on 2026-03-01, today: isthmus backend rotate-key company"),
        (timedelta(days=1), "expires on 2026-03-02, tomorrow: isthmus backend rotate-key company"),
        (timedelta(days=14), "expires on 2026-03-15, in 14 days: isthmus backend rotate-key company"),
    ],
    ids=["past", "now", "today", "tomorrow", "two weeks"],
)
def test_a_key_that_ends_soon_is_told_with_what_to_do(ends: timedelta, told: str) -> None:
    """
    From two weeks before.
    """
    said = warning({"name": "company", "key_expires": NOW + ends}, NOW)

    assert said is not None
    assert said.startswith(f"the key of backend 'company' {told}")


@pytest.mark.parametrize("ends", [None, NOW + timedelta(days=14, seconds=1)], ids=["never", "later"])
def test_a_key_with_time_left_is_not_worth_a_word(ends: datetime | None) -> None:
    """
    Nor one that does not end.
    """
    assert warning({"name": "company", "key_expires": ends}, NOW) is None


@pytest.mark.parametrize(
    ("noted", "ends"),
    [
        ("2026-12-01", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12-01T02:00:00+02:00", datetime(2026, 12, 1, tzinfo=UTC)),
        (None, None),
        ("soon", None),
        (7, None),
    ],
)
def test_the_end_of_a_key_is_read_whoever_noted_it(noted: Any, ends: datetime | None) -> None:
    """
    A status that cannot be told because of a note would help nobody.
    """
    assert expiry({"options": {"key_expires": noted}}) == ends
    assert expiry({"options": None}) is None
