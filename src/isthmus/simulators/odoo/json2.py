"""``POST /json/2/<model>/<method>``: named arguments, a key as bearer, statuses that mean something."""

import json
from typing import Any, Final

from isthmus.simulators.loopback import Answer, Request, html_answer
from isthmus.simulators.odoo import pages
from isthmus.simulators.odoo.asked import Asked, Outcome, body_of, brought, found_in
from isthmus.simulators.odoo.door import Door
from isthmus.simulators.odoo.errors import OdooError
from isthmus.simulators.odoo.signatures import ALIASES, SIGNATURES, methods_of, not_found, unprocessable

_STATUS: Final = {
    "odoo.exceptions.AccessDenied": 403,
    "odoo.exceptions.AccessError": 403,
    "odoo.exceptions.LockError": 409,
    "odoo.exceptions.MissingError": 404,
    "odoo.exceptions.UserError": 422,
    "odoo.exceptions.ValidationError": 422,
    "werkzeug.exceptions.BadRequest": 400,
    "werkzeug.exceptions.NotFound": 404,
    "werkzeug.exceptions.Unauthorized": 401,
    "werkzeug.exceptions.UnprocessableEntity": 422,
}
"""Everything else is 500."""

_NO_KEY: Final = "User not authenticated, use an API Key with a Bearer Authorization header."
_RECORDS: Final = {"create", "copy"}
"""Methods that give records, of which JSON-2 shows the list of IDs."""


def refusal(error: OdooError) -> Outcome:
    """Answer with an error."""
    status = _STATUS.get(error.name, 500)
    headers = {"WWW-Authenticate": "Bearer "} if status == 401 else {}
    body = {
        "name": error.name,
        "message": error.message,
        "arguments": error.arguments,
        "context": {},
        "debug": error.debug,
    }
    return Outcome(answer=body_of(body, status=status, headers=headers), error=error.name)


class Json2:
    """Understands requests to ``/json/2`` and ``/doc-bearer``."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def ask(self, request: Request, route: str, model: str, method: str) -> Asked:
        """Understand a call."""
        try:
            body = json.loads(request.body or b"{}")
        except ValueError as error:
            body = error
        named = body if isinstance(body, dict) else {}
        ids = named.get("ids", ())
        given = [ids] if ids else []
        return Asked(
            protocol="json2",
            route=route,
            model=model,
            method=method,
            records=brought(method, given, named),
            answer=lambda: self._answer(request, model, method, body),
            refuse=refusal,
        )

    def lost(self) -> Outcome:
        """Answer what is below ``/json/2`` and no call."""
        return refusal(not_found("Did you mean POST /json/2/<model>/<method>?"))

    def describe(self, request: Request, model: str) -> Answer:
        """Tell the methods of a model."""
        try:
            self._who(request)
        except OdooError:
            return html_answer(401, pages.UNAUTHORIZED)
        if model not in self._door.world.registry:
            return html_answer(404, pages.NOT_FOUND)
        methods = {
            name: {
                "signature": f"({', '.join(found.names)})",
                "parameters": {p: {} if p in found.required else {"default": None} for p in found.names},
                "return": {},
                "api": ["model"] if found.of_model else [],
            }
            for name, found in methods_of(model).items()
        }
        return body_of({"model": model, "name": model, "doc": None, "fields": {}, "methods": methods})

    def _answer(self, request: Request, model: str, method: str, body: Any) -> Outcome:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.headers.get("x-odoo-database", self._door.database) != self._door.database:
            return Outcome(answer=html_answer(404, pages.NO_DATABASE), error="404")
        if kind != "application/json":
            return Outcome(answer=html_answer(415, pages.UNSUPPORTED), error="415")
        try:
            result = self._call(self._who(request), model, method, body)
        except OdooError as error:
            return refusal(error)
        return Outcome(answer=body_of(result), found=found_in(method, result))

    def _who(self, request: Request) -> int:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise OdooError("werkzeug.exceptions.Unauthorized", _NO_KEY, [_NO_KEY, 401])
        uid = self._door.world.user_of_key(key.strip())
        if uid is None:
            raise OdooError("werkzeug.exceptions.Unauthorized", "Invalid apikey", ["Invalid apikey", 401])
        return uid

    def _call(self, uid: int, model: str, method: str, body: Any) -> Any:
        if isinstance(body, ValueError):
            why = f"could not parse the body as json: {body}"
            raise OdooError("werkzeug.exceptions.BadRequest", why, [why, 400])
        named = dict(body) if isinstance(body, dict) else {}
        if model not in self._door.world.registry:
            raise not_found(f"the model {model!r} does not exist")
        ids, context = named.pop("ids", []), named.pop("context", {})
        signature = SIGNATURES.get(method)
        if signature is not None:
            if signature.of_model and ids:
                raise unprocessable(f"cannot call {model}.{method} with ids")
            misfit = signature.misfit(named)
            if misfit is not None:
                raise unprocessable(misfit)
        of_model = signature is not None and signature.of_model
        positional = [] if of_model else [ids if isinstance(ids, list) else [ids]]
        try:
            given = {ALIASES.get((method, name), name): value for name, value in named.items()}
            result = self._door.call(uid, model, method, positional, {**given, "context": context})
        except OdooError as error:
            if error.kind in {"model", "method"} or error.name == "builtins.AttributeError":
                raise not_found(error.message) from error
            if error.kind == "arguments":
                raise unprocessable(error.message) from error
            raise
        return [result] if method in _RECORDS and isinstance(result, int) else result
