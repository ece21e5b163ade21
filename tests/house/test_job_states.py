"""The page on the states of a job shows what the code does."""

import re
from pathlib import Path

from isthmus.job import TRANSITIONS, State

PAGE = Path(__file__).parents[2] / "docs/reference/job-states.md"


def test_the_drawing_is_the_table_of_transitions() -> None:
    """
    Every arrow of the drawing is a step that the code allows, and the other way round.
    """
    declared = {(str(source), str(target)) for source, targets in TRANSITIONS.items() for target in targets}

    drawn = set(re.findall(r"(?m)^\s+(\w+) --> (\w+)$", PAGE.read_text()))

    assert drawn == declared


def test_every_state_is_explained() -> None:
    """
    Each state has a row in the page's first table, and no row is about anything else.
    """
    table = PAGE.read_text().partition("## ")[0]

    explained = re.findall(r"(?m)^\| `(\w+)` \|", table)

    assert explained == [str(state) for state in State]
