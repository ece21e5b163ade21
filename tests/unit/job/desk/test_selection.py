"""Which jobs are meant."""

from datetime import timedelta

import pytest

from isthmus.errors import JobStateError, UsageError
from isthmus.job.desk.selection import age, state_named


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7_200), ("1d12h", 129_600), ("1.5h", 5_400)]
)
def test_an_age_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    """
    Several in a row are added.
    """
    assert age(text, "--older-than") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "2", "h", "2 h", "-2h", "2y", "2h later", "999999w"])
def test_what_is_no_age_is_refused_with_its_place(text: str) -> None:
    """
    The option is named, and how a time is written.
    """
    with pytest.raises(UsageError, match=r"^--older-than: a time is written like 90s, 15m, 2h, 1d12h or 3w"):
        age(text, "--older-than")


def test_a_state_that_does_not_exist_is_named_with_the_nearest() -> None:
    """
    A slip of the finger is no reason to look into the manual.
    """
    with pytest.raises(JobStateError, match=r"'faild' is no state of a job.*failed"):
        state_named("faild")
