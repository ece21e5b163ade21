"""Routes of checklists, actions, members, webhooks and tokens; and what is not simulated."""

from typing import Any, Final

from isthmus.simulators.trello import attachments, checklists, nested, views
from isthmus.simulators.trello.actions import page
from isthmus.simulators.trello.entities import CheckItem, Webhook
from isthmus.simulators.trello.refusals import InvalidValueError, NotFoundError, RefusedError
from isthmus.simulators.trello.routing import Call, Route, fields_as_paths
from isthmus.simulators.trello.webhooks import check_callback

NOT_SIMULATED: Final[dict[str, str]] = {
    "GET /boards/{board}/myPrefs": "how one member's browser shows the board",
    "GET /cards/{card}/stickers": "decoration",
    "POST /cards/{card}/stickers": "decoration",
    "DELETE /cards/{card}/stickers/{sticker}": "decoration",
    "GET /members/{member}/notifications": "a member's bell",
    "POST /organizations": "workspaces",
    "GET /organizations/{organization}": "workspaces",
    "PUT /organizations/{organization}": "workspaces",
    "DELETE /organizations/{organization}": "workspaces",
    "GET /organizations/{organization}/actions": "workspaces",
    "GET /organizations/{organization}/members": "workspaces",
    "GET /search": "full text search",
    "GET /types/{name}": "what a name stands for",
}
"""Routes seen in recorded traffic that answer 404 here, and what they are for."""

# --- checklists ------------------------------------------------------------------------


def _post_checklist(call: Call) -> Any:
    return views.show(views.CHECKLIST, call.world, checklists.create_checklist(call.actor, call.params))


def _get_checklist(call: Call) -> Any:
    checklist = call.world.checklist(call.path["checklist"])
    return views.show(views.CHECKLIST, call.world, checklist, nested.fields(call.params))


def _put_checklist(call: Call) -> Any:
    checklist = call.world.checklist(call.path["checklist"])
    checklists.update_checklist(call.actor, checklist, call.params)
    return views.show(views.CHECKLIST, call.world, checklist)


def _delete_checklist(call: Call) -> Any:
    checklists.delete_checklist(call.actor, call.world.checklist(call.path["checklist"]))
    return {"_value": None}


def _check_items(call: Call) -> Any:
    return views.show(views.CHECKLIST, call.world, call.world.checklist(call.path["checklist"]))["checkItems"]


def _post_check_item(call: Call) -> Any:
    checklist = call.world.checklist(call.path["checklist"])
    item = checklists.create_item(call.actor, checklist, call.params)
    return views.show(views.CHECK_ITEM, call.world, item)


def _check_item(call: Call) -> CheckItem:
    return call.world.check_item(call.world.checklist(call.path["checklist"]), call.path["item"])


def _get_check_item(call: Call) -> Any:
    return views.show(views.CHECK_ITEM, call.world, _check_item(call))


def _delete_check_item(call: Call) -> Any:
    checklists.delete_item(call.actor, _check_item(call))
    return {"_value": None}


# --- actions ---------------------------------------------------------------------------


def _get_action(call: Call) -> Any:
    action = call.world.action(call.path["action"])
    return nested.show_actions(call.world, [action], call.params, "fields")[0]


def _put_action(call: Call) -> Any:
    action = attachments.update_comment(call.actor, call.world.action(call.path["action"]), call.params)
    return views.show_comment(call.world, action)


def _delete_action(call: Call) -> Any:
    attachments.delete_comment(call.world, call.world.action(call.path["action"]))
    return {"_value": None}


def _action_board(call: Call) -> Any:
    board = call.world.boards.get(call.world.action(call.path["action"]).board_id or "")
    if board is None:
        raise NotFoundError
    return views.show(views.BOARD, call.world, board, nested.fields(call.params))


def _action_card(call: Call) -> Any:
    card = call.world.cards.get(call.world.action(call.path["action"]).card_id or "")
    if card is None:
        raise NotFoundError
    return nested.show_card(call.world, card, call.params)


def _action_list(call: Call) -> Any:
    refs = call.world.action(call.path["action"]).list_ids
    found = call.world.lists.get(refs[-1]) if refs else None
    if found is None:
        raise NotFoundError
    return views.show(views.LIST, call.world, found, nested.fields(call.params))


# --- members ---------------------------------------------------------------------------


def _get_member(call: Call) -> Any:
    member = call.world.member(call.path["member"], me=call.actor.member.id)
    return nested.show_member(call.world, member, call.params)


def _put_member(call: Call) -> Any:
    member = call.world.member(call.path["member"], me=call.actor.member.id)
    if member is not call.actor.member:
        raise RefusedError(401, "unauthorized permission requested")
    if "bio" in call.params:
        member.bio = call.params.text("bio", trim=False)
    if "fullName" in call.params:
        member.full_name = call.params.required("fullName")
    return views.show(views.MEMBER, call.world, member)


def _member_boards(call: Call) -> Any:
    member = call.world.member(call.path["member"], me=call.actor.member.id)
    wanted = call.path.get("filter") or nested.state(call.params, "filter", "all")
    found = nested.boards_of(call.world, member, wanted)
    params = call.params if "fields" in call.params else call.params.with_(fields="all")
    return [nested.show_board(call.world, board, params) for board in found]


def _member_cards(call: Call) -> Any:
    member = call.world.member(call.path["member"], me=call.actor.member.id)
    wanted = call.path.get("filter") or nested.state(call.params, "filter", "visible")
    found = [card for card in call.world.cards.values() if member.id in card.member_ids]
    chosen = [card for card in found if nested.takes(call.world, card, wanted)]
    return nested.show_cards(call.world, chosen, call.params)


def _member_actions(call: Call) -> Any:
    member = call.world.member(call.path["member"], me=call.actor.member.id)
    return nested.show_actions(call.world, page(member.actions, call.params), call.params, "fields")


# --- webhooks and tokens ---------------------------------------------------------------


def _check_callback(call: Call) -> None:
    if call.params.get("callbackURL"):
        check_callback(call.params.text("callbackURL"))


def _post_webhook(call: Call) -> Any:
    world, params = call.world, call.params
    url = params.text("callbackURL", trim=False)
    if not url.strip():
        raise InvalidValueError("callbackURL")
    model_id = params.text("idModel")
    if world.model_of(model_id) is None:
        raise InvalidValueError("idModel")
    if any(
        (hook.callback_url, hook.model_id, hook.token) == (url, model_id, call.token) for hook in _mine(call)
    ):
        raise RefusedError(400, "A webhook with that callback, model, and token already exists")
    webhook = Webhook(
        id=world.ids.object_id(),
        token=call.token,
        description=params.text("description"),
        model_id=model_id,
        callback_url=url,
        active=params.flag("active", default=True),
    )
    world.webhooks[webhook.id] = webhook
    return views.show(views.WEBHOOK, world, webhook)


def _mine(call: Call) -> list[Webhook]:
    return [hook for hook in call.world.webhooks.values() if hook.token == call.token]


def _webhook(call: Call) -> Webhook:
    webhook = call.world.webhook(call.path["webhook"])
    if webhook.token != call.token:
        raise NotFoundError
    return webhook


def _get_webhook(call: Call) -> Any:
    return views.show(views.WEBHOOK, call.world, _webhook(call))


def _put_webhook(call: Call) -> Any:
    webhook, params = _webhook(call), call.params
    model_id = params.text("idModel", webhook.model_id)
    if call.world.model_of(model_id) is None:
        raise InvalidValueError("idModel")
    webhook.active = params.flag("active", default=webhook.active)
    webhook.description = params.text("description", webhook.description)
    webhook.callback_url = params.text("callbackURL", webhook.callback_url, trim=False)
    webhook.model_id = model_id
    return views.show(views.WEBHOOK, call.world, webhook)


def _delete_webhook(call: Call) -> Any:
    del call.world.webhooks[_webhook(call).id]
    return {"_value": None}


def _own_token(call: Call) -> str:
    token = call.path["token"]
    if token not in call.world.tokens:
        raise RefusedError(400, "invalid token")
    if token != call.token:
        raise RefusedError(401, "unauthorized permission requested")
    return token


def _get_token(call: Call) -> Any:
    token = _own_token(call)
    member_id = call.world.tokens[token]
    rights = {"idModel": member_id, "modelType": "Member", "read": True, "write": True}
    return {
        "id": call.world.members[member_id].id,
        "identifier": "isthmus simulator",
        "idMember": member_id,
        "dateCreated": call.world.now(),
        "dateExpires": None,
        "permissions": [rights, {**rights, "modelType": "Board", "idModel": "*"}],
    }


def _token_member(call: Call) -> Any:
    member = call.world.members[call.world.tokens[_own_token(call)]]
    return nested.show_member(call.world, member, call.params)


def _token_webhooks(call: Call) -> Any:
    _own_token(call)
    return [views.show(views.WEBHOOK, call.world, hook) for hook in _mine(call)]


def _delete_token(call: Call) -> Any:
    del call.world.tokens[_own_token(call)]
    return {"_value": None}


ROUTES = [
    Route("POST", "/checklists", _post_checklist),
    Route("GET", "/checklists/{checklist}", _get_checklist),
    Route("PUT", "/checklists/{checklist}", _put_checklist),
    Route("DELETE", "/checklists/{checklist}", _delete_checklist),
    Route("GET", "/checklists/{checklist}/checkItems", _check_items),
    Route("POST", "/checklists/{checklist}/checkItems", _post_check_item),
    Route("GET", "/checklists/{checklist}/checkItems/{item}", _get_check_item),
    Route("DELETE", "/checklists/{checklist}/checkItems/{item}", _delete_check_item),
    *fields_as_paths("/checklists/{checklist}", ("name", "pos"), _get_checklist, _put_checklist),
    Route("GET", "/actions/{action}", _get_action),
    Route("PUT", "/actions/{action}", _put_action),
    Route("DELETE", "/actions/{action}", _delete_action),
    Route("PUT", "/actions/{action}/text", _put_action),
    Route("GET", "/actions/{action}/board", _action_board),
    Route("GET", "/actions/{action}/card", _action_card),
    Route("GET", "/actions/{action}/list", _action_list),
    Route("GET", "/members/{member}", _get_member),
    Route("PUT", "/members/{member}", _put_member),
    Route("GET", "/members/{member}/actions", _member_actions),
    Route("GET", "/members/{member}/boards", _member_boards),
    Route("GET", "/members/{member}/boards/{filter}", _member_boards),
    Route("GET", "/members/{member}/cards", _member_cards),
    Route("GET", "/members/{member}/cards/{filter}", _member_cards),
    Route("POST", "/webhooks", _post_webhook, _check_callback),
    Route("GET", "/webhooks/{webhook}", _get_webhook),
    Route("PUT", "/webhooks/{webhook}", _put_webhook, _check_callback),
    Route("DELETE", "/webhooks/{webhook}", _delete_webhook),
    Route("GET", "/tokens/{token}", _get_token),
    Route("DELETE", "/tokens/{token}", _delete_token),
    Route("GET", "/tokens/{token}/member", _token_member),
    Route("GET", "/tokens/{token}/webhooks", _token_webhooks),
    Route("POST", "/tokens/{token}/webhooks", _post_webhook, _check_callback),
]
"""Routes of checklists, actions, members, webhooks and tokens."""
