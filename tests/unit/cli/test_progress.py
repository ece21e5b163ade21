"""How fast long work goes on."""

import io
import sys
from datetime import UTC, datetime, timedelta

import pytest

from isthmus.cli.progress import Pace, progress
from isthmus.testing.clock import FrozenClock

BEGIN = datetime(2027, 1, 1, tzinfo=UTC)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_rounds_add_up() -> None:
    """
    The second board's cards come on top of the first one's, and so does what there will be.
    """
    pace = Pace(FrozenClock(BEGIN), BEGIN)

    pace.told(60)
    pace.told(100)
    pace.told(40)

    assert pace.done == 140
    assert pace.whole(80) == 180
    assert pace.whole(None) is None


def test_the_rate_counts_from_the_beginning() -> None:
    """
    The time before the first page counts, too: what is shown is what the whole will take.
    """
    clock = FrozenClock(BEGIN)
    pace = Pace(clock, BEGIN)

    before = pace.rate
    clock.advance(timedelta(seconds=4))
    pace.told(100)

    assert before == 0
    assert pace.rate == 25


def test_nothing_is_shown_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """
    A log file gets no bars.
    """
    with progress() as report:
        report("cards", 1, 2)

    assert capsys.readouterr().err == ""


def test_a_terminal_sees_what_is_done_how_fast_and_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Name, number, rate and time left are on the line.
    """
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")

    with progress() as report:
        report("cards", 1, 2)

    printed = terminal.getvalue()
    assert "cards" in printed
    assert "1/2" in printed
    assert "/s" in printed
    assert "s left" in printed
