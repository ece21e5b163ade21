"""A loopback server that answers like an Odoo, with exactly what a test wrote."""

import gzip
import json
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from isthmus.store.odoo import Login, OdooClient
from isthmus.testing.clock import FrozenClock

KEY = "6a3d1f0c9b8e7d6c5b4a39281706f5e4d3c2b1a0"
PASSWORD = "c0rrect-horse"


@dataclass(frozen=True)
class Reply:
    """One answer; *cut* leaves out the end of the body; text is sent as it is, all else as JSON."""

    status: int = 200
    body: Any = ""
    kind: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    compressed: bool = False
    silent: bool = False
    waits: bool = False
    """Is sent when two such replies are due."""


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    connection: int

    @property
    def args(self) -> list[Any]:
        """What a JSON-RPC request gives to the method of its service."""
        return self.body["params"]["args"]

    @property
    def called(self) -> tuple[Any, Any, Any]:
        """Method, positional and named arguments of an ``execute_kw``."""
        return self.args[4], self.args[5], self.args[6]


def result(value: Any) -> Reply:
    """Answer a JSON-RPC call."""
    return Reply(body={"jsonrpc": "2.0", "id": 1, "result": value})


def fault(name: str, message: str, debug: str = "", *, code: int = 200, waits: bool = False) -> Reply:
    """Refuse a JSON-RPC call, as Odoo does: with status 200."""
    told = {"name": name, "debug": debug, "message": message, "arguments": [message], "context": {}}
    return Reply(
        body={
            "jsonrpc": "2.0",
            "id": 1,
            "error": {"code": code, "message": "Odoo Server Error", "data": told},
        },
        waits=waits,
    )


def refused(status: int, name: str, message: str, debug: str = "") -> Reply:
    """Refuse a JSON-2 call."""
    return Reply(
        status,
        {"name": name, "message": message, "arguments": [message], "context": {}, "debug": debug},
    )


def traceback(*frames: str, line: str = "raise") -> str:
    """Write a traceback through these functions."""
    shown = "".join(f'  File "/opt/odoo/x.py", line 1, in {frame}\n    {line}\n' for frame in frames)
    return f"Traceback (most recent call last):\n{shown}ValueError: x\n"


NOT_FOUND = Reply(404, "<!doctype html>\n<title>404 Not Found</title>", "text/html; charset=utf-8")
V18 = (NOT_FOUND, result({"server_version": "18.0-20250702", "server_serie": "18.0"}))
"""What an Odoo 18 says when it is asked for its version."""
V19 = (Reply(body={"version_info": [19, 0, 0, "final", 0, ""], "version": "19.0"}),)
ME = result(2)
"""The answer to a login over JSON-RPC."""
WHO = Reply(body={"lang": "en_US", "tz": "Europe/Brussels", "uid": 2})
"""The answer to a login over JSON-2."""


class OdooDouble:
    """Answers each request with the next reply of its script; has what tests write scripts with."""

    Reply = Reply
    V18, V19, ME, WHO, NOT_FOUND = V18, V19, ME, WHO, NOT_FOUND
    KEY, PASSWORD = KEY, PASSWORD
    result, fault, refused, traceback = map(staticmethod, (result, fault, refused, traceback))

    def __init__(self) -> None:
        self.script: deque[Reply] = deque()
        self.asked: list[Asked] = []
        self.clients: list[OdooClient] = []
        self.clock = FrozenClock()
        self.over = threading.Event()
        self.two = threading.Barrier(2)
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def do_GET(self) -> None:
                double.answer(self)

            do_POST = do_GET

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            # Joins its threads when it is closed.
            daemon_threads = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Note the request, send the next reply."""
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        port = handler.client_address[1]
        self.asked.append(
            Asked(handler.command, handler.path, headers, json.loads(body) if body else None, port)
        )
        reply = self.script.popleft() if self.script else Reply(501, "the script is at its end", "text/plain")
        if reply.silent:
            handler.close_connection = True
            self.over.wait()
            return
        if reply.waits:
            self.two.wait(timeout=20)
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        data = gzip.compress(text.encode()) if reply.compressed else text.encode()
        handler.send_response_only(reply.status)
        handler.send_header("Date", format_datetime(self.clock.now(), usegmt=True))
        handler.send_header("Content-Type", reply.kind)
        handler.send_header("Content-Length", str(len(data)))
        if reply.compressed:
            handler.send_header("Content-Encoding", "gzip")
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data[: len(data) - reply.cut])
        handler.close_connection = bool(reply.cut)

    def answers(self, *replies: Reply) -> None:
        """Append to the script."""
        self.script.extend(replies)

    def connects(self, *before: Reply) -> None:
        """Script an Odoo 18 that takes our login."""
        self.answers(*before, *V18, ME)

    def client(self, login: Any = None, **options: Any) -> OdooClient:
        """Make a client of this server; by default anna with a password."""
        login = login or Login("company", "anna", PASSWORD, is_key=False)
        client = OdooClient(self.url, login, clock=self.clock, **options)
        self.clients.append(client)
        return client

    def close(self) -> None:
        """End everything."""
        self.over.set()
        for client in self.clients:
            client.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def odoo() -> Iterator[OdooDouble]:
    """A server that answers what the test writes into its script."""
    double = OdooDouble()
    yield double
    double.close()
