"""What is kept of an error, and how long a job waits after it."""

from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from isthmus.errors import (
    DatabaseBusyError,
    IsthmusError,
    NetworkRetryableError,
    NoExternalId,
    RateLimitedError,
    RetryableJobError,
)
from isthmus.job.definition import JobMark
from isthmus.job.failure import Failure, as_retryable, wait_before_retry


def caught(error: Exception, cause: Exception | None = None) -> Exception:
    """Raise an error and catch it, as a worker does."""
    try:
        raise error from cause
    except type(error) as exc:
        return exc


def test_parameters_of_a_statement_are_not_kept() -> None:
    """
    Neither message nor traceback shows the values that a statement was given.
    """
    engine, rows = create_engine("sqlite://"), [{"a": "hunter2"}, {"a": "hunter2"}]
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (a UNIQUE)"))
        with pytest.raises(IntegrityError) as raised:
            connection.execute(text("INSERT INTO t VALUES (:a)"), rows)
    engine.dispose()

    failure = Failure.of(caught(ValueError("cannot store"), raised.value))

    assert failure.message == "cannot store"
    assert "IntegrityError: UNIQUE constraint failed: t.a" in str(failure.traceback)
    assert "hunter2" not in str(failure.traceback)


def test_a_message_is_storable_whatever_is_in_it() -> None:
    """
    PostgreSQL refuses some characters; the end of a job must not fail for them.
    """
    assert Failure.of(caught(ValueError("a\x00b\ud800"))).message == "a\\x00b\\ud800"


def test_an_error_that_causes_itself_has_an_end() -> None:
    """
    A circle of causes is walked once.
    """
    error = ValueError("a")
    error.__cause__ = error

    assert Failure.of(error).traceback == "ValueError: a\n"


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (RetryableJobError("later"), 600),
        (NoExternalId("export it first"), 600),
        (NetworkRetryableError("away"), 10),
        (RateLimitedError("slower"), 10),
        (DatabaseBusyError("locked"), 10),
        (NetworkRetryableError("away", retry_in=timedelta(seconds=3)), 3),
        (NetworkRetryableError("away", retry_in=timedelta(0)), 0),
    ],
)
def test_an_error_says_how_long_to_wait(error: RetryableJobError, seconds: float) -> None:
    """
    Its own wait first, else what its class mostly needs.
    """
    assert wait_before_retry(error, JobMark(), 1) == timedelta(seconds=seconds)


def test_the_pattern_of_the_job_goes_before_the_default() -> None:
    """
    But not before what the error itself says.
    """
    mark = JobMark(retry_pattern={1: 30})

    waits = [
        wait_before_retry(NetworkRetryableError("away"), mark, 1),
        wait_before_retry(NetworkRetryableError("away", retry_in=timedelta(seconds=3)), mark, 1),
    ]

    assert waits == [timedelta(seconds=30), timedelta(seconds=3)]


def test_other_errors_are_not_tried_again() -> None:
    """
    Repeating what is wrong does not make it right.
    """
    assert [as_retryable(e) for e in (ValueError("a"), IsthmusError("b"), KeyError("c"))] == [None] * 3
