"""The log on standard error."""

import logging
from collections.abc import Iterator

import pytest

from isthmus.cli import log


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("isthmus")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    log.unbind()


def test_every_line_has_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    """
    A line's run is that of the process, unless the thread works for another run.
    """
    log.start_log(["INFO"], "run0")

    logging.getLogger("isthmus.test").info("hello", extra={"isthmus_job_id": 7})
    log.bind(isthmus_run_id="run1")
    logging.getLogger("isthmus.test").info("again")

    first, second = capsys.readouterr().err.splitlines()
    assert "event=hello isthmus_run_id=run0" in first
    assert "isthmus_job_id=7" in first
    assert "isthmus_run_id=run1" in second


def test_the_most_talkative_level_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """
    What -v asks for shows although the settings want less, and the other way round.
    """
    log.start_log(["WARNING", "DEBUG"], "run0")

    logging.getLogger("isthmus.test").debug("shown")
    logging.getLogger("elsewhere").info("not ours")

    assert "shown" in (printed := capsys.readouterr().err)
    assert "not ours" not in printed


def test_a_level_that_is_none_counts_as_warning(capsys: pytest.CaptureFixture[str]) -> None:
    """
    A typing error in the settings does not silence warnings.
    """
    log.start_log(["LOUD"], "run0")

    logging.getLogger("isthmus.test").info("quiet")
    logging.getLogger("isthmus.test").warning("loud")

    printed = capsys.readouterr().err
    assert "loud" in printed
    assert "quiet" not in printed


def test_the_http_library_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Its lines have whole URLs, credentials included; ours have none.
    """
    log.start_log(["DEBUG"], "run0")

    logging.getLogger("httpx2").info("HTTP Request: GET https://example.org/?ws_key=s3cret")

    assert capsys.readouterr().err == ""
