"""Options of delayed calls are read as they are meant, or refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from isthmus.errors import IsthmusError
from isthmus.job.options import Options, checked_key, read_options, storable

AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_what_is_not_given_is_left_to_the_method() -> None:
    """
    None counts as not given.
    """
    names = ("priority", "eta", "max_retries", "description", "channel", "identity_key")

    assert read_options({}) == read_options(dict.fromkeys(names)) == Options()


@pytest.mark.parametrize(
    ("given", "meant"),
    [(90, timedelta(seconds=90)), (0.5, timedelta(seconds=0.5)), (timedelta(1), timedelta(1)), (AT, AT),
     (0, None), (-5, None), (timedelta(-1), None)],
)  # fmt: skip
def test_a_time_is_an_instant_or_from_now_on(given: Any, meant: Any) -> None:
    """
    Seconds or a timedelta; what lies in the past is at once.
    """
    assert read_options({"eta": given}).eta == meant


@pytest.mark.parametrize(
    "options",
    [
        {"eta": True}, {"eta": float("nan")}, {"eta": float("inf")}, {"eta": 1e30}, {"priority": -1},
        {"priority": 2**31}, {"priority": 1.0}, {"max_retries": -1}, {"identity_key": "k" * 1_001},
        {"identity_key": "a\x00b"}, {"identity_key": "\ud800"}, {"identity_key": 5}, {"channel": "a..b"},
        {"channel": ""}, {"channel": "ä"},
    ],
)  # fmt: skip
def test_what_cannot_be_stored_or_meant_is_refused(options: dict[str, Any]) -> None:
    """
    Where it is written, by the name of the option or of what it is.
    """
    with pytest.raises(IsthmusError, match=r"option '|a channel is named"):
        read_options(options)


def test_the_largest_and_longest_are_taken() -> None:
    """
    What the columns hold.
    """
    options = read_options({"priority": 2**31 - 1, "max_retries": 0, "identity_key": "é" * 1_000})

    assert (options.priority, options.max_retries, options.identity_key) == (2**31 - 1, 0, "é" * 1_000)


def test_a_lane_is_named_from_the_root_on() -> None:
    """
    Whether it was written so or not.
    """
    assert [read_options({"channel": name}).channel for name in ("a.b", "root.a.b", "root")] == [
        "root.a.b",
        "root.a.b",
        "root",
    ]


def test_a_key_may_be_made_from_the_job() -> None:
    """
    Its function is called later; what it gives is checked then.
    """

    def key(_job: Any) -> str:
        return "k"

    assert read_options({"identity_key": key}).identity_key is key
    assert checked_key("k") == "k"


def test_text_that_postgresql_refuses_is_written_as_escapes() -> None:
    """
    Half characters and the zero character; all others stay.
    """
    assert storable("a\x00\ud800\n漢😀\\") == "a\\x00\\ud800\n漢😀\\"
