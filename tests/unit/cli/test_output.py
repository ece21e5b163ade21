"""What a command prints."""

import io
import json
from datetime import UTC, datetime

import pytest

from isthmus.cli.output import Output, harden, shown


def test_what_would_steer_a_terminal_is_written_out() -> None:
    """
    A card's name with an escape sequence changes nobody's screen.
    """
    assert shown("a\x1b[2Jb\x07\x9bc") == "a\\x1b[2Jb\\x07\\x9bc"


def test_text_of_all_planes_is_shown_as_it_is() -> None:
    """
    Letters of every alphabet and emoji stay.
    """
    assert shown("Grüße 漢字 🏝") == "Grüße 漢字 🏝"


def test_square_brackets_in_a_table_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """
    A title such as "[red]" is printed, not obeyed.
    """
    Output().table(("name",), [["[red]urgent[/red]"], [":smile:"]])

    printed = capsys.readouterr().out
    assert "[red]urgent[/red]" in printed
    assert ":smile:" in printed


def test_a_table_without_rows_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Headings over nothing help nobody: the sentence below says that there is nothing.
    """
    Output().table(("name",), [])

    assert capsys.readouterr().out == ""


def test_json_is_one_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Sentences and tables for people are left out, instants are text that any reader understands.
    """
    out = Output(as_json=True)

    out.say("for people")
    out.table(("name",), [["x"]])
    out.facts([("name", "x")])
    out.document({"at": datetime(2027, 1, 2, tzinfo=UTC), "name": "漢"})

    printed = capsys.readouterr().out
    assert printed.isascii()
    assert json.loads(printed) == {"at": "2027-01-02T00:00:00+00:00", "name": "漢"}


def test_people_get_no_document(capsys: pytest.CaptureFixture[str]) -> None:
    """
    The document is for those who ask for it.
    """
    Output().document({"a": 1})

    assert capsys.readouterr().out == ""


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Whatever line breaks a message has, an error is one sentence on standard error.
    """
    Output().error("it\nfailed:\n   badly")

    assert capsys.readouterr().err == "isthmus: it failed: badly\n"


def test_a_stream_that_cannot_spell_a_character_does_not_end_the_program() -> None:
    """
    On an ASCII terminal a foreign letter is written as its number.
    """
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    harden(stream)

    stream.write("漢")
    stream.flush()

    assert raw.getvalue() == b"\\u6f22"
