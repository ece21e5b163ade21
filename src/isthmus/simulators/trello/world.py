"""The state of the simulated server: tables, indexes, one lock."""

import threading
from collections.abc import Callable
from typing import TypeVar

from isthmus.clock import Clock
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
from isthmus.simulators.trello.ids import IdSource, is_object_id, is_short_link, iso
from isthmus.simulators.trello.refusals import InvalidValueError, NotFoundError, RefusedError

E = TypeVar("E")


class World:
    """Everything the server knows. Hold `lock` while you read or change it.

    Attributes:
        lock: The one lock. Reentrant.
        clock: Gives the creation time in every ID and the date of every action.
        members: Everybody, by ID.
        tokens: Which member a token speaks for.
        watchers: Called, under the lock, with each new action.
    """

    def __init__(self, *, seed: int, clock: Clock) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.ids = IdSource(seed=seed, clock=clock)
        self.key = self.ids.secret(32)
        self.secret = self.ids.secret(64)
        self.app_id = self.ids.object_id()
        self.members: dict[str, Member] = {}
        self.tokens: dict[str, str] = {}
        self.boards: dict[str, Board] = {}
        self.lists: dict[str, BoardList] = {}
        self.cards: dict[str, Card] = {}
        self.checklists: dict[str, Checklist] = {}
        self.check_items: dict[str, CheckItem] = {}
        self.labels: dict[str, Label] = {}
        self.actions: dict[str, Action] = {}
        self.webhooks: dict[str, Webhook] = {}
        self.short_links: dict[str, str] = {}
        self.watchers: list[Callable[[Action], None]] = []

    def now(self) -> str:
        """Tell the present instant as the API spells it."""
        return iso(self.clock.now())

    def add_member(
        self, username: str, full_name: str, *, email: str | None = None, member_type: str = "normal"
    ) -> Member:
        """Add a person."""
        member = Member(
            id=self.ids.object_id(),
            username=username,
            full_name=full_name,
            email=email,
            member_type=member_type,
        )
        self.members[member.id] = member
        return member

    def short_link(self, object_id: str) -> str:
        """Make a short link that leads to *object_id*."""
        link = self.ids.short_link()
        self.short_links[link] = object_id
        return link

    # --- find by what stands in a path -------------------------------------------------

    def board(self, ref: str) -> Board:
        """Get a board by ID or short link."""
        return self._get(self.boards, ref)

    def board_list(self, ref: str) -> BoardList:
        """Get a list by ID."""
        return self._get(self.lists, ref)

    def card(self, ref: str) -> Card:
        """Get a card by ID or short link."""
        return self._get(self.cards, ref)

    def checklist(self, ref: str) -> Checklist:
        """Get a checklist by ID."""
        return self._get(self.checklists, ref)

    def label(self, ref: str) -> Label:
        """Get a label by ID."""
        return self._get(self.labels, ref)

    def action(self, ref: str) -> Action:
        """Get an action by ID."""
        return self._get(self.actions, ref)

    def webhook(self, ref: str) -> Webhook:
        """Get a webhook by ID."""
        return self._get(self.webhooks, ref)

    def attachment(self, card: Card, ref: str) -> Attachment:
        """Get an attachment of *card* by ID."""
        return self._get(card.attachments, ref)

    def check_item(self, checklist: Checklist, ref: str) -> CheckItem:
        """Get an item of *checklist* by ID."""
        return self._get(checklist.items, ref)

    def member(self, ref: str, *, me: str | None = None) -> Member:
        """Get a member by ID, user name or ``me``.

        Raises:
            NotFoundError: When there is no such member.
        """
        if ref == "me" and me is not None:
            return self.members[me]
        found = self.members.get(ref)
        if found is None:
            found = next((m for m in self.members.values() if m.username == ref), None)
        if found is None:
            raise NotFoundError
        return found

    # --- find by what stands in a parameter --------------------------------------------

    def list_named(self, ref: str, name: str = "idList") -> BoardList:
        """Get the list that a parameter points to.

        Raises:
            InvalidValueError: When there is none; the message names the parameter.
        """
        if ref not in self.lists:
            raise InvalidValueError(name)
        return self.lists[ref]

    def board_named(self, ref: str, name: str = "idBoard") -> Board:
        """Get the board that a parameter points to.

        Raises:
            InvalidValueError: When there is none; the message names the parameter.
        """
        found = self.boards.get(self.short_links.get(ref, ref))
        if found is None:
            raise InvalidValueError(name)
        return found

    def model_of(self, object_id: str) -> Json | None:
        """Say what kind of thing an ID stands for (webhooks accept any of them)."""
        for kind, table in (
            ("board", self.boards),
            ("list", self.lists),
            ("card", self.cards),
            ("member", self.members),
        ):
            if object_id in table:
                return {"id": object_id, "type": kind}
        return None

    def _get(self, table: dict[str, E], ref: str) -> E:
        if not is_object_id(ref) and not is_short_link(ref):
            raise RefusedError(400, "invalid id")
        found = table.get(ref)
        if found is None:
            found = table.get(self.short_links.get(ref, ""))
        if found is None:
            raise NotFoundError
        return found
