"""``POST /jsonrpc``: the services common, object and db. Errors have status 200."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from isthmus.simulators.loopback import Request, html_answer
from isthmus.simulators.odoo.asked import Asked, Outcome, body_of, brought, found_in
from isthmus.simulators.odoo.door import Door
from isthmus.simulators.odoo.errors import OdooError, access_denied, builtin
from isthmus.simulators.odoo.pages import bad_request


class Envelope:
    """The body of a JSON-RPC request and how its answer is wrapped.

    Attributes:
        params: The named parameters.
    """

    def __init__(self, body: dict[str, Any], door: Door) -> None:
        params = body.get("params", {})
        self.params: dict[str, Any] = params if isinstance(params, dict) else {}
        self._id = body.get("id")
        self._door = door

    def result(self, value: Any, method: str = "") -> Outcome:
        """Wrap a result; one that is None is left out, as Odoo does."""
        body = {"jsonrpc": "2.0", "id": self._id}
        if value is not None:
            body["result"] = value
        return Outcome(answer=body_of(body), found=found_in(method, value))

    def error(self, error: OdooError) -> Outcome:
        """Wrap an error."""
        data = {
            "name": error.name,
            "message": error.message,
            "arguments": error.arguments,
            "context": {},
            "debug": error.debug,
        }
        code, message = (200 if self._door.version.major < 19 else 0), "Odoo Server Error"
        if error.name == "odoo.http.SessionExpiredException":
            code, message = 100, "Odoo Session Expired"
        body = {"code": code, "message": message, "data": data}
        return Outcome(answer=body_of({"jsonrpc": "2.0", "id": self._id, "error": body}), error=error.name)

    def run(self, do: Callable[[], Any], method: str = "") -> Outcome:
        """Do something and wrap what becomes of it."""
        try:
            return self.result(do(), method)
        except OdooError as error:
            return self.error(error)


def open_envelope(request: Request, door: Door, route: str, protocol: str) -> Envelope | Asked:
    """Read the body of a JSON-RPC request; one that is none gives the answer to it instead."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"application/json", "application/json-rpc"}:
        return refused(bad_request(route), route, protocol)
    try:
        body = json.loads(request.body)
    except ValueError:
        return refused("Invalid JSON data", route, protocol)
    if not isinstance(body, dict):
        return refused("Invalid JSON-RPC data", route, protocol)
    return Envelope(body, door)


def refused(page: str, route: str, protocol: str) -> Asked:
    """Answer a request that is no JSON-RPC by 400 and a page."""
    outcome = Outcome(answer=html_answer(400, page), error="400")
    return Asked(protocol=protocol, route=route, answer=lambda: outcome, refuse=lambda _: outcome)


def lacking(function: str, names: Sequence[str]) -> OdooError:
    """Build Python's complaint about missing arguments.

    >>> lacking("RPC.jsonrpc", ["method", "args"]).message
    "RPC.jsonrpc() missing 2 required positional arguments: 'method' and 'args'"
    """
    shown = [repr(name) for name in names]
    listed = " and ".join(shown) if len(shown) < 3 else f"{', '.join(shown[:-1])}, and {shown[-1]}"
    noun = "argument" if len(shown) == 1 else "arguments"
    return builtin("TypeError", f"{function}() missing {len(shown)} required positional {noun}: {listed}")


class JsonRpc:
    """Understands requests to ``/jsonrpc``."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def ask(self, request: Request, route: str) -> Asked:
        """Understand a request."""
        envelope = open_envelope(request, self._door, route, "jsonrpc")
        if isinstance(envelope, Asked):
            return envelope
        params = envelope.params
        service, method, args = params.get("service"), params.get("method"), params.get("args")
        missing = [name for name in ("service", "method", "args") if name not in params]
        if missing:
            refusal = lacking("RPC.jsonrpc", missing)
            return _asked(envelope, route, method="", do=lambda: _raise(refusal))
        given = args if isinstance(args, list) else []
        if service == "object" and method in {"execute", "execute_kw"} and len(given) >= 5:
            model, called = str(given[3]), str(given[4])
            if method == "execute_kw":
                positional = given[5] if len(given) > 5 else []
                named = given[6] if len(given) > 6 else {}
            else:
                positional, named = given[5:], {}
            return _asked(
                envelope,
                route,
                model=model,
                method=called,
                records=brought(called, positional, named),
                do=lambda: self._execute(given, model, called, positional, named),
            )
        return _asked(
            envelope, route, method=str(method), do=lambda: self._serve(str(service), str(method), given)
        )

    def _execute(self, given: list[Any], model: str, method: str, args: Any, kwargs: Any) -> Any:
        database, uid, secret = given[:3]
        try:
            number = int(uid)
        except (TypeError, ValueError) as error:
            raise builtin(type(error).__name__, str(error)) from error
        self._door.check(database, number, secret)
        return self._door.call(number, model, method, args, kwargs)

    def _serve(self, service: str, method: str, args: list[Any]) -> Any:
        match service, method:
            case "common", "version":
                return self._door.version_info()
            case "common", "about":
                return "See http://openerp.com"
            case "common", "login" | "authenticate":
                names = ("db", "login", "password", "user_agent_env")[: 3 if method == "login" else 4]
                if len(args) < len(names):
                    raise lacking(f"exp_{method}", names[len(args) :])
                return self._door.log_in(*args[:3]) or False
            case "db", "server_version":
                return self._door.version.name
            case "db", _:
                raise access_denied()
            case "object", "execute" | "execute_kw":
                if len(args) < 3:
                    raise builtin("IndexError", "list index out of range")
                raise lacking(method, ("obj", "method", "args")[len(args) - 3 :])
            case "common" | "object", _:
                if service == "object" and len(args) < 3:
                    raise builtin("IndexError", "list index out of range")
                raise builtin(
                    "Exception" if service == "common" else "NameError", f"Method not found: {method}"
                )
            case _:
                raise builtin("KeyError", service)


def _asked(
    envelope: Envelope,
    route: str,
    *,
    method: str,
    do: Callable[[], Any],
    model: str = "",
    records: int = 0,
) -> Asked:
    return Asked(
        protocol="jsonrpc",
        route=route,
        model=model,
        method=method,
        records=records,
        answer=lambda: envelope.run(do, method),
        refuse=envelope.error,
    )


def _raise(error: OdooError) -> None:
    raise error
