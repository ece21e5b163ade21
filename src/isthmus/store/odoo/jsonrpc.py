"""JSON-RPC, which every Odoo from 8 to 21 speaks: one route, errors in answers of status 200."""

import itertools
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar, Final

from isthmus.errors import (
    BackendError,
    CredentialsError,
    IDMissingInBackend,
    IsthmusError,
    LoginRefusedError,
)
from isthmus.http import Call, HTTPClient, Refusal, unsettled
from isthmus.store.odoo.failure import error_for_fault, error_for_refusal
from isthmus.store.odoo.fault import Fault, Place
from isthmus.store.odoo.transport import Identity, Login, ProtocolName, Request, place_of
from isthmus.store.odoo.version import OdooVersion

ROUTE: Final = "/jsonrpc"

_UNWRITABLE: Final = ("cannot marshal", "is not json serializable", "keys must be")
"""What Python says about a result that JSON cannot carry."""
_IN_METHOD: Final = frozenset({"call_kw", "execute_cr", "execute_kw"})
"""In a traceback: the method itself still ran, so its transaction was rolled back."""
_numbers = itertools.count(1)


class JsonRpc:
    """One login over JSON-RPC.

    Args:
        http: The server.
        login: Who we are; password and API key are given alike.
    """

    name: ClassVar[ProtocolName] = "jsonrpc"

    def __init__(self, http: HTTPClient, login: Login) -> None:
        self._http = http
        self._login = login
        self._uid: int | None = None

    def log_in(self) -> Identity:
        """Ask for the user's ID, which every call carries beside the secret.

        Raises:
            LoginRefusedError: When login and secret do not fit.
            BackendError: When the server does not serve the database.
        """
        login = self._login
        what = f"log in to database {login.database!r} as {login.login!r}"
        place = Place(server=self._http.server, database=login.database, login=login.login)
        if not login.login:
            msg = f"cannot log in to database {login.database!r} of {place.server}: JSON-RPC needs a login"
            raise LoginRefusedError(msg)
        params = [login.database, login.login, login.secret, {}]
        uid = invoke(self._http, "common", "authenticate", params, what=what, safe=True, place=place)
        if not uid:
            msg = (
                f"cannot {what}: {place.server} does not know this login with this password or API key. "
                f"A user with two-factor authentication needs an API key"
            )
            raise LoginRefusedError(msg)
        if not isinstance(uid, int) or isinstance(uid, bool):
            msg = f"cannot {what}: {place.server} promised the ID of a user and sent something else"
            raise BackendError(msg)
        self._uid = uid
        return Identity(uid)

    def call(self, request: Request) -> Any:
        """Call a method: the IDs, if any, and its arguments by position, options and context by name."""
        login, server = self._login, self._http.server
        positional: list[Any] = [] if request.ids is None else [list(request.ids)]
        positional += request.args.values()
        named = dict(request.options)
        if request.context is not None:
            named["context"] = dict(request.context)
        place = place_of(request, server, login, self._uid)
        params = [login.database, self._uid, login.secret, request.model, request.method, positional, named]
        return invoke(
            self._http, "object", "execute_kw", params, what=request.what, safe=request.safe, place=place
        )


def invoke(
    http: HTTPClient, service: str, method: str, params: list[Any], *, what: str, safe: bool, place: Place
) -> Any:
    """Call a method of one of Odoo's services.

    Args:
        http: The server.
        service: ``"common"`` or ``"object"``.
        method: Its method.
        params: The method's arguments.
        what: What it is for.
        safe: Whether it only reads.
        place: Where it is, for messages.

    Returns:
        The result; None where Odoo sends none.
    """
    body = {
        "jsonrpc": "2.0",
        "method": "call",
        "params": {"service": service, "method": method, "args": params},
        "id": next(_numbers),
    }

    def explain(refusal: Refusal, call: Call) -> IsthmusError | None:
        return error_for_refusal(refusal, call, place)

    return http.request(
        "POST",
        ROUTE,
        what=what,
        json=body,
        idempotent=safe,
        promise=_result(place, http.scrub),
        explain=explain,
    )


def ask_version(http: HTTPClient) -> OdooVersion:
    """Ask a server which Odoo it is; needs no login.

    Args:
        http: The server.

    Returns:
        Its version.

    Raises:
        CredentialsError: When something before Odoo wants credentials of its own.
    """
    what = "read the version of Odoo"
    place = Place(server=http.server, database="", login=None)

    def explain(refusal: Refusal, call: Call) -> IsthmusError | None:
        return None if refusal.status == HTTPStatus.NOT_FOUND else error_for_refusal(refusal, call, place)

    try:
        told = http.request("GET", "/web/version", what=what, explain=explain)
    except CredentialsError:
        raise
    except (IDMissingInBackend, BackendError):
        # Before Odoo 19 there is no such page, and a website may send us anywhere for it.
        told = invoke(http, "common", "version", [], what=what, safe=True, place=place)
    return OdooVersion.told(told if isinstance(told, dict) else {}, server=http.server)


def _result(place: Place, scrub: Callable[[str], str]) -> Callable[[Any, Call], Any]:
    """Take the result out of an answer, or raise what its error means."""

    def promise(value: Any, call: Call) -> Any:
        if not isinstance(value, dict) or value.get("jsonrpc") != "2.0":
            error = unsettled(
                f"cannot {call.what}: {place.server} answered JSON, but not as an Odoo does", call
            )
            raise error
        if "error" not in value:
            # A method that gives None is answered without a result.
            return value.get("result")
        told = value["error"]
        data = told.get("data") if isinstance(told, dict) else None
        fault = Fault.told(data, scrub) or _bare(told, scrub)
        if not call.safe and _was_done(fault):
            return None
        error = error_for_fault(fault, call, place)
        raise error

    return promise


def _bare(told: Any, scrub: Callable[[str], str]) -> Fault:
    """Read an error without details; its code is an HTTP status or 100 for a lost session."""
    told = told if isinstance(told, dict) else {"message": told}
    kind = {100: "SessionExpiredException", 404: "NotFound"}.get(told.get("code"), "Error")
    return Fault(name=kind, message=scrub(str(told.get("message", ""))))


def _was_done(fault: Fault) -> bool:
    """Tell that a method ran and was committed, and only its result could not be written as JSON.

    Odoo commits before it writes the answer.
    """
    said = fault.message.lower()
    return (
        fault.kind == "TypeError"
        and any(words in said for words in _UNWRITABLE)
        and _IN_METHOD.isdisjoint(fault.frames)
    )
