"""What boards, lists and cards give, and how many requests it takes."""

from datetime import UTC, datetime, timedelta

import pytest

from isthmus.connectors.trello.marker import marker
from isthmus.errors import IDMissingInBackend, InvalidDataError

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def board(simulator):
    """A board."""
    return simulator.state.create_board("Website")


@pytest.fixture
def todo(simulator, board):
    """A list on it."""
    return simulator.state.create_list(board, "To do")


@pytest.fixture
def boards(adapter_for):
    """The adapter of boards."""
    return adapter_for("trello.board")


@pytest.fixture
def cards(adapter_for):
    """The adapter of cards."""
    return adapter_for("trello.card")


def test_a_board_comes_with_all_its_lists_in_one_request(simulator, boards, board, todo):
    """
    Archived lists too: their cards must find them.
    """
    done = simulator.state.create_list(board, "Done")
    simulator.state.update_list(done, closed=True)
    simulator.requests.clear()

    payload = boards.read(board["id"])

    assert [(item["name"], item["closed"]) for item in payload["lists"]] == [("To do", False), ("Done", True)]
    assert len(simulator.requests) == 1


def test_only_open_boards_can_be_asked_for(simulator, boards, board):
    """
    A person who chooses boards is not shown the archived ones.
    """
    old = simulator.state.create_board("Old")
    simulator.state.update_board(old, closed=True)

    assert sorted(boards.search()) == sorted([board["id"], old["id"]])
    assert list(boards.search({"filter": "open"})) == [board["id"]]


def test_actions_are_given_newest_first_between_two_marks(simulator, boards, board, todo):
    """
    Both marks are left out, so that an increment begins after what was seen.
    """
    made = [simulator.state.create_card(todo, f"card {number}") for number in range(5)]
    every = boards.actions(board["id"])

    between = boards.actions(board["id"], since=every[4]["id"], before=every[0]["id"])
    newest = boards.actions(board["id"], limit=2)

    assert [action["data"]["card"]["id"] for action in between] == [card["id"] for card in made[3:0:-1]]
    assert newest == every[:2]


def test_actions_since_an_instant(simulator, boards, board, todo):
    """
    A cursor may be a time as well.
    """
    simulator.state.create_card(todo, "Logo")

    recent = boards.actions(board["id"], since=datetime.now(UTC) - timedelta(minutes=1))
    future = boards.actions(board["id"], since=datetime.now(UTC) + timedelta(minutes=1))

    assert [action["type"] for action in recent] == ["createCard", "createList", "createBoard"][: len(recent)]
    assert len(recent) >= 2
    assert future == []


def test_a_page_of_cards_holds_archived_ones_and_their_markers(simulator, boards, cards, board, todo):
    """
    An import sees our key without another request.
    """
    ours = cards.create({"name": "Logo", "idList": todo["id"]}, key="effect-1")
    simulator.state.archive_card(ours)
    theirs = simulator.state.create_card(todo, "Text")
    simulator.requests.clear()

    page = boards.cards(board["id"])

    assert {card["id"]: (card["closed"], cards.creation_key(card)) for card in page} == {
        ours["id"]: (True, "effect-1"),
        theirs["id"]: (False, None),
    }
    assert len(simulator.requests) == 1


def test_a_walk_over_many_cards_takes_one_request_for_each_thousand(simulator, cards, board, todo):
    """
    2,500 cards are three requests, each card once.
    """
    made = {simulator.state.create_card(todo, f"card {number}")["id"] for number in range(2500)}
    simulator.requests.clear()

    found = list(cards.search({"idBoard": board["id"]}))

    assert len(found) == 2500
    assert set(found) == made
    assert len(simulator.requests) == 3


def test_cards_of_all_boards_are_found_without_a_filter(simulator, cards, todo):
    """
    None takes all that our member sees.
    """
    other = simulator.state.create_list(simulator.state.create_board("Other"), "Ideas")
    made = [simulator.state.create_card(place, "x")["id"] for place in (todo, other)]

    assert sorted(cards.search()) == sorted(made)


def test_a_filter_that_trello_has_not_is_refused(cards):
    """
    It would otherwise select everything.
    """
    with pytest.raises(InvalidDataError, match="by idBoard, not by name"):
        list(cards.search({"name": "x"}))


def test_a_write_of_nothing_is_no_request(simulator, cards, todo):
    """
    Nothing changed, nothing sent.
    """
    card = simulator.state.create_card(todo, "Logo")
    simulator.requests.clear()

    assert cards.write(card["id"], {}) is None
    assert len(simulator.requests) == 0


def test_a_due_date_can_be_set_and_taken_away(cards, todo):
    """
    None is sent as null, not left out.
    """
    card = cards.create({"name": "Logo", "idList": todo["id"], "due": None})
    with_due = cards.write(card["id"], {"due": "2026-12-24T18:00:00.000Z"})
    without = cards.write(card["id"], {"due": None})

    assert [card["due"], with_due["due"], without["due"]] == [None, "2026-12-24T18:00:00.000Z", None]


def test_only_named_fields_are_read(cards, todo):
    """
    The ID and the attachments come along all the same.
    """
    card = cards.create({"name": "Logo", "idList": todo["id"]}, key="effect-1")

    payload = cards.read(card["id"], ["name"])

    assert sorted(payload) == ["attachments", "id", "name"]


def test_a_new_board_has_no_lists_of_trellos_own(boards):
    """
    Our stages become its lists, and nothing else.
    """
    board = boards.create({"name": "New"})

    assert boards.read(board["id"])["lists"] == []


def test_an_archived_list_is_created_archived(adapter_for, board):
    """
    In two requests, since Trello makes only open ones.
    """
    lists = adapter_for("trello.list")

    made = lists.create({"name": "Old", "idBoard": board["id"], "closed": True})

    assert made["closed"] is True
    assert lists.read(made["id"])["closed"] is True


def test_the_marker_points_to_the_hub_where_it_has_an_address(simulator, adapter_for, todo):
    """
    A card made under the address that no longer holds is still known by the default one.
    """
    plain, linked = (
        adapter_for("trello.card"),
        adapter_for("trello.card", link_base="https://hub.example.org/"),
    )
    old = plain.create({"name": "x", "idList": todo["id"]}, key="effect-1")
    new = linked.create({"name": "y", "idList": todo["id"]}, key="effect-2")

    urls = [item["url"] for item in simulator.state.card(new)["attachments"]]

    assert urls == ["https://hub.example.org/effect/effect-2"]
    assert [linked.creation_key(linked.read(card["id"])) for card in (old, new)] == ["effect-1", "effect-2"]
    assert plain.creation_key(plain.read(new["id"])) is None


def test_the_probe_takes_three_requests_whatever_the_number_of_cards(simulator, cards, todo):
    """
    Who we are, what we made, the newest cards: not one request for each candidate.
    """
    values = {"name": "x", "idList": todo["id"], "idBoard": todo["idBoard"]}
    for number in range(40):
        cards.create(values, key=f"effect-{number}")
    simulator.requests.clear()

    found = cards.find_created("effect-7", values, datetime.now(UTC))

    assert [cards.creation_key(card) for card in found] == ["effect-7"]
    assert len(simulator.requests) == 3


def test_a_copy_of_our_card_is_not_taken_for_it(simulator, cards, todo):
    """
    The copy carries the marker, but nobody created it by our key.
    """
    values = {"name": "x", "idList": todo["id"]}
    ours = cards.create(values, key="effect-1")
    copy = simulator.state.copy_card(ours, todo)

    found = cards.find_created("effect-1", values, datetime.now(UTC))

    assert [card["id"] for card in found] == [ours["id"]]
    assert cards.creation_key(cards.read(copy["id"])) == "effect-1"


def test_a_persons_card_with_our_link_on_it_is_not_ours(simulator, cards, todo):
    """
    People paste links.
    """
    theirs = simulator.state.create_card(todo, "x")
    simulator.state.attach_url(theirs, marker("effect-1"))

    assert cards.find_created("effect-1", {"name": "x", "idList": todo["id"]}, datetime.now(UTC)) == []


def test_our_card_is_found_after_it_was_moved_renamed_or_archived(simulator, cards, todo):
    """
    The marker stays with the card wherever people take it.
    """
    values = {"name": "x", "idList": todo["id"]}
    elsewhere = simulator.state.create_list(simulator.state.create_board("Other"), "Ideas")
    ours = cards.create(values, key="effect-1")
    simulator.state.update_card(ours, name="y", closed=True)
    simulator.state.move_card(ours, elsewhere)

    found = cards.find_created("effect-1", values, datetime.now(UTC))

    assert [(card["id"], card["name"]) for card in found] == [(ours["id"], "y")]


def test_a_card_that_was_deleted_again_is_not_found(simulator, cards, todo):
    """
    Nor is one whose whole board is gone.
    """
    values = {"name": "x", "idList": todo["id"]}
    simulator.state.delete_card(cards.create(values, key="effect-1"))
    deleted = cards.find_created("effect-1", values, datetime.now(UTC))
    simulator.state.delete_board(todo["idBoard"])
    homeless = cards.find_created("effect-1", values, datetime.now(UTC))

    assert [deleted, homeless] == [[], []]


def test_what_we_made_long_before_is_not_looked_at(cards, todo):
    """
    Only what the create may have made: ten minutes before it and later.
    """
    values = {"name": "x", "idList": todo["id"]}
    cards.create(values, key="effect-1")

    early = cards.find_created("effect-1", values, LONG_AGO)
    late = cards.find_created("effect-1", values, datetime.now(UTC) + timedelta(minutes=11))

    assert [len(early), len(late)] == [1, 0]


def test_a_probe_without_a_place_is_a_data_error(cards):
    """
    A card without a list was never sent.
    """
    with pytest.raises(InvalidDataError, match="its values need idList"):
        cards.find_created("effect-1", {"name": "x"}, LONG_AGO)


def test_two_lists_of_one_name_are_both_told(adapter_for, board):
    """
    By name the probe cannot choose: the caller leaves out the bound one or asks a person.
    """
    lists, values = adapter_for("trello.list"), {"name": "Doing", "idBoard": board["id"], "closed": True}
    made = [lists.create({**values, "closed": False})["id"] for _ in range(2)]

    found = lists.find_created("effect-1", values, datetime.now(UTC))

    assert sorted(item["id"] for item in found) == sorted(made)
    assert [item["closed"] for item in found] == [False, False]


def test_the_time_of_making_is_read_from_the_id(cards):
    """
    To the second; what is no ID of Trello's has none.
    """
    times = [cards.created_at({"id": value}) for value in ("5f000000aaaaaaaaaaaaaaaa", "k7GHJj7Q", 0)]

    assert times == [datetime(2020, 7, 4, 4, 5, 20, tzinfo=UTC), None, None]


def test_a_deleted_card_cannot_be_written(simulator, cards, todo):
    """
    The sync is told that it is gone, and decides by its policy.
    """
    card = cards.create({"name": "x", "idList": todo["id"]})
    cards.delete(card["id"])

    with pytest.raises(IDMissingInBackend, match="write card"):
        cards.write(card["id"], {"name": "y"})
