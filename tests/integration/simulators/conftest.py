"""A running Trello simulator and a plain HTTP client for it."""

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from isthmus.simulators.trello import TrelloSimulator


@dataclass(frozen=True)
class Reply:
    status: int
    content_type: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture
def trello() -> Iterator[TrelloSimulator]:
    """A running simulator, empty."""
    with TrelloSimulator(seed=1) as simulator:
        yield simulator


@pytest.fixture
def call(trello: TrelloSimulator) -> Iterator[Callable[..., Reply]]:
    """Send a request on one kept connection, with our credentials in the query."""
    connection = http.client.HTTPConnection(urlsplit(trello.url).netloc, timeout=10)

    def send(
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        credentials: dict[str, str] | None = None,
        **query: Any,
    ) -> Reply:
        if credentials is None:
            credentials = {"key": trello.key, "token": trello.token}
        data = json.dumps(body).encode() if content_type == "application/json" and body is not None else body
        target = f"{path}?{urlencode({**credentials, **query})}"
        sent = {"Content-Type": content_type} if data is not None else {}
        try:
            connection.request(method, target, data, sent | (headers or {}))
            answer = connection.getresponse()
            kept = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, kept["content-type"], kept, answer.read())
        except (OSError, http.client.HTTPException):
            connection.close()
            raise

    yield send
    connection.close()
