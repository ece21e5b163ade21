"""The history: every change appends an action, and actions are listed newest first."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from isthmus.simulators.trello.entities import Action, Board, BoardList, Card, Json, Label, Member
from isthmus.simulators.trello.ids import is_object_id
from isthmus.simulators.trello.params import Params
from isthmus.simulators.trello.world import World

MOST = 1000
"""Entries that one answer holds at most (actions and cards)."""


class Actor:
    """Who changes something: each change is written into the history in this member's name."""

    def __init__(self, world: World, member: Member, *, app_id: str | None = None) -> None:
        self.world = world
        self.member = member
        self.app_id = app_id

    def record(
        self,
        kind: str,
        data: Json,
        *,
        board: Board | None = None,
        lists: Sequence[BoardList] = (),
        card: Card | None = None,
        touch: bool = True,
    ) -> Action:
        """Append an action to the history of whatever it is about.

        Args:
            kind: The action type, such as ``updateCard``.
            data: What the API shows beside *board*, which is added here.
            board: The board in whose history it appears.
            lists: The lists in whose history it appears (two for a move).
            card: The card in whose history it appears.
            touch: False leaves the last activity of card and board alone.
        """
        world = self.world
        date = world.now()
        if board is not None:
            data = {"board": board_ref(board), **data}
        action = Action(
            id=world.ids.object_id(),
            type=kind,
            date=date,
            member_id=self.member.id,
            data=data,
            app_id=self.app_id,
            board_id=board.id if board else None,
            list_ids=tuple(entry.id for entry in lists),
            card_id=card.id if card else None,
        )
        world.actions[action.id] = action
        self.member.actions.append(action)
        if board is not None:
            board.actions.append(action)
            board.last_activity = date if touch else board.last_activity
        for entry in lists:
            entry.actions.append(action)
        if card is not None:
            card.actions.append(action)
            card.last_activity = date if touch else card.last_activity
        for watcher in world.watchers:
            watcher(action)
        return action


def forget(world: World, action: Action) -> None:
    """Take an action out of every history (deleted comments, cards)."""
    world.actions.pop(action.id, None)
    histories = [world.members[action.member_id].actions]
    if action.board_id in world.boards:
        histories.append(world.boards[action.board_id].actions)
    histories += [world.lists[ref].actions for ref in action.list_ids if ref in world.lists]
    if action.card_id in world.cards:
        histories.append(world.cards[action.card_id].actions)
    for history in histories:
        at = bisect_left(history, action.id, key=_id)
        if at < len(history) and history[at] is action:
            del history[at]


def page(history: Sequence[Action], params: Params, *, prefix: str = "") -> list[Action]:
    """Choose the actions that a request asks for, newest first.

    ``limit`` is 50 unless told, at most 1000; ``before`` and ``since`` are IDs or dates,
    both exclusive; ``filter`` names types, ``updateCard:idList`` only those that changed it.
    Beside another resource the parameters start with *prefix*, and ``actions`` is the filter.
    """
    limit = params.number(prefix + "limit", 50, most=MOST)
    skipped = 0 if prefix else params.number("page", 0, most=1000) * limit
    wanted = _Filter(params.names("filter") if not prefix else params.names("actions"))
    found: list[Action] = []
    for action in _between(history, params.get(prefix + "since"), params.get(prefix + "before")):
        if not wanted.takes(action):
            continue
        if skipped:
            skipped -= 1
            continue
        if len(found) == limit:
            break
        found.append(action)
    return found


def _between(history: Sequence[Action], since: object, before: object) -> Iterator[Action]:
    low, high = 0, len(history)
    if since not in (None, "", "lastView", "null"):
        if is_object_id(str(since)):
            low = bisect_right(history, str(since), key=_id)
        else:
            low = bisect_right(history, Params({"since": since}).instant("since") or "", key=_date)
    if before not in (None, "", "null"):
        if is_object_id(str(before)):
            high = bisect_left(history, str(before), key=_id)
        else:
            high = bisect_left(history, Params({"before": before}).instant("before") or "", key=_date)
    for index in range(high - 1, low - 1, -1):
        yield history[index]


class _Filter:
    def __init__(self, names: Sequence[str]) -> None:
        self._all = not names or "all" in names or "true" in names
        self._types = frozenset(name for name in names if ":" not in name)
        self._changes = [name.partition(":")[::2] for name in names if ":" in name]

    def takes(self, action: Action) -> bool:
        if self._all or action.type in self._types:
            return True
        old = action.data.get("old", {})
        return any(action.type == kind and key in old for kind, key in self._changes)


def _id(action: Action) -> str:
    return action.id


def _date(action: Action) -> str:
    return action.date


def board_ref(board: Board) -> Json:
    """Describe a board inside an action."""
    return {"id": board.id, "name": board.name, "shortLink": board.short_link}


def list_ref(board_list: BoardList) -> Json:
    """Describe a list inside an action."""
    return {"id": board_list.id, "name": board_list.name}


def card_ref(card: Card) -> Json:
    """Describe a card inside an action."""
    return {
        "id": card.id,
        "name": card.name,
        "idShort": card.short_id,
        "shortLink": card.short_link,
    }


def label_ref(label: Label) -> Json:
    """Describe a label inside an action."""
    return {"id": label.id, "name": label.name, "color": label.color}
