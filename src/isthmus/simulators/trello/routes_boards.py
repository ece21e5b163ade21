"""Routes of boards, lists and labels."""

from typing import Any

from isthmus.simulators.trello import boards, cards, nested, views
from isthmus.simulators.trello.actions import page
from isthmus.simulators.trello.params import Params
from isthmus.simulators.trello.refusals import InvalidValueError, NotFoundError, RefusedError
from isthmus.simulators.trello.routing import Call, Route, fields_as_paths


def _post_board(call: Call) -> Any:
    board = boards.create_board(call.actor, call.params)
    return views.show(views.BOARD, call.world, board)


def _get_board(call: Call) -> Any:
    return nested.show_board(call.world, call.world.board(call.path["board"]), call.params)


def _put_board(call: Call) -> Any:
    board = boards.update_board(call.actor, call.world.board(call.path["board"]), call.params)
    return views.show(views.BOARD, call.world, board)


def _delete_board(call: Call) -> Any:
    boards.delete_board(call.world, call.world.board(call.path["board"]))
    return {"_value": None}


def _board_actions(call: Call) -> Any:
    board = call.world.board(call.path["board"])
    return nested.show_actions(call.world, page(board.actions, call.params), call.params, "fields")


def _board_cards(call: Call) -> Any:
    board = call.world.board(call.path["board"])
    wanted = call.path.get("filter") or nested.state(call.params, "filter", "visible")
    if wanted not in ("open", "closed", "all", "none", "visible"):
        card = call.world.card(wanted)
        if card.board_id != board.id:
            raise NotFoundError
        return nested.show_card(call.world, card, call.params)
    chosen = nested.choose_cards(call.world, board, wanted, call.params)
    return nested.show_cards(call.world, chosen, call.params)


def _board_lists(call: Call) -> Any:
    board = call.world.board(call.path["board"])
    params = call.params
    if "filter" in call.path:
        params = params.with_(filter=call.path["filter"])
    found = nested.choose_lists(call.world, board, nested.state(params, "filter", "open"))
    return [nested.show_list(call.world, entry, params) for entry in found]


def _board_labels(call: Call) -> Any:
    board = call.world.board(call.path["board"])
    refs = board.label_ids[: call.params.number("limit", 50, most=1000)]
    chosen = nested.fields(call.params)
    return [views.show(views.LABEL, call.world, call.world.labels[ref], chosen) for ref in refs]


def _board_members(call: Call) -> Any:
    board = call.world.board(call.path["board"])
    return nested.show_members(call.world, board.memberships, call.params, "fields")


def _board_memberships(call: Call) -> Any:
    return list(call.world.board(call.path["board"]).memberships.values())


def _board_checklists(call: Call) -> Any:
    params = Params({"checklists": "all", "fields": "id"})
    return nested.show_board(call.world, call.world.board(call.path["board"]), params)["checklists"]


def _invite_member(call: Call) -> Any:
    board = call.world.board(call.path["board"])
    email = call.params.required("email")
    name = call.params.text("fullName") or email
    known = next((m for m in call.world.members.values() if m.email == email), None)
    username = f"ghost{len(call.world.members)}"
    member = known or call.world.add_member(username, name, email=email, member_type="ghost")
    boards.set_member(call.world, board, member, call.params.text("type", "normal"))
    return views.show(views.MEMBER, call.world, member)


def _put_member(call: Call) -> Any:
    board = call.world.board(call.path["board"])
    member = call.world.member(call.path["member"], me=call.actor.member.id)
    boards.set_member(call.world, board, member, call.params.text("type", "normal"))
    shown = {"id": board.id, "memberships": list(board.memberships.values())}
    return shown | {"members": nested.show_members(call.world, board.memberships, Params({}), "fields")}


def _delete_member(call: Call) -> Any:
    board = call.world.board(call.path["board"])
    member = call.world.member(call.path["member"], me=call.actor.member.id)
    if board.memberships.pop(member.id, None) is None:
        raise NotFoundError
    return nested.show_board(call.world, board, Params({"members": "all"}))


def _empty(call: Call) -> Any:
    call.world.board(call.path["board"])
    return []


# --- lists -----------------------------------------------------------------------------


def _post_list(call: Call) -> Any:
    params = call.params.with_(idBoard=call.path["board"]) if "board" in call.path else call.params
    return views.show(views.LIST, call.world, boards.create_list(call.actor, params))


def _get_list(call: Call) -> Any:
    return nested.show_list(call.world, call.world.board_list(call.path["list"]), call.params)


def _put_list(call: Call) -> Any:
    found = call.world.board_list(call.path["list"])
    return views.show(views.LIST, call.world, boards.update_list(call.actor, found, call.params))


def _delete_list(call: Call) -> Any:
    raise RefusedError(404, f"Cannot DELETE /1/lists/{call.path['list']}")


def _list_actions(call: Call) -> Any:
    found = call.world.board_list(call.path["list"])
    return nested.show_actions(call.world, page(found.actions, call.params), call.params, "fields")


def _list_board(call: Call) -> Any:
    found = call.world.board_list(call.path["list"])
    return nested.show_board(call.world, call.world.boards[found.board_id], call.params)


def _list_cards(call: Call) -> Any:
    found = call.world.board_list(call.path["list"])
    params = call.params
    if "filter" in call.path:
        params = params.with_(filter=call.path["filter"])
    wanted = nested.state(params, "filter", "open")
    return nested.show_cards(call.world, nested.choose_list_cards(call.world, found, wanted, params), params)


def _move_all_cards(call: Call) -> Any:
    world = call.world
    found, target = world.board_list(call.path["list"]), world.list_named(call.params.text("idList"))
    moved = [world.cards[ref] for _, ref in list(found.cards) if not world.cards[ref].closed]
    for card in moved:
        cards.update_card(call.actor, card, Params({"idList": target.id}))
    return [views.show(views.CARD, world, card, ["idBoard", "idList", "pos"]) for card in moved]


def _archive_all_cards(call: Call) -> Any:
    world = call.world
    for _, ref in list(world.board_list(call.path["list"]).cards):
        cards.update_card(call.actor, world.cards[ref], Params({"closed": True}))
    return {}


# --- labels ----------------------------------------------------------------------------


def _post_label(call: Call) -> Any:
    params = call.params.with_(idBoard=call.path["board"]) if "board" in call.path else call.params
    return views.show(views.LABEL, call.world, boards.create_label(call.actor, params))


def _get_label(call: Call) -> Any:
    label = call.world.label(call.path["label"])
    return views.show(views.LABEL, call.world, label, nested.fields(call.params))


def _get_board_label(call: Call) -> Any:
    board, label = call.world.board(call.path["board"]), call.world.label(call.path["label"])
    if label.board_id != board.id:
        raise InvalidValueError("idLabel")
    return _get_label(call)


def _put_label(call: Call) -> Any:
    label = boards.update_label(call.actor, call.world.label(call.path["label"]), call.params)
    return views.show(views.LABEL, call.world, label)


def _delete_label(call: Call) -> Any:
    boards.delete_label(call.actor, call.world.label(call.path["label"]))
    return {"limits": {}}


ROUTES = [
    Route("POST", "/boards", _post_board),
    Route("GET", "/boards/{board}", _get_board),
    Route("PUT", "/boards/{board}", _put_board),
    Route("DELETE", "/boards/{board}", _delete_board),
    Route("GET", "/boards/{board}/actions", _board_actions),
    Route("GET", "/boards/{board}/cards", _board_cards),
    Route("GET", "/boards/{board}/cards/{filter}", _board_cards),
    Route("GET", "/boards/{board}/checklists", _board_checklists),
    Route("GET", "/boards/{board}/customFields", _empty),
    Route("GET", "/boards/{board}/labels", _board_labels),
    Route("POST", "/boards/{board}/labels", _post_label),
    Route("GET", "/boards/{board}/labels/{label}", _get_board_label),
    Route("GET", "/boards/{board}/lists", _board_lists),
    Route("POST", "/boards/{board}/lists", _post_list),
    Route("GET", "/boards/{board}/lists/{filter}", _board_lists),
    Route("GET", "/boards/{board}/members", _board_members),
    Route("PUT", "/boards/{board}/members", _invite_member),
    Route("PUT", "/boards/{board}/members/{member}", _put_member),
    Route("DELETE", "/boards/{board}/members/{member}", _delete_member),
    Route("GET", "/boards/{board}/memberships", _board_memberships),
    *fields_as_paths(
        "/boards/{board}",
        ("name", "desc", "closed", "subscribed", "idOrganization", "dateLastActivity"),
        _get_board,
        _put_board,
    ),
    Route("POST", "/lists", _post_list),
    Route("GET", "/lists/{list}", _get_list),
    Route("PUT", "/lists/{list}", _put_list),
    Route("DELETE", "/lists/{list}", _delete_list),
    Route("GET", "/lists/{list}/actions", _list_actions),
    Route("GET", "/lists/{list}/board", _list_board),
    Route("GET", "/lists/{list}/cards", _list_cards),
    Route("GET", "/lists/{list}/cards/{filter}", _list_cards),
    Route("POST", "/lists/{list}/archiveAllCards", _archive_all_cards),
    Route("POST", "/lists/{list}/moveAllCards", _move_all_cards),
    *fields_as_paths(
        "/lists/{list}", ("name", "closed", "pos", "subscribed", "idBoard"), _get_list, _put_list
    ),
    Route("POST", "/labels", _post_label),
    Route("GET", "/labels/{label}", _get_label),
    Route("PUT", "/labels/{label}", _put_label),
    Route("DELETE", "/labels/{label}", _delete_label),
    *fields_as_paths("/labels/{label}", ("name", "color"), _get_label, _put_label),
]
"""Routes of boards, lists and labels."""
