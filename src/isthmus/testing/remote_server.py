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
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
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
from isthmus.simulators.loopback import Exchange, LoopbackServer, html_answer, json_answer
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

_PAGE: Final = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"


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
        self._http = LoopbackServer(self._serve, port=port)
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

    def _serve(self, exchange: Exchange) -> None:
        at = self.clock.now()
        request = exchange.request
        try:
            asked = json.loads(request.body or b"{}")
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            body = error_body("builtins.ValueError", "the body is no JSON object")
            exchange.send(json_answer(body, status=400))
        elif request.path.startswith("/_control/"):
            self._control(exchange, asked)
        elif (request.method, request.path) == ("POST", "/call") and {"model", "method"} <= asked.keys():
            self._call(exchange, asked, at)
        else:
            body = error_body("werkzeug.exceptions.NotFound", "there is only POST /call")
            exchange.send(json_answer(body, status=404))

    def _control(self, exchange: Exchange, asked: dict[str, Any]) -> None:
        request = exchange.request
        match request.method, request.path.removeprefix("/_control/"):
            case "GET", "accesses":
                counts = {f"{method} {model}": n for (method, model), n in self.accesses.items()}
                exchange.send(json_answer(counts))
            case "DELETE", "accesses":
                self.accesses.clear()
                exchange.send(json_answer({}))
            case "POST", "faults":
                try:
                    exchange.send(json_answer(self.faults.control(asked)))
                except (TypeError, ValueError) as exc:
                    exchange.send(json_answer({"message": str(exc)}, status=400))
            case "POST", "stop":
                exchange.send(json_answer({}))
                self.request_stop()
            case _:
                message = f"there is no control route {request.method} {request.path}"
                exchange.send(json_answer({"message": message}, status=404))

    def _call(self, exchange: Exchange, asked: dict[str, Any], at: datetime) -> None:
        method, model = str(asked["method"]), str(asked["model"])
        self.count(method, model)
        fault = self.faults.choose(method, model)
        match fault:
            case None:
                exchange.send(json_answer(self.answer(asked, at)))
            case FaultKind.ERROR_BEFORE:
                name = "psycopg2.errors.SerializationFailure"
                message = "could not serialize access due to concurrent update"
                exchange.send(json_answer(error_body(name, message)))
            case FaultKind.ACCESS:
                message = f"You are not allowed to {method} {model}"
                exchange.send(json_answer(error_body("odoo.exceptions.AccessError", message)))
            case FaultKind.LATE:
                self.faults.postpone(lambda: self.answer(asked, at))
                exchange.hold(self.faults.hold_s)
            case _:
                if fault.endswith("_after"):
                    self.answer(asked, at)
                self._break(exchange, fault)

    def _break(self, exchange: Exchange, fault: FaultKind) -> None:
        if fault in {FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER}:
            exchange.hold(self.faults.hold_s)
        elif fault in {FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER}:
            exchange.reset()
        else:
            exchange.send(html_answer(502, _PAGE))


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
