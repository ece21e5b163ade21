"""JSON-2, which Odoo 19 and later speak: a route per method, named arguments, an API key."""

import json
from collections.abc import Callable
from typing import Any, ClassVar, Final

from isthmus.errors import BackendError, IsthmusError
from isthmus.http import Auth, Call, HTTPClient, Refusal, path
from isthmus.store.odoo.failure import error_for_fault, error_for_refusal
from isthmus.store.odoo.fault import Fault
from isthmus.store.odoo.transport import Identity, Login, ProtocolName, Request, place_of

ROUTE: Final = ("json", "2")


class Json2:
    """One API key over JSON-2.

    Args:
        http: The server.
        login: Who we are; its secret must be an API key.

    Raises:
        CredentialsError: When the key holds what no header can carry.
        BackendError: When the database's name does.
    """

    name: ClassVar[ProtocolName] = "json2"

    def __init__(self, http: HTTPClient, login: Login) -> None:
        self._http = http
        self._login = login
        self._uid: int | None = None
        if not login.database.isascii() or not login.database.isprintable():
            msg = f"the name of the database, {login.database!r}, holds letters that JSON-2 cannot carry"
            raise BackendError(msg)
        bearer = Auth(headers={"Authorization": f"bearer {login.secret}"})
        self._headers = {**bearer.headers, "X-Odoo-Database": login.database}

    def log_in(self) -> Identity:
        """Ask who the key belongs to.

        Raises:
            BackendError: When the answer does not tell.
        """
        who = f"as {self._login.login!r}" if self._login.login else "with an API key"
        what = f"log in to database {self._login.database!r} {who}"
        context = self.call(Request(model="res.users", method="context_get", what=what, safe=True))
        uid = context.get("uid") if isinstance(context, dict) else None
        if not isinstance(uid, int) or isinstance(uid, bool):
            msg = f"cannot {what}: {self._http.server} does not tell who the API key belongs to"
            raise BackendError(msg)
        self._uid = uid
        return Identity(uid, context)

    def call(self, request: Request) -> Any:
        """Call a method, everything by name."""
        body: dict[str, Any] = {**request.args, **request.options}
        if request.ids is not None:
            body["ids"] = list(request.ids)
        if request.context is not None:
            body["context"] = dict(request.context)
        place = place_of(request, self._http.server, self._login, self._uid)

        def explain(refusal: Refusal, call: Call) -> IsthmusError | None:
            fault = _fault(refusal.text, self._http.scrub)
            if fault is None:
                return error_for_refusal(refusal, call, place)
            return error_for_fault(fault, call, place)

        return self._http.request(
            "POST",
            path(*ROUTE, request.model, request.method),
            what=request.what,
            json=body,
            headers=self._headers,
            idempotent=request.safe,
            explain=explain,
        )


def _fault(text: str, scrub: Callable[[str], str]) -> Fault | None:
    try:
        # Once more: JSON may have spelt a secret with escapes.
        return Fault.told(json.loads(text), scrub)
    except (ValueError, RecursionError):
        return None
