"""The HTTP server: threads, keep-alive connections, and misbehaviour down to the socket."""

import contextlib
import select
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from isthmus.clock import Clock
from isthmus.simulators.trello.api import Answer, Request, TrelloApi, etag, json_answer, text_answer
from isthmus.simulators.trello.control import Control
from isthmus.simulators.trello.faults import Fault, Faults, Kind
from isthmus.simulators.trello.journal import LoggedRequest, RequestLog, masked

_HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
_BEFORE = (Kind.RATE_LIMIT, Kind.TIMEOUT_BEFORE, Kind.RESET_BEFORE, Kind.LATE)
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends RST instead of FIN."""


class TrelloServer(ThreadingHTTPServer):
    """Listens on loopback and answers by the API, the control routes and the faults."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *, port: int, api: TrelloApi, faults: Faults, log: RequestLog, clock: Clock) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.api = api
        self.faults = faults
        self.log = log
        self.clock = clock
        self.control: Control | None = None
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._connections_changed = threading.Condition()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note the connection, so that `close_all` can end it."""
        with self._connections_changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End one connection."""
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_WR)
        self.close_request(request)
        with self._connections_changed:
            self._connections.discard(request)
            self._connections_changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client went away; show everything else."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no connection is open."""
        with self._connections_changed:
            return self._connections_changed.wait_for(lambda: not self._connections, timeout=timeout_s)

    def close_all(self) -> None:
        """End every open connection, also those that are held by a fault."""
        self.stopping.set()
        with self._connections_changed:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._connections_changed.wait_for(lambda: not self._connections, timeout=5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: TrelloServer

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass

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
            self._send(text_answer(411, "Length Required"))
        elif path.startswith("/_control/") and self.server.control is not None:
            self._send(self.server.control.answer(request))
            self.server.control.after(request)
        else:
            self._handle_api(request)

    def _handle_api(self, request: Request) -> None:
        server = self.server
        fault = server.faults.choose(request.method, request.path)
        if fault is None:
            answer = server.api.answer(request)
            self._log(request, answer, answer.status)
            self._send(answer)
            return
        spared = fault.kind in (Kind.SERVER_ERROR, Kind.WRONG_TYPE) and not fault.applied
        applied = fault.kind not in _BEFORE and not spared
        given = server.api.answer(request) if applied else None
        self._log(request, given, _status(fault, given), fault)
        self._misbehave(fault, request, given)

    def _misbehave(self, fault: Fault, request: Request, answer: Answer | None) -> None:
        match fault.kind:
            case Kind.RATE_LIMIT:
                error = {"error": "API_TOKEN_LIMIT_EXCEEDED", "message": "Rate limit exceeded"}
                self._send(json_answer(error, status=429))
            case Kind.SERVER_ERROR:
                self._send(text_answer(fault.status, "Service is temporarily unavailable"))
            case Kind.WRONG_TYPE:
                self._send(Answer(status=200, content_type="text/html; charset=utf-8", body=_HTML))
            case Kind.RESET_BEFORE | Kind.RESET_AFTER:
                self._reset()
            case Kind.TIMEOUT_BEFORE | Kind.TIMEOUT_AFTER:
                self._hold(fault.hold_s)
            case Kind.LATE:
                if request.method != "GET":
                    self.server.faults.postpone(lambda: self.server.api.answer(request))
                self._hold(fault.hold_s)
            case Kind.TRUNCATED if answer is not None:
                self._send(answer, cut=True)
            case Kind.SLOW if answer is not None:
                self.server.stopping.wait(fault.delay_s)
                self._send(answer)

    def _log(self, request: Request, answer: Answer | None, status: int, fault: Fault | None = None) -> None:
        route = answer.route if answer else self.server.api.route_name(request.method, request.path)
        self.server.log.append(
            LoggedRequest(
                method=request.method,
                path=masked(request.path, request.query),
                route=route,
                status=status,
                fault=str(fault.kind) if fault else None,
                applied=answer is not None,
            )
        )

    def _send(self, answer: Answer, *, cut: bool = False) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "max-age=0, must-revalidate, no-cache, no-store")
        self.send_header("ETag", etag(answer.body))
        self.send_header("X-Trello-Version", "1.533.0")
        self.send_header("X-Trello-Environment", "Production")
        self.send_header("X-Server-Time", str(int(self.server.clock.now().timestamp() * 1000)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if cut:
            self.close_connection = True
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
        self.wfile.flush()

    def _hold(self, seconds: float) -> None:
        """Keep the client waiting until it gives up, the time is over or the server stops."""
        self.close_connection = True
        left = seconds
        while left > 0 and not self.server.stopping.is_set():
            step = min(left, 0.05)
            readable, _, _ = select.select([self.connection], [], [], step)
            if readable:
                return
            left -= step

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # A shutdown would send FIN first; closing right away with data unread sends RST alone.
        self.rfile.close()
        self.connection.close()


def _status(fault: Fault, answer: Answer | None) -> int:
    match fault.kind:
        case Kind.RATE_LIMIT:
            return 429
        case Kind.SERVER_ERROR:
            return fault.status
        case Kind.WRONG_TYPE:
            return 200
        case Kind.SLOW | Kind.TRUNCATED:
            return answer.status if answer else 0
        case _:
            return 0
