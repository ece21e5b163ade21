"""The history: order, pages, filters."""

from datetime import timedelta

import pytest


@pytest.fixture
def history(trello, board, todo, clock):
    """A board with 120 card creations, one every second; their IDs newest first."""
    for number in range(120):
        trello.state.create_card(todo, f"Card {number}")
        clock.advance(timedelta(seconds=1))
    return [action["id"] for action in trello.state.actions(board)]


def ids(answer):
    """The IDs of an answered list."""
    return [entry["id"] for entry in answer.json()]


def test_fifty_are_shown_newest_first(ask, board, history):
    """
    That is the server's own page length.
    """
    assert ids(ask("GET", f"/boards/{board['id']}/actions")) == history[:50]


def test_walking_by_before_sees_each_action_once(ask, board, history):
    """
    Page by page below the last ID until a short page.
    """
    seen, query = [], {"limit": 25}
    while page := ids(ask("GET", f"/boards/{board['id']}/actions", **query)):
        seen += page
        query["before"] = page[-1]

    assert seen == history


def test_since_an_id_excludes_that_id(ask, board, history):
    """
    What comes after a known action, and only that.
    """
    assert ids(ask("GET", f"/boards/{board['id']}/actions", since=history[7])) == history[:7]


def test_since_and_before_take_dates(ask, board, history):
    """
    Dates bound the walk like IDs do, both ends excluded.
    """
    query = {"since": "2027-01-02T12:00:10.000Z", "before": "2027-01-02T12:00:14.000Z"}

    names = [
        action["data"]["card"]["name"]
        for action in ask("GET", f"/boards/{board['id']}/actions", **query).json()
    ]

    assert names == ["Card 13", "Card 12", "Card 11"]


def test_pages_by_number_follow_each_other(ask, board, history):
    """
    The older way of paging, as recorded.
    """
    pages = [ids(ask("GET", f"/boards/{board['id']}/actions", page=n, limit=50)) for n in range(4)]

    assert pages == [history[:50], history[50:100], history[100:], []]


@pytest.mark.parametrize("limit", ["1001", "-1", "many"])
def test_a_limit_out_of_range_is_refused(ask, board, limit):
    """
    At most 1,000 in one answer.
    """
    answer = ask("GET", f"/boards/{board['id']}/actions", limit=limit)

    assert (answer.status, answer.body) == (400, b"invalid value for limit")


def test_a_filter_chooses_types_and_changed_fields(ask, trello, board, todo, done):
    """
    ``updateCard:idList`` is a move, ``updateCard`` any change.
    """
    card = trello.state.create_card(todo, "A")
    trello.state.update_card(card, name="B")
    trello.state.move_card(card, done)
    path = f"/boards/{board['id']}/actions"

    moves = ask("GET", path, filter="updateCard:idList").json()
    changes = ask("GET", path, filter="updateCard,createCard").json()

    assert [set(action["data"]["old"]) for action in moves] == [{"idList"}]
    assert [action["type"] for action in changes] == ["updateCard", "updateCard", "createCard"]


def test_each_action_names_who_did_it(ask, trello, board, todo):
    """
    Our own changes are told from others' by the creator.
    """
    theirs = trello.state.create_card(todo, "Theirs")
    ours = ask("POST", "/cards", {"idList": todo["id"], "name": "Ours"}).json()

    creators = {
        action["data"]["card"]["id"]: action["idMemberCreator"]
        for action in ask("GET", f"/boards/{board['id']}/actions", filter="createCard").json()
    }

    assert creators == {theirs["id"]: trello.state.member.id, ours["id"]: trello.member_id}


def test_a_comment_is_an_action_that_can_be_changed_and_deleted(ask, trello, board, todo):
    """
    Deleting it takes it out of every history.
    """
    card = trello.state.create_card(todo, "A")
    comment = ask("POST", f"/cards/{card['id']}/actions/comments", {"text": "Hello"}).json()

    changed = ask("PUT", f"/actions/{comment['id']}", {"text": "Bye"}).json()
    ask("DELETE", f"/actions/{comment['id']}")

    assert (changed["data"]["text"], "dateLastEdited" in changed["data"]) == ("Bye", True)
    assert comment["id"] not in [action["id"] for action in trello.state.actions(board)]
    assert trello.state.card(card)["badges"]["comments"] == 0
