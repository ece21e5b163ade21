"""A job that this process has claimed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from isthmus.job.table import JOBS


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A job that this process has claimed, as far as running it needs.

    Attributes:
        attempt: The claim's number; what holds it apart from earlier and later ones.

    The others are columns of `isthmus.job.Job`.
    """

    id: int
    attempt: int
    retry: int
    max_retries: int
    rescues: int
    deferrals: int
    model: str
    record_id: str | None
    method: str
    payload: str
    ctx: str
    user: str
    run_id: str
    identity_key: str | None

    @property
    def label(self) -> str:
        """Model and method."""
        return f"{self.model}.{self.method}"


COLUMNS: Final = [JOBS.c[column] for column in ("user_name" if f == "user" else f for f in Claimed.__slots__)]


def claimed_from(row: Iterable[Any]) -> Claimed:
    """Read a row of `COLUMNS`."""
    return Claimed(**dict(zip(Claimed.__slots__, row, strict=True)))
