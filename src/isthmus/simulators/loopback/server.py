"""The HTTP server: threads, keep-alive connections, and misbehaviour down to the socket."""

import contextlib
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from isthmus.simulators.loopback.message import Answer, Request, text_answer

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends RST instead of FIN."""


class Exchange:
    """One request and every way to treat the client that sent it.

    Attributes:
        request: What was asked.
        stopping: Set when the server ends; waits end with it.
    """

    def __init__(self, request: Request, handler: "_Handler") -> None:
        self.request = request
        self.stopping = handler.server.stopping
        self._handler = handler

    def send(self, answer: Answer, *, cut: int | None = None) -> None:
        """Answer.

        Args:
            answer: What to send.
            cut: So many bytes of the body at most, under the length of all of it; the connection ends there.
        """
        self._handler.reply(answer, cut)

    def hold(self, seconds: float) -> None:
        """Keep the client waiting until it gives up, the time is over or the server stops; then hang up."""
        handler = self._handler
        handler.close_connection = True
        left = seconds
        while left > 0 and not self.stopping.is_set():
            step = min(left, 0.05)
            readable, _, _ = select.select([handler.connection], [], [], step)
            if readable:
                return
            left -= step

    def reset(self) -> None:
        """Cut the connection."""
        handler = self._handler
        handler.close_connection = True
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # A shutdown would send FIN first; closing right away with data unread sends RST alone.
        handler.rfile.close()
        handler.connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What all answers of a server have in common.

    Attributes:
        headers: Gives the headers that go with an answer, before its own.
        now: Tells the time for the header ``Date``; the machine's when not given.
        software: The header ``Server``; Python's own when not given.
    """

    headers: Callable[[Answer], Mapping[str, str]] = lambda _: {}
    now: Callable[[], datetime] | None = None
    software: str | None = None


class LoopbackServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1 and hands each request to a function.

    Args:
        serve: Is given each exchange, in the connection's own thread.
        port: Where to listen; 0 takes a free port.
        manners: What all answers have in common.

    Attributes:
        stopping: Set when the server ends.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, serve: Callable[[Exchange], None], *, port: int = 0, manners: Manners | None = None
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.serve = serve
        self.manners = manners or Manners()
        self.stopping = threading.Event()
        self._connections: set[Any] = set()
        self._changed = threading.Condition()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note the connection, so that `close_all` can end it."""
        with self._changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End one connection."""
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_WR)
        self.close_request(request)
        with self._changed:
            self._connections.discard(request)
            self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client went away; show everything else."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no connection is open."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._connections, timeout=timeout_s)

    def close_all(self) -> None:
        """End every open connection, also those that are held by a fault."""
        self.stopping.set()
        with self._changed:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._connections, timeout=5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: LoopbackServer

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass

    def version_string(self) -> str:
        return self.server.manners.software or super().version_string()

    def date_time_string(self, timestamp: float | None = None) -> str:
        now = self.server.manners.now
        if timestamp is not None or now is None:
            return super().date_time_string(timestamp)
        return format_datetime(now(), usegmt=True)

    def _handle(self) -> None:
        path, _, query = self.path.partition("?")
        declared = self.headers.get("Content-Length", "")
        length = int(declared) if declared.isdecimal() else 0
        request = Request(
            method=self.command,
            path=path,
            query=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length) if length else b"",
        )
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self.close_connection = True
            self.reply(text_answer(411, "Length Required"))
        else:
            self.server.serve(Exchange(request, self))

    def reply(self, answer: Answer, cut: int | None = None) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in {**self.server.manners.headers(answer), **answer.headers}.items():
            self.send_header(name, value)
        if cut is not None:
            self.close_connection = True
        self.end_headers()
        self.wfile.write(answer.body[:cut])
        self.wfile.flush()
