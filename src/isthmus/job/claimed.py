"""Jobs that this process has claimed."""

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from isthmus.job.lane.lanes import Entry
from isthmus.job.table import JOBS


class Claimed(NamedTuple):
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
    channel: str
    priority: int
    worker_id: int
    claim_no: int
    alone: bool

    @property
    def label(self) -> str:
        """Model and method."""
        return f"{self.model}.{self.method}"

    def may_join(self, first: "Claimed") -> bool:
        """Tell whether this job may share the transaction that *first* begins."""
        return (
            not self.alone
            and self.method == first.method
            and self.model == first.model
            and self.user == first.user
            and self.ctx == first.ctx
        )


COLUMNS: Final = [JOBS.c["user_name" if field == "user" else field] for field in Claimed._fields]
"""The columns of a row of which ``Claimed._make`` makes a claim."""


class Group:
    """The jobs of one claim: of one lane, begun one after the other by one thread.

    Args:
        jobs: The jobs, in the order in which they are begun.
        entry: What the lane was entered with; None when nothing limits it.
        was_full: True when there were more jobs to claim.
    """

    def __init__(
        self, jobs: Iterable[Claimed], entry: Entry | None = None, *, was_full: bool = False
    ) -> None:
        self._jobs = deque(jobs)
        self._begun: list[Claimed] = []
        # A slow job's followers are given back by another thread.
        self._lock = threading.Lock()
        self._begun_at = time.monotonic()
        self.entry = entry
        self.was_full = was_full

    @property
    def waiting_s(self) -> float:
        """Seconds since the job under way was begun."""
        return time.monotonic() - self._begun_at

    def __len__(self) -> int:
        """Count the jobs that are not begun."""
        return len(self._jobs)

    @property
    def following(self) -> Claimed | None:
        """The job that is begun next; None when there is none."""
        with self._lock:
            return self._jobs[0] if self._jobs else None

    def take(self) -> Claimed | None:
        """Begin the next job; None when there is none."""
        with self._lock:
            self._begun = [self._jobs.popleft()] if self._jobs else []
            self._begun_at = time.monotonic()
            return self._begun[0] if self._begun else None

    def join(self, first: Claimed, most: int) -> list[Claimed]:
        """Begin the jobs after *first* that may share its transaction, too; gives all of them."""
        with self._lock:
            while len(self._begun) < most and self._jobs and self._jobs[0].may_join(first):
                self._begun.append(self._jobs.popleft())
            return list(self._begun)

    def strip(self, into: dict[int, Claimed]) -> list[Claimed]:
        """Take away what is not begun.

        Args:
            into: Where it is found from then on, by number: at no moment it is at neither place.
        """
        with self._lock:
            rest = list(self._jobs)
            into.update((job.id, job) for job in rest)
            self._jobs.clear()
            return rest

    @property
    def all(self) -> list[Claimed]:
        """What is begun, and what is not."""
        with self._lock:
            return [*self._begun, *self._jobs]
