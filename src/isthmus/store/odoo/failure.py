"""The one table that says what Odoo's errors mean; what HTTP's mean is in `isthmus.http`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from isthmus.errors import (
    AnswerCutError,
    BackendError,
    CredentialsError,
    FailError,
    InvalidDataError,
    IsthmusError,
    LoginRefusedError,
    MissingRecordError,
    NetworkRetryableError,
    UnknownFieldError,
    UnknownModelError,
    UnknownOutcomeError,
)
from isthmus.http import Call, Refusal, shorten

_FRAME: Final = re.compile(r'^  File ".*", line \d+, in (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error as Odoo tells it.

    Attributes:
        name: The exception's class with its module: "odoo.exceptions.ValidationError".
        message: What it says, without our secrets.
        debug: The traceback; only looked into, never shown.
    """

    name: str
    message: str
    debug: str = ""

    @classmethod
    def told(cls, data: Any, scrub: Callable[[str], str] = str) -> "Fault | None":
        """Read the error object that both protocols send.

        Args:
            data: What should be such an object.
            scrub: Masks secrets.

        Returns:
            The fault; None when *data* is something else.
        """
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            return None
        message = data.get("message")
        arguments = data.get("arguments")
        # A RedirectWarning's message also has its action and its button.
        if data["name"].endswith("RedirectWarning") and isinstance(arguments, list) and arguments:
            message = arguments[0]
        return cls(name=data["name"], message=scrub(str(message or "")), debug=str(data.get("debug") or ""))

    @property
    def kind(self) -> str:
        """The exception's class, without its module."""
        return self.name.rpartition(".")[2]

    @property
    def raised_in(self) -> str:
        """The function that raised it, as far as the traceback tells."""
        frames: list[str] = _FRAME.findall(self.debug)
        return frames[-1] if frames else ""

    @property
    def said(self) -> str:
        """What Odoo says, in one short line; a traceback is not shown."""
        return shorten(self.message.partition("Traceback (most recent call last)")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a fault happened, for messages.

    Attributes:
        server: Host and port.
        database: The database.
        login: Who called.
        uid: The caller's user; None before the login.
        model: The model that was called; empty for a login.
    """

    server: str
    database: str
    login: str | None
    uid: int | None = None
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one kind of fault means.

    Attributes:
        title: What it is, for people.
        kinds: Names of exceptions; empty for any.
        text: What the message must hold; None for any.
        test: What else must be so; None for nothing.
        read: The error for a call that only reads; None: the rule is not for reads.
        write: The error for any other call; None: the same.
        advice: What the message says behind Odoo's own words; may name attributes of `Place`.
    """

    title: str
    kinds: frozenset[str] = frozenset()
    text: re.Pattern[str] | None = None
    test: Callable[[Fault, Place], bool] | None = None
    read: type[IsthmusError] | None
    write: type[IsthmusError] | None = None
    advice: str = ""

    def takes(self, fault: Fault, place: Place) -> bool:
        """Tell whether *fault* is of this kind."""
        return (
            (not self.kinds or fault.kind in self.kinds)
            and (self.text is None or self.text.search(fault.message) is not None)
            and (self.test is None or self.test(fault, place))
        )


def _kinds(names: str) -> frozenset[str]:
    return frozenset(names.split())


def _text(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _is_after_commit(fault: Fault, place: Place) -> bool:  # noqa: ARG001
    """Tell that the change stood when this was raised (hooks of a commit, caches of other workers)."""
    return "postcommit.run()" in fault.debug or "signal_changes" in _FRAME.findall(fault.debug)


def _is_our_user(fault: Fault, place: Place) -> bool:
    return re.search(rf"res\.users\({place.uid},?\)", fault.message) is not None


def _is_raised_by_dispatcher(fault: Fault, place: Place) -> bool:  # noqa: ARG001
    """Tell that no method of a model ran: the message itself may be in any language."""
    return fault.raised_in == "execute_cr"


def _quotes_database(fault: Fault, place: Place) -> bool:
    """Tell that PostgreSQL speaks of the database; its words may be in any language."""
    opening, closing = "[\"'\u00ab\u201e\u201c\u201d]", "[\"'\u00bb\u201c\u201d]"
    quoted = rf"{opening}\s?{re.escape(place.database)}\s?{closing}"
    return re.search(quoted, fault.message) is not None


_LOST: Final = "|".join((
    "closed the connection",
    "terminating connection",
    "connection (?:has been |is |was |already )?(?:closed|lost|reset)",
    "connection not open",
    "could not (?:receive|send) data",
    "EOF detected",
    "broken pipe",
    "cursor already closed",
))
_CONNECTION: Final = "OperationalError InterfaceError PoolError AdminShutdown CrashShutdown"
_INVALID_FIELD: Final = (
    r"invalid field (?:name )?(?:'(?P<field>\w+)'(?: (?:on|in)(?: model)? '(?P<model>[\w.]+)')?"
    r"|(?P<path>[\w.]+)\.(?P<leaf>\w+) in )"
)

RULES: Final = (
    Rule(
        title="an error after the change was committed",
        test=_is_after_commit,
        read=None,
        write=UnknownOutcomeError,
        advice="It came after the commit",
    ),
    Rule(
        title="the session ran out",
        kinds=_kinds("SessionExpiredException"),
        read=LoginRefusedError,
        advice="Logging in again did not help",
    ),
    Rule(
        title="a wrong login, password or API key, or an expired one",
        kinds=_kinds("AccessDenied Unauthorized"),
        read=LoginRefusedError,
        advice="Check the password or API key of login {login!r} for database {database!r}: "
        "was it changed or revoked, has it expired?",
    ),
    Rule(
        title="our own user was deleted",
        kinds=_kinds("MissingError"),
        test=_is_our_user,
        read=LoginRefusedError,
        advice="This is the user of login {login!r} in database {database!r}",
    ),
    Rule(
        title="a private method, or an unknown one",
        kinds=_kinds("AccessError AttributeError NotFound"),
        text=_text(r"private methods|the method '[^']+' does not exist"),
        read=FailError,
    ),
    Rule(
        title="no right to the model or the record",
        kinds=_kinds("AccessError Forbidden"),
        read=CredentialsError,
        advice="Login {login!r} lacks a right on {model} in database {database!r}",
    ),
    Rule(title="a record that is gone", kinds=_kinds("MissingError"), read=MissingRecordError),
    Rule(
        title="an unknown model",
        kinds=_kinds("UserError NotFound"),
        text=_text(r"object \S+ doesn't exist|the model '[^']+' does not exist"),
        read=UnknownModelError,
        advice="it is not installed in database {database!r} of {server}",
    ),
    Rule(
        title="an unknown model, said in another language",
        kinds=_kinds("UserError"),
        test=_is_raised_by_dispatcher,
        read=UnknownModelError,
        advice="it is not installed in database {database!r} of {server}",
    ),
    Rule(
        title="an unknown field",
        kinds=_kinds("ValueError KeyError UserError"),
        text=_text(_INVALID_FIELD),
        read=UnknownFieldError,
        advice="no installed module of database {database!r} of {server} gives it one",
    ),
    Rule(
        title="a language that is not installed",
        kinds=_kinds("UserError ValueError"),
        text=_text(r"invalid language code"),
        read=BackendError,
        advice="Install the language in database {database!r}, or ask for another one",
    ),
    Rule(
        title="serialization, deadlock, lock, cancelled statement: rolled back",
        kinds=_kinds(
            "SerializationFailure DeadlockDetected LockNotAvailable QueryCanceled QueryCanceledError "
            "TransactionRollbackError ReadOnlySqlTransaction ConcurrencyError LockError"
        ),
        read=NetworkRetryableError,
    ),
    Rule(
        title="PostgreSQL refuses for a time",
        kinds=_kinds("OperationalError TooManyConnections CannotConnectNow"),
        text=_text(r"too many|remaining connection slots|starting up|shutting down|recovery mode"),
        read=NetworkRetryableError,
    ),
    Rule(
        title="no such database",
        kinds=_kinds("OperationalError InvalidCatalogName"),
        test=_quotes_database,
        read=BackendError,
        advice="Is {database!r} the name of the database?",
    ),
    Rule(
        title="the server lost its database",
        kinds=_kinds(_CONNECTION),
        text=_text(_LOST),
        read=NetworkRetryableError,
        write=UnknownOutcomeError,
    ),
    Rule(
        title="the server has no connection to its database",
        kinds=_kinds(_CONNECTION),
        read=NetworkRetryableError,
    ),
    Rule(
        title="the server's code and its database do not fit",
        kinds=_kinds("UndefinedTable UndefinedColumn"),
        read=BackendError,
        advice="Was a module of database {database!r} installed or updated without finishing?",
    ),
    Rule(
        title="too much for the server's memory or time",
        kinds=_kinds("MemoryError"),
        read=AnswerCutError,
        write=UnknownOutcomeError,
    ),
    Rule(
        title="too much for the server's time",
        text=_text(r"(?:cpu|real|virtual) time limit"),
        read=AnswerCutError,
        write=UnknownOutcomeError,
    ),
    Rule(
        title="data that Odoo refuses, in its own words",
        kinds=_kinds("ValidationError UserError RedirectWarning Warning except_orm"),
        read=InvalidDataError,
    ),
    Rule(
        title="anything else: a constraint of the database, a value or argument that does not fit, a defect",
        read=InvalidDataError,
    ),
)
"""The first rule that takes a fault decides."""

_OWN_WORDS: Final = _kinds(
    "ValidationError UserError RedirectWarning Warning except_orm AccessError AccessDenied MissingError "
    "LockError NotFound Unauthorized Forbidden UnprocessableEntity SessionExpiredException"
)
"""Exceptions that are written for people: their class adds nothing."""

_FIELD: Final = _text(_INVALID_FIELD)


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
    advice = rule.advice.format_map({
        "server": place.server,
        "database": place.database,
        "login": place.login,
        "model": place.model,
    })
    if kind is UnknownModelError:
        return UnknownModelError(place.model, because=advice)
    if kind is UnknownFieldError and (found := _FIELD.search(fault.message)) is not None:
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
    if kind is None:
        kind = InvalidDataError
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
