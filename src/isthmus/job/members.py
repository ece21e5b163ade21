"""The processes that claim jobs: their rows, their signs of life, and what happens to a dead one's jobs."""

import logging
import threading
import time
from collections.abc import Callable, Container, Sequence
from datetime import timedelta
from itertools import groupby, takewhile
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from isthmus.job.claimed import COLUMNS, Claimed
from isthmus.job.lane.lanes import Lanes
from isthmus.job.line import Line
from isthmus.job.moves import Times, in_state
from isthmus.job.outcome import Outcomes
from isthmus.job.state import State
from isthmus.job.table import JOBS, WORKERS, WorkerRow
from isthmus.store.sql import Owner

logger = logging.getLogger("isthmus.job")

_LOOK_EVERY_S: Final = 1.0
"""Seconds between two looks for dead workers."""


class Members:
    """This process among those that claim jobs.

    Args:
        line: The queue's connections.
        times: Whose time counts.
        owner: This process.
        outcomes: Where the jobs of dead workers go.
        lanes: Where the slots of dead workers go.
        lease: How long a process is believed to live without a sign.
        dialect: Name of the database.
        batch_of: Tells how many jobs of a model's method may share a transaction.

    Attributes:
        threads: How many jobs it runs at a time, for its row.
        channels: The lanes it takes jobs from, for its row.
    """

    def __init__(
        self, line: Line, times: Times, owner: Owner, outcomes: Outcomes, lanes: Lanes, lease: timedelta,
        dialect: str, batch_of: Callable[[str, str], int],
    ) -> None:  # fmt: skip
        self._line = line
        self._times = times
        self._owner = owner
        self._outcomes = outcomes
        self._lanes = lanes
        self._lease = lease
        self._one_machine = dialect == "sqlite"
        self._batch_of = batch_of
        self._id: int | None = None
        self._pid_owner = ""
        self._lock = threading.Lock()
        self._looked_at = 0.0
        self._idle = False
        self.threads = 1
        self.channels: Sequence[str] = ()
        self._wake = (
            update(WORKERS).where(WORKERS.c.id == bindparam("worker")).values(idle=bindparam("is_idle"))
        )

    # -- this process ------------------------------------------------------------------

    @property
    def id(self) -> int:
        """This process's number among the members; the first use registers it."""
        if self._id is None or self._pid_owner != str(self._owner):
            with self._lock:
                if self._id is None or self._pid_owner != str(self._owner):
                    self._register()
        return self._id or 0

    @property
    def is_registered(self) -> bool:
        """True while this process has a number; false before its first claim, and once taken for dead."""
        return self._id is not None

    def _register(self) -> None:
        self._pid_owner = str(self._owner)
        self._idle = False
        host = self._pid_owner.partition("/")[0].partition(":")[0]
        row = {
            "owner": self._pid_owner,
            "host": host,
            "pid": int(self._pid_owner.rpartition(":")[0].rpartition(":")[2]),
            "threads": self.threads,
            "channels": ",".join(self.channels),
            "started_at": self._times.now(),
            "seen_at": self._times.now(),
            "lease_until": self._times.after(self._lease),
        }
        with self._line.transaction() as connection:
            there = select(WORKERS.c.id).where(WORKERS.c.owner == self._pid_owner)
            found = connection.scalar(there)
            if found is None:
                found = connection.execute(insert(WORKERS).values(row).returning(WORKERS.c.id)).scalar_one()
            self._id = int(found)

    def sign(self) -> None:
        """Give a sign of life, for the jobs and the slots of this process too."""
        if self._id is None:
            return
        self._owner.sign()
        sign = (
            update(WORKERS)
            .where(WORKERS.c.id == self._id)
            .values(
                seen_at=self._times.now(),
                lease_until=self._times.after(self._lease),
                threads=self.threads,
                channels=",".join(self.channels),
            )
        )
        with self._line.transaction() as connection:
            there = connection.execute(sign).rowcount == 1
            self._lanes.prolong(connection, self._id, self._lease)
        if not there:
            self._forget()

    def _forget(self) -> None:
        logger.warning("this worker was taken for dead; it goes on under a new number")
        self._id = None

    def set_idle(self, idle: bool) -> bool:
        """Say whether a commit that delays jobs shall wake this process; tells whether that is new."""
        worker = self.id
        if self._idle == idle:
            return False
        self._line.execute(self._wake, {"worker": worker, "is_idle": idle})
        self._idle = idle
        return True

    def leave(self) -> None:
        """Say that this process claims nothing more and holds nothing."""
        if self._id is None:
            return
        with self._line.transaction() as connection:
            self._remove(connection, self._id)
        self._id = None

    def _remove(self, connection: Connection, worker_id: int, *conditions: Any) -> bool:
        """Take a member's row away, unless jobs of it are left: nobody would find them without it."""
        still = select(JOBS.c.id).where(*_started_by(worker_id)).exists()
        gone = delete(WORKERS).where(WORKERS.c.id == worker_id, ~still, *conditions)
        if not connection.execute(gone).rowcount:
            return False
        self._lanes.free(connection, worker_id)
        return True

    def listed(self) -> list[WorkerRow]:
        """List the members that live as far as is known, the oldest first; also this process."""
        with self._line.reading() as connection, Session(connection, expire_on_commit=False) as session:
            late = self._times.past(WORKERS.c.lease_until)
            rows = session.execute(select(WorkerRow, late).order_by(WorkerRow.id)).all()
        return [row for row, is_late in rows if not is_late and not self._owner.is_gone(row.owner)]

    # -- dead ones ---------------------------------------------------------------------

    @property
    def look_is_due(self) -> bool:
        """True when nobody was looked for a second long."""
        return time.monotonic() - self._looked_at >= _LOOK_EVERY_S

    def look(self, held: Container[tuple[int, int]]) -> int:
        """Take back the jobs and slots of dead members.

        Args:
            held: The jobs that this process is at, by id and attempt: one that is started in our name and
                not among them was claimed, or ended, by a statement whose answer was lost.

        Returns:
            How many jobs were taken back.
        """
        self._looked_at = time.monotonic()
        with self._line.reading() as connection:
            late = self._times.past(WORKERS.c.lease_until)
            rows = connection.execute(select(WORKERS.c.id, WORKERS.c.owner, late)).all()
        count = 0
        mine = (self._id, str(self._owner))
        if self._id is not None and mine not in [(row[0], row[1]) for row in rows]:
            self._forget()
        for worker_id, owner, is_late in rows:
            if (worker_id, owner) == mine:
                count += self._take_back_lost(int(worker_id), held)
            elif self._owner.is_gone(owner):
                count += self._take_back(int(worker_id), overdue=False)
            elif is_late and not self._lives_here(owner):
                count += self._take_back(int(worker_id), overdue=True)
        return count

    def _lives_here(self, owner: str) -> bool:
        """Tell whether a process of this machine only cannot write: SQLite has one writer at a time."""
        silent = self._owner.silent_for(owner) if self._one_machine else None
        return silent is not None and silent < self._lease.total_seconds()

    def _take_back_lost(self, worker_id: int, held: Container[tuple[int, int]]) -> int:
        # Not the whole rows: up to thousands each second, of which next to none is ever lost.
        mine = select(JOBS.c.id, JOBS.c.attempt).where(*_started_by(worker_id))
        with self._line.reading() as connection:
            lost = [row.id for row in connection.execute(mine) if (row.id, row.attempt) not in held]
        if not lost:
            return 0
        # Whether they ran is not known: none of them is charged unless it was the first of its claim.
        return self._rescue(self._started(worker_id, JOBS.c.id.in_(lost)), overdue=False)

    def _take_back(self, worker_id: int, *, overdue: bool) -> int:
        count = self._rescue(self._started(worker_id), overdue=overdue)
        late = [self._times.past(WORKERS.c.lease_until)] if overdue else []
        with self._line.transaction() as connection:
            if self._remove(connection, worker_id, *late):
                logger.warning("worker %s is gone; %s jobs were taken back from it", worker_id, count)
        return count

    def _started(self, worker_id: int, *conditions: Any) -> list[Claimed]:
        mine = select(*COLUMNS).where(*_started_by(worker_id), *conditions)
        with self._line.reading() as connection:
            jobs = [Claimed._make(row) for row in connection.execute(mine)]
        # Here, for the few that they are: each worker asks this every second.
        return sorted(jobs, key=lambda job: (job.claim_no or 0, job.priority, job.id))

    def _rescue(self, jobs: Sequence[Claimed], *, overdue: bool) -> int:
        """Return jobs to the line. Of each claim only the first can have been begun (`Job.claim_no`)."""
        count = 0
        for _, claim in groupby(jobs, key=lambda job: job.claim_no):
            left = list(claim)
            together = self._begun_together(left)
            # The first one last: another process that looks in between must not take its follower for it.
            for number, job in reversed(list(enumerate(left))):
                if number < together:
                    moved = self._outcomes.suspect(job, overdue=overdue)
                elif number == 0:
                    moved = self._outcomes.rescue(job, overdue=overdue)
                else:
                    moved = self._outcomes.unclaim(job, overdue=overdue)
                count += moved
        return count

    def _begun_together(self, left: Sequence[Claimed]) -> int:
        """Count the jobs at the beginning that shared a transaction; 0 when the first ran by itself."""
        first = left[0]
        most = self._batch_of(first.model, first.method)
        if most <= 1 or first.alone:
            return 0
        return sum(1 for _ in takewhile(lambda job: job.may_join(first), left[:most]))


def _started_by(worker_id: int) -> list[Any]:
    return [in_state(State.STARTED), JOBS.c.worker_id == worker_id]
