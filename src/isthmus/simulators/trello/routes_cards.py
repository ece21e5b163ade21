"""Routes of cards, with their comments, attachments, members and labels."""

from typing import Any

from isthmus.simulators.trello import attachments, boards, card_parts, cards, checklists, nested, views
from isthmus.simulators.trello.actions import page
from isthmus.simulators.trello.entities import Card
from isthmus.simulators.trello.params import Params
from isthmus.simulators.trello.refusals import NotFoundError
from isthmus.simulators.trello.routing import Call, Route, fields_as_paths


def _card(call: Call) -> Card:
    return call.world.card(call.path["card"])


def _post(call: Call) -> Any:
    params = call.params
    if "list" in call.path:
        params = params.with_(idList=call.path["list"])
    card = cards.create_card(call.actor, params)
    if call.upload is not None:
        attachments.attach(call.actor, card, Params({}), call.upload)
    return nested.show_card(call.world, card, Params({"attachments": "true"}))


def _get(call: Call) -> Any:
    return nested.show_card(call.world, _card(call), call.params)


def _put(call: Call) -> Any:
    card = cards.update_card(call.actor, _card(call), call.params)
    return views.show(views.CARD, call.world, card)


def _delete(call: Call) -> Any:
    cards.delete_card(call.actor, _card(call))
    return {"_value": None}


def _actions(call: Call) -> Any:
    return nested.show_actions(call.world, page(_card(call).actions, call.params), call.params, "fields")


def _board(call: Call) -> Any:
    board = call.world.boards[_card(call).board_id]
    return views.show(views.BOARD, call.world, board, nested.fields(call.params))


def _list(call: Call) -> Any:
    found = call.world.lists[_card(call).list_id]
    return views.show(views.LIST, call.world, found, nested.fields(call.params))


# --- comments --------------------------------------------------------------------------


def _post_comment(call: Call) -> Any:
    action = attachments.comment(call.actor, _card(call), call.params)
    return views.show_comment(call.world, action)


def _put_comment(call: Call) -> Any:
    action = attachments.update_comment(call.actor, call.world.action(call.path["action"]), call.params)
    return views.show_comment(call.world, action)


def _delete_comment(call: Call) -> Any:
    attachments.delete_comment(call.world, call.world.action(call.path["action"]))
    return {"_value": None}


# --- attachments -----------------------------------------------------------------------


def _attachments(call: Call) -> Any:
    chosen = nested.fields(call.params)
    return [views.show(views.ATTACHMENT, call.world, x, chosen) for x in _card(call).attachments.values()]


def _post_attachment(call: Call) -> Any:
    attachment = attachments.attach(call.actor, _card(call), call.params, call.upload)
    return views.show(views.ATTACHMENT, call.world, attachment)


def _get_attachment(call: Call) -> Any:
    attachment = call.world.attachment(_card(call), call.path["attachment"])
    return views.show(views.ATTACHMENT, call.world, attachment, nested.fields(call.params))


def _delete_attachment(call: Call) -> Any:
    card = _card(call)
    attachments.detach(call.actor, card, call.world.attachment(card, call.path["attachment"]))
    return {"_value": None}


# --- checklists ------------------------------------------------------------------------


def _checklists(call: Call) -> Any:
    found = (call.world.checklists[ref] for ref in _card(call).checklist_ids)
    return [views.show(views.CHECKLIST, call.world, x) for x in found]


def _post_checklist(call: Call) -> Any:
    checklist = checklists.create_checklist(call.actor, call.params.with_(idCard=_card(call).id))
    return views.show(views.CHECKLIST, call.world, checklist)


def _delete_checklist(call: Call) -> Any:
    card, checklist = _card(call), call.world.checklist(call.path["checklist"])
    if checklist.card_id != card.id:
        raise NotFoundError
    checklists.delete_checklist(call.actor, checklist)
    return _checklists(call)


def _check_item_states(call: Call) -> Any:
    return views.show(views.CARD, call.world, _card(call))["checkItemStates"]


def _put_check_item(call: Call) -> Any:
    item = call.world.check_items.get(call.path["item"])
    if item is None or call.world.checklists[item.checklist_id].card_id != _card(call).id:
        raise NotFoundError
    return views.show(views.CHECK_ITEM, call.world, checklists.update_item(call.actor, item, call.params))


# --- members, labels, votes ------------------------------------------------------------


def _members(call: Call) -> Any:
    return nested.show_members(call.world, _card(call).member_ids, call.params, "fields")


def _post_member(call: Call) -> Any:
    card_parts.add_member(call.actor, _card(call), call.params.required("value"))
    return _members(call)


def _delete_member(call: Call) -> Any:
    card_parts.remove_member(call.actor, _card(call), call.path["member"])
    return _members(call)


def _post_label_id(call: Call) -> Any:
    card = _card(call)
    card_parts.add_label(call.actor, card, call.params.required("value"))
    return list(card.label_ids)


def _delete_label_id(call: Call) -> Any:
    card_parts.remove_label(call.actor, _card(call), call.path["label"])
    return {"_value": None}


def _post_new_label(call: Call) -> Any:
    card = _card(call)
    label = boards.create_label(call.actor, call.params.with_(idBoard=card.board_id))
    card_parts.add_label(call.actor, card, label.id)
    return views.show(views.LABEL, call.world, label)


def _voters(call: Call) -> Any:
    return nested.show_members(call.world, _card(call).voter_ids, call.params, "fields")


def _post_vote(call: Call) -> Any:
    card, member = _card(call), call.world.member(call.params.required("value"))
    if member.id not in card.voter_ids:
        card.voter_ids.append(member.id)
    return {"_value": None}


def _empty(call: Call) -> Any:
    _card(call)
    return []


ROUTES = [
    Route("POST", "/cards", _post),
    Route("POST", "/lists/{list}/cards", _post),
    Route("GET", "/cards/{card}", _get),
    Route("PUT", "/cards/{card}", _put),
    Route("DELETE", "/cards/{card}", _delete),
    Route("GET", "/cards/{card}/actions", _actions),
    Route("POST", "/cards/{card}/actions/comments", _post_comment),
    Route("PUT", "/cards/{card}/actions/{action}/comments", _put_comment),
    Route("DELETE", "/cards/{card}/actions/{action}/comments", _delete_comment),
    Route("GET", "/cards/{card}/attachments", _attachments),
    Route("POST", "/cards/{card}/attachments", _post_attachment),
    Route("GET", "/cards/{card}/attachments/{attachment}", _get_attachment),
    Route("DELETE", "/cards/{card}/attachments/{attachment}", _delete_attachment),
    Route("GET", "/cards/{card}/board", _board),
    Route("GET", "/cards/{card}/list", _list),
    Route("GET", "/cards/{card}/checkItemStates", _check_item_states),
    Route("GET", "/cards/{card}/checklists", _checklists),
    Route("POST", "/cards/{card}/checklists", _post_checklist),
    Route("DELETE", "/cards/{card}/checklists/{checklist}", _delete_checklist),
    Route("PUT", "/cards/{card}/checkItem/{item}", _put_check_item),
    Route("PUT", "/cards/{card}/checklist/{checklist}/checkItem/{item}", _put_check_item),
    Route("GET", "/cards/{card}/members", _members),
    Route("POST", "/cards/{card}/members", _post_member),
    Route("POST", "/cards/{card}/idMembers", _post_member),
    Route("DELETE", "/cards/{card}/idMembers/{member}", _delete_member),
    Route("POST", "/cards/{card}/labels", _post_new_label),
    Route("POST", "/cards/{card}/idLabels", _post_label_id),
    Route("DELETE", "/cards/{card}/idLabels/{label}", _delete_label_id),
    Route("GET", "/cards/{card}/membersVoted", _voters),
    Route("POST", "/cards/{card}/membersVoted", _post_vote),
    Route("GET", "/cards/{card}/pluginData", _empty),
    Route("GET", "/cards/{card}/customFieldItems", _empty),
    *fields_as_paths(
        "/cards/{card}",
        (
            "name",
            "desc",
            "closed",
            "due",
            "dueComplete",
            "start",
            "pos",
            "idList",
            "idBoard",
            "subscribed",
            "dateLastActivity",
        ),
        _get,
        _put,
    ),
]
"""Routes of cards."""
