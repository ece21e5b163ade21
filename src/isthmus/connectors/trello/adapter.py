"""The adapters of boards, lists and cards."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from isthmus.adapter import CRUDAdapter, walk_before
from isthmus.connectors.trello.client import PAGE, TrelloClient
from isthmus.connectors.trello.marker import LINK_BASE, made_at, marked_with, marker
from isthmus.env import CreateSafety
from isthmus.errors import (
    IDMissingInBackend,
    InvalidDataError,
    NetworkRetryableError,
    RateLimitedError,
    UnknownOutcomeError,
)
from isthmus.http import Payload

SKEW: Final = timedelta(minutes=10)
"""How far Trello's clock and ours may be apart when we look for what we made."""

_PROBE_PAGE: Final = 100
"""Cards per request while looking for one just made: it is among the newest."""


class TrelloAdapter(CRUDAdapter):
    """What the three have in common; the client comes with the work context as ``work.trello``."""

    _name = "trello.adapter"
    _abstract = True
    _collection = "trello.backend"

    create_safety = CreateSafety.PROBE

    @property
    def client(self) -> TrelloClient:
        """The client of this backend, opened by its ``work_on``."""
        client: TrelloClient = self.work.trello
        return client

    def external_id_of(self, payload: Mapping[str, Any]) -> str:
        """Tell the ID; the short link also names a board or card and is never used."""
        return super().external_id_of(payload)

    def created_at(self, payload: Mapping[str, Any]) -> datetime | None:
        """Tell when a record was made: its ID begins with the second."""
        return made_at(payload.get("id"))

    def write(self, external_id: str, values: Mapping[str, Any]) -> Payload | None:
        """Change fields; without any there is no request and no answer."""
        return self._put(external_id, values) if values else None

    def _put(self, external_id: str, values: Mapping[str, Any]) -> Payload:
        """Send changed fields.

        Raises:
            NotImplementedError: Unless a subclass has it.
        """
        raise NotImplementedError(self._lacks("_put"))

    def _archive_new(self, payload: Payload, values: Mapping[str, Any]) -> Payload:
        """Archive what was just made, where it is to be archived: Trello makes only open things.

        That is a second request. A probe that finds the first without it makes up for it.

        Raises:
            UnknownOutcomeError: When the second one fails.
        """
        if values.get("closed") and not payload.get("closed"):
            try:
                closed = self._put(self.external_id_of(payload), {"closed": True})
            except (NetworkRetryableError, RateLimitedError) as exc:
                # The first request has taken effect, so the create must not look undone.
                raise UnknownOutcomeError(f"made but not archived yet: {exc}") from exc
            return {**payload, **closed}
        return payload

    def _made(
        self, fetch: Callable[..., list[Payload]], since: datetime, kind: str, name: str
    ) -> Iterator[Payload]:
        """Walk what our member's own actions of one kind made, newest first, as the actions tell it."""
        own_id = self.external_id_of(self.client.me())
        pages = walk_before(
            lambda before: fetch(kinds=kind, since=since - SKEW, before=before, limit=PAGE),
            key=self.external_id_of,
            size=PAGE,
        )
        for page in pages:
            for action in page:
                made = (action.get("data") or {}).get(name)
                if action.get("type") == kind and action.get("idMemberCreator") == own_id and made:
                    yield made

    def _named(self, made: Iterable[Payload], values: Mapping[str, Any]) -> list[str]:
        """List the IDs of what was made under the name of *values*; Trello trims names."""
        wanted = str(values.get("name") or "").strip()
        return [self.external_id_of(item) for item in made if str(item.get("name") or "").strip() == wanted]

    def _settled(self, made: list[Payload], values: Mapping[str, Any]) -> list[Payload]:
        """Finish a create that was found, unless it may be one of several."""
        return [self._archive_new(made[0], values)] if len(made) == 1 else made

    def _boards(self, filters: Mapping[str, Any] | None) -> Iterator[str]:
        """Tell which boards a search is about.

        Raises:
            InvalidDataError: When a filter is none that Trello has.
        """
        unknown = sorted(set(filters or {}) - {"idBoard"})
        if unknown:
            msg = f"{self._apply_on} can be searched by idBoard, not by {', '.join(unknown)}"
            raise InvalidDataError(msg)
        if filters:
            yield str(filters["idBoard"])
        else:
            yield from map(self.external_id_of, self.client.my_boards())

    def _still_there(self, external_ids: Iterable[str], read: Callable[[str], Payload]) -> list[Payload]:
        """Read what has not been deleted meanwhile."""
        found = []
        for external_id in external_ids:
            try:
                found.append(read(external_id))
            except IDMissingInBackend:
                continue
        return found


class TrelloBoardAdapter(TrelloAdapter):
    """Boards. Deleting one archives it: a board holds more than we know of."""

    _name = "trello.board.adapter"
    _apply_on = "trello.board"

    def search(self, filters: Mapping[str, Any] | None = None) -> Iterator[str]:
        """Find the boards of our member.

        Args:
            filters: **Shape**: ``{"filter": "open" | "closed" | "all"}``; None takes all.

        Yields:
            The ID of each board.
        """
        for board in self.search_read(filters):
            yield self.external_id_of(board)

    def search_read(self, filters: Mapping[str, Any] | None = None) -> Iterator[Payload]:
        """Find the boards of our member, with their fields but without their lists, in one request."""
        yield from self.client.my_boards(str((filters or {}).get("filter", "all")))

    def read(self, external_id: str, fields: Iterable[str] | None = None) -> Payload:
        """Read a board with all its lists nested under ``lists``, in one request."""
        return self.client.board(external_id, fields)

    def actions(
        self,
        board_id: str,
        since: str | datetime | None = None,
        before: str | datetime | None = None,
        limit: int = PAGE,
    ) -> list[Payload]:
        """Read one page of what happened on a board.

        Args:
            board_id: The board.
            since: Only what came after this action or instant.
            before: Only what came before this action or instant.
            limit: At most so many, up to 1000.

        Returns:
            Actions, newest first; fewer than *limit* when there are no more.
        """
        return self.client.actions(board_id, since=since, before=before, limit=limit)

    def cards(self, board_id: str, before: str | None = None, limit: int = PAGE) -> list[Payload]:
        """Read one page of a board's cards, archived ones too, with their attachments' URLs.

        Args:
            board_id: The board.
            before: Only cards made before this card.
            limit: At most so many, up to 1000.

        Returns:
            The newest cards before the bound; fewer than *limit* when there are no more.
        """
        return self.client.board_cards(board_id, before, limit)

    def create(self, values: Mapping[str, Any], *, key: str | None = None) -> Payload:  # noqa: ARG002 - boards carry no key
        """Make a board without any lists of Trello's own."""
        return self._archive_new(self.client.create_board(_creatable(values)), values)

    def delete(self, external_id: str) -> None:
        """Archive a board."""
        self.client.update_board(external_id, {"closed": True})

    def find_created(self, key: str, values: Mapping[str, Any], since: datetime) -> list[Payload]:  # noqa: ARG002
        """Look for boards of that name that our member has made since."""
        made = self._named(self._made(self.client.my_actions, since, "createBoard", "board"), values)
        return self._settled(self._still_there(made, self.client.board), values)

    def _put(self, external_id: str, values: Mapping[str, Any]) -> Payload:
        return self.client.update_board(external_id, values)


class TrelloListAdapter(TrelloAdapter):
    """Lists. They cannot be deleted, only archived."""

    _name = "trello.list.adapter"
    _apply_on = "trello.list"

    def search(self, filters: Mapping[str, Any] | None = None) -> Iterator[str]:
        """Find lists, archived ones too.

        Args:
            filters: **Shape**: ``{"idBoard": str}``; None walks all boards of our member.

        Yields:
            The ID of each list.
        """
        for found in self.search_read(filters):
            yield self.external_id_of(found)

    def search_read(self, filters: Mapping[str, Any] | None = None) -> Iterator[Payload]:
        """Find lists and their fields; one request for each board."""
        for board_id in self._boards(filters):
            yield from self.client.board_lists(board_id)

    def read(self, external_id: str, fields: Iterable[str] | None = None) -> Payload:
        """Read a list."""
        return self.client.list_(external_id, fields)

    def create(self, values: Mapping[str, Any], *, key: str | None = None) -> Payload:  # noqa: ARG002 - lists carry no key
        """Make a list on the board ``idBoard``."""
        return self._archive_new(self.client.create_list(_creatable(values)), values)

    def delete(self, external_id: str) -> None:
        """Archive a list."""
        self.client.update_list(external_id, {"closed": True})

    def find_created(self, key: str, values: Mapping[str, Any], since: datetime) -> list[Payload]:  # noqa: ARG002
        """Look for lists of that name on that board that our member has made since."""
        fetch = partial(self.client.actions, str(values["idBoard"]))
        try:
            made = self._named(self._made(fetch, since, "createList", "list"), values)
        except IDMissingInBackend:  # the board is gone, and its lists with it
            return []
        return self._settled(self._still_there(made, self.client.list_), values)

    def _put(self, external_id: str, values: Mapping[str, Any]) -> Payload:
        return self.client.update_list(external_id, values)


class TrelloCardAdapter(TrelloAdapter):
    """Cards. Archiving is ``write(..., {"closed": True})``, deleting is for good."""

    _name = "trello.card.adapter"
    _apply_on = "trello.card"
    version_field = "dateLastActivity"

    @property
    def link_base(self) -> str:
        """The base of the link that marks a card as made by us: the backend's, if it has one."""
        return getattr(self.collection, "link_base", None) or LINK_BASE

    def creation_key(self, payload: Mapping[str, Any]) -> str | None:
        """Tell the key on a card whose attachments are nested; a copy of a card carries it as well."""
        return marked_with(payload, self.link_base)

    def search(self, filters: Mapping[str, Any] | None = None) -> Iterator[str]:
        """Find cards, archived ones too, newest pages first.

        Args:
            filters: **Shape**: ``{"idBoard": str}``; None walks all boards of our member.

        Yields:
            The ID of each card.
        """
        for card in self.search_read(filters):
            yield self.external_id_of(card)

    def search_read(self, filters: Mapping[str, Any] | None = None) -> Iterator[Payload]:
        """Find cards and their fields; one request for each thousand."""
        for board_id in self._boards(filters):
            for page in self._pages(board_id, PAGE):
                yield from page

    def read(self, external_id: str, fields: Iterable[str] | None = None) -> Payload:
        """Read a card with the URLs of its attachments."""
        return self.client.card(external_id, fields)

    def create(self, values: Mapping[str, Any], *, key: str | None = None) -> Payload:
        """Make a card on the list ``idList``, marked with our key in the same request."""
        sent = _creatable(values)
        if key is not None:
            sent["urlSource"] = marker(key, self.link_base)
        return self._archive_new(self.client.create_card(sent), values)

    def delete(self, external_id: str) -> None:
        """Delete a card for good."""
        self.client.delete_card(external_id)

    def find_created(self, key: str, values: Mapping[str, Any], since: datetime) -> list[Payload]:
        """Look for the card that carries the key, among those our member has made since.

        Copies carry it too, but are not made by ``createCard``; so there is one at most unless
        the create was sent twice.
        """
        try:
            board_id = self._board_of(values)
            made = self._made(partial(self.client.actions, board_id), since, "createCard", "card")
            candidates = [self.external_id_of(card) for card in made]
            seen = self._newest(board_id, since) if candidates else {}
        except IDMissingInBackend:  # the list or the board is gone, and its cards with it
            return []
        # Someone may have moved a card to another board meanwhile.
        moved = (card_id for card_id in candidates if card_id not in seen)
        cards = [seen[card_id] for card_id in candidates if card_id in seen]
        cards += self._still_there(moved, self.client.card)
        return [self._archive_new(card, values) for card in cards if self.creation_key(card) == key]

    def _board_of(self, values: Mapping[str, Any]) -> str:
        """Tell the board that a card was to be made on.

        Raises:
            InvalidDataError: When the values name neither board nor list.
        """
        if values.get("idBoard"):
            return str(values["idBoard"])
        if not values.get("idList"):
            msg = "a card is made on a list: its values need idList"
            raise InvalidDataError(msg)
        return str(self.client.list_(str(values["idList"]), ["idBoard"]).get("idBoard"))

    def _newest(self, board_id: str, since: datetime) -> dict[str, Payload]:
        """Read the cards of a board that are not older than *since*, by ID."""
        found: dict[str, Payload] = {}
        for page in self._pages(board_id, _PROBE_PAGE):
            found.update((self.external_id_of(card), card) for card in page)
            oldest = made_at(min(self.external_id_of(card) for card in page))
            if oldest is not None and oldest < since - SKEW:
                break
        return found

    def _pages(self, board_id: str, size: int) -> Iterator[list[Payload]]:
        return walk_before(
            lambda before: self.client.board_cards(board_id, before, size), key=self.external_id_of, size=size
        )

    def _put(self, external_id: str, values: Mapping[str, Any]) -> Payload:
        return self.client.update_card(external_id, values)


def _creatable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what a create takes: no empty values, and nothing is made archived."""
    return {name: value for name, value in values.items() if value is not None and name != "closed"}
