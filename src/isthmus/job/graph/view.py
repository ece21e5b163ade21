"""What is shown of a stored graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select

from isthmus.job.graph.dependents import waited_for
from isthmus.job.state import State
from isthmus.job.table import EDGES, JOBS

_MOST: Final = 20
"""Neighbours that are listed."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A job that another one waits for, or that waits for it.

    Attributes:
        job_id: Its number.
        label: Model and method.
        state: Its state now.
        on: The end that is waited for, of it or by it: done or failed.
    """

    job_id: int
    label: str
    state: State
    on: State


@dataclass(frozen=True, slots=True)
class GraphView:
    """A graph, seen from one of its jobs.

    Attributes:
        graph_id: Its number: that of its first job.
        counts: How many of its jobs are in each state, of those that there are.
        parents: Those that the job waits for, or waited for; no more than twenty.
        children: Those that wait for it, or waited; no more than twenty.
        parent_count: How many parents there are.
        child_count: How many children there are.
    """

    graph_id: int
    counts: Mapping[State, int]
    parents: Sequence[Neighbour]
    children: Sequence[Neighbour]
    parent_count: int
    child_count: int

    @property
    def jobs(self) -> int:
        """How many jobs it has that were not removed."""
        return sum(self.counts.values())


def graph_of(connection: Connection, job_id: int) -> GraphView | None:
    """Look at the graph of a job.

    Args:
        connection: Where it is read.
        job_id: The job.

    Returns:
        None when the job is in no graph, or does not exist.
    """
    graph_id = connection.scalar(select(JOBS.c.graph_id).where(JOBS.c.id == job_id))
    if graph_id is None:
        return None
    by_state = select(JOBS.c.state, func.count()).where(JOBS.c.graph_id == graph_id).group_by(JOBS.c.state)
    parents, parent_count = _neighbours(connection, EDGES.c.child_id == job_id, EDGES.c.parent_id)
    children, child_count = _neighbours(connection, EDGES.c.parent_id == job_id, EDGES.c.child_id)
    return GraphView(
        graph_id=int(graph_id),
        counts={State(state): int(count) for state, count in connection.execute(by_state)},
        parents=parents,
        children=children,
        parent_count=parent_count,
        child_count=child_count,
    )


def _neighbours(connection: Connection, condition: Any, other: Any) -> tuple[list[Neighbour], int]:
    count = connection.scalar(select(func.count()).select_from(EDGES).where(condition))
    rows = connection.execute(
        select(JOBS.c.id, JOBS.c.model, JOBS.c.method, JOBS.c.state, EDGES.c.on_state)
        .join(EDGES, JOBS.c.id == other)
        .where(condition)
        .order_by(JOBS.c.id)
        .limit(_MOST)
    )
    found = [
        Neighbour(int(job_id), f"{model}.{method}", State(state), waited_for(on))
        for job_id, model, method, state, on in rows
    ]
    return found, int(count or 0)
