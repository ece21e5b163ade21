"""What can be done to boards, their lists, labels and members."""

from typing import Final

from isthmus.simulators.trello import cards
from isthmus.simulators.trello.actions import Actor, board_ref, forget, label_ref, list_ref
from isthmus.simulators.trello.changes import Changes, flag, long_text, name_text, read, text_or_none
from isthmus.simulators.trello.entities import Board, BoardList, Json, Label, Member
from isthmus.simulators.trello.params import Params
from isthmus.simulators.trello.positions import place
from isthmus.simulators.trello.refusals import InvalidValueError
from isthmus.simulators.trello.world import World

COLORS: Final = ("green", "yellow", "orange", "red", "purple", "blue", "sky", "lime", "pink", "black")
"""Label colours; each also exists as ``..._light`` and ``..._dark`` today."""

_DEFAULT_LISTS = ("To Do", "Doing", "Done")

_PREFS: Final[Json] = {
    "permissionLevel": "private",
    "hideVotes": False,
    "voting": "disabled",
    "comments": "members",
    "invitations": "members",
    "selfJoin": True,
    "cardCovers": True,
    "isTemplate": False,
    "cardAging": "regular",
    "calendarFeedEnabled": False,
    "background": "blue",
    "backgroundColor": "#0079BF",
    "backgroundImage": None,
    "backgroundImageScaled": None,
    "backgroundTile": False,
    "backgroundBrightness": "dark",
    "backgroundBottomColor": "#0079BF",
    "backgroundTopColor": "#0079BF",
    "canBePublic": True,
    "canBeEnterprise": True,
    "canBeOrg": True,
    "canBePrivate": True,
    "canInvite": True,
}

_BOARD_FIELDS = {
    "name": ("name", name_text),
    "desc": ("desc", long_text),
    "closed": ("closed", flag),
    "subscribed": ("subscribed", flag),
    "idOrganization": ("organization_id", text_or_none),
}
_LIST_FIELDS = {
    "name": ("name", name_text),
    "closed": ("closed", flag),
    "subscribed": ("subscribed", flag),
}
_LABEL_FIELDS = {"name": ("name", lambda params, name: params.text(name))}


def create_board(actor: Actor, params: Params) -> Board:
    """Make a board, with the usual labels and, unless ``defaultLists`` is false, three lists."""
    world = actor.world
    name, desc = params.required("name"), params.text("desc", trim=False)
    board = Board(id=world.ids.object_id(), short_link="", name=name, desc=desc, creator_id=actor.member.id)
    board.short_link = world.short_link(board.id)
    board.prefs = {**_PREFS, **{k[6:]: v for k, v in params.items() if k.startswith("prefs_")}}
    board.last_view = world.now()
    world.boards[board.id] = board
    set_member(world, board, actor.member, "admin")
    if params.flag("defaultLabels", default=True):
        for color in ("green", "yellow", "orange", "red", "purple", "blue"):
            _add_label(world, board, "", color)
    actor.record("createBoard", {}, board=board)
    if params.flag("defaultLists", default=True):
        for title in _DEFAULT_LISTS:
            create_list(actor, Params({"name": title, "idBoard": board.id}))
    return board


def update_board(actor: Actor, board: Board, params: Params) -> Board:
    """Change a board; a write that changes nothing leaves no trace."""
    wished = read(params, _BOARD_FIELDS)
    changes = Changes()
    for attribute, name, value in wished:
        changes.set(board, attribute, name, value)
    changes.old.pop("subscribed", None)
    if changes.old:
        data = {"old": changes.old, "board": {**board_ref(board), **changes.new}}
        actor.record("updateBoard", data, board=board)
    return board


def delete_board(world: World, board: Board) -> None:
    """Delete a board with all that is on it."""
    for card_id in list(board.cards):
        cards.drop(world, world.cards[card_id])
    for _, list_id in list(board.lists):
        del world.lists[list_id]
    for label_id in board.label_ids:
        del world.labels[label_id]
    for action in list(board.actions):
        forget(world, action)
    world.short_links.pop(board.short_link, None)
    del world.boards[board.id]


def set_member(world: World, board: Board, member: Member, member_type: str) -> None:
    """Let somebody onto a board, or change what they may do there."""
    known = board.memberships.get(member.id)
    board.memberships[member.id] = {
        "id": known["id"] if known else world.ids.object_id(),
        "idMember": member.id,
        "memberType": member_type,
        "unconfirmed": False,
        "deactivated": False,
    }


# --- lists -----------------------------------------------------------------------------


def create_list(actor: Actor, params: Params) -> BoardList:
    """Make a list at the top unless told otherwise (the API's own default)."""
    world = actor.world
    board = world.board_named(params.text("idBoard"))
    name = params.required("name")
    pos = place(params.get("pos", "top"), board.lists)
    board_list = BoardList(id=world.ids.object_id(), board_id=board.id, name=name, pos=pos)
    world.lists[board_list.id] = board_list
    board.lists.add((pos, board_list.id))
    actor.record("createList", {"list": list_ref(board_list)}, board=board, lists=[board_list])
    return board_list


def update_list(actor: Actor, board_list: BoardList, params: Params) -> BoardList:
    """Change a list: name, archive, position, board (its cards go along)."""
    world = actor.world
    wished = read(params, _LIST_FIELDS)
    board = world.boards[board_list.board_id]
    target = world.board_named(params.text("idBoard")) if "idBoard" in params else board
    pos = board_list.pos
    if "pos" in params or target is not board:
        board.lists.discard((board_list.pos, board_list.id))
        try:
            pos = place(params.get("pos"), target.lists)
        finally:
            board.lists.add((board_list.pos, board_list.id))
    if target is not board:
        _move_to_board(actor, board_list, board, target)
    changes = Changes()
    for attribute, name, value in wished:
        changes.set(board_list, attribute, name, value)
    if pos != board_list.pos:
        target.lists.discard((board_list.pos, board_list.id))
        changes.set(board_list, "pos", "pos", pos)
        target.lists.add((pos, board_list.id))
    changes.old.pop("subscribed", None)
    if changes.old:
        data = {"list": {**list_ref(board_list), **changes.new}, "old": changes.old}
        actor.record("updateList", data, board=target, lists=[board_list])
    return board_list


def _move_to_board(actor: Actor, board_list: BoardList, source: Board, target: Board) -> None:
    data = {"list": list_ref(board_list)}
    actor.record(
        "moveListFromBoard", {**data, "boardTarget": board_ref(target)}, board=source, lists=[board_list]
    )
    source.lists.discard((board_list.pos, board_list.id))
    board_list.board_id = target.id
    target.lists.add((board_list.pos, board_list.id))
    for _, card_id in board_list.cards:
        cards.change_board(actor.world, actor.world.cards[card_id], source, target)
    actor.record(
        "moveListToBoard", {**data, "boardSource": board_ref(source)}, board=target, lists=[board_list]
    )


# --- labels ----------------------------------------------------------------------------


def create_label(actor: Actor, params: Params) -> Label:
    """Make a label on a board."""
    board = actor.world.board_named(params.text("idBoard"))
    color = _color(params)
    label = _add_label(actor.world, board, params.text("name"), color)
    actor.record("createLabel", {"label": label_ref(label)}, board=board, touch=False)
    return label


def update_label(actor: Actor, label: Label, params: Params) -> Label:
    """Rename a label or give it another colour."""
    wished = read(params, _LABEL_FIELDS)
    if "color" in params:
        wished.append(("color", "color", _color(params)))
    changes = Changes()
    for attribute, name, value in wished:
        changes.set(label, attribute, name, value)
    if changes:
        data = {"label": label_ref(label), "old": changes.old}
        actor.record("updateLabel", data, board=actor.world.boards[label.board_id], touch=False)
    return label


def delete_label(actor: Actor, label: Label) -> None:
    """Delete a label; it vanishes from its cards."""
    world = actor.world
    board = world.boards[label.board_id]
    for card_id in board.cards:
        card = world.cards[card_id]
        if label.id in card.label_ids:
            card.label_ids.remove(label.id)
    board.label_ids.remove(label.id)
    del world.labels[label.id]
    actor.record("deleteLabel", {"label": {"id": label.id}}, board=board, touch=False)


def _add_label(world: World, board: Board, name: str, color: str | None) -> Label:
    label = Label(id=world.ids.object_id(), board_id=board.id, name=name, color=color)
    world.labels[label.id] = label
    board.label_ids.append(label.id)
    return label


def _color(params: Params) -> str | None:
    color = params.text("color")
    if color in ("", "null"):
        return None
    if color.removesuffix("_light").removesuffix("_dark") not in COLORS:
        raise InvalidValueError("color")
    return color
