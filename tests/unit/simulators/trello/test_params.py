"""Parameters."""

import pytest

from isthmus.simulators.trello.params import LONGEST, Params
from isthmus.simulators.trello.refusals import InvalidValueError


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-05-01T10:00:00+02:00", "2026-05-01T08:00:00.000Z"),
        ("2026-05-01T08:00:00.1234567Z", "2026-05-01T08:00:00.123Z"),
        ("2026-05-01", "2026-05-01T00:00:00.000Z"),
        (1777622400000, "2026-05-01T08:00:00.000Z"),
        ("", None),
        ("null", None),
        (None, None),
    ],
)
def test_instants_are_normalised(given, kept):
    """
    Whatever way an instant is spelled, one spelling is kept.
    """
    assert Params({"due": given}).instant("due") == kept


@pytest.mark.parametrize("given", ["soon", "2026-13-01", 10**30, [], {}])
def test_what_is_no_instant_is_refused(given):
    """
    The refusal names the parameter.
    """
    with pytest.raises(InvalidValueError, match="invalid value for due"):
        Params({"due": given}).instant("due")


def test_a_name_may_be_long_but_not_longer():
    """
    The server takes 16,384 characters and not one more.
    """
    longest = "x" * LONGEST

    assert Params({"name": longest}).text("name") == longest
    with pytest.raises(InvalidValueError):
        Params({"name": longest + "x"}).text("name")


def test_text_of_all_planes_survives_and_half_a_character_does_not():
    """
    Any Unicode text is kept; a lone surrogate becomes the replacement character.
    """
    assert Params({"name": "é 漢字 😀 \U0010ffff"}).text("name") == "é 漢字 😀 \U0010ffff"
    assert Params({"name": "\ud83d\ude00"}).text("name") == "😀"
    assert Params({"name": "a\ud800b"}).text("name") == "a\ufffdb"


@pytest.mark.parametrize(("given", "read"), [("true", True), ("1", True), (False, False), ("false", False)])
def test_yes_and_no_have_many_spellings(given, read):
    """
    Query, form and JSON spell a boolean differently.
    """
    assert Params({"closed": given}).flag("closed") is read


def test_lists_come_as_arrays_or_with_commas():
    """
    JSON clients send arrays, others text.
    """
    assert Params({"ids": ["a", "b"]}).names("ids") == ["a", "b"]
    assert Params({"ids": "a, b,"}).names("ids") == ["a", "b"]
