"""Whose turn it is in a sequential lane: none passes a job that has begun and is not done."""

from dataclasses import dataclass
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

from isthmus.job.channel import is_within
from isthmus.job.moves import in_state
from isthmus.job.state import State
from isthmus.job.table import JOBS

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
        how: How it stands: ``failed``, ``returning`` or ``started``.
    """

    lane: str
    job_id: int
    how: str

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
        return f"{self.lane} is sequential and job {self.job_id} " + {
            "failed": "has failed: retry, cancel or set it to done",
            "returning": "will be tried again first",
            "started": "runs",
        }.get(self.how, self.how)


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
    return union_all(
        select(literal_column("'failed'"), failed.c.channel).where(failed.c.channel.is_not(None)),
        select(literal_column("'returning'"), returning.c.channel).where(returning.c.channel.is_not(None)),
        # As many rows as jobs run now, anywhere.
        select(literal_column("'started'"), JOBS.c.channel).where(in_state(State.STARTED)),
    )


_LOOK: Final = _look()


def find_blocker(connection: Connection, lane: str) -> Blocker | None:
    """Find the job that must be done before a sequential lane goes on.

    Args:
        connection: Where to look.
        lane: The sequential lane.
    """
    for how, name in connection.execute(_LOOK):
        if is_within(name, lane):
            return Blocker(lane, _job(connection, how, name), how)
    return None


def _job(connection: Connection, how: str, lane: str) -> int:
    which = {"failed": _FAILED, "returning": _RETURNING, "started": in_state(State.STARTED)}[how]
    first = select(JOBS.c.id).where(JOBS.c.channel == lane, which).order_by(JOBS.c.id).limit(1)
    return connection.scalar(first) or 0
