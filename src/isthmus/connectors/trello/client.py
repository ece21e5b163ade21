"""Trello's REST API, route by route: credentials, limits, and what each route gives.

Source:
    developer.atlassian.com/cloud/trello/guides/rest-api: rate-limits (2026-01-26),
    nested-resources, object-definitions.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from isthmus.clock import Clock
from isthmus.env import Limiter, RateWindow
from isthmus.errors import CredentialsError
from isthmus.http import Auth, HTTPClient, Payload, Quota, Timeout, fingerprint, path

TRELLO_URL: Final = "https://api.trello.com"

PAGE: Final = 1000
"""The most cards or actions that one answer holds."""

KEY_WINDOW: Final = RateWindow(300, timedelta(seconds=10))
TOKEN_WINDOW: Final = RateWindow(100, timedelta(seconds=10))
MEMBERS_WINDOW: Final = RateWindow(100, timedelta(seconds=900), "members")
"""Routes below /members have a window of their own beside the token's."""

# Only these fields of an attachment are read; a thousand cards of a page carry them.
_WITH_ATTACHMENTS: Final = {"attachments": "true", "attachment_fields": "url"}


class TrelloClient(HTTPClient):
    """Trello as one member sees it.

    The credentials travel in a header, so that no URL holds them. Trello tells no limits and no
    ``Retry-After``: the client must pace itself.

    Args:
        key: The key of the application (Power-Up).
        token: The token that a member gave it.
        url: Where Trello answers; a simulator's address in tests. With or without ``/1``.
        limiter: Shared by all workers.
        timeout: How long to wait for what.
        clock: Tells the time and waits.
        repeats: How often a read is tried again.

    Raises:
        CredentialsError: When key or token is empty or holds what neither can.
    """

    def __init__(
        self,
        key: str,
        token: str,
        *,
        url: str = TRELLO_URL,
        limiter: Limiter | None = None,
        timeout: Timeout | None = None,
        clock: Clock | None = None,
        repeats: int = 2,
    ) -> None:
        for name, value in (("key", key), ("token", token)):
            if not value or not value.isascii() or not value.replace("-", "").replace("_", "").isalnum():
                state = "is empty" if not value else "holds characters that no Trello credential has"
                msg = f"the Trello {name} {state}; copy both from https://trello.com/power-ups/admin"
                raise CredentialsError(msg)
        self._key = fingerprint("trello key", key)
        self._me: Payload | None = None
        header = f'OAuth oauth_consumer_key="{key}", oauth_token="{token}"'
        super().__init__(
            f"{url.strip().rstrip('/').removesuffix('/1')}/1",
            credential=fingerprint("trello token", token),
            limiter=limiter,
            windows=(TOKEN_WINDOW,),
            auth=Auth(headers={"Authorization": header}, secrets=(key, token)),
            timeout=timeout or Timeout(),
            clock=clock,
            repeats=repeats,
            refusals=("invalid key", "invalid token", "expired token"),
        )

    def quotas(self, path: str) -> Sequence[Quota]:
        """Tell what a request draws from: the token, the members' routes, the key of all tokens."""
        token = (TOKEN_WINDOW, MEMBERS_WINDOW) if path.startswith("/members") else (TOKEN_WINDOW,)
        return [Quota(self.credential, token), Quota(self._key, (KEY_WINDOW,))]

    def exceeded(self, path: str, text: str) -> tuple[str, RateWindow] | None:
        """Tell which window a refusal means; Trello names it in the body."""
        try:
            named = json.loads(text).get("error")
        except (ValueError, AttributeError):
            named = None
        if named == "API_KEY_LIMIT_EXCEEDED":
            return self._key, KEY_WINDOW
        if named == "RATE_LIMIT_EXCEEDED" and path.startswith("/members"):
            return self.credential, MEMBERS_WINDOW
        return self.credential, TOKEN_WINDOW

    def me(self) -> Payload:
        """Read the member that the token belongs to, once per client."""
        if self._me is None:
            params = {"fields": "id,username,fullName"}
            self._me = self.request_object("GET", "/members/me", params=params, what="read our own member")
        return self._me

    def my_boards(self, which: str = "all") -> list[Payload]:
        """List the member's boards: ``open``, ``closed`` or ``all``."""
        return self.request_objects(
            "GET", "/members/me/boards", params={"filter": which}, what="list our boards"
        )

    def my_actions(self, kinds: str, **page: Any) -> list[Payload]:
        """List the member's own actions on all boards; *page* as in `actions`."""
        return self.request_objects(
            "GET", "/members/me/actions", params=_page(filter=kinds, **page), what="list our own actions"
        )

    def actions(self, board_id: str, kinds: str | None = None, **page: Any) -> list[Payload]:
        """List one page of a board's actions, newest first.

        Args:
            board_id: The board.
            kinds: Comma list of action types; None takes all.
            **page: ``since`` and ``before``, exclusive, each an action ID or an instant, and ``limit``.
        """
        return self.request_objects(
            "GET",
            path("boards", board_id, "actions"),
            params=_page(filter=kinds, **page),
            what=f"list the actions of board {board_id}",
        )

    def board(self, board_id: str, fields: Iterable[str] | None = None, *, lists: str = "all") -> Payload:
        """Read a board with its lists nested, archived ones too."""
        return self.request_object(
            "GET",
            path("boards", board_id),
            params=_page(lists=lists, fields=_names(fields)),
            what=f"read board {board_id}",
        )

    def board_lists(self, board_id: str) -> list[Payload]:
        """List the lists of a board, archived ones too."""
        return self.request_objects(
            "GET",
            path("boards", board_id, "lists"),
            params={"filter": "all"},
            what=f"list the lists of board {board_id}",
        )

    def board_cards(self, board_id: str, before: str | None = None, limit: int = PAGE) -> list[Payload]:
        """List one page of a board's cards, archived ones too: the newest before a card's ID."""
        return self.request_objects(
            "GET",
            path("boards", board_id, "cards", "all"),
            params=_page(before=before, limit=limit, **_WITH_ATTACHMENTS),
            what=f"list the cards of board {board_id}",
        )

    def create_board(self, values: Mapping[str, Any]) -> Payload:
        """Make a board, without the lists and labels that Trello would add."""
        body = {"defaultLists": False, "defaultLabels": False, **values}
        return self.request_object("POST", "/boards", json=body, what="create a board")

    def update_board(self, board_id: str, values: Mapping[str, Any]) -> Payload:
        """Change a board."""
        return self._put("boards", board_id, values, f"write board {board_id}")

    def list_(self, list_id: str, fields: Iterable[str] | None = None) -> Payload:
        """Read a list."""
        return self.request_object(
            "GET", path("lists", list_id), params=_page(fields=_names(fields)), what=f"read list {list_id}"
        )

    def create_list(self, values: Mapping[str, Any]) -> Payload:
        """Make a list on a board."""
        return self.request_object("POST", "/lists", json=dict(values), what="create a list")

    def update_list(self, list_id: str, values: Mapping[str, Any]) -> Payload:
        """Change a list."""
        return self._put("lists", list_id, values, f"write list {list_id}")

    def card(self, card_id: str, fields: Iterable[str] | None = None) -> Payload:
        """Read a card with the URLs of its attachments."""
        return self.request_object(
            "GET",
            path("cards", card_id),
            params=_page(fields=_names(fields), **_WITH_ATTACHMENTS),
            what=f"read card {card_id}",
        )

    def create_card(self, values: Mapping[str, Any]) -> Payload:
        """Make a card on a list."""
        return self.request_object("POST", "/cards", json=dict(values), what="create a card")

    def update_card(self, card_id: str, values: Mapping[str, Any]) -> Payload:
        """Change a card."""
        return self._put("cards", card_id, values, f"write card {card_id}")

    def delete_card(self, card_id: str) -> None:
        """Delete a card for good."""
        # Trello has answered {} and {"_value": null} over the years: any JSON will do.
        self.request("DELETE", path("cards", card_id), what=f"delete card {card_id}")

    def _put(self, kind: str, external_id: str, values: Mapping[str, Any], what: str) -> Payload:
        return self.request_object("PUT", path(kind, external_id), json=dict(values), what=what)


def _page(**params: Any) -> dict[str, str | int]:
    """Write query parameters, leaving out those without a value."""
    return {name: _spelled(value) for name, value in params.items() if value is not None}


def _spelled(value: Any) -> str | int:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value if isinstance(value, int) else str(value)


def _names(fields: Iterable[str] | None) -> str | None:
    return None if fields is None else ",".join(fields)
