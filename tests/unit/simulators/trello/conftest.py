"""A simulator that is asked directly, without the network, under a clock that stands still."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from isthmus.simulators.trello import TrelloSimulator
from isthmus.simulators.trello.api import Answer, Request
from isthmus.testing import FrozenClock

Ask = Callable[..., Answer]


@pytest.fixture
def clock() -> FrozenClock:
    """Noon on the second of January 2027."""
    return FrozenClock(datetime(2027, 1, 2, 12, tzinfo=UTC))


@pytest.fixture
def trello(clock: FrozenClock) -> TrelloSimulator:
    """A simulator that does not listen."""
    return TrelloSimulator(seed=7, clock=clock)


@pytest.fixture
def ask(trello: TrelloSimulator) -> Ask:
    """Ask the API as our own account."""

    def send(
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        key: str | None = None,
        token: str | None = None,
        **query: Any,
    ) -> Answer:
        credentials = {"key": key or trello.key, "token": token or trello.token}
        request = Request(
            method=method,
            path="/1" + path,
            query=urlencode({**credentials, **query}),
            headers={"content-type": "application/json", **(headers or {})},
            body=json.dumps(body).encode() if body is not None else b"",
        )
        return trello.api.answer(request)

    return send


@pytest.fixture
def board(trello: TrelloSimulator) -> dict[str, Any]:
    """A board made by somebody else."""
    return trello.state.create_board("Website")


@pytest.fixture
def todo(trello: TrelloSimulator, board: dict[str, Any]) -> dict[str, Any]:
    """The first list of the board."""
    return trello.state.create_list(board, "To do")


@pytest.fixture
def done(trello: TrelloSimulator, board: dict[str, Any], todo: dict[str, Any]) -> dict[str, Any]:
    """The second list of the board."""
    return trello.state.create_list(board, "Done")
