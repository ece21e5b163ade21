"""The states of a job and the steps between them, in the one table that code and documentation use."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from isthmus.errors import JobStateError


class State(StrEnum):
    """Where a job stands."""

    WAIT_DEPENDENCIES = "wait_dependencies"
    """Jobs it depends on are not done yet."""
    PENDING = "pending"
    """To be run: at once, or from its `eta` on."""
    STARTED = "started"
    """A worker has claimed it."""
    DONE = "done"
    """Its effects are committed, or a person said that it need not run."""
    FAILED = "failed"
    """It will not be tried again unless a person says so."""
    CANCELLED = "cancelled"
    """Given up: by a person, or because an equal job took its place (`superseded_by`)."""


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = MappingProxyType({
    State.WAIT_DEPENDENCIES: frozenset({State.PENDING, State.DONE, State.CANCELLED}),
    State.PENDING: frozenset({State.STARTED, State.DONE, State.CANCELLED}),
    State.STARTED: frozenset({State.DONE, State.PENDING, State.FAILED, State.CANCELLED}),
    State.DONE: frozenset({State.PENDING}),
    State.FAILED: frozenset({State.PENDING, State.DONE, State.CANCELLED}),
    State.CANCELLED: frozenset({State.PENDING}),
})
"""Which state may follow which. Drawn in ``docs/reference/job-states.md``."""


def require(source: State, target: State, *, job_id: int | None = None) -> None:
    """Refuse a step that the table does not have.

    Args:
        source: The state it would leave.
        target: The state it would reach.
        job_id: The job, for the message.

    Raises:
        JobStateError: When *target* may not follow *source*; names the job and both.

    >>> require(State.STARTED, State.DONE)
    """
    if target not in TRANSITIONS[source]:
        job = "a job" if job_id is None else f"job {job_id}"
        raise JobStateError(f"{job} is {source} and cannot become {target}")
