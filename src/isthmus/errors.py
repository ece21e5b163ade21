"""Every error Isthmus raises, in one place, sorted by what happens next.

* IsthmusError
  * ConfigurationError
    * UsageError
    * SettingsError
    * SecretError
    * SchemaError
    * PluginError
    * ComponentDefinitionError
    * NoComponentError
    * SeveralComponentError
    * ListenerError
    * BackendError
      * CredentialsError
        * LoginRefusedError
  * FailError
    * UnknownModelError
    * UnknownFieldError
    * DomainError
    * RecordValueError
    * MissingRecordError
    * TransactionError
      * OutsideError
      * ReadonlyError
      * PendingWriteError
    * PhaseError
    * NotGathered
    * JobDefinitionError
    * JobArgumentError
    * JobStateError
    * JobTimeoutError
    * JobCancelledError
    * MaxRetriesError
  * RetryableJobError
    * NetworkRetryableError
      * AnswerCutError
    * RateLimitedError
    * DatabaseBusyError
    * RecordLockedError
    * LeaseLostError
    * UnknownOutcomeError
    * NoExternalId
  * ParkError
    * MappingError
    * InvalidDataError
      * HiddenRecordError
    * IDMissingInBackend
    * ManyIDSInBackend
    * AmbiguousOutcomeError
  * SkipRecord

The first level says what the program does next: *ConfigurationError* stops it
(a person must change something), *FailError* fails the job, *RetryableJobError* runs it again
later, *ParkError* puts this one record into the inbox while the rest goes on,
*SkipRecord* drops this one record and goes on.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, ClassVar


def near(name: str, known: Iterable[str]) -> str:
    """Say which of the *known* names a misspelt one may have meant.

    Args:
        name: The name that was not found.
        known: The names that exist.

    Returns:
        A clause that starts with "; ", ready to be put behind a message.

    >>> near("nmae", ["name", "state"])
    "; did you mean 'name'?"
    >>> near("zzz", ["name", "state"])
    "; known are ['name', 'state']"
    """
    names = sorted(set(known))
    close = get_close_matches(name, names, n=3)
    if close:
        return "; did you mean " + " or ".join(repr(c) for c in close) + "?"
    shown = names[:12]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"; known are {shown}{more}"


class IsthmusError(Exception):
    """The root: catch it to catch everything that Isthmus raises on purpose.

    Attributes:
        exit_code: What the ``isthmus`` program exits with when this ends it.
    """

    exit_code: ClassVar[int] = 1


# --- stop ------------------------------------------------------------------------------


class ConfigurationError(IsthmusError):
    """Something a person set up is wrong: nothing is retried, nothing is lost."""

    exit_code = 3


class UsageError(ConfigurationError):
    """A command line that lacks something or contradicts itself; the message names the option."""

    exit_code = 2


class SettingsError(ConfigurationError):
    """A setting is missing or malformed; the message names it and where it was read."""


class SecretError(ConfigurationError):
    """A key file or a referenced secret is missing, unreadable or does not fit."""


class SchemaError(ConfigurationError):
    """The database's revision and this program do not fit; the message has the command."""


class PluginError(ConfigurationError):
    """A connector plugin cannot be imported, is unknown or is not enabled."""


class ComponentDefinitionError(ConfigurationError):
    """A component is declared in a way that cannot work; names it and its module."""


class NoComponentError(ConfigurationError):
    """No component answers a lookup; says what exists and what excluded the near misses."""


class SeveralComponentError(ConfigurationError):
    """Several components answer a lookup equally well; names them and their modules."""


class ListenerError(ConfigurationError):
    """A listener asks for what the store of its model cannot give."""


class BackendError(ConfigurationError):
    """A backend is unknown, disabled, unreachable by its location, or badly set up."""


class CredentialsError(BackendError):
    """The other system refuses our credentials or our right to do this."""


class LoginRefusedError(CredentialsError):
    """The other system does not accept (any more) that we are who we say.

    Nothing was done. Unlike a missing right it may be over when the credentials are read again.

    Attributes:
        expired: True when only the session ran out: the same credentials may open another one.
    """

    def __init__(self, message: str, *, expired: bool = False) -> None:
        self.expired = expired
        super().__init__(message)


# --- fail ------------------------------------------------------------------------------


class FailError(IsthmusError):
    """The job or command fails; repeating it unchanged would fail again."""


class UnknownModelError(FailError):
    """A model name that no store serves.

    Attributes:
        model: The name that was asked for.
    """

    def __init__(self, model: str, known: Iterable[str] = (), *, because: str = "") -> None:
        self.model = model
        super().__init__(f"unknown model {model!r}{f': {because}' if because else near(model, known)}")


class UnknownFieldError(FailError):
    """A field name that a model does not have.

    Attributes:
        model: The model that was asked.
        field: The name that was not found.
    """

    def __init__(self, model: str, field: str, known: Iterable[str] = (), *, because: str = "") -> None:
        self.model = model
        self.field = field
        reason = f": {because}" if because else near(field, known)
        super().__init__(f"model {model!r} has no field {field!r}{reason}")


class DomainError(FailError):
    """A search domain that is malformed; the message shows the part that is wrong."""


class RecordValueError(FailError):
    """A value that a field cannot hold; names the model and the field."""


class MissingRecordError(FailError):
    """A record of ours that does not exist (any more)."""


class TransactionError(FailError):
    """Something that the state of the transaction does not allow."""


class OutsideError(TransactionError):
    """``env.outside()`` where it cannot be: says where the env is."""


class ReadonlyError(TransactionError):
    """A write in a readonly env."""


class PendingWriteError(TransactionError):
    """An external call while a transaction has written; names the write."""


class PhaseError(FailError):
    """A synchroniser step did what belongs to another phase; names both."""


class NotGathered(FailError):
    """A remote read during decide of something that gather did not bring.

    The synchroniser gathers it and decides again; it is seen only when that does not help.

    Attributes:
        model: The model of ours.
        record_id: The record's key.
        field: The field that is needed.
    """

    def __init__(self, model: str, record_id: Any, field: str) -> None:
        self.model = model
        self.record_id = record_id
        self.field = field
        super().__init__(f"{model}({record_id!r}).{field} is needed to decide and was not gathered")


class JobDefinitionError(FailError):
    """A method that cannot be delayed or run as a job; names model and method."""


class JobArgumentError(FailError):
    """A job argument that is not JSON; names the argument."""


class JobStateError(FailError):
    """A transition that a job's state does not allow; names the job and both states."""


class JobTimeoutError(FailError):
    """A job took longer than its ``@job(timeout=)``."""


class JobCancelledError(FailError):
    """A person gave a job up while it ran; it is to stop."""


class MaxRetriesError(FailError):
    """A job was retried as often as it may be; the cause is the last failure."""


# --- retry -----------------------------------------------------------------------------


class RetryableJobError(IsthmusError):
    """The same thing may work later.

    Attributes:
        retry_in: How long to wait; None lets the job's retry pattern decide.
        ignore_retry: True when this does not count against ``max_retries``.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_in: timedelta | None = None,
        ignore_retry: bool = False,
    ) -> None:
        self.retry_in = retry_in
        self.ignore_retry = ignore_retry
        super().__init__(message)


class NetworkRetryableError(RetryableJobError):
    """The other system could not be reached or asked to try later; nothing was written."""


class AnswerCutError(NetworkRetryableError):
    """The answer to a read began and did not arrive whole; asking for less may help."""


class RateLimitedError(RetryableJobError):
    """The other system, or our own limiter, says: slower. Nothing was written."""


class DatabaseBusyError(RetryableJobError):
    """Our own database refused for concurrency (locked, deadlock, serialisation)."""


class RecordLockedError(RetryableJobError):
    """Another process synchronises this record now; costs no retry."""

    def __init__(self, message: str, *, retry_in: timedelta | None = None) -> None:
        super().__init__(message, retry_in=retry_in, ignore_retry=True)


class LeaseLostError(RetryableJobError):
    """A lease ran out before the write it protects; nothing was written."""


class UnknownOutcomeError(RetryableJobError):
    """A write was sent and no answer came: it may or may not have taken effect."""


class NoExternalId(RetryableJobError):
    """A record must be exported first, it has no external ID yet."""


# --- park ------------------------------------------------------------------------------


class ParkError(IsthmusError):
    """This record needs a person; it goes into the inbox with its payload."""


class MappingError(ParkError):
    """A record cannot be translated; names the mapper, the field and the value's type."""


class InvalidDataError(ParkError):
    """Data that one side refuses, or that is not what was promised."""


class HiddenRecordError(InvalidDataError):
    """Records of ours that are there, but cannot be read: they must not look deleted.

    Attributes:
        model: The model.
        ids: Their keys.
        why: What the other side says of them, by key; of those that a record rule hides it may say nothing.
    """

    def __init__(self, model: str, ids: Iterable[Any], *, why: Mapping[Any, str] | None = None) -> None:
        self.model = model
        self.ids = tuple(ids)
        self.why = {key: why[key] for key in self.ids if key in why} if why else {}
        if self.why:
            first, *others = self.why.values()
            more = f" (and {len(others)} more)" if others else ""
            super().__init__(f"{first}{more}")
            return
        shown = ", ".join(map(str, self.ids[:5]))
        more = f" and {len(self.ids) - 5} more" if len(self.ids) > 5 else ""
        super().__init__(
            f"our user may not see {model} {shown}{more}: a record rule hides what is there. Give the user "
            f"access to it"
        )


class IDMissingInBackend(ParkError):
    """The external record does not exist (any more)."""


class ManyIDSInBackend(ParkError):
    """Several external records where one was expected."""


class AmbiguousOutcomeError(ParkError):
    """A write of unknown outcome that only a person can settle."""


# --- skip ------------------------------------------------------------------------------


class SkipRecord(IsthmusError):  # noqa: N818 - a signal, not an error
    """Raised by a synchroniser step: leave this one record alone, say why, go on."""
