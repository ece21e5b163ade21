"""Questions to whoever sits at the terminal, and what their answers mean."""

import pytest

from isthmus.cli.ask import ask, ask_secret, choose
from isthmus.errors import UsageError

BOARDS = [{"id": "5a", "name": "Website"}, {"id": "5b", "name": "Office"}, {"id": "5c", "name": "Office"}]


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ("all", ["5a", "5b", "5c"]),
        ("ALL", ["5a", "5b", "5c"]),
        ("3, 1", ["5a", "5c"]),
        ("website", ["5a"]),
        ("5b", ["5b"]),
        (["Website", "5c"], ["5a", "5c"]),
        ("1,1,1", ["5a"]),
    ],
)
def test_numbers_names_ids_and_all_are_understood(answer: str | list[str], chosen: list[str]) -> None:
    """
    Each way of naming a board gives its ID, in the order of the list, once.
    """
    assert choose(answer, BOARDS, "--board") == chosen


def test_a_name_that_several_have_is_refused_with_their_ids() -> None:
    """
    Nothing is guessed: the message has the IDs to choose from.
    """
    with pytest.raises(UsageError, match="--board: several are called 'Office', give an ID: 5b, 5c"):
        choose("Office", BOARDS, "--board")


@pytest.mark.parametrize("answer", ["Websit", "4", "0", "-1"])
def test_what_means_no_board_is_refused(answer: str) -> None:
    """
    A misspelt name gets the near ones, a number out of the list is no number of a board.
    """
    with pytest.raises(UsageError, match="--board: nothing is called"):
        choose(answer, BOARDS, "--board")


def test_where_nobody_can_be_asked_the_option_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    In a script a missing value is a usage error that says which option gives it.
    """
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)

    with pytest.raises(UsageError, match="--token is missing: the token"):
        ask_secret("--token", "the token")
    with pytest.raises(UsageError, match="--board is missing"):
        ask("--board", "which")

    assert UsageError.exit_code == 2
