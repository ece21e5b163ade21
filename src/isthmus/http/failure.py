"""The one place that decides what a failed request means: stop, park, wait, or unknown.

| what happened                                    | a read                   | a write               |
|--------------------------------------------------|--------------------------|-----------------------|
| refused credentials, wrong location, TLS         | `BackendError`           | the same              |
| no connection, no free connection, 408, 421, 425 | `NetworkRetryableError`  | the same: nothing sent|
| 429                                              | `RateLimitedError`       | the same              |
| 404, 410                                         | `IDMissingInBackend`     | the same              |
| other 4xx                                        | `InvalidDataError`       | the same              |
| 5xx, timeout, reset, unreadable answer           | `NetworkRetryableError`  | `UnknownOutcomeError` |
| an answer that began and was cut                 | `AnswerCutError`         | `UnknownOutcomeError` |

A *read* here is any call that may be repeated without changing anything there.
"""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import httpx2

from isthmus.errors import (
    AnswerCutError,
    BackendError,
    CredentialsError,
    IDMissingInBackend,
    InvalidDataError,
    IsthmusError,
    NetworkRetryableError,
    RateLimitedError,
    UnknownOutcomeError,
)

_REFUSED: Final = frozenset({401, 403, 407})
_GONE: Final = frozenset({404, 410})
_UNPROCESSED: Final = frozenset({408, 421, 425, 511})
"""The server, or something before it, says that it has not begun: also a write had no effect.

Source:
    RFC 9110 (408, 421), RFC 8470 (425), RFC 6585 (511).
"""
_UNSUPPORTED: Final = frozenset({501, 505})
"""A write that the server does not know how to do has not been done. Source: RFC 9110."""
_LONGEST_TEXT: Final = 300
_TLS_BREAKS: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
"""A handshake that was cut, which says nothing about how TLS is set up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as far as its failures are concerned.

    Attributes:
        what: What it is for, as a verb and its object: "read card 5f3c...". Starts every message.
        safe: Whether it may be repeated without changing anything on the server.
        server: Host and port, for messages.
    """

    what: str
    safe: bool
    server: str = "the server"


def shorten(text: str) -> str:
    r"""Bring a server's text into one line of a message.

    >>> shorten("invalid\n value")
    'invalid value'
    >>> shorten("<!DOCTYPE html><html>...")
    'an HTML page'
    """
    line = " ".join(text.split())
    if line[:9].lower() in {"<!doctype", "<html"} or line[:5].lower() == "<html":
        return "an HTML page"
    return line if len(line) <= _LONGEST_TEXT else f"{line[:_LONGEST_TEXT]}..."


def error_for_status(
    status: int, call: Call, *, text: str = "", retry_in: timedelta | None = None
) -> IsthmusError:
    """Say what an answer that is no success means.

    Args:
        status: The code of the answer, anything outside 200 to 299.
        call: The request it answers.
        text: What the server says, without secrets.
        retry_in: How long it asks to wait; None when it does not say.

    Returns:
        The error to raise; never None, for any number.

    >>> call = Call(what="read card 17", safe=True, server="api.trello.com")
    >>> error_for_status(404, call, text="The requested resource was not found.")
    IDMissingInBackend('cannot read card 17: api.trello.com answered 404 Not Found: The requested ... found.')
    """
    message = f"cannot {call.what}: {call.server} answered {_named(status)}"
    if said := shorten(text):
        message = f"{message}: {said}"
    if status in _REFUSED:
        return CredentialsError(f"{message}. Check the credentials, and that they may do this")
    if status in _GONE:
        return IDMissingInBackend(message)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitedError(message, retry_in=retry_in)
    if status in _UNPROCESSED:
        return NetworkRetryableError(message, retry_in=retry_in)
    if status in _UNSUPPORTED and not call.safe:
        return InvalidDataError(message)
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return BackendError(message)
    if 400 <= status < 500:
        return InvalidDataError(message)
    if 300 <= status < 400 and (call.safe or status in {301, 307, 308}):
        return BackendError(f"{message}. Is the location the final address of the API?")
    return unsettled(message, call, retry_in=retry_in)


def error_for_exception(error: Exception, call: Call, *, text: str = "", begun: bool = False) -> IsthmusError:
    """Say what an exception of the HTTP library means.

    Args:
        error: What it raised while the request was made or its answer read.
        call: The request.
        text: The exception's own words, without secrets.
        begun: Whether the head of a success had arrived: then its body was cut.

    Returns:
        The error to raise; never None, for any exception.

    >>> error_for_exception(httpx2.ReadTimeout("slow"), Call(what="create a card", safe=False))
    UnknownOutcomeError('cannot create a card: no answer from the server in time; it may have taken effect')
    """
    said = shorten(text) or type(error).__name__
    prefix = f"cannot {call.what}: "
    if begun and not isinstance(error, httpx2.DecodingError):
        return cut(f"{prefix}the answer of {call.server} was cut: {said}", call)
    match error:
        case httpx2.ConnectError() if (broken := _tls_problem(error)) is not None:
            # Both attributes are missing from an error that OpenSSL did not make.
            reason = getattr(broken, "verify_message", "") or getattr(broken, "reason", "") or said
            return BackendError(f"{prefix}no trusted connection to {call.server}: {reason}")
        case httpx2.ProxyError() if said.startswith(("401", "403", "407")):
            return BackendError(f"{prefix}the proxy before {call.server} refuses us: {said}")
        case httpx2.UnsupportedProtocol() | httpx2.TooManyRedirects():
            return BackendError(f"{prefix}the location of {call.server} does not work: {said}")
        case httpx2.InvalidURL():
            return InvalidDataError(f"{prefix}it cannot be put into a URL: {said}")
        case httpx2.ConnectTimeout():
            return NetworkRetryableError(f"{prefix}no connection to {call.server} in time")
        case httpx2.PoolTimeout():
            return NetworkRetryableError(f"{prefix}all connections to {call.server} are in use")
        case httpx2.ConnectError() | httpx2.ProxyError():
            return NetworkRetryableError(f"{prefix}no connection to {call.server}: {said}")
        case httpx2.TimeoutException():
            return unsettled(f"{prefix}no answer from {call.server} in time", call)
        case httpx2.DecodingError():
            return unsettled(f"{prefix}the answer of {call.server} cannot be decoded: {said}", call)
        case _:
            return unsettled(f"{prefix}the connection to {call.server} broke: {said}", call)


def cut(message: str, call: Call) -> IsthmusError:
    """Say what it means that an answer began and did not arrive whole.

    Args:
        message: What happened.
        call: The request: asking for less may help a read, a write may have taken effect.

    Returns:
        The error to raise.
    """
    return AnswerCutError(message) if call.safe else unsettled(message, call)


def unsettled(message: str, call: Call, *, retry_in: timedelta | None = None) -> IsthmusError:
    """Say what a request means that was sent and not answered in a way we understand.

    Args:
        message: What happened.
        call: The request: a read did nothing, a write may have.
        retry_in: How long the server asks to wait; None when it does not say.

    Returns:
        The error to raise.
    """
    if call.safe:
        return NetworkRetryableError(message, retry_in=retry_in)
    return UnknownOutcomeError(f"{message}; it may have taken effect", retry_in=retry_in)


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:  # 520 to 530 of a well-known proxy, 499, 599 ...
        return str(status)


def _tls_problem(error: BaseException) -> ssl.SSLError | None:
    """Find the TLS refusal, if there is one, that a failed connection stands for."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _TLS_BREAKS):
            return cause
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk the explicit and implicit causes; the HTTP library keeps some only in ``args``."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        cause = queue.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        queue += [cause.__cause__, cause.__context__, *cause.args]
