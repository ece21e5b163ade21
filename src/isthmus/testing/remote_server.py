"""A server on loopback that stands for a live Odoo: the same models, in a second database.

``python -m isthmus.testing.remote_server --database sqlite:////path/remote.db --port 0`` prints its URL
and serves until ``POST /_control/stop`` or an interrupt.

============================  ===========================================================
``POST /call``                ``{"model", "method", "args": {...}, "context": {...}}``; 200 with
                              ``{"result": ...}`` or ``{"error": {"message", "data": {"name"}}}``
``GET /_control/accesses``    ``{"method model": count}``; ``DELETE`` sets them to zero
``POST /_control/faults``     see `RemoteFaults.control`
``POST /_control/stop``       ends the program
============================  ===========================================================
"""

import argparse
import contextlib
import json
import select
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any, Final, Self

from sqlalchemy.exc import DBAPIError

from isthmus.clock import Clock, SystemClock
from isthmus.env import CreateSafety
from isthmus.errors import (
    DatabaseBusyError,
    DomainError,
    InvalidDataError,
    IsthmusError,
    MissingRecordError,
    RecordValueError,
    UnknownModelError,
)
from isthmus.models import GROUPS
from isthmus.store.sql import SqlModel
from isthmus.testing.remote_faults import FaultKind, RemoteFaults
from isthmus.testing.remote_records import RemoteRecords

_NAMES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (MissingRecordError, "odoo.exceptions.MissingError"),
    (DatabaseBusyError, "psycopg2.errors.SerializationFailure"),
    (UnknownModelError, "builtins.KeyError"),
    (RecordValueError, "odoo.exceptions.ValidationError"),
    (InvalidDataError, "odoo.exceptions.ValidationError"),
    (DBAPIError, "odoo.exceptions.ValidationError"),
    (DomainError, "builtins.ValueError"),
)
"""What an error is called on the wire."""

_PAGE: Final = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends RST instead of FIN."""


class RemoteServer:
    """The server, in threads of this process.

    Args:
        database_url: The second database (a SQLite file or PostgreSQL); its tables are made.
        models: Mapped class by model name; None takes all bundled models.
        create_safety: What creates offer against being repeated.
        clock: Stamps the records.
        port: Where to listen; 0 takes a free port.

    Attributes:
        url: Where it listens.
        faults: What goes wrong.
        accesses: How often each (method, model) was called, whatever became of it.
        records: The records, for tests that look inside without a call.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, RemoteServer(f"sqlite:///{folder}/remote.db") as server:
    ...     with server.records.env() as env:
    ...         env["project.project"].create({"name": "Website"}).name
    'Website'
    """

    def __init__(
        self,
        database_url: str,
        models: Mapping[str, type] | None = None,
        *,
        create_safety: CreateSafety | str = CreateSafety.NONE,
        clock: Clock | None = None,
        port: int = 0,
    ) -> None:
        self.clock = clock or SystemClock()
        self.faults = RemoteFaults()
        self.accesses: Counter[tuple[str, str]] = Counter()
        self.records = RemoteRecords(
            database_url,
            bundled_models() if models is None else models,
            create_safety=CreateSafety(create_safety),
            clock=self.clock,
        )
        self._counting = threading.Lock()
        self._stop = threading.Event()
        self._http = _Server(port, self)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Serve in a thread."""
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.02,), name="remote-server", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and end every connection; a second call does nothing."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._http.shutdown()
        thread.join(timeout=10)
        self._http.close_all()
        self._http.server_close()
        self.records.close()

    def wait_idle(self, timeout_s: float = 10.0) -> bool:
        """Wait until every client has gone and what it asked for last is done.

        Args:
            timeout_s: How long at most.

        Returns:
            False when some are still there.
        """
        return self._http.wait_idle(timeout_s)

    def request_stop(self) -> None:
        """Let `wait` return; the one who waits stops the server."""
        self._stop.set()

    def wait(self) -> None:
        """Wait until somebody asks for the end."""
        self._stop.wait()

    def count(self, method: str, model: str) -> None:
        """Count a call."""
        with self._counting:
            self.accesses[method, model] += 1

    def answer(self, asked: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        """Do a call and give the body of its answer."""
        try:
            result = self.records.call(
                str(asked["method"]),
                str(asked["model"]),
                asked.get("args") or {},
                at=at,
                context=asked.get("context") or {},
            )
        except (IsthmusError, DBAPIError, TypeError, ValueError) as exc:
            name = next((n for cls, n in _NAMES if isinstance(exc, cls)), "builtins.ValueError")
            message = str(exc.orig) if isinstance(exc, DBAPIError) else str(exc)
            return error_body(name, message)
        return {"jsonrpc": "2.0", "result": result}


def error_body(name: str, message: str) -> dict[str, Any]:
    """Give the body of an answer that tells an error, as Odoo writes it."""
    return {
        "jsonrpc": "2.0",
        "error": {"code": 200, "message": "Odoo Server Error", "data": {"name": name, "message": message}},
    }


def bundled_models() -> dict[str, type]:
    """Give the mapped classes of all bundled model groups, by model name."""
    modules = {import_module(module).__name__ for module, _ in GROUPS.values()}
    mapped = [mapper.class_ for mapper in SqlModel.registry.mappers]
    return {cls._name: cls for cls in mapped if cls.__module__ in modules and cls._name}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, remote: RemoteServer) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.remote = remote
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
    server: _Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass

    def _handle(self) -> None:
        at = self.server.remote.clock.now()
        length = self.headers.get("Content-Length", "")
        body = self.rfile.read(int(length)) if length.isdecimal() else b""
        try:
            asked = json.loads(body or b"{}")
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            self._send(400, error_body("builtins.ValueError", "the body is no JSON object"))
        elif self.path.startswith("/_control/"):
            self._control(asked)
        elif (self.command, self.path) == ("POST", "/call") and {"model", "method"} <= asked.keys():
            self._call(asked, at)
        else:
            self._send(404, error_body("werkzeug.exceptions.NotFound", "there is only POST /call"))

    def _control(self, asked: dict[str, Any]) -> None:
        remote = self.server.remote
        match self.command, self.path.removeprefix("/_control/"):
            case "GET", "accesses":
                self._send(200, {f"{method} {model}": n for (method, model), n in remote.accesses.items()})
            case "DELETE", "accesses":
                remote.accesses.clear()
                self._send(200, {})
            case "POST", "faults":
                try:
                    self._send(200, remote.faults.control(asked))
                except (TypeError, ValueError) as exc:
                    self._send(400, {"message": str(exc)})
            case "POST", "stop":
                self._send(200, {})
                remote.request_stop()
            case _:
                self._send(404, {"message": f"there is no control route {self.command} {self.path}"})

    def _call(self, asked: dict[str, Any], at: datetime) -> None:
        remote = self.server.remote
        method, model = str(asked["method"]), str(asked["model"])
        remote.count(method, model)
        fault = remote.faults.choose(method, model)
        match fault:
            case None:
                self._send(200, remote.answer(asked, at))
            case FaultKind.ERROR_BEFORE:
                name = "psycopg2.errors.SerializationFailure"
                self._send(200, error_body(name, "could not serialize access due to concurrent update"))
            case FaultKind.ACCESS:
                message = f"You are not allowed to {method} {model}"
                self._send(200, error_body("odoo.exceptions.AccessError", message))
            case FaultKind.LATE:
                remote.faults.postpone(lambda: remote.answer(asked, at))
                self._hold()
            case _:
                if fault.endswith("_after"):
                    remote.answer(asked, at)
                self._break(fault)

    def _break(self, fault: FaultKind) -> None:
        if fault in {FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER}:
            self._hold()
        elif fault in {FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER}:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            # A shutdown would send FIN first; closing right away sends RST alone.
            self.rfile.close()
            self.connection.close()
        else:
            self._reply(502, "text/html; charset=utf-8", _PAGE)

    def _hold(self) -> None:
        """Keep the client waiting until it gives up, the time is over or the server stops."""
        self.close_connection = True
        left = self.server.remote.faults.hold_s
        while left > 0 and not self.server.stopping.is_set():
            step = min(left, 0.05)
            readable, _, _ = select.select([self.connection], [], [], step)
            if readable:
                return
            left -= step

    def _send(self, status: int, body: Any) -> None:
        self._reply(status, "application/json", json.dumps(body, ensure_ascii=False).encode())

    def _reply(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m isthmus.testing.remote_server", description="Records behind a loopback server."
    )
    parser.add_argument("--database", required=True, help="URL of the second database")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--create-safety", choices=[str(c) for c in CreateSafety], default="none")
    options = parser.parse_args()
    server = RemoteServer(options.database, create_safety=options.create_safety, port=options.port)
    with server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            server.wait()


if __name__ == "__main__":
    main()
