"""Says what a failed call of Odoo means, in our errors and for a person."""

from typing import Final

from isthmus.errors import (
    BackendError,
    InvalidDataError,
    IsthmusError,
    LoginRefusedError,
    UnknownFieldError,
    UnknownModelError,
    UnknownOutcomeError,
)
from isthmus.http import Call, Refusal, shorten
from isthmus.store.odoo.fault import Fault, Place
from isthmus.store.odoo.rules import INVALID_FIELD, RULES

_OWN_WORDS: Final = frozenset({
    "ValidationError",
    "UserError",
    "RedirectWarning",
    "Warning",
    "except_orm",
    "AccessError",
    "AccessDenied",
    "MissingError",
    "LockError",
    "NotFound",
    "Unauthorized",
    "Forbidden",
    "UnprocessableEntity",
    "SessionExpiredException",
})
"""Exceptions that are written for people: their class adds nothing."""


def error_for_fault(fault: Fault, call: Call, place: Place) -> IsthmusError:
    """Say what an error of Odoo means.

    Args:
        fault: What Odoo tells.
        call: The request.
        place: Where it was.

    Returns:
        The error to raise; never None, for any fault.

    >>> fault = Fault(name="odoo.exceptions.ValidationError", message="A task needs a title.")
    >>> place = Place(server="odoo.example.org", database="company", login="anna", model="project.task")
    >>> error_for_fault(fault, Call(what="create 3 project.task", safe=False), place)
    InvalidDataError('cannot create 3 project.task: A task needs a title.')
    """
    rule = next(r for r in RULES if (r.read or not call.safe) and r.takes(fault, place))
    kind = rule.read if call.safe or rule.write is None else rule.write
    who = f"login {place.login!r}" if place.login else "the API key"
    advice = rule.advice.format(
        server=place.server, database=place.database, who=who, model=place.model or "this model"
    )
    if kind is UnknownModelError:
        return UnknownModelError(place.model, because=advice)
    if kind is UnknownFieldError:
        found = INVALID_FIELD.search(fault.message)
        if found is None:
            return UnknownFieldError(place.model, fault.message.strip(" '\n"), because=advice)
        model = found["model"] or found["path"] or place.model
        return UnknownFieldError(model, found["field"] or found["leaf"], because=advice)
    said = fault.said or fault.kind
    if fault.kind not in _OWN_WORDS and fault.said:
        said = f"{place.server} says {fault.kind}: {said}"
    message = f"cannot {call.what}: {said}"
    if advice:
        message = f"{message.rstrip(' .')}. {advice}"
    if kind is LoginRefusedError:
        return LoginRefusedError(message, expired=fault.kind == "SessionExpiredException")
    if kind is UnknownOutcomeError:
        return UnknownOutcomeError(f"{message}; it may have taken effect")
    if kind is None or (kind is InvalidDataError and not place.model):
        # A login has no data that a record could be parked for.
        kind = InvalidDataError if place.model else BackendError
    return kind(message)


def error_for_refusal(refusal: Refusal, call: Call, place: Place) -> IsthmusError | None:
    """Say what an answer means that is no success and not in Odoo's own form.

    Args:
        refusal: The answer.
        call: The request.
        place: Where it was.

    Returns:
        The error to raise; None where its status says enough (`isthmus.http.error_for_status`).
    """
    if 300 <= refusal.status < 400:
        return BackendError(
            f"cannot {call.what}: {place.server} sends us to {shorten(refusal.location) or 'another place'}. "
            f"{_direction(refusal.location)}"
        )
    if "No database is selected" in refusal.text:
        return BackendError(
            f"cannot {call.what}: {place.server} has no database {place.database!r}, "
            f"or does not serve it under this host name (dbfilter)"
        )
    if refusal.status in {404, 405, 410}:
        return BackendError(
            f"cannot {call.what}: no Odoo answers there at {place.server} (status {refusal.status}). "
            f"Is the location the address of the server, without any path behind it?"
        )
    return None


def _direction(location: str) -> str:
    if "/web/login" in location or "/web/database" in location or "/odoo" in location:
        return "It wants a browser: does something before Odoo ask for a login, is the database known?"
    return "Use the final address of the server as the location, with https:// where it has that"
