"""A server on loopback that stands for a live Odoo: the same models, in a second database.

``python -m isthmus.testing.remote_server --database sqlite:////path/remote.db --port 0`` prints its URL
and serves until ``POST /_control/stop`` or an interrupt.

============================  ===========================================================
``POST /call``                ``{"model", "method", "args": {...}, "context": {...}}``; 200 with
                              ``{"result": ...}`` or ``{"error": {"message", "data": {"name"}}}``
``GET /_control/accesses``    ``{"method model": count}``; ``DELETE`` sets them to zero
``/_control/...``             the routes of every simulator (`isthmus.simulators.loopback.control`)
============================  ===========================================================
"""

import argparse
import json
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

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
from isthmus.simulators.loopback import (
    ControlRoutes,
    Exchange,
    Fault,
    LoopbackServer,
    Simulator,
    html_answer,
    json_answer,
)
from isthmus.testing.remote_faults import WRITES, FaultKind, RemoteFaults
from isthmus.testing.remote_records import RemoteRecords
from isthmus.testing.tables import bundled_models

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


class RemoteServer(Simulator):
    """The server, in threads of this process; a context manager.

    Args:
        database_url: The second database (a SQLite file or PostgreSQL); its tables are made.
        models: Mapped class by model name; None takes all bundled models.
        create_safety: What creates offer against being repeated.
        clock: Stamps the records.
        port: Where to listen; 0 takes a free port.

    Attributes:
        url: Where it listens; empty before the first start.
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
        super().__init__(name="remote-server", port=port)
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
        own = {("GET", "accesses"): self._tell_accesses, ("DELETE", "accesses"): self._clear_accesses}
        self._control = ControlRoutes(self.faults, self.request_stop, own)

    def _make_server(self, port: int) -> LoopbackServer:
        return LoopbackServer(self._serve, port=port)

    def stop(self) -> None:
        """Stop serving and end every connection, also those to the database; a second call does nothing."""
        super().stop()
        self.records.close()

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
        if request.path.startswith("/_control/"):
            exchange.send(self._control.answer(request))
            self._control.after(request)
            return
        try:
            asked = json.loads(request.body or b"{}")
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            body = error_body("builtins.ValueError", "the body is no JSON object")
            exchange.send(json_answer(body, status=400))
        elif (request.method, request.path) == ("POST", "/call") and {"model", "method"} <= asked.keys():
            self._call(exchange, asked, at)
        else:
            body = error_body("werkzeug.exceptions.NotFound", "there is only POST /call")
            exchange.send(json_answer(body, status=404))

    def _tell_accesses(self, _: dict[str, Any]) -> dict[str, int]:
        return {f"{method} {model}": n for (method, model), n in self.accesses.items()}

    def _clear_accesses(self, _: dict[str, Any]) -> dict[str, int]:
        self.accesses.clear()
        return {}

    def _call(self, exchange: Exchange, asked: dict[str, Any], at: datetime) -> None:
        method, model = str(asked["method"]), str(asked["model"])
        self.count(method, model)
        fault = self.faults.choose(method, model)
        if fault is None:
            exchange.send(json_answer(self.answer(asked, at)))
            return
        match fault.kind:
            case FaultKind.ERROR_BEFORE:
                name = "psycopg2.errors.SerializationFailure"
                message = "could not serialize access due to concurrent update"
                exchange.send(json_answer(error_body(name, message)))
            case FaultKind.ACCESS:
                message = f"You are not allowed to {method} {model}"
                exchange.send(json_answer(error_body("odoo.exceptions.AccessError", message)))
            case FaultKind.LATE:
                if method in WRITES:
                    self.faults.postpone(lambda: self.answer(asked, at))
                exchange.hold(fault.hold_s)
            case _:
                if fault.kind.endswith("_after"):
                    self.answer(asked, at)
                self._break(exchange, fault)

    def _break(self, exchange: Exchange, fault: Fault) -> None:
        if fault.kind in {FaultKind.TIMEOUT_BEFORE, FaultKind.TIMEOUT_AFTER}:
            exchange.hold(fault.hold_s)
        elif fault.kind in {FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER}:
            exchange.reset()
        else:
            exchange.send(html_answer(502, _PAGE))


def error_body(name: str, message: str) -> dict[str, Any]:
    """Give the body of an answer that tells an error, as Odoo writes it."""
    return {
        "jsonrpc": "2.0",
        "error": {"code": 200, "message": "Odoo Server Error", "data": {"name": name, "message": message}},
    }


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m isthmus.testing.remote_server", description="Records behind a loopback server."
    )
    parser.add_argument("--database", required=True, help="URL of the second database")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--create-safety", choices=[str(c) for c in CreateSafety], default="none")
    options = parser.parse_args()
    RemoteServer(options.database, create_safety=options.create_safety, port=options.port).run()


if __name__ == "__main__":
    main()
