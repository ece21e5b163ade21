"""The routes of the web client: a session by cookie, then methods in it."""

import secrets
from http.cookies import SimpleCookie
from typing import Any

from isthmus.simulators.loopback import Answer, Request
from isthmus.simulators.odoo.asked import Asked, Outcome, brought
from isthmus.simulators.odoo.door import Door
from isthmus.simulators.odoo.errors import OdooError, access_denied
from isthmus.simulators.odoo.jsonrpc import Envelope, lacking, open_envelope


class Sessions:
    """Understands requests of the web client and remembers who is in which session."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._users: dict[str, int] = {}

    def expire(self) -> None:
        """End all sessions."""
        self._users.clear()

    def ask(self, request: Request, route: str) -> Asked:
        """Understand a request."""
        envelope = open_envelope(request, self._door, route, "session")
        if isinstance(envelope, Asked):
            return envelope
        params = envelope.params
        if request.path.startswith("/web/dataset/"):
            model, method = str(params.get("model", "")), str(params.get("method", ""))
            args, kwargs = params.get("args", []), params.get("kwargs", {})
            return Asked(
                protocol="session",
                route=route,
                model=model,
                method=method,
                records=brought(method, args, kwargs),
                answer=lambda: envelope.run(
                    lambda: self._door.call(self._who(request), model, method, args, kwargs), method
                ),
                refuse=envelope.error,
            )
        method = request.path.rpartition("/")[2]
        return Asked(
            protocol="session",
            route=route,
            method=method,
            answer=lambda: self._serve(envelope, request, method),
            refuse=envelope.error,
        )

    def _serve(self, envelope: Envelope, request: Request, method: str) -> Outcome:
        if method == "version_info":
            return envelope.result(self._door.version_info())
        if method == "destroy":
            self._users.pop(_session(request), None)
            return envelope.result(None)
        try:
            uid, info = self._authenticate(envelope.params)
        except OdooError as error:
            return envelope.error(error)
        session = secrets.token_urlsafe(42)
        self._users[session] = uid
        outcome = envelope.result(info)
        cookie = f"session_id={session}; Max-Age=604800; HttpOnly; Path=/"
        plain = outcome.answer
        return Outcome(
            answer=Answer(
                status=plain.status,
                content_type=plain.content_type,
                body=plain.body,
                headers={"Set-Cookie": cookie},
            )
        )

    def _authenticate(self, params: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        missing = [name for name in ("db", "login", "password") if name not in params]
        if missing:
            raise lacking("Session.authenticate", missing)
        uid = self._door.log_in(params["db"], params["login"], params["password"])
        if uid is None:
            raise access_denied()
        user = self._door.call(uid, "res.users", "read", [[uid], ["name", "login", "partner_id"]], {})[0]
        context = self._door.call(uid, "res.users", "context_get", [], {})
        version = self._door.version
        return uid, {
            "uid": uid,
            "is_system": uid == 2,
            "is_admin": uid == 2,
            "is_public": False,
            "is_internal_user": True,
            "user_context": {**context, "uid": uid},
            "db": self._door.database,
            "server_version": version.name,
            "server_version_info": version.info,
            "name": user["name"],
            "username": user["login"],
            "partner_id": user["partner_id"][0] if user["partner_id"] else False,
        }

    def _who(self, request: Request) -> int:
        uid = self._users.get(_session(request))
        if uid is None:
            raise OdooError("odoo.http.SessionExpiredException", "Session expired")
        return uid


def _session(request: Request) -> str:
    found = SimpleCookie(request.headers.get("cookie", "")).get("session_id")
    return found.value if found else ""
