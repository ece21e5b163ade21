"""Every status and every exception means exactly one thing."""

import inspect
import ssl
from datetime import timedelta
from http import HTTPStatus

import httpcore2
import httpx2
import pytest

from isthmus.errors import (
    BackendError,
    CredentialsError,
    IDMissingInBackend,
    InvalidDataError,
    NetworkRetryableError,
    RateLimitedError,
    UnknownOutcomeError,
)
from isthmus.http import Call, error_for_exception, error_for_status
from isthmus.http.failure import shorten

READ = Call(what="read card 17", safe=True, server="api.example.org")
WRITE = Call(what="create a card", safe=False, server="api.example.org")

EVERY_STATUS = [s.value for s in HTTPStatus if not 200 <= s < 300] + [199, 306, 499, 520, 599, 999]
READ_ERRORS = {
    BackendError,
    CredentialsError,
    IDMissingInBackend,
    InvalidDataError,
    NetworkRetryableError,
    RateLimitedError,
}
FOREIGN = sorted(
    (
        cls
        for _, cls in inspect.getmembers(httpx2, inspect.isclass)
        if issubclass(cls, Exception) and cls.__module__.startswith("httpx2")
    ),
    key=lambda cls: cls.__name__,
)


def made(cls: type[Exception]) -> Exception:
    """One exception of the library's class, whatever it wants to be made of."""
    if cls is httpx2.HTTPStatusError:
        request = httpx2.Request("GET", "http://h")
        return cls("500", request=request, response=httpx2.Response(500, request=request))
    wanted = [
        p
        for p in inspect.signature(cls.__init__).parameters.values()
        if p.name != "self" and p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    return cls(*["it went wrong" for _ in wanted])


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_every_status_of_a_read_means_one_thing(status):
    """
    No status falls through, and a read never has an unknown outcome.
    """
    error = error_for_status(status, READ)

    assert type(error) in READ_ERRORS
    assert "read card 17" in str(error)
    assert str(status) in str(error)


@pytest.mark.parametrize("status", EVERY_STATUS)
def test_every_status_of_a_write_means_one_thing(status):
    """
    A write is refused, not begun, or of unknown outcome, whatever the number.
    """
    error = error_for_status(status, WRITE)

    assert type(error) in READ_ERRORS | {UnknownOutcomeError}
    assert "create a card" in str(error)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 302, 303])
def test_a_server_error_after_a_write_leaves_its_outcome_unknown(status):
    """
    A gateway that gives up says nothing about what the server behind it did.
    """
    error = error_for_status(status, WRITE, retry_in=timedelta(seconds=9))

    assert type(error) is UnknownOutcomeError
    assert error.retry_in == timedelta(seconds=9)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([401, 403, 407], CredentialsError),
        ([402, 301, 302, 308], BackendError),
        ([400, 405, 409, 413, 414, 422], InvalidDataError),
        ([404, 410], IDMissingInBackend),
        ([429], RateLimitedError),
        ([408, 425, 500, 501, 503], NetworkRetryableError),
    ],
)
def test_a_status_is_sorted_by_what_happens_next(statuses, expected):
    """
    Stop for a person, park the record, or try later.
    """
    errors = {type(error_for_status(status, READ)) for status in statuses}

    assert errors == {expected}


@pytest.mark.parametrize("status", [408, 421, 425, 429, 511])
def test_a_write_that_was_not_begun_may_be_sent_again(status):
    """
    Where the server says that it has not begun, nothing was written.
    """
    error = error_for_status(status, WRITE)

    assert type(error) in {NetworkRetryableError, RateLimitedError}


def test_the_message_says_what_failed_where_and_why():
    """
    A person reads the object, the server, the status and the server's own words.
    """
    error = error_for_status(401, READ, text="invalid\nkey")

    assert str(error) == (
        "cannot read card 17: api.example.org answered 401 Unauthorized: invalid key. "
        "Check the credentials, and that they may do this"
    )


def test_long_texts_and_pages_of_a_server_do_not_flood_the_message():
    """
    300 characters of text are enough, and a web page is only named.
    """
    texts = [shorten("x" * 5000), shorten("\n<HTML><body>Bad gateway</body>"), shorten("  ")]

    assert [len(texts[0]), *texts[1:]] == [303, "an HTML page", ""]


@pytest.mark.parametrize("cls", FOREIGN, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("call", [READ, WRITE], ids=["read", "write"])
def test_every_exception_of_the_library_has_a_meaning(cls, call):
    """
    A class that the library adds is seen here before a user meets it.
    """
    error = error_for_exception(made(cls), call, text="it went wrong")

    assert type(error) in READ_ERRORS | {UnknownOutcomeError}
    assert call.what in str(error)
    assert call.safe is False or type(error) is not UnknownOutcomeError


def test_the_library_has_exceptions_to_test():
    """
    The list above is not empty by a change of the library's layout.
    """
    assert len(FOREIGN) >= 25


@pytest.mark.parametrize(
    "cls", [httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError]
)
def test_a_write_without_a_connection_was_not_sent(cls):
    """
    Nothing went over the wire, so a create may simply be tried later.
    """
    error = error_for_exception(cls("no route"), WRITE)

    assert type(error) is NetworkRetryableError


@pytest.mark.parametrize(
    "cls",
    [
        httpx2.ReadTimeout, httpx2.WriteTimeout, httpx2.ReadError, httpx2.WriteError, httpx2.CloseError,
        httpx2.RemoteProtocolError, httpx2.DecodingError, httpx2.LocalProtocolError,
    ],
)  # fmt: skip
def test_a_write_that_was_sent_and_not_answered_is_of_unknown_outcome(cls):
    """
    It may have taken effect, so somebody must look before it is repeated.
    """
    error = error_for_exception(cls("gone"), WRITE)

    assert type(error) is UnknownOutcomeError
    assert str(error).endswith("it may have taken effect")


def tls_failure(cause: ssl.SSLError) -> httpx2.ConnectError:
    """What the library raises when a handshake fails."""
    error = httpx2.ConnectError(str(cause))
    error.__cause__ = httpcore2.ConnectError(cause)
    return error


def test_an_untrusted_certificate_is_for_a_person():
    """
    No retry makes a certificate trusted.
    """
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")

    error = error_for_exception(tls_failure(cause), READ)

    assert type(error) is BackendError
    assert "no trusted connection to api.example.org" in str(error)


def test_a_handshake_that_was_cut_is_tried_later():
    """
    A server that restarts in the middle of a handshake is no wrong setting.
    """
    error = error_for_exception(tls_failure(ssl.SSLEOFError(8, "EOF occurred")), WRITE)

    assert type(error) is NetworkRetryableError


def test_a_proxy_that_refuses_us_is_for_a_person():
    """
    A proxy's password does not come right by waiting.
    """
    error = error_for_exception(
        httpx2.ProxyError("407 Proxy Authentication Required"), READ, text="407 Proxy Authentication Required"
    )

    assert type(error) is BackendError
