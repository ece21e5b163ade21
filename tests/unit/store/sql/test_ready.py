"""Files are waited for whatever their numbers."""

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import Engine

from isthmus.store.sql.cut import shut
from isthmus.store.sql.engine import answers
from isthmus.store.sql.ready import is_writable, readable


@pytest.fixture(params=["low", "high"])
def pipe(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """A pipe, once with numbers that are beyond those that ``select`` knows."""
    if request.param == "high":
        request.getfixturevalue("high_file_numbers")
    files = os.pipe()
    yield files
    for file in files:
        os.close(file)


def test_what_has_something_to_read_is_told(pipe: tuple[int, int]) -> None:
    """
    At once; when the time is over without, nothing is.
    """
    reader, writer = pipe
    before = readable([reader], 0.0)
    os.write(writer, b"x")

    assert (before, readable([reader], 600.0)) == ([], [reader])


def test_only_those_are_told_that_have(pipe: tuple[int, int]) -> None:
    """
    Of several some, or one.
    """
    reader, writer = pipe
    other, its_writer = os.pipe()
    os.write(writer, b"x")
    found = readable([other, reader], 600.0)
    for file in (other, its_writer):
        os.close(file)

    assert found == [reader]


def test_one_that_has_ended_is_waited_for_no_more(pipe: tuple[int, int]) -> None:
    """
    Whoever reads then learns it.
    """
    reader, writer = os.pipe()
    os.close(writer)
    found = readable([reader], 600.0)
    os.close(reader)

    assert found == [reader]


def test_what_takes_something_in_is_told(pipe: tuple[int, int]) -> None:
    """
    Until it is full.
    """
    _, writer = pipe
    os.set_blocking(writer, False)
    before = is_writable(writer, 600.0)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4_096)

    assert before
    assert not is_writable(writer, 0.0)


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_connection_with_a_high_number_is_asked_whether_it_lives(
    high_file_numbers: None, engine: Engine
) -> None:
    """
    A program that has many connections, or files, loses none of them for that.
    """
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        number, lives = driver.fileno(), answers(driver)
        shut(driver)
        after = answers(driver)
        connection.invalidate()

    assert number > 1_023
    assert (lives, after) == (True, False)
