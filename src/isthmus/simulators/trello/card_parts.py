"""Members and labels of a card, and what a copy takes over."""

from collections.abc import Sequence

from isthmus.simulators.trello.actions import Actor, card_ref, label_ref
from isthmus.simulators.trello.attachments import copy_attachments
from isthmus.simulators.trello.checklists import copy_checklist
from isthmus.simulators.trello.entities import Card, Json
from isthmus.simulators.trello.params import Params
from isthmus.simulators.trello.refusals import InvalidValueError
from isthmus.simulators.trello.world import World

_KEPT = ("attachments", "checklists", "due", "labels", "members", "start")


def add_member(actor: Actor, card: Card, member_id: str) -> None:
    """Put somebody on a card.

    Raises:
        InvalidValueError: When there is no such member.
    """
    if member_id in card.member_ids:
        return
    if member_id not in actor.world.members:
        raise InvalidValueError("value")
    card.member_ids.append(member_id)
    _record_on_card(actor, "addMemberToCard", card, {"idMember": member_id})


def remove_member(actor: Actor, card: Card, member_id: str) -> None:
    """Take somebody off a card."""
    if member_id in card.member_ids:
        card.member_ids.remove(member_id)
        data = {"idMember": member_id, "deactivated": False}
        _record_on_card(actor, "removeMemberFromCard", card, data)


def add_label(actor: Actor, card: Card, label_id: str) -> None:
    """Put a label of the card's board on it.

    Raises:
        InvalidValueError: When the board has no such label.
    """
    if label_id in card.label_ids:
        return
    label = actor.world.labels.get(label_id)
    if label is None or label.board_id != card.board_id:
        raise InvalidValueError("value")
    put_label(actor.world, card, label_id)
    _record_on_card(actor, "addLabelToCard", card, {"label": label_ref(label)})


def remove_label(actor: Actor, card: Card, label_id: str) -> None:
    """Take a label off a card."""
    if label_id in card.label_ids:
        label = actor.world.labels[label_id]
        card.label_ids.remove(label_id)
        label.uses -= 1
        _record_on_card(actor, "removeLabelFromCard", card, {"label": label_ref(label)})


def _record_on_card(actor: Actor, kind: str, card: Card, data: Json) -> None:
    world = actor.world
    actor.record(kind, {**data, "card": card_ref(card)}, board=world.boards[card.board_id], card=card)


def put_label(world: World, card: Card, label_id: str) -> None:
    """Put a label on a card without a word in the history."""
    if label_id not in card.label_ids:
        card.label_ids.append(label_id)
        world.labels[label_id].uses += 1


def copy_parts(world: World, source: Card, card: Card, params: Params) -> None:
    """Give a new card what ``keepFromSource`` names of another; everything unless told."""
    kept: Sequence[str] = params.names("keepFromSource") or ("all",)
    kept = _KEPT if "all" in kept else kept
    card.desc = source.desc
    card.due = source.due if "due" in kept else None
    card.start = source.start if "start" in kept else None
    if "members" in kept:
        card.member_ids = list(source.member_ids)
    if "labels" in kept and source.board_id == card.board_id:
        for label_id in source.label_ids:
            put_label(world, card, label_id)
    if "attachments" in kept:
        copy_attachments(world, source, card)
    if "checklists" in kept:
        for checklist_id in source.checklist_ids:
            copy_checklist(world, world.checklists[checklist_id], card)
