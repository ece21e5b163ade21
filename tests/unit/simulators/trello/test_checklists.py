"""Checklists and labels."""


def test_items_are_ticked_and_counted(ask, trello, todo, board):
    """
    The badges of the card follow, and the history has an action of its own for ticks.
    """
    card = trello.state.create_card(todo, "A")
    checklist = trello.state.create_checklist(card, "Steps", ["one", "two"])
    item = checklist["checkItems"][0]

    ask("PUT", f"/cards/{card['id']}/checkItem/{item['id']}", {"state": "complete"})

    shown = trello.state.card(card)
    assert (shown["badges"]["checkItems"], shown["badges"]["checkItemsChecked"]) == (2, 1)
    assert shown["checkItemStates"] == [{"idCheckItem": item["id"], "state": "complete"}]
    assert trello.state.actions(board)[0]["type"] == "updateCheckItemStateOnCard"


def test_a_deleted_checklist_is_gone_with_its_items(ask, trello, todo):
    """
    Nothing of it is left on the card.
    """
    card = trello.state.create_card(todo, "A")
    checklist = trello.state.create_checklist(card, "Steps", ["one"])

    ask("DELETE", f"/checklists/{checklist['id']}")

    assert ask("GET", f"/cards/{card['id']}/checklists").json() == []
    assert trello.world.check_items == {}


def test_a_deleted_label_vanishes_from_its_cards(ask, trello, todo, board):
    """
    And labels count how many cards wear them.
    """
    label = ask("POST", "/labels", {"idBoard": board["id"], "name": "Urgent", "color": "red"}).json()
    card = trello.state.create_card(todo, "A", idLabels=[label["id"]])
    uses = ask("GET", f"/labels/{label['id']}").json()["uses"]

    ask("DELETE", f"/labels/{label['id']}")

    assert uses == 1
    assert trello.state.card(card)["labels"] == []


def test_an_unknown_colour_is_refused(ask, board):
    """
    Today's light and dark shades are colours too.
    """
    good = ask("POST", "/labels", {"idBoard": board["id"], "name": "A", "color": "red_dark"})
    bad = ask("POST", "/labels", {"idBoard": board["id"], "name": "A", "color": "beige"})

    assert (good.status, bad.status, bad.body) == (200, 400, b"invalid value for color")
