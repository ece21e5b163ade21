"""Another member at work: edits made directly on the server, as people make them."""

from collections.abc import Mapping
from typing import Any

from isthmus.simulators.trello import attachments, boards, cards, checklists, demo, nested, views
from isthmus.simulators.trello.actions import Actor
from isthmus.simulators.trello.entities import Board, Json, Member
from isthmus.simulators.trello.params import Params
from isthmus.simulators.trello.world import World

Ref = str | Mapping[str, Any]
"""A thing by its ID, its short link, or as it was shown."""


def ref_of(thing: Ref) -> str:
    """Give the ID of a thing.

    >>> ref_of("a1"), ref_of({"id": "a1", "name": "A"})
    ('a1', 'a1')
    """
    return thing if isinstance(thing, str) else str(thing["id"])


class People:
    """Edits of somebody who is not us; all return what the API would show.

    Values are given by the API's names (``due=``, ``idMembers=``, ``pos=``), and are
    normalised and refused as by the API (`RefusedError`). Every edit makes its actions.

    Attributes:
        member: Who edits.
    """

    def __init__(self, world: World, member: Member, *, partner: Member) -> None:
        self.world = world
        self.member = member
        self._partner = partner
        self._actor = Actor(world, member)

    def boards(self) -> list[Json]:
        """Show all boards, oldest first."""
        with self.world.lock:
            return [self._board(board) for board in self.world.boards.values()]

    def lists(self, board: Ref, *, filter: str = "all") -> list[Json]:  # noqa: A002 - the API's name
        """Show a board's lists by position."""
        with self.world.lock:
            found = nested.choose_lists(self.world, self.world.board(ref_of(board)), filter)
            return [views.show(views.LIST, self.world, entry) for entry in found]

    def cards(self, board: Ref | None = None, *, filter: str = "all") -> list[Json]:  # noqa: A002
        """Show the cards of a board (or of all), oldest first, attachments included."""
        with self.world.lock:
            world = self.world
            chosen = [world.board(ref_of(board))] if board is not None else list(world.boards.values())
            return [
                self._card(card_id)
                for entry in chosen
                for card_id in list(entry.cards)
                if nested.takes(world, world.cards[card_id], filter)
            ]

    def card(self, card: Ref) -> Json:
        """Show one card, attachments included."""
        with self.world.lock:
            return self._card(self.world.card(ref_of(card)).id)

    def actions(self, board: Ref) -> list[Json]:
        """Show the whole history of a board, newest first."""
        with self.world.lock:
            history = self.world.board(ref_of(board)).actions
            return [views.show_action(self.world, action) for action in reversed(history)]

    # --- boards and lists --------------------------------------------------------------

    def create_board(self, name: str, **values: Any) -> Json:
        """Make an empty board that we are a member of too."""
        with self.world.lock:
            params = Params({"defaultLists": False, **values, "name": name})
            board = boards.create_board(self._actor, params)
            boards.set_member(self.world, board, self._partner, "normal")
            return self._board(board)

    def update_board(self, board: Ref, **values: Any) -> Json:
        """Change a board."""
        with self.world.lock:
            found = self.world.board(ref_of(board))
            return self._board(boards.update_board(self._actor, found, Params(values)))

    def delete_board(self, board: Ref) -> None:
        """Delete a board and all on it."""
        with self.world.lock:
            boards.delete_board(self.world, self.world.board(ref_of(board)))

    def create_list(self, board: Ref, name: str, **values: Any) -> Json:
        """Make a list, at the right end unless ``pos`` says otherwise."""
        with self.world.lock:
            params = Params({"pos": "bottom", **values, "name": name, "idBoard": ref_of(board)})
            return views.show(views.LIST, self.world, boards.create_list(self._actor, params))

    def update_list(self, board_list: Ref, **values: Any) -> Json:
        """Change a list; ``closed=True`` archives it."""
        with self.world.lock:
            found = self.world.board_list(ref_of(board_list))
            return views.show(views.LIST, self.world, boards.update_list(self._actor, found, Params(values)))

    # --- cards -------------------------------------------------------------------------

    def create_card(self, board_list: Ref, name: str = "", **values: Any) -> Json:
        """Make a card at the end of a list; an empty name is possible, as on Trello."""
        with self.world.lock:
            params = Params({**values, "name": name, "idList": ref_of(board_list)})
            return self._card(cards.create_card(self._actor, params).id)

    def copy_card(self, card: Ref, board_list: Ref, **values: Any) -> Json:
        """Copy a card with everything on it, attachments included."""
        with self.world.lock:
            params = Params({**values, "idCardSource": ref_of(card), "idList": ref_of(board_list)})
            return self._card(cards.create_card(self._actor, params).id)

    def update_card(self, card: Ref, **values: Any) -> Json:
        """Change a card."""
        with self.world.lock:
            found = self.world.card(ref_of(card))
            return self._card(cards.update_card(self._actor, found, Params(values)).id)

    def move_card(self, card: Ref, board_list: Ref, **values: Any) -> Json:
        """Move a card to a list, of this board or another."""
        return self.update_card(card, idList=ref_of(board_list), **values)

    def archive_card(self, card: Ref, *, closed: bool = True) -> Json:
        """Archive a card or bring it back."""
        return self.update_card(card, closed=closed)

    def delete_card(self, card: Ref) -> None:
        """Delete a card for good."""
        with self.world.lock:
            cards.delete_card(self._actor, self.world.card(ref_of(card)))

    def comment_card(self, card: Ref, text: str) -> Json:
        """Write a comment."""
        with self.world.lock:
            found = self.world.card(ref_of(card))
            action = attachments.comment(self._actor, found, Params({"text": text}))
            return views.show_action(self.world, action)

    def attach_url(self, card: Ref, url: str, **values: Any) -> Json:
        """Attach a link."""
        with self.world.lock:
            found = self.world.card(ref_of(card))
            attachment = attachments.attach(self._actor, found, Params({**values, "url": url}))
            return views.show(views.ATTACHMENT, self.world, attachment)

    def create_checklist(self, card: Ref, name: str, items: list[str] | None = None) -> Json:
        """Put a checklist on a card."""
        with self.world.lock:
            params = Params({"idCard": ref_of(card), "name": name})
            checklist = checklists.create_checklist(self._actor, params)
            for item in items or ():
                checklists.create_item(self._actor, checklist, Params({"name": item}))
            return views.show(views.CHECKLIST, self.world, checklist)

    def seed_demo(self, boards: int = 3, lists: int = 4, cards: int = 25) -> None:
        """Fill the server with boards, each with lists, each with cards; names are always the same."""
        with self.world.lock:
            demo.seed(self._actor, self._partner, boards=boards, lists=lists, cards=cards)

    def dump(self) -> Json:
        """Show all boards, lists and cards with all fields, in an order that does not vary."""
        with self.world.lock:
            return {
                "boards": self.boards(),
                "lists": [entry for board in list(self.world.boards) for entry in self.lists(board)],
                "cards": self.cards(),
            }

    def _board(self, board: Board) -> Json:
        return views.show(views.BOARD, self.world, board)

    def _card(self, card_id: str) -> Json:
        return nested.show_card(self.world, self.world.cards[card_id], Params({"attachments": "true"}))
