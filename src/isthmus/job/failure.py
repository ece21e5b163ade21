"""What a failed job keeps of its error, and how long it waits before the next try."""

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.exc import DBAPIError, StatementError

from isthmus.errors import (
    DatabaseBusyError,
    IsthmusError,
    LeaseLostError,
    NetworkRetryableError,
    RateLimitedError,
    RetryableJobError,
)
from isthmus.job.definition import JobMark
from isthmus.job.options import storable
from isthmus.store.sql import is_busy

DEFAULT_RETRY: Final = timedelta(seconds=600)
"""Wait before a retry that neither the error nor the job's pattern speaks of."""
QUICK_RETRY: Final = timedelta(seconds=10)
"""The same for errors that mostly pass by themselves and wrote nothing."""
LONGEST_DEFERRAL: Final = timedelta(seconds=60)
"""Where the wait before a try that costs nothing stops growing."""

_QUICK: Final = (NetworkRetryableError, RateLimitedError, DatabaseBusyError, LeaseLostError)
_LONGEST_MESSAGE: Final = 4_000
_LONGEST_TRACEBACK: Final = 32_000


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in the form in which it is stored.

    Attributes:
        type: Full name of its class.
        message: What it says, without values that a database driver adds.
        traceback: Where it came from: places in the code.
    """

    type: str
    message: str
    traceback: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Read an error."""
        kind = type(error)
        name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
        text = "\n".join(_traced(e) for e in reversed(list(_chain(error))))
        return cls(name, _message(error), storable(text[-_LONGEST_TRACEBACK:]))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        shown = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or shown


def _traced(error: BaseException) -> str:
    places = "".join(traceback.format_tb(error.__traceback__))
    return f"{places}{type(error).__qualname__}: {_message(error)}\n"


def _message(error: BaseException) -> str:
    """Give an error's message; of a database error its first line: the rest shows rows and parameters.

    >>> _message(ValueError("no such list"))
    'no such list'
    """
    if isinstance(error, DBAPIError):
        text = str(error.orig).strip().partition("\n")[0]
    elif isinstance(error, StatementError):
        text = str(error.orig or error.args[0])
    elif type(error).__module__.partition(".")[0] in {"psycopg", "sqlite3"}:
        text = str(error).strip().partition("\n")[0]
    elif isinstance(error, IsthmusError) and error.__cause__ is not None and not str(error):
        text = _message(error.__cause__)
    else:
        text = str(error)
    return storable(text[:_LONGEST_MESSAGE])


def as_retryable(error: BaseException) -> RetryableJobError | None:
    """Give the error as one that the same job may get over by itself; None when it may not."""
    if isinstance(error, RetryableJobError):
        return error
    cause = error.orig if isinstance(error, DBAPIError) else error
    if is_busy(cause) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return DatabaseBusyError(_message(error))
    return None


def wait_before_retry(error: RetryableJobError, mark: JobMark, retry: int) -> timedelta:
    """Tell how long a job waits before it is tried again.

    Args:
        error: Why it could not be done now.
        mark: What ``@job`` says.
        retry: Number of the retry, from 1.
    """
    if error.retry_in is not None:
        return error.retry_in
    wait = mark.wait_before(retry)
    if wait is not None:
        return wait
    return QUICK_RETRY if isinstance(error, _QUICK) else DEFAULT_RETRY


def wait_at_no_cost(error: RetryableJobError, deferrals: int) -> timedelta:
    """Tell how long a job waits that comes back without a retry being counted.

    Args:
        error: Why it could not be done now.
        deferrals: How often in a row that has happened before.

    >>> [wait_at_no_cost(RetryableJobError("busy"), n).total_seconds() for n in (0, 1, 5, 6, 500)]
    [1.0, 2.0, 32.0, 60.0, 60.0]
    """
    if error.retry_in is not None:
        return error.retry_in
    return min(timedelta(seconds=2 ** min(deferrals, 6)), LONGEST_DEFERRAL)
