"""Steps between states are those of the table."""

import pytest

from isthmus.errors import JobStateError
from isthmus.job import TRANSITIONS, State
from isthmus.job.moves import move
from isthmus.job.state import require


def test_every_state_has_its_line() -> None:
    """
    No state is forgotten, and each one can be left: nothing is final for a person.
    """
    assert set(TRANSITIONS) == set(State)
    assert all(TRANSITIONS.values())


def test_a_step_that_is_not_there_is_refused() -> None:
    """
    The message names the job and both states.
    """
    with pytest.raises(JobStateError, match="job 7 is done and cannot become failed"):
        require(State.DONE, State.FAILED, job_id=7)


def test_no_statement_makes_a_step_that_is_not_there() -> None:
    """
    SQL asks the table, too.
    """
    with pytest.raises(JobStateError, match="a job is pending and cannot become failed"):
        move(State.PENDING, State.FAILED)
