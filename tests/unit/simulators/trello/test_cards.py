"""Cards: what is stored, what is refused, what the history says."""

import pytest


def types(trello, board):
    """The history's action types, newest first."""
    return [action["type"] for action in trello.state.actions(board)]


def test_a_card_is_made_at_the_bottom_with_a_trimmed_name(ask, todo):
    """
    Names lose surrounding blanks, descriptions do not.
    """
    ask("POST", "/cards", {"idList": todo["id"], "name": "First"})

    card = ask("POST", "/cards", {"idList": todo["id"], "name": "  Second ", "desc": " as is "}).json()

    assert (card["name"], card["desc"], card["pos"], card["idShort"]) == ("Second", " as is ", 131071, 2)


def test_a_url_source_is_attached_with_the_create(ask, todo):
    """
    The answer to the create already shows the attachment.
    """
    card = ask("POST", "/cards", {"idList": todo["id"], "name": "A", "urlSource": "https://x.org/1"}).json()

    read = ask("GET", f"/cards/{card['id']}", attachments="true", attachment_fields="url").json()
    assert [entry["url"] for entry in card["attachments"]] == ["https://x.org/1"]
    assert [entry["url"] for entry in read["attachments"]] == ["https://x.org/1"]


def test_a_bad_url_source_makes_no_card(ask, todo, trello):
    """
    Card and attachment exist both or neither.
    """
    answer = ask("POST", "/cards", {"idList": todo["id"], "name": "A", "urlSource": "javascript:1"})

    assert (answer.status, answer.body) == (400, b"invalid value for url")
    assert trello.state.cards() == []


def test_a_copy_takes_the_attachments_and_is_called_a_copy(ask, trello, board, todo, done):
    """
    The marker of a copied card exists twice; the history tells the copy from a create.
    """
    card = ask("POST", "/cards", {"idList": todo["id"], "name": "A", "urlSource": "https://x.org/1"}).json()

    copy = trello.state.copy_card(card, done)

    newest = trello.state.actions(board)[0]
    assert [entry["url"] for entry in copy["attachments"]] == ["https://x.org/1"]
    assert copy["attachments"][0]["id"] != card["attachments"][0]["id"]
    assert (newest["type"], newest["data"]["cardSource"]["id"]) == ("copyCard", card["id"])


def test_an_update_tells_the_old_values_of_what_changed(ask, trello, board, todo, clock):
    """
    Only real changes are in the action, with their values before.
    """
    card = trello.state.create_card(todo, "A", desc="same")
    clock.sleep(60)

    ask("PUT", f"/cards/{card['id']}", {"name": "B", "desc": "same", "due": "2027-02-01"})

    action = trello.state.actions(board)[0]
    assert action["data"]["old"] == {"name": "A", "due": None}
    assert action["idMemberCreator"] == trello.member_id
    assert trello.state.card(card)["dateLastActivity"] == "2027-01-02T12:01:00.000Z"


def test_a_write_that_changes_nothing_leaves_no_trace(ask, trello, board, todo, clock):
    """
    Neither an action nor a new date.
    """
    card = trello.state.create_card(todo, "A", due="2027-02-01T00:00:00Z")
    before = types(trello, board)
    clock.sleep(60)

    written = {"name": " A ", "idList": todo["id"], "due": "2027-02-01T01:00:00+01:00", "closed": "false"}
    answer = ask("PUT", f"/cards/{card['id']}", written)

    assert answer.status == 200
    assert types(trello, board) == before
    assert trello.state.card(card)["dateLastActivity"] == card["dateLastActivity"]


def test_a_move_tells_from_where_to_where(trello, board, todo, done):
    """
    The move is in the history of both lists.
    """
    card = trello.state.create_card(todo, "A")

    moved = trello.state.move_card(card, done)

    data = trello.state.actions(board)[0]["data"]
    assert (data["listBefore"]["name"], data["listAfter"]["name"]) == ("To do", "Done")
    assert data["old"] == {"idList": todo["id"]}
    assert moved["idList"] == done["id"]


def test_a_move_to_another_board_is_in_both_histories(trello, board, todo):
    """
    The card gets a new number there; its labels stay behind where the other board has none alike.
    """
    elsewhere = trello.state.create_board("Elsewhere", defaultLabels=False)
    target = trello.state.create_list(elsewhere, "Inbox")
    card = trello.state.create_card(todo, "A")

    moved = trello.state.move_card(card, target)

    assert moved["idBoard"] == elsewhere["id"]
    assert types(trello, board)[0] == "moveCardFromBoard"
    assert types(trello, elsewhere)[0] == "moveCardToBoard"
    assert trello.state.cards(board) == []


def test_a_deleted_card_takes_its_history_along(ask, trello, board, todo):
    """
    Only the deletion remains, as in the recorded histories.
    """
    card = trello.state.create_card(todo, "A")
    trello.state.update_card(card, name="B")

    answer = ask("DELETE", f"/cards/{card['id']}")

    assert answer.json() == {"_value": None}
    assert types(trello, board) == ["deleteCard", "createList", "createBoard"]
    assert ask("GET", f"/cards/{card['id']}").status == 404


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": ""}, "invalid value for name"),
        ({"name": "x" * 16385}, "invalid value for name"),
        ({"desc": "x" * 1_000_000}, "invalid value for desc"),
        ({"due": "tomorrow"}, "invalid value for due"),
        ({"idList": "0"}, "invalid value for idList"),
        ({"idList": None}, "invalid value for idList"),
        ({"closed": "perhaps"}, "invalid value for closed"),
        ({"idMembers": ["0"]}, "invalid value for idMembers"),
        ({"idLabels": "f" * 24}, "invalid value for idLabels"),
        ({"pos": "left"}, "invalid value for pos"),
        ({"name": ["a"]}, "invalid value for name"),
    ],
)
def test_a_refused_update_changes_nothing(ask, trello, todo, values, message):
    """
    The answer names the value; nothing of the request is applied.
    """
    card = trello.state.create_card(todo, "A")

    answer = ask("PUT", f"/cards/{card['id']}", {"start": "2027-01-01", **values})

    assert (answer.status, answer.body.decode()) == (400, message)
    assert trello.state.card(card) == card


@pytest.mark.parametrize(
    ("ref", "status"), [("0", 400), ("not-an-id", 400), ("a" * 24, 404), ("abcd1234", 404)]
)
def test_what_does_not_exist_is_404_and_what_cannot_be_an_id_400(ask, ref, status):
    """
    A malformed ID is told from an unknown one.
    """
    assert ask("GET", f"/cards/{ref}").status == status


def test_a_short_link_stands_for_the_id(ask, trello, todo, board):
    """
    Boards and cards are found by their short links.
    """
    card = trello.state.create_card(todo, "A")

    assert ask("GET", f"/cards/{card['shortLink']}").json()["id"] == card["id"]
    assert ask("GET", f"/boards/{board['shortLink']}").json()["id"] == board["id"]


def test_one_field_has_a_path_of_its_own(ask, trello, todo):
    """
    A field is read and written alone.
    """
    card = trello.state.create_card(todo, "A")

    ask("PUT", f"/cards/{card['id']}/name", {"value": "B"})

    assert ask("GET", f"/cards/{card['id']}/name").json() == {"_value": "B"}


def test_parameters_come_by_query_form_or_json(ask, trello, todo):
    """
    All three ways write the same.
    """
    card = trello.state.create_card(todo, "A")
    path = f"/cards/{card['id']}"

    names = [
        ask("PUT", path, name="by query").json()["name"],
        ask("PUT", path, {"name": "by JSON"}).json()["name"],
    ]

    assert names == ["by query", "by JSON"]


def test_two_servers_with_one_seed_are_alike(trello, clock):
    """
    Seed and clock decide every identifier.
    """
    other = type(trello)(seed=7, clock=clock)

    trello.seed_demo(1, 2, 3)
    other.seed_demo(1, 2, 3)

    assert trello.state.dump() == other.state.dump()


def test_a_card_may_be_made_without_a_name_but_not_lose_it(ask, todo, trello):
    """
    Trello accepts an empty name with a create only.
    """
    card = ask("POST", "/cards", {"idList": todo["id"], "name": ""}).json()
    named = ask("POST", "/cards", {"idList": todo["id"], "name": "Named"}).json()

    refused = ask("PUT", f"/cards/{named['id']}", {"name": ""})

    assert card["name"] == ""
    assert (refused.status, refused.body) == (400, b"invalid value for name")
