"""Reading with nested resources: which fields, which lists, cards, members come along."""

from collections.abc import Iterable
from datetime import datetime

from isthmus.simulators.trello.actions import MOST, page
from isthmus.simulators.trello.entities import Action, Board, BoardList, Card, Json, Member
from isthmus.simulators.trello.ids import floor_id, is_object_id
from isthmus.simulators.trello.params import Params
from isthmus.simulators.trello.refusals import InvalidValueError
from isthmus.simulators.trello.views import (
    ATTACHMENT,
    BOARD,
    BOARD_DEFAULT,
    CARD,
    CHECKLIST,
    LABEL,
    LIST,
    MEMBER,
    MEMBER_SHORT,
    show,
    show_action,
)
from isthmus.simulators.trello.world import World

_STATES = ("open", "closed", "all", "none", "visible")


def fields(params: Params, name: str = "fields", default: list[str] | None = None) -> list[str] | None:
    """Read a ``fields`` parameter: None stands for all."""
    if name not in params:
        return default
    names = params.names(name)
    return None if "all" in names else names


def state(params: Params, name: str, default: str) -> str:
    """Read a filter on open and closed; ``true`` means the default of that resource.

    Raises:
        InvalidValueError: When it is none of the known ones.
    """
    value = params.text(name, default) or default
    value = {"true": "all", "false": "none"}.get(value.lower(), value)
    if value not in _STATES:
        raise InvalidValueError(name)
    return value


def choose_lists(world: World, board: Board, wanted: str) -> list[BoardList]:
    """List a board's lists by position."""
    found = [world.lists[ref] for _, ref in board.lists]
    if wanted == "all":
        return found
    return [entry for entry in found if entry.closed == (wanted == "closed") and wanted != "none"]


def choose_cards(world: World, board: Board, wanted: str, params: Params) -> list[Card]:
    """Choose cards of a board: the newest ``limit`` below ``before``, oldest first."""
    return _page_cards(world, board.cards.newest_first(before=_bound(params, "before")), wanted, params)


def choose_list_cards(world: World, board_list: BoardList, wanted: str, params: Params) -> list[Card]:
    """Choose cards of a list by position; paged by ID like a board's."""
    if any(params.get(name) for name in ("limit", "before", "since")) or len(board_list.cards) > MOST:
        refs = sorted((ref for _, ref in board_list.cards), reverse=True)
        before = _bound(params, "before")
        found = _page_cards(world, (r for r in refs if before is None or r < before), wanted, params)
        return sorted(found, key=lambda card: (card.pos, card.id))
    found = [world.cards[ref] for _, ref in board_list.cards]
    return [card for card in found if takes(world, card, wanted)]


def _page_cards(world: World, refs: Iterable[str], wanted: str, params: Params) -> list[Card]:
    limit = params.number("limit", MOST, most=MOST)
    since = _bound(params, "since")
    found: list[Card] = []
    for ref in refs if limit else ():
        if since is not None and ref <= since:
            break
        if takes(world, world.cards[ref], wanted):
            found.append(world.cards[ref])
            if len(found) == limit:
                break
    found.reverse()
    return found


def takes(world: World, card: Card, wanted: str) -> bool:
    """Tell whether a card passes a filter on open and closed."""
    if wanted == "all":
        return True
    if wanted == "visible":
        return not card.closed and not world.lists[card.list_id].closed
    return wanted != "none" and card.closed == (wanted == "closed")


def _bound(params: Params, name: str) -> str | None:
    value = params.get(name)
    if value in (None, "", "null"):
        return None
    if is_object_id(str(value)):
        return str(value)
    moment = params.instant(name)
    return floor_id(datetime.fromisoformat(moment)) if moment else None


def show_card(world: World, card: Card, params: Params, prefix: str = "") -> Json:
    """Show a card with what the request wants beside it."""
    chosen = fields(params, "card_fields" if prefix else "fields")
    shown = show(CARD, world, card, chosen)
    return shown | _beside_card(world, card, params, prefix)


def show_cards(world: World, cards: Iterable[Card], params: Params, prefix: str = "") -> list[Json]:
    """Show several cards the same way."""
    return [show_card(world, card, params, prefix) for card in cards]


def _beside_card(world: World, card: Card, params: Params, prefix: str) -> Json:
    extra: Json = {}
    if params.text(prefix + "attachments", "false") in ("true", "cover", "all"):
        chosen = fields(params, prefix + "attachment_fields")
        extra["attachments"] = [show(ATTACHMENT, world, x, chosen) for x in card.attachments.values()]
    if prefix:
        return extra
    if params.text("checklists", "none") not in ("none", "false"):
        chosen = fields(params, "checklist_fields")
        if chosen is not None and params.text("checkItems", "all") != "none":
            chosen = [*chosen, "checkItems"]
        found = (world.checklists[ref] for ref in card.checklist_ids)
        extra["checklists"] = [show(CHECKLIST, world, x, chosen) for x in found]
    if params.flag("members"):
        extra["members"] = show_members(world, card.member_ids, params, "member_fields")
    if params.flag("board"):
        chosen = fields(params, "board_fields", BOARD_DEFAULT)
        extra["board"] = show(BOARD, world, world.boards[card.board_id], chosen)
    if params.flag("list"):
        extra["list"] = show(LIST, world, world.lists[card.list_id], fields(params, "list_fields"))
    if params.get("actions"):
        extra["actions"] = show_actions(world, page(card.actions, params, prefix="actions_"), params)
    if params.flag("customFieldItems"):
        extra["customFieldItems"] = []
    return extra


def show_board(world: World, board: Board, params: Params, *, prefix: str = "") -> Json:
    """Show a board with the lists, cards, labels, members the request wants beside it."""
    if prefix:
        return show(BOARD, world, board, fields(params, prefix + "fields", None))
    shown = show(BOARD, world, board, fields(params, "fields", BOARD_DEFAULT))
    lists = state(params, "lists", "none")
    if lists != "none":
        found = choose_lists(world, board, lists)
        shown["lists"] = [show(LIST, world, x, fields(params, "list_fields")) for x in found]
    cards = state(params, "cards", "none")
    if cards != "none":
        chosen = choose_cards(world, board, cards, Params({"limit": params.get("cards_limit")}))
        shown["cards"] = show_cards(world, chosen, params, "card_")
    if params.text("labels", "none") not in ("none", "false"):
        names = fields(params, "label_fields")
        limit = params.number("labels_limit", 50, most=MOST)
        shown["labels"] = [show(LABEL, world, world.labels[ref], names) for ref in board.label_ids[:limit]]
    if params.text("members", "none") not in ("none", "false"):
        shown["members"] = show_members(world, board.memberships, params, "member_fields")
    if params.text("memberships", "none") not in ("none", "false"):
        shown["memberships"] = list(board.memberships.values())
    if params.text("checklists", "none") not in ("none", "false"):
        shown["checklists"] = [
            show(CHECKLIST, world, world.checklists[ref])
            for card_id in board.cards
            for ref in world.cards[card_id].checklist_ids
        ]
    if params.get("actions"):
        shown["actions"] = show_actions(world, page(board.actions, params, prefix="actions_"), params)
    return shown


def show_list(world: World, board_list: BoardList, params: Params) -> Json:
    """Show a list, with its cards if the request wants them."""
    shown = show(LIST, world, board_list, fields(params, "fields" if "fields" in params else "list_fields"))
    cards = state(params, "cards", "none")
    if cards != "none":
        chosen = choose_list_cards(world, board_list, cards, Params({}))
        shown["cards"] = show_cards(world, chosen, params, "card_")
    return shown


def show_actions(
    world: World, actions: Iterable[Action], params: Params, name: str = "action_fields"
) -> list[Json]:
    """Show actions, without their creator when ``memberCreator=false``."""
    chosen = fields(params, name)
    shown = [show_action(world, action, chosen) for action in actions]
    if not params.flag("memberCreator", default=True):
        for entry in shown:
            entry.pop("memberCreator", None)
    return shown


def show_members(world: World, refs: Iterable[str], params: Params, name: str) -> list[Json]:
    """Show members in short, or with the fields asked for."""
    chosen = fields(params, name, MEMBER_SHORT)
    return [show(MEMBER, world, world.members[ref], chosen) for ref in refs]


def show_member(world: World, member: Member, params: Params) -> Json:
    """Show a member with the boards the request wants beside it."""
    shown = show(MEMBER, world, member, fields(params))
    wanted = state(params, "boards", "none")
    if wanted != "none":
        shown["boards"] = [
            show_board(world, board, params, prefix="board_") for board in boards_of(world, member, wanted)
        ]
    return shown


def boards_of(world: World, member: Member, wanted: str) -> list[Board]:
    """List the boards that somebody is a member of."""
    mine = (board for board in world.boards.values() if member.id in board.memberships)
    return [board for board in mine if wanted == "all" or board.closed == (wanted == "closed")]
