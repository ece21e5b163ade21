"""How each thing is shown: one table of fields per kind, computed only when asked for."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeVar

from isthmus.simulators.trello.entities import (
    Action,
    Attachment,
    Board,
    BoardList,
    Card,
    CheckItem,
    Checklist,
    Json,
    Label,
    Member,
    Webhook,
)
from isthmus.simulators.trello.world import World

T = TypeVar("T")
Fields = Mapping[str, Callable[[World, T], Any]]

_SITE = "https://trello.com"
_COLORS = ("green", "yellow", "orange", "red", "purple", "blue", "sky", "lime", "pink", "black")


def show(table: Fields[T], world: World, entity: T, fields: Collection[str] | None = None) -> Json:
    """Show *entity* as JSON: all fields of *table*, or those named; ``id`` always."""
    if fields is None:
        return {name: read(world, entity) for name, read in table.items()}
    return {name: read(world, entity) for name, read in table.items() if name == "id" or name in fields}


def slug(name: str) -> str:
    """Write a name the way it ends a URL.

    >>> slug("Test Board: \u00c9t\u00e9!")
    'test-board-ete'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def _emoji(text: str) -> Json | None:
    return {"emoji": {}} if text else None


def _label_names(world: World, board: Board) -> Json:
    names = dict.fromkeys(_COLORS, "")
    for ref in board.label_ids:
        label = world.labels[ref]
        if label.color in names and not names[label.color]:
            names[label.color] = label.name
    return dict(names)


BOARD: Final[Fields[Board]] = {
    "id": lambda _, b: b.id,
    "name": lambda _, b: b.name,
    "desc": lambda _, b: b.desc,
    "descData": lambda _, b: _emoji(b.desc),
    "closed": lambda _, b: b.closed,
    "dateClosed": lambda _, __: None,
    "idOrganization": lambda _, b: b.organization_id,
    "idEnterprise": lambda _, __: None,
    "idMemberCreator": lambda _, b: b.creator_id,
    "pinned": lambda _, __: False,
    "invited": lambda _, __: False,
    "invitations": lambda _, __: [],
    "starred": lambda _, b: b.starred,
    "subscribed": lambda _, b: b.subscribed,
    "url": lambda _, b: f"{_SITE}/b/{b.short_link}/{slug(b.name)}",
    "shortUrl": lambda _, b: f"{_SITE}/b/{b.short_link}",
    "shortLink": lambda _, b: b.short_link,
    "prefs": lambda _, b: dict(b.prefs),
    "labelNames": _label_names,
    "memberships": lambda _, b: list(b.memberships.values()),
    "powerUps": lambda _, __: [],
    "premiumFeatures": lambda _, __: [],
    "idTags": lambda _, __: [],
    "dateLastActivity": lambda _, b: b.last_activity,
    "dateLastView": lambda _, b: b.last_view,
    "limits": lambda _, __: {},
}
BOARD_DEFAULT: Final = [
    "name",
    "desc",
    "descData",
    "closed",
    "idOrganization",
    "idEnterprise",
    "pinned",
    "url",
    "shortUrl",
    "prefs",
    "labelNames",
]
"""What ``GET /boards/{id}`` shows unless ``fields`` says otherwise."""

LIST: Final[Fields[BoardList]] = {
    "id": lambda _, x: x.id,
    "name": lambda _, x: x.name,
    "closed": lambda _, x: x.closed,
    "idBoard": lambda _, x: x.board_id,
    "pos": lambda _, x: x.pos,
    "subscribed": lambda _, x: x.subscribed,
    "color": lambda _, __: None,
    "softLimit": lambda _, __: None,
}

LABEL: Final[Fields[Label]] = {
    "id": lambda _, x: x.id,
    "idBoard": lambda _, x: x.board_id,
    "name": lambda _, x: x.name,
    "color": lambda _, x: x.color,
    "uses": lambda _, x: x.uses,
}

ATTACHMENT: Final[Fields[Attachment]] = {
    "id": lambda _, x: x.id,
    "bytes": lambda _, x: x.size,
    "date": lambda _, x: x.date,
    "edgeColor": lambda _, __: None,
    "idMember": lambda _, x: x.member_id,
    "isUpload": lambda _, x: x.is_upload,
    "isMalicious": lambda _, __: False,
    "mimeType": lambda _, x: x.mime_type,
    "name": lambda _, x: x.name,
    "previews": lambda _, __: [],
    "url": lambda _, x: x.url,
    "pos": lambda _, x: x.pos,
    "fileName": lambda _, x: x.name if x.is_upload else None,
}

CHECK_ITEM: Final[Fields[CheckItem]] = {
    "id": lambda _, x: x.id,
    "name": lambda _, x: x.name,
    "nameData": lambda _, __: {"emoji": {}},
    "pos": lambda _, x: x.pos,
    "state": lambda _, x: x.state,
    "due": lambda _, x: x.due,
    "dueReminder": lambda _, __: None,
    "idMember": lambda _, x: x.member_id,
    "idChecklist": lambda _, x: x.checklist_id,
}


def _items(world: World, checklist: Checklist) -> list[Json]:
    items = sorted(checklist.items.values(), key=lambda item: (item.pos, item.id))
    return [show(CHECK_ITEM, world, item) for item in items]


CHECKLIST: Final[Fields[Checklist]] = {
    "id": lambda _, x: x.id,
    "name": lambda _, x: x.name,
    "idBoard": lambda _, x: x.board_id,
    "idCard": lambda _, x: x.card_id,
    "pos": lambda _, x: x.pos,
    "checkItems": _items,
}


def _badges(world: World, card: Card) -> Json:
    items = [item for ref in card.checklist_ids for item in world.checklists[ref].items.values()]
    return {
        "attachmentsByType": {"trello": {"board": 0, "card": 0}},
        "location": False,
        "votes": len(card.voter_ids),
        "viewingMemberVoted": False,
        "subscribed": card.subscribed,
        "fogbugz": "",
        "checkItems": len(items),
        "checkItemsChecked": sum(item.state == "complete" for item in items),
        "checkItemsEarliestDue": None,
        "comments": card.comments,
        "attachments": len(card.attachments),
        "description": bool(card.desc),
        "due": card.due,
        "dueComplete": card.due_complete,
        "start": card.start,
    }


def _check_states(world: World, card: Card) -> list[Json]:
    return [
        {"idCheckItem": item.id, "state": item.state}
        for ref in card.checklist_ids
        for item in world.checklists[ref].items.values()
        if item.state == "complete"
    ]


CARD: Final[Fields[Card]] = {
    "id": lambda _, c: c.id,
    "badges": _badges,
    "checkItemStates": _check_states,
    "closed": lambda _, c: c.closed,
    "dateLastActivity": lambda _, c: c.last_activity,
    "desc": lambda _, c: c.desc,
    "descData": lambda _, c: _emoji(c.desc),
    "due": lambda _, c: c.due,
    "dueComplete": lambda _, c: c.due_complete,
    "dueReminder": lambda _, c: c.due_reminder,
    "start": lambda _, c: c.start,
    "email": lambda _, __: None,
    "idBoard": lambda _, c: c.board_id,
    "idChecklists": lambda _, c: list(c.checklist_ids),
    "idList": lambda _, c: c.list_id,
    "idMembers": lambda _, c: list(c.member_ids),
    "idMembersVoted": lambda _, c: list(c.voter_ids),
    "idShort": lambda _, c: c.short_id,
    "idAttachmentCover": lambda _, c: c.cover_id,
    "manualCoverAttachment": lambda _, __: False,
    "idLabels": lambda _, c: list(c.label_ids),
    "labels": lambda w, c: [show(LABEL, w, w.labels[ref]) for ref in c.label_ids],
    "name": lambda _, c: c.name,
    "pos": lambda _, c: c.pos,
    "shortLink": lambda _, c: c.short_link,
    "shortUrl": lambda _, c: f"{_SITE}/c/{c.short_link}",
    "subscribed": lambda _, c: c.subscribed,
    "url": lambda _, c: f"{_SITE}/c/{c.short_link}/{c.short_id}-{slug(c.name)}",
    "cover": lambda _, c: {
        "idAttachment": c.cover_id,
        "color": None,
        "idUploadedBackground": None,
        "size": "normal",
        "brightness": "dark",
        "idPlugin": None,
    },
    "isTemplate": lambda _, c: c.is_template,
    "cardRole": lambda _, __: None,
}


def _boards_of(world: World, member: Member) -> list[str]:
    return [board.id for board in world.boards.values() if member.id in board.memberships]


MEMBER: Final[Fields[Member]] = {
    "id": lambda _, m: m.id,
    "activityBlocked": lambda _, __: False,
    "avatarHash": lambda _, __: None,
    "avatarUrl": lambda _, __: None,
    "avatarSource": lambda _, __: "none",
    "bio": lambda _, m: m.bio,
    "bioData": lambda _, __: {"emoji": {}},
    "confirmed": lambda _, m: m.member_type != "ghost",
    "email": lambda _, m: m.email,
    "fullName": lambda _, m: m.full_name,
    "gravatarHash": lambda _, __: None,
    "idBoards": _boards_of,
    "idBoardsPinned": lambda _, __: None,
    "idOrganizations": lambda _, __: [],
    "idPremOrgsAdmin": lambda _, __: [],
    "initials": lambda _, m: m.initials,
    "loginTypes": lambda _, __: ["password"],
    "memberType": lambda _, m: m.member_type,
    "oneTimeMessagesDismissed": lambda _, __: [],
    "prefs": lambda _, __: {
        "sendSummaries": True,
        "minutesBetweenSummaries": 60,
        "minutesBeforeDeadlineToNotify": 1440,
        "colorBlind": False,
        "locale": "en",
    },
    "premiumFeatures": lambda _, __: [],
    "products": lambda _, __: [],
    "status": lambda _, __: "disconnected",
    "trophies": lambda _, __: [],
    "uploadedAvatarHash": lambda _, __: None,
    "url": lambda _, m: f"{_SITE}/{m.username}",
    "username": lambda _, m: m.username,
}
MEMBER_SHORT: Final = [
    "activityBlocked",
    "avatarHash",
    "avatarUrl",
    "confirmed",
    "fullName",
    "initials",
    "memberType",
    "username",
]
"""What is shown of a member inside something else."""

WEBHOOK: Final[Fields[Webhook]] = {
    "id": lambda _, x: x.id,
    "description": lambda _, x: x.description,
    "idModel": lambda _, x: x.model_id,
    "callbackURL": lambda _, x: x.callback_url,
    "active": lambda _, x: x.active,
    "consecutiveFailures": lambda _, x: x.failures,
    "firstConsecutiveFailDate": lambda _, __: None,
}


def _creator(world: World, action: Action) -> Json:
    return show(MEMBER, world, world.members[action.member_id], MEMBER_SHORT)


ACTION: Final[Fields[Action]] = {
    "id": lambda _, a: a.id,
    "idMemberCreator": lambda _, a: a.member_id,
    "data": lambda _, a: a.data,
    "appCreator": lambda _, a: {"id": a.app_id} if a.app_id else None,
    "type": lambda _, a: a.type,
    "date": lambda _, a: a.date,
    "limits": lambda _, __: None,
    "memberCreator": _creator,
}


def show_action(world: World, action: Action, fields: Collection[str] | None = None) -> Json:
    """Show an action; one about a person on a card has this ``member`` beside its data."""
    shown = show(ACTION, world, action, fields)
    if "idMember" in action.data and (fields is None or "member" in fields):
        member = world.members[action.data["idMember"]]
        shown["member"] = show(MEMBER, world, member, MEMBER_SHORT)
    return shown


def show_comment(world: World, action: Action) -> Json:
    """Show a comment as the answer to its creation does: with the parts of its sentence."""
    member = world.members[action.member_id]
    card, text = action.data["card"], action.data["text"]
    who = {"type": "member", "id": member.id, "username": member.username, "text": member.full_name}
    on_card = {"type": "card", "id": card["id"], "shortLink": card["shortLink"], "text": card["name"]}
    context = {"type": "translatable", "translationKey": "action_on", "idContext": card["id"]}
    return show(ACTION, world, action) | {
        "entities": [
            who,
            {"type": "text", "text": "on", "hideIfContext": True, "idContext": card["id"]},
            {**on_card, "hideIfContext": True},
            {"type": "comment", "text": text},
        ],
        "display": {
            "translationKey": "action_comment_on_card",
            "entities": {
                "contextOn": {**context, "hideIfContext": True},
                "card": {**on_card, "hideIfContext": True},
                "comment": {"type": "comment", "text": text},
                "memberCreator": who,
            },
        },
    }
