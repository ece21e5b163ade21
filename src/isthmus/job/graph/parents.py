"""What a job that waited for others sees of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from sqlalchemy import select

from isthmus.env import Env
from isthmus.job.graph.join import JOIN_METHOD, JOIN_MODEL
from isthmus.job.payload import load_result
from isthmus.job.table import EDGES, JOBS


@dataclass(frozen=True, slots=True)
class Parent:
    """What became of a job that another waited for.

    Attributes:
        job_id: Its number; None when it was run at once.
        result: What it returned.
        error: Why it failed last; None when it went well.
    """

    job_id: int | None
    result: Any
    error: str | None


class Parents(Sequence[Parent]):
    """The jobs that a stored job waited for, read when they are asked for.

    In the order of their numbers, which is that in which they stand in the graph; in place of a join
    those that it waited for.

    Args:
        env: Where they are read, and whose records their results hold.
        job_id: The job that waited.
    """

    __slots__ = ("_env", "_found", "_job_id")

    def __init__(self, env: Env, job_id: int) -> None:
        self._env = env
        self._job_id = job_id
        self._found: list[Parent] | None = None

    @overload
    def __getitem__(self, index: int) -> Parent: ...
    @overload
    def __getitem__(self, index: slice) -> list[Parent]: ...
    def __getitem__(self, index: int | slice) -> Parent | list[Parent]:
        return self._read()[index]

    def __len__(self) -> int:
        return len(self._read())

    def __iter__(self) -> Iterator[Parent]:
        return iter(self._read())

    def _read(self) -> list[Parent]:
        if self._found is None:
            first = select(EDGES.c.parent_id).where(EDGES.c.child_id == self._job_id)
            before = first.cte("before", recursive=True)
            is_join = (JOBS.c.model == JOIN_MODEL) & (JOBS.c.method == JOIN_METHOD)
            joins = select(JOBS.c.id).where(JOBS.c.id == before.c.parent_id, is_join).exists()
            more = select(EDGES.c.parent_id).join(before, EDGES.c.child_id == before.c.parent_id)
            before = before.union(more.where(joins))
            rows = self._env.session.execute(
                select(JOBS.c.id, JOBS.c.result, JOBS.c.error, JOBS.c.state)
                .where(JOBS.c.id.in_(select(before.c.parent_id)))
                .where(~is_join)
                .order_by(JOBS.c.id)
            )
            self._found = [
                Parent(int(job_id), load_result(result, self._env), error if state != "done" else None)
                for job_id, result, error, state in rows
            ]
        return self._found
