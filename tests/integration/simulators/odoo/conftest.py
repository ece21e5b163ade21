"""Running Odoo simulators and a plain HTTP client for them."""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from isthmus.simulators.odoo import OdooSimulator


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Sends requests on one kept connection and looks at them as they come."""

    def __init__(self, odoo: OdooSimulator, timeout_s: float = 10) -> None:
        self.odoo = odoo
        self._connection = http.client.HTTPConnection(urlsplit(odoo.url).netloc, timeout=timeout_s)

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """Send a request; a body that is no bytes is sent as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} | (headers or {})
        try:
            self._connection.request(method, path, data, sent)
            answer = self._connection.getresponse()
            kept = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, kept, answer.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def rpc(self, path: str = "/jsonrpc", **params: Any) -> Any:
        """Call by JSON-RPC; give the body of the answer."""
        return self.send("POST", path, {"jsonrpc": "2.0", "method": "call", "params": params, "id": 7}).json()

    def kw(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method by JSON-RPC as the administrator."""
        given = [self.odoo.database, 2, self.odoo.password, model, method, list(args), kwargs]
        return self.rpc(service="object", method="execute_kw", args=given)

    def json2(self, model: str, method: str, key: str | None = None, **named: Any) -> Reply:
        """Call a method by JSON-2."""
        headers = {"Authorization": f"bearer {key or self.odoo.api_key()}"}
        return self.send("POST", f"/json/2/{model}/{method}", named, headers)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Client]]:
    """Start a simulator of some version and give a client for it."""
    with ExitStack() as stack:

        def start(version: str = "18.0", *, timeout_s: float = 10, **options: Any) -> Client:
            client = Client(stack.enter_context(OdooSimulator(version, **options)), timeout_s)
            stack.callback(client.close)
            return client

        yield start


@pytest.fixture
def odoo18(serve: Callable[..., Client]) -> Client:
    """A client of an 18.0."""
    return serve("18.0")


@pytest.fixture
def odoo19(serve: Callable[..., Client]) -> Client:
    """A client of a 19.0."""
    return serve("19.0")
