"""The one table that says what Odoo's errors mean; what HTTP's mean is in `isthmus.http`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

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
from isthmus.store.odoo.fault import Fault, Place


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
        advice: What the message says behind Odoo's own words; may name server, database, who, model.
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
    return "postcommit.run()" in fault.debug or "signal_changes" in fault.frames


def _is_other_record(fault: Fault, place: Place) -> bool:
    """Tell that not the record we called is gone, but one that the values name."""
    if place.ids is None:
        return True
    gone = re.search(r"\b(\w+(?:\.\w+)+)\(([\d, ]+)\)", fault.message)
    if gone is None:
        return False
    numbers = {int(number) for number in re.findall(r"\d+", gone[2])}
    return gone[1] != place.model or numbers.isdisjoint(place.ids)


def _is_our_user(fault: Fault, place: Place) -> bool:
    return re.search(rf"res\.users\({place.uid},?\)", fault.message) is not None


def _names_model(fault: Fault, place: Place) -> bool:
    return place.model in fault.message


def _is_raised_by_dispatcher(fault: Fault, place: Place) -> bool:  # noqa: ARG001
    """Tell that no method of a model ran: the message itself may be in any language."""
    return fault.frames[-1:] == ["execute_cr"]


def _is_missing_field(fault: Fault, place: Place) -> bool:  # noqa: ARG001
    """Tell that a record was asked for a field by a name that it lacks: Odoo 19 says only the name."""
    frame = fault.debug.rpartition('  File "')[2]
    return "._fields[" in frame and re.fullmatch(r"'?\w+'?", fault.message.strip()) is not None


def _names_database(fault: Fault, place: Place) -> bool:
    """Tell that PostgreSQL refuses the database itself; its words may be in any language."""
    # Host and user are quoted as well, and often have the name of the database.
    fatal = fault.message.partition("FATAL:")[2]
    words = re.sub(r"(?:user|role) \S+", "", fatal)
    opening, closing = "[\"'\u00ab\u201e\u201c\u201d]", "[\"'\u00bb\u201c\u201d]"
    return re.search(rf"{opening}\s?{re.escape(place.database)}\s?{closing}", words) is not None


_NO_CONNECTION: Final = (
    r"connection to server|could not connect|connection refused|could not translate|no route to host"
    r"|timeout expired|pool is full"
)
INVALID_FIELD: Final = re.compile(
    r"^invalid field (?:name )?(?:'(?P<field>\w+)'(?: (?:on|in)(?: model)? '(?P<model>[\w.]+)')?"
    r"|(?P<path>[\w.]+)\.(?P<leaf>\w+) in )",
    re.IGNORECASE,
)
"""How Odoo 14 to 19 say that a model lacks a field: five wordings."""

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
        advice="Check the password or API key of {who} for database {database!r}: "
        "was it changed or revoked, has it expired?",
    ),
    Rule(
        title="our own user was deleted",
        kinds=_kinds("MissingError"),
        test=_is_our_user,
        read=LoginRefusedError,
        advice="This is the user of {who} in database {database!r}",
    ),
    Rule(
        title="a private method, or an unknown one",
        kinds=_kinds("AccessError AttributeError NotFound"),
        text=_text(r"^private methods|^the method '[^']+' does not exist"),
        read=FailError,
    ),
    Rule(
        title="no right to the model or the record",
        kinds=_kinds("AccessError Forbidden"),
        read=CredentialsError,
        advice="In database {database!r} {who} has no right to do this on {model}",
    ),
    Rule(
        title="a record that the values name is gone",
        kinds=_kinds("MissingError"),
        test=_is_other_record,
        read=InvalidDataError,
    ),
    Rule(title="a record that is gone", kinds=_kinds("MissingError"), read=MissingRecordError),
    Rule(
        title="an unknown model",
        kinds=_kinds("UserError NotFound"),
        text=_text(r"^(?:object \S+ doesn't exist|the model '[^']+' does not exist)$"),
        test=_names_model,
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
        kinds=_kinds("ValueError KeyError"),
        text=INVALID_FIELD,
        read=UnknownFieldError,
        advice="no installed module of database {database!r} of {server} gives it one",
    ),
    Rule(
        title="an unknown field, said by nothing but its name",
        kinds=_kinds("KeyError"),
        test=_is_missing_field,
        read=UnknownFieldError,
        advice="no installed module of database {database!r} of {server} gives it one",
    ),
    Rule(
        title="a language that is not installed",
        kinds=_kinds("UserError ValueError"),
        text=_text(r"^invalid language code: \S+$"),
        read=BackendError,
        advice="Install the language in database {database!r}, or ask for another one",
    ),
    Rule(
        title="serialization, deadlock, lock, cancelled statement, full disk: rolled back",
        kinds=_kinds(
            "SerializationFailure DeadlockDetected LockNotAvailable QueryCanceled QueryCanceledError "
            "TransactionRollbackError ReadOnlySqlTransaction ConcurrencyError LockError DiskFull OutOfMemory"
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
        test=_names_database,
        read=BackendError,
        advice="Is {database!r} the name of the database?",
    ),
    Rule(
        title="the server cannot reach its database",
        kinds=_kinds("OperationalError InterfaceError PoolError"),
        text=_text(_NO_CONNECTION),
        read=NetworkRetryableError,
    ),
    Rule(
        title="the server lost its database on the way",
        kinds=_kinds("OperationalError InterfaceError AdminShutdown CrashShutdown"),
        read=NetworkRetryableError,
        write=UnknownOutcomeError,
    ),
    Rule(
        title="the server's code and its database do not fit",
        kinds=_kinds("UndefinedTable UndefinedColumn"),
        read=BackendError,
        advice="Was a module of database {database!r} installed or updated without finishing?",
    ),
    Rule(
        title="too much for the server's memory",
        kinds=_kinds("MemoryError"),
        read=AnswerCutError,
        write=UnknownOutcomeError,
    ),
    Rule(
        title="data that Odoo refuses, in its own words",
        kinds=_kinds("ValidationError UserError RedirectWarning Warning except_orm"),
        read=InvalidDataError,
    ),
    Rule(
        title="too much for the server's time",
        text=_text(r"(?:cpu|real|virtual) time limit"),
        read=AnswerCutError,
        write=UnknownOutcomeError,
    ),
    Rule(
        title="anything else: a constraint of the database, a value or argument that does not fit, a defect",
        read=InvalidDataError,
    ),
)
"""The first rule that takes a fault decides.

What a module says of a record quotes its values: a text is looked for where only Odoo itself says it.
"""
