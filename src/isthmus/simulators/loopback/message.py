"""A request as it came and an answer as it goes, without the network."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came from the wire.

    Attributes:
        headers: Names in lower case.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server sends back."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    route: str | None = None

    def json(self) -> Any:
        """Read the body (for callers in the same process)."""
        return json.loads(self.body)


def text_answer(status: int, message: str, *, route: str | None = None) -> Answer:
    """Build a plain text answer."""
    return Answer(status=status, content_type="text/plain; charset=utf-8", body=message.encode(), route=route)


def html_answer(status: int, page: str, *, route: str | None = None) -> Answer:
    """Build an answer with a page for people."""
    return Answer(status=status, content_type="text/html; charset=utf-8", body=page.encode(), route=route)


def json_answer(value: Any, *, status: int = 200, route: str | None = None) -> Answer:
    """Build a JSON answer."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status=status, content_type="application/json; charset=utf-8", body=body, route=route)
