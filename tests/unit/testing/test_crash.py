"""Crash points are numbered by hooks, and a process dies at the one it is told."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from isthmus.testing.crash import (
    ANSWER,
    COMMIT,
    COMMITTED,
    REQUEST,
    SENT,
    STATEMENT,
    ChildError,
    Crashed,
    CrashPoints,
    run_in_child,
    start_child,
)

_PROGRAM = """
import httpx2
from sqlalchemy import create_engine, text
from isthmus.simulators.trello import TrelloSimulator

def write(points, path, crash):
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS line (number INTEGER)"))
    points.watch(engine)
    for number in range(2):
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO line VALUES (:n)"), {"n": number})
    engine.dispose()
    return list(points.passed)

def ask(points):
    with TrelloSimulator() as trello, httpx2.Client() as client:
        client.post(f"{trello.url}/1/cards", json={"name": "x"})
    return list(points.passed)

def fail(points):
    raise ValueError("no way")
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A file with functions that children run."""
    path = tmp_path / "dying_program.py"
    path.write_text(_PROGRAM)
    return path


def test_statements_commits_and_ends_are_counted(program: Path, tmp_path: Path) -> None:
    """Each transaction has its statement, its commit and its end."""
    passed = run_in_child(program, "write", str(tmp_path / "lines.db"), None)

    assert passed == [STATEMENT, COMMIT, COMMITTED] * 2


@pytest.mark.parametrize(("point", "left"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 1), (6, 2)])
def test_a_process_dies_at_its_point(program: Path, tmp_path: Path, point: int, left: int) -> None:
    """What was committed before the point is there, the rest is not."""
    file = tmp_path / "lines.db"

    with pytest.raises(Crashed):
        run_in_child(program, "write", str(file), None, crash_at=point)

    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        count = connection.scalar(text("SELECT count(*) FROM line"))
    engine.dispose()
    assert count == left


def test_a_request_has_three_points(program: Path) -> None:
    """Before it is sent, when it is sent, and when its answer has come."""
    assert run_in_child(program, "ask") == [REQUEST, SENT, ANSWER]


def test_a_child_that_fails_says_why(program: Path) -> None:
    """Its traceback comes along."""
    with pytest.raises(ChildError, match="no way"):
        run_in_child(program, "fail")


def test_children_run_at_the_same_time(program: Path, tmp_path: Path) -> None:
    """Starting one does not wait for it."""
    waiting = [start_child(program, "write", str(tmp_path / f"{n}.db"), None) for n in range(2)]

    assert [len(wait()) for wait in waiting] == [6, 6]


def test_the_fatal_point_comes_from_the_environment() -> None:
    """Without it points are only counted."""
    dying = CrashPoints.from_environment({"ISTHMUS_CRASH_AT": "17"})
    counting = CrashPoints.from_environment({})

    assert (dying.fatal, counting.fatal) == (17, None)


def test_points_are_counted_by_kind() -> None:
    """What is printed beside a proof."""
    points = CrashPoints()
    for kind in (STATEMENT, STATEMENT, COMMIT):
        points.reach(kind)

    assert points.counts() == {STATEMENT: 2, COMMIT: 1}
