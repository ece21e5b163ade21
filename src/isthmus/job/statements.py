"""The statements that every job costs: made once, executed with parameters only."""

from typing import Any

from sqlalchemy import ARRAY, BigInteger, Update, bindparam, func, select, update

from isthmus.job.moves import Times, in_state, move
from isthmus.job.state import State
from isthmus.job.table import JOBS


class Statements:
    """The statements that end a job which went well.

    The parameters' names end with an underscore: without it they would be columns to set.

    Args:
        times: Whose time counts.
        dialect: Name of the database.

    Attributes:
        hold: Locks the row of a claim that still holds and gives its number.
        done: Marks a claimed job done and gives its graph.
        done_single: The same for a job of no graph only.
        done_all: Marks jobs of one claim done and gives their numbers and graphs.
        keep_result: Stores a result.
    """

    def __init__(self, times: Times, dialect: str) -> None:
        ours = (JOBS.c.id == bindparam("id_"), JOBS.c.attempt == bindparam("attempt_"))
        self.hold = select(JOBS.c.id).where(in_state(State.STARTED), *ours).with_for_update(key_share=True)
        self.done = _done(times, *ours).values(result=bindparam("result_")).returning(JOBS.c.graph_id)
        self.done_single = (
            _done(times, *ours, JOBS.c.graph_id.is_(None))
            .values(result=bindparam("result_"))
            .returning(JOBS.c.id)
        )
        one_claim = (JOBS.c.worker_id == bindparam("worker_"), JOBS.c.claim_no == bindparam("claim_"))
        self.done_all = (
            _done(times, one_of(dialect), *one_claim)
            .values(result=None)
            .returning(JOBS.c.id, JOBS.c.graph_id)
        )
        self.keep_result = (
            update(JOBS).where(JOBS.c.id == bindparam("id_")).values(result=bindparam("result_"))
        )


def one_of(dialect: str) -> Any:
    """Give the condition that a job is one of the parameter ``ids_``; the same text for any number."""
    if dialect == "postgresql":
        return JOBS.c.id == func.any(bindparam("ids_", type_=ARRAY(BigInteger)))
    return JOBS.c.id.in_(bindparam("ids_", expanding=True))


def _done(times: Times, *conditions: Any) -> Update:
    return move(State.STARTED, State.DONE, *conditions).values(
        worker_id=None,
        claim_no=None,
        finished_at=times.moment,
        error_type=None,
        error=None,
        traceback=None,
        deferrals=0,
    )
