"""Attachments and comments of a card."""

from dataclasses import dataclass, replace

from isthmus.simulators.trello.actions import Actor, card_ref, forget, list_ref
from isthmus.simulators.trello.entities import Action, Attachment, Card, Json
from isthmus.simulators.trello.params import Params
from isthmus.simulators.trello.refusals import InvalidValueError
from isthmus.simulators.trello.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that came in a multipart body; its content is counted, not kept."""

    filename: str
    content_type: str
    size: int


def attach(actor: Actor, card: Card, params: Params, upload: Upload | None = None) -> Attachment:
    """Attach a URL or an uploaded file to a card."""
    world = actor.world
    url = params.text("url")
    name, mime_type = params.text("name"), params.text("mimeType")
    if upload is None:
        check_url(url)
    attachment = Attachment(
        id=world.ids.object_id(),
        card_id=card.id,
        name=name or (upload.filename if upload else url),
        url=url,
        date=world.now(),
        member_id=actor.member.id,
        mime_type=mime_type or (upload.content_type if upload else ""),
        size=upload.size if upload else None,
        is_upload=upload is not None,
        pos=16384 * (len(card.attachments) + 1),
    )
    if upload is not None:
        where = f"cards/{card.id}/attachments/{attachment.id}/download"
        attachment.url = f"https://trello.com/1/{where}/{upload.filename}"
    card.attachments[attachment.id] = attachment
    shown = {"id": attachment.id, "name": attachment.name, "url": attachment.url}
    _record(actor, "addAttachmentToCard", card, {"attachment": shown})
    return attachment


def check_url(url: str) -> None:
    """Refuse what is no web address.

    Raises:
        InvalidValueError: When it is none.
    """
    if not url.startswith(("http://", "https://")):
        raise InvalidValueError("url")


def detach(actor: Actor, card: Card, attachment: Attachment) -> None:
    """Remove an attachment from a card."""
    del card.attachments[attachment.id]
    if card.cover_id == attachment.id:
        card.cover_id = None
    shown = {"id": attachment.id, "name": attachment.name}
    _record(actor, "deleteAttachmentFromCard", card, {"attachment": shown})


def copy_attachments(world: World, source: Card, card: Card) -> None:
    """Give *card* the attachments of *source*, under IDs of their own."""
    for attachment in source.attachments.values():
        copy = replace(attachment, id=world.ids.object_id(), card_id=card.id)
        card.attachments[copy.id] = copy


def comment(actor: Actor, card: Card, params: Params) -> Action:
    """Add a comment; it is an action and nothing else."""
    text = params.required("text")
    card.comments += 1
    world = actor.world
    data = {
        "text": text,
        "textData": {"emoji": {}},
        "card": card_ref(card),
        "list": list_ref(world.lists[card.list_id]),
    }
    return actor.record(
        "commentCard",
        data,
        board=world.boards[card.board_id],
        lists=[world.lists[card.list_id]],
        card=card,
    )


def update_comment(actor: Actor, action: Action, params: Params) -> Action:
    """Change the text of a comment in place.

    Raises:
        InvalidValueError: When the action is no comment.
    """
    if action.type != "commentCard":
        raise InvalidValueError("id")
    text = params.required("text" if "text" in params else "value")
    if text != action.data["text"]:
        action.data = {**action.data, "text": text, "dateLastEdited": actor.world.now()}
    return action


def delete_comment(world: World, action: Action) -> None:
    """Delete a comment: it vanishes from the history.

    Raises:
        InvalidValueError: When the action is no comment.
    """
    if action.type != "commentCard":
        raise InvalidValueError("id")
    card = world.cards.get(action.card_id or "")
    if card is not None:
        card.comments -= 1
    forget(world, action)


def _record(actor: Actor, kind: str, card: Card, data: Json) -> None:
    board = actor.world.boards[card.board_id]
    actor.record(kind, {**data, "card": card_ref(card)}, board=board, card=card)
