"""Reading: pages of cards, filters, fields and nested resources."""

import pytest


@pytest.fixture
def cards(trello, todo):
    """Ten cards, oldest first; the last one archived."""
    made = [trello.state.create_card(todo, f"Card {number}") for number in range(10)]
    trello.state.archive_card(made[-1])
    return [card["id"] for card in made]


def ids(answer):
    """The IDs of an answered list."""
    return [entry["id"] for entry in answer.json()]


def test_a_limit_gives_the_newest_cards(ask, board, cards):
    """
    As recorded: one card asked for is the last one made.
    """
    assert ids(ask("GET", f"/boards/{board['id']}/cards", limit=2, filter="all")) == cards[-2:]


def test_walking_by_before_sees_each_card_once(ask, board, cards):
    """
    Repeat below the smallest ID until a short page.
    """
    seen, query = [], {"limit": 3, "filter": "all"}
    while page := ids(ask("GET", f"/boards/{board['id']}/cards", **query)):
        seen = page + seen
        query["before"] = min(page)

    assert seen == cards


def test_filters_tell_open_from_archived(ask, trello, board, todo, cards):
    """
    A card in an archived list is open but not visible.
    """
    path = f"/boards/{board['id']}/cards"
    before = len(ids(ask("GET", path)))
    trello.state.update_list(todo, closed=True)

    counts = {name: len(ids(ask("GET", f"{path}/{name}"))) for name in ("open", "closed", "all", "visible")}

    assert before == 9
    assert counts == {"open": 9, "closed": 1, "all": 10, "visible": 0}


def test_the_cards_of_a_list_come_by_position(ask, trello, todo, cards):
    """
    Paged or not, a list is read from top to bottom.
    """
    trello.state.update_card(cards[5], pos="top")

    assert ids(ask("GET", f"/lists/{todo['id']}/cards"))[:2] == [cards[5], cards[0]]
    assert ids(ask("GET", f"/lists/{todo['id']}/cards", limit=1000))[:2] == [cards[5], cards[0]]


def test_fields_are_chosen_and_the_id_always_comes(ask, cards):
    """
    A comma list chooses, ``all`` is everything.
    """
    chosen = ask("GET", f"/cards/{cards[0]}", fields="name,due").json()
    everything = ask("GET", f"/cards/{cards[0]}", fields="all").json()

    assert chosen == {"id": cards[0], "name": "Card 0", "due": None}
    assert {"badges", "dateLastActivity", "labels", "pos"} <= everything.keys()


def test_a_board_brings_what_is_asked_for(ask, board, todo, cards):
    """
    Lists, cards, labels and members in one answer, each with its own fields.
    """
    query = {
        "fields": "name",
        "lists": "all",
        "list_fields": "name",
        "cards": "closed",
        "card_fields": "name",
        "labels": "all",
        "members": "all",
        "member_fields": "username",
    }

    shown = ask("GET", f"/boards/{board['id']}", **query).json()

    assert shown["lists"] == [{"id": todo["id"], "name": "To do"}]
    assert shown["cards"] == [{"id": cards[-1], "name": "Card 9"}]
    assert len(shown["labels"]) == 6
    assert {member["username"] for member in shown["members"]} == {"isthmus", "robin"}
    assert shown.keys() == {"id", "name", "lists", "cards", "labels", "members"}


def test_a_card_brings_its_checklists_and_actions(ask, trello, cards):
    """
    Everything about one card in one answer.
    """
    trello.state.create_checklist(cards[0], "Steps", ["one", "two"])
    query = {"checklists": "all", "actions": "createCard", "members": "true", "list": "true"}

    shown = ask("GET", f"/cards/{cards[0]}", **query).json()

    assert [item["name"] for item in shown["checklists"][0]["checkItems"]] == ["one", "two"]
    assert [action["type"] for action in shown["actions"]] == ["createCard"]
    assert (shown["list"]["name"], shown["members"]) == ("To do", [])


def test_members_me_are_us_with_our_boards(ask, trello, board):
    """
    The account of the token, and the boards it may see.
    """
    assert ask("GET", "/members/me").json()["id"] == trello.member_id
    assert ids(ask("GET", "/members/me/boards", fields="name")) == [board["id"]]


def test_no_board_has_more_lists_than_its_own(ask, trello, board, todo, done):
    """
    Lists come by position; archived ones only when asked for.
    """
    trello.state.update_list(todo, closed=True)
    path = f"/boards/{board['id']}/lists"

    assert ids(ask("GET", path)) == [done["id"]]
    assert ids(ask("GET", path, filter="all")) == [todo["id"], done["id"]]
