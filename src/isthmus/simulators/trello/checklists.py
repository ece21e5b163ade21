"""Checklists of a card and their items."""

from isthmus.simulators.trello.actions import Actor, card_ref
from isthmus.simulators.trello.changes import Changes, instant, name_text, read, text_or_none
from isthmus.simulators.trello.entities import Card, CheckItem, Checklist, Json, Place
from isthmus.simulators.trello.params import Params
from isthmus.simulators.trello.positions import CHECKLIST_STEP, Ordered, place
from isthmus.simulators.trello.refusals import InvalidValueError
from isthmus.simulators.trello.world import World

_ITEM_FIELDS = {
    "name": ("name", name_text),
    "due": ("due", instant),
    "idMember": ("member_id", text_or_none),
}


def create_checklist(actor: Actor, params: Params) -> Checklist:
    """Put a checklist on a card, empty or as a copy of another.

    Raises:
        InvalidValueError: When card or source does not exist.
    """
    world = actor.world
    ref = params.text("idCard")
    card = world.cards.get(world.short_links.get(ref, ref))
    if card is None:
        raise InvalidValueError("idCard")
    source = None
    if params.get("idChecklistSource"):
        source = world.checklists.get(params.text("idChecklistSource"))
        if source is None:
            raise InvalidValueError("idChecklistSource")
    pos = place(params.get("pos"), _places(world, card), step=CHECKLIST_STEP)
    name = params.text("name") or (source.name if source else "Checklist")
    if source is not None:
        checklist = copy_checklist(world, source, card)
        checklist.name, checklist.pos = name, pos
    else:
        checklist = _add(world, card, name, pos)
    _record(actor, "addChecklistToCard", checklist)
    return checklist


def copy_checklist(world: World, source: Checklist, card: Card) -> Checklist:
    """Copy a checklist with its items, all of them open again."""
    copy = _add(world, card, source.name, source.pos)
    for item in source.items.values():
        _add_item(world, copy, item.name, item.pos)
    return copy


def update_checklist(actor: Actor, checklist: Checklist, params: Params) -> Checklist:
    """Rename or move a checklist."""
    wished = read(params, {"name": ("name", name_text)})
    card = actor.world.cards[checklist.card_id]
    pos = checklist.pos
    if "pos" in params:
        pos = place(params["pos"], _places(actor.world, card, but=checklist), step=CHECKLIST_STEP)
    changes = Changes()
    for attribute, name, value in wished:
        changes.set(checklist, attribute, name, value)
    changes.set(checklist, "pos", "pos", pos)
    if changes:
        _record(actor, "updateChecklist", checklist, {"old": changes.old})
    return checklist


def delete_checklist(actor: Actor, checklist: Checklist) -> None:
    """Take a checklist off its card."""
    drop_checklist(actor.world, checklist)
    _record(actor, "removeChecklistFromCard", checklist)


def drop_checklist(world: World, checklist: Checklist) -> None:
    """Take a checklist out of the tables, without a word."""
    for item_id in checklist.items:
        del world.check_items[item_id]
    world.cards[checklist.card_id].checklist_ids.remove(checklist.id)
    del world.checklists[checklist.id]


def create_item(actor: Actor, checklist: Checklist, params: Params) -> CheckItem:
    """Add a line to a checklist."""
    name, checked = params.required("name"), params.flag("checked")
    places: Ordered[Place] = Ordered()
    for known in checklist.items.values():
        places.add((known.pos, known.id))
    pos = place(params.get("pos"), places, step=CHECKLIST_STEP)
    item = _add_item(actor.world, checklist, name, pos)
    item.state = "complete" if checked else "incomplete"
    _record(actor, "createCheckItem", checklist, {"checkItem": _ref(item)})
    return item


def update_item(actor: Actor, item: CheckItem, params: Params) -> CheckItem:
    """Change a line: tick it, rename it, move it.

    Raises:
        InvalidValueError: When the state is neither ``complete`` nor ``incomplete``.
    """
    checklist = actor.world.checklists[item.checklist_id]
    wished = read(params, _ITEM_FIELDS)
    state = item.state
    if "state" in params:
        state = {"true": "complete", "false": "incomplete"}.get(params.text("state"), params.text("state"))
    if state not in ("complete", "incomplete"):
        raise InvalidValueError("state")
    pos = item.pos
    if "pos" in params:
        places: Ordered[Place] = Ordered()
        for known in checklist.items.values():
            places.add((known.pos, known.id))
        pos = place(params["pos"], places, step=CHECKLIST_STEP)
    changes = Changes()
    for attribute, name, value in wished:
        changes.set(item, attribute, name, value)
    changes.set(item, "pos", "pos", pos)
    if changes:
        _record(actor, "updateCheckItem", checklist, {"checkItem": _ref(item), "old": changes.old})
    if state != item.state:
        item.state = state
        _record(actor, "updateCheckItemStateOnCard", checklist, {"checkItem": _ref(item)})
    return item


def delete_item(actor: Actor, item: CheckItem) -> None:
    """Remove a line."""
    checklist = actor.world.checklists[item.checklist_id]
    del checklist.items[item.id]
    del actor.world.check_items[item.id]
    _record(actor, "deleteCheckItem", checklist, {"checkItem": _ref(item)})


def _add(world: World, card: Card, name: str, pos: float) -> Checklist:
    checklist = Checklist(
        id=world.ids.object_id(), board_id=card.board_id, card_id=card.id, name=name, pos=pos
    )
    world.checklists[checklist.id] = checklist
    card.checklist_ids.append(checklist.id)
    return checklist


def _add_item(world: World, checklist: Checklist, name: str, pos: float) -> CheckItem:
    item = CheckItem(id=world.ids.object_id(), checklist_id=checklist.id, name=name, pos=pos)
    checklist.items[item.id] = item
    world.check_items[item.id] = item
    return item


def _places(world: World, card: Card, but: Checklist | None = None) -> Ordered[Place]:
    places: Ordered[Place] = Ordered()
    for ref in card.checklist_ids:
        if but is None or ref != but.id:
            places.add((world.checklists[ref].pos, ref))
    return places


def _ref(item: CheckItem) -> Json:
    return {"id": item.id, "name": item.name, "state": item.state}


def _record(actor: Actor, kind: str, checklist: Checklist, more: Json | None = None) -> None:
    world = actor.world
    card = world.cards[checklist.card_id]
    data = {**(more or {}), "checklist": {"id": checklist.id, "name": checklist.name}, "card": card_ref(card)}
    actor.record(kind, data, board=world.boards[card.board_id], card=card)
