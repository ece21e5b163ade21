"""What can be done to cards."""

from isthmus.simulators.trello.actions import Actor, board_ref, card_ref, forget, list_ref
from isthmus.simulators.trello.attachments import attach, check_url
from isthmus.simulators.trello.card_parts import (
    add_label,
    add_member,
    copy_parts,
    put_label,
    remove_label,
    remove_member,
)
from isthmus.simulators.trello.changes import (
    Changes,
    flag,
    instant,
    long_text,
    name_text,
    number_or_none,
    read,
    text_or_none,
)
from isthmus.simulators.trello.checklists import drop_checklist
from isthmus.simulators.trello.entities import Board, BoardList, Card, Json
from isthmus.simulators.trello.params import Params
from isthmus.simulators.trello.positions import place
from isthmus.simulators.trello.refusals import InvalidValueError
from isthmus.simulators.trello.world import World

_FIELDS = {
    "name": ("name", name_text),
    "desc": ("desc", long_text),
    "closed": ("closed", flag),
    "due": ("due", instant),
    "start": ("start", instant),
    "dueComplete": ("due_complete", flag),
    "dueReminder": ("due_reminder", number_or_none),
    "subscribed": ("subscribed", flag),
    "isTemplate": ("is_template", flag),
    "idAttachmentCover": ("cover_id", text_or_none),
}


def create_card(actor: Actor, params: Params) -> Card:
    """Make a card, or a copy of another, at the bottom unless told otherwise.

    ``urlSource`` attaches the URL in the same step: either both exist or neither.
    """
    world = actor.world
    board_list = world.list_named(params.text("idList"))
    board = world.boards[board_list.board_id]
    source = _source(world, params)
    url = params.text("urlSource")
    if url:
        check_url(url)
    name = params.text("name", source.name if source else url)
    # A new card may be without a name, an old one may not lose it.
    wished = read(params, {key: field for key, field in _FIELDS.items() if key != "name"})
    members, labels = _member_ids(world, params), _label_ids(board, params)
    pos = place(params.get("pos"), board_list.cards)
    card = Card(
        id=world.ids.object_id(),
        short_id=board.next_short_id,
        short_link="",
        board_id=board.id,
        list_id=board_list.id,
        pos=pos,
        name=name,
    )
    card.short_link = world.short_link(card.id)
    board.next_short_id += 1
    world.cards[card.id] = card
    board.cards.add(card.id)
    board_list.cards.add((pos, card.id))
    data: Json = {"card": card_ref(card), "list": list_ref(board_list)}
    if source is not None:
        data["cardSource"] = card_ref(source)
        copy_parts(world, source, card, params)
    for attribute, _, value in wished:
        setattr(card, attribute, value)
    if members is not None:
        card.member_ids = members
    for label_id in labels or ():
        put_label(world, card, label_id)
    actor.record("copyCard" if source else "createCard", data, board=board, lists=[board_list], card=card)
    if url:
        attach(actor, card, Params({"url": url, "name": params.get("urlSourceName", "")}))
    return card


def update_card(actor: Actor, card: Card, params: Params) -> Card:
    """Change a card; a write that changes nothing makes no action and touches no date."""
    world = actor.world
    wished = read(params, _FIELDS)
    target = _target(world, card, params)
    board = world.boards[target.board_id]
    members = _member_ids(world, params)
    labels = _label_ids(board, params)
    moved = target.id != card.list_id
    pos = card.pos
    if moved or "pos" in params:
        world.lists[card.list_id].cards.discard((card.pos, card.id))
        try:
            pos = place(params.get("pos"), target.cards)
        finally:
            world.lists[card.list_id].cards.add((card.pos, card.id))
    if target.board_id != card.board_id:
        _move_to_board(actor, card, target, pos)
        moved = False
    changes = Changes()
    for attribute, name, value in wished:
        changes.set(card, attribute, name, value)
    before = world.lists[card.list_id]
    if moved:
        changes.set(card, "list_id", "idList", target.id)
    if moved or pos != card.pos:
        before.cards.discard((card.pos, card.id))
        if "pos" in params:
            changes.set(card, "pos", "pos", pos)
        card.pos = pos
        target.cards.add((pos, card.id))
    changes.old.pop("subscribed", None)
    if changes.old:
        _record_update(actor, card, changes, before)
    for label_id in labels if labels is not None else ():
        add_label(actor, card, label_id)
    if labels is not None:
        for label_id in [ref for ref in card.label_ids if ref not in labels]:
            remove_label(actor, card, label_id)
    if members is not None:
        for member_id in [ref for ref in card.member_ids if ref not in members]:
            remove_member(actor, card, member_id)
        for member_id in members:
            add_member(actor, card, member_id)
    return card


def _record_update(actor: Actor, card: Card, changes: Changes, before: BoardList) -> None:
    world = actor.world
    here = world.lists[card.list_id]
    shown = {name: value for name, value in changes.new.items() if name in changes.old}
    data: Json = {"card": {**card_ref(card), **shown}, "old": changes.old}
    if here is before:
        data["list"] = list_ref(here)
    else:
        data |= {"listBefore": list_ref(before), "listAfter": list_ref(here)}
    lists = [here] if here is before else [before, here]
    actor.record("updateCard", data, board=world.boards[card.board_id], lists=lists, card=card)


def delete_card(actor: Actor, card: Card) -> None:
    """Delete a card: its history goes with it, only ``deleteCard`` remains."""
    world = actor.world
    board, board_list = world.boards[card.board_id], world.lists[card.list_id]
    drop(world, card)
    about = {"id": card.id, "idShort": card.short_id, "shortLink": card.short_link}
    actor.record("deleteCard", {"card": about, "list": list_ref(board_list)}, board=board, lists=[board_list])


def drop(world: World, card: Card) -> None:
    """Take a card and all that hangs on it out of every table and index."""
    for action in list(card.actions):
        forget(world, action)
    for checklist_id in list(card.checklist_ids):
        drop_checklist(world, world.checklists[checklist_id])
    for label_id in card.label_ids:
        world.labels[label_id].uses -= 1
    world.lists[card.list_id].cards.discard((card.pos, card.id))
    world.boards[card.board_id].cards.discard(card.id)
    world.short_links.pop(card.short_link, None)
    del world.cards[card.id]


def change_board(world: World, card: Card, source: Board, target: Board) -> None:
    """Hand a card from one board to another: new number, labels matched by name and colour."""
    source.cards.discard(card.id)
    target.cards.add(card.id)
    card.board_id = target.id
    card.short_id = target.next_short_id
    target.next_short_id += 1
    kept = [world.labels[ref] for ref in card.label_ids]
    card.label_ids = []
    for label in kept:
        label.uses -= 1
        same = [
            ref
            for ref in target.label_ids
            if (world.labels[ref].name, world.labels[ref].color) == (label.name, label.color)
        ]
        if same:
            put_label(world, card, same[0])
    for checklist_id in card.checklist_ids:
        world.checklists[checklist_id].board_id = target.id


def _move_to_board(actor: Actor, card: Card, target: BoardList, pos: float) -> None:
    world = actor.world
    source, there = world.boards[card.board_id], world.boards[target.board_id]
    before = world.lists[card.list_id]
    data: Json = {
        "card": {"id": card.id, "name": card.name},
        "list": list_ref(before),
        "boardTarget": board_ref(there),
        "member": {"id": actor.member.id, "name": actor.member.full_name},
    }
    actor.record("moveCardFromBoard", data, board=source, lists=[before])
    before.cards.discard((card.pos, card.id))
    change_board(world, card, source, there)
    card.list_id, card.pos = target.id, pos
    target.cards.add((pos, card.id))
    data = {"card": card_ref(card), "list": list_ref(target), "boardSource": board_ref(source)}
    actor.record("moveCardToBoard", data, board=there, lists=[target], card=card)


def _target(world: World, card: Card, params: Params) -> BoardList:
    if params.get("idList"):
        target = world.list_named(params.text("idList"))
        if params.get("idBoard") and world.board_named(params.text("idBoard")).id != target.board_id:
            raise InvalidValueError("idList")
        return target
    if params.get("idBoard"):
        board = world.board_named(params.text("idBoard"))
        if board.id != card.board_id:
            first = next((ref for _, ref in board.lists if not world.lists[ref].closed), None)
            if first is None:
                raise InvalidValueError("idBoard")
            return world.lists[first]
    if "idList" in params:
        raise InvalidValueError("idList")
    return world.lists[card.list_id]


def _member_ids(world: World, params: Params) -> list[str] | None:
    if "idMembers" not in params:
        return None
    refs = params.names("idMembers")
    if any(ref not in world.members for ref in refs):
        raise InvalidValueError("idMembers")
    return list(dict.fromkeys(refs))


def _label_ids(board: Board, params: Params) -> list[str] | None:
    if "idLabels" not in params:
        return None
    refs = params.names("idLabels")
    if any(ref not in board.label_ids for ref in refs):
        raise InvalidValueError("idLabels")
    return list(dict.fromkeys(refs))


def _source(world: World, params: Params) -> Card | None:
    if not params.get("idCardSource"):
        return None
    ref = params.text("idCardSource")
    card = world.cards.get(world.short_links.get(ref, ref))
    if card is None:
        raise InvalidValueError("idCardSource")
    return card
