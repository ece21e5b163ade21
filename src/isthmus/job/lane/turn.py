"""Whose turn it is in a sequential lane: none passes a job that has begun and is not done."""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Connection,
    ScalarSelect,
    and_,
    literal_column,
    select,
    union_all,
)

from isthmus.job.lane.name import is_within
from isthmus.job.lane.slots import SOON
from isthmus.job.moves import in_state
from isthmus.job.state import State
from isthmus.job.table import JOBS

_READY: Final = and_(in_state(State.PENDING), JOBS.c.eta.is_(None))
_FAILED: Final = in_state(State.FAILED)
# Written out, since a partial index is found by that.
_RETURNING: Final = and_(
    in_state(State.PENDING), JOBS.c.eta.is_not(None), JOBS.c.attempt > literal_column("0")
)


@dataclass(frozen=True, slots=True)
class Blocker:
    """The job that a sequential lane waits for.

    Attributes:
        lane: The sequential lane.
        job_id: The job, of the lane or of one below it.
        how: How it stands: ``failed``, ``returning``, ``started``, or ``ready`` in another lane below.
    """

    lane: str
    job_id: int
    how: str

    @property
    def retry_in(self) -> timedelta | None:
        """When it may be over; None when somebody must do something first."""
        return SOON if self.how == "ready" else None

    @property
    def reason(self) -> str:
        """The word for it: a lane whose job runs is full."""
        return "full" if self.how == "started" else "blocked"

    @property
    def told(self) -> str:
        """Why, for people.

        >>> Blocker("root.trello", 17, "failed").told
        'root.trello is sequential and job 17 has failed: retry, cancel or set it to done'
        """
        return (
            f"{self.lane} is sequential and job {self.job_id} "
            + {
                "failed": "has failed: retry, cancel or set it to done",
                "returning": "will be tried again first",
                "started": "runs",
                "ready": "is first",
            }[self.how]
        )


def _lanes_where(name: str, condition: ColumnElement[bool]) -> CTE:
    """Give the lanes that have such a job: one step in the index for each of them.

    A range of names would need to know how the database sorts them.
    """

    def next_lane(*after: ColumnElement[bool]) -> ScalarSelect[str]:
        return (
            select(JOBS.c.channel)
            .where(condition, *after)
            .order_by(JOBS.c.channel)
            .limit(literal_column("1"))
            .scalar_subquery()
        )

    found = select(next_lane().label("channel")).cte(name, recursive=True)
    more = next_lane(JOBS.c.channel > found.c.channel)
    return found.union_all(select(more).where(found.c.channel.is_not(None)))


def _look() -> CompoundSelect[str, str]:
    failed, returning = _lanes_where("failed_in", _FAILED), _lanes_where("due_again_in", _RETURNING)
    ready = _lanes_where("ready_in", _READY)
    return union_all(
        select(literal_column("'failed'"), failed.c.channel).where(failed.c.channel.is_not(None)),
        select(literal_column("'returning'"), returning.c.channel).where(returning.c.channel.is_not(None)),
        select(literal_column("'ready'"), ready.c.channel).where(ready.c.channel.is_not(None)),
        # As many rows as jobs run now, anywhere.
        select(literal_column("'started'"), JOBS.c.channel).where(in_state(State.STARTED)),
    )


_LOOK: Final = _look()


def find_blocker(connection: Connection, lane: str, entering: str) -> Blocker | None:
    """Find the job that must be done before a job of a sequential lane begins.

    Args:
        connection: Where to look.
        lane: The sequential lane.
        entering: The lane whose first job is to begin: this one or one below it.
    """
    ready = []
    for how, name in connection.execute(_LOOK):
        if not is_within(name, lane):
            continue
        if how != "ready":
            return Blocker(lane, _first(connection, how, name)[1], how)
        if name != entering:
            ready.append(name)
    if not ready:
        return None
    # Lanes take turns; under a sequential one the order of all its jobs counts.
    mine = _first(connection, "ready", entering)
    other = min(_first(connection, "ready", name) for name in ready)
    return Blocker(lane, other[1], "ready") if other < mine else None


def _first(connection: Connection, how: str, lane: str) -> tuple[float, int]:
    """Give priority and number of the first job of a lane that stands so."""
    which = {
        "failed": _FAILED, "returning": _RETURNING, "started": in_state(State.STARTED), "ready": _READY,
    }[how]  # fmt: skip
    order = (JOBS.c.priority, JOBS.c.id) if how == "ready" else (JOBS.c.id,)
    columns = select(JOBS.c.priority, JOBS.c.id).where(JOBS.c.channel == lane, which)
    row = connection.execute(columns.order_by(*order).limit(1)).one_or_none()
    return (math.inf, 0) if row is None else (row[0], row[1])
