"""The HTTP client against servers that answer, refuse, hang up and keep silent."""

import gzip
import logging
import socket
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from isthmus.env import RateWindow
from isthmus.errors import (
    AnswerCutError,
    BackendError,
    CredentialsError,
    IDMissingInBackend,
    InvalidDataError,
    NetworkRetryableError,
    RateLimitedError,
    UnknownOutcomeError,
)
from isthmus.http import Auth, HTTPClient, Quota, Refusal, Timeout
from isthmus.testing.clock import FrozenClock

TEN_SECONDS = RateWindow(100, timedelta(seconds=10))
QUARTER_HOUR = RateWindow(100, timedelta(seconds=900), "members")
AUTH = Auth(headers={"Authorization": 'Key="k3y-0f-us"'}, params={"token": "t0ken/1"}, secrets=("k3y-0f-us",))
SHORT = Timeout(read=timedelta(seconds=0.2))
OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"id": "17"}'
CUT = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"id": "17"'
BROKEN = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@dataclass
class CountingLimiter:
    """A limiter that never waits and remembers what it was told."""

    taken: list[tuple[str, tuple[RateWindow, ...]]] = field(default_factory=list)
    over: list[tuple[str, RateWindow]] = field(default_factory=list)

    def take(self, credential, windows):
        self.taken.append((credential, tuple(windows)))

    def exhausted(self, credential, window):
        self.over.append((credential, window))


@pytest.fixture
def clock():
    """A clock that moves only when somebody sleeps."""
    return FrozenClock(datetime(2026, 11, 1, tzinfo=UTC))


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    """Write an answer of plain text."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/plain", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_a_read_gives_the_parsed_answer(server):
    """
    Path, query, credentials and our name go out; JSON comes back.
    """
    with HTTPClient(server.answers(OK) + "/1/", auth=AUTH, user_agent="isthmus/9") as client:
        card = client.request_object("GET", "/cards/17", params={"fields": "a b"}, what="read card 17")

    assert card == {"id": "17"}
    assert server.requests[0].startswith("GET /1/cards/17?fields=a+b&token=t0ken%2F1 HTTP/1.1\r\n")
    assert "User-Agent: isthmus/9" in server.requests[0]
    assert 'Authorization: Key="k3y-0f-us"' in server.requests[0]


def test_a_write_sends_its_values_as_json(server):
    """
    None becomes null, letters stay letters.
    """
    with HTTPClient(server.answers(OK)) as client:
        client.request("PUT", "/cards/17", json={"due": None, "name": "é"}, what="write card 17")

    assert server.requests[0].endswith('\r\n\r\n{"due": null, "name": "é"}')
    assert "Content-Type: application/json" in server.requests[0]


def test_a_compressed_answer_is_read(server):
    """
    We say that we take gzip, and do.
    """
    body = gzip.compress(b'{"id": "17"}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    with HTTPClient(server.answers(head + body)) as client:
        card = client.request("GET", "/cards/17", what="read card 17")

    assert card == {"id": "17"}
    assert "gzip" in server.requests[0].lower()


def test_a_broken_compression_is_tried_again(server):
    """
    Half an answer of a read is no answer.
    """
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"

    with (
        HTTPClient(server.answers(head), repeats=0) as client,
        pytest.raises(NetworkRetryableError, match="decoded"),
    ):
        client.request("GET", "/cards/17", what="read card 17")


def test_an_answer_that_is_cut_once_is_asked_for_again(server, clock):
    """
    One cut is a hiccup like any other.
    """
    with HTTPClient(server.answers(CUT, OK), clock=clock) as client:
        card = client.request("GET", "/cards/17", what="read card 17")

    assert card == {"id": "17"}


def test_an_answer_that_is_cut_twice_tells_so(server, clock):
    """
    Whoever asked may ask for less; a third time would bring the same.
    """
    client = HTTPClient(server.answers(CUT, CUT, OK), clock=clock)

    with client, pytest.raises(AnswerCutError, match=r"the answer of 127\.0\.0\.1:\d+ was cut"):
        client.request("GET", "/cards", what="list cards")
    assert len(server.requests) == 2


def test_a_silence_within_an_answer_is_a_cut(server):
    """
    The server began to answer and then hung: that is too much for it, not an outage.
    """
    stalled = CUT + b"<hold>"
    client = HTTPClient(server.answers(stalled), timeout=SHORT, repeats=0)

    with client, pytest.raises(AnswerCutError):
        client.request("GET", "/cards", what="list cards")


def test_an_error_page_that_is_cut_is_not_a_cut_answer(server):
    """
    Asking for less does not help against a server in trouble.
    """
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 99\r\n\r\n<html>"

    with (
        HTTPClient(server.answers(head), repeats=0) as client,
        pytest.raises(NetworkRetryableError) as caught,
    ):
        client.request("GET", "/cards", what="list cards")
    assert not isinstance(caught.value, AnswerCutError)


def test_the_answer_to_a_write_that_is_cut_leaves_it_unknown(server):
    """
    The write may have been made, however little of its answer arrived.
    """
    with HTTPClient(server.answers(CUT)) as client, pytest.raises(UnknownOutcomeError, match="was cut"):
        client.request("POST", "/cards", json={}, what="create a card")
    assert len(server.requests) == 1


def test_a_caller_may_say_what_a_refusal_means(server):
    """
    Where the body of an error tells more than its status, the caller reads it; without secrets.
    """
    seen = []

    def explain(refusal, call):
        seen.append(refusal)
        return BackendError(f"cannot {call.what}: {refusal.text}") if refusal.status == 422 else None

    refused = answer("422 Unprocessable Content", b"no k3y-0f-us")
    moved = answer("307 Temporary Redirect", b"", "Location: https://there/?token=t0ken%2F1")
    client = HTTPClient(server.answers(refused, moved), auth=AUTH)

    with client:
        with pytest.raises(BackendError, match=r"cannot read card 17: no \*\*\*$"):
            client.request("GET", "/cards/17", what="read card 17", explain=explain)
        with pytest.raises(BackendError, match="Is the location the final address"):
            client.request("GET", "/cards/17", what="read card 17", explain=explain)
    assert seen == [Refusal(422, "no ***"), Refusal(307, "", "https://there/?token=***")]


def test_a_request_may_carry_headers_of_its_own(server):
    """
    The credentials' headers go beside them.
    """
    with HTTPClient(server.answers(OK), auth=AUTH) as client:
        client.request("GET", "/cards/17", headers={"X-Database": "company"}, what="read card 17")

    assert "X-Database: company" in server.requests[0]
    assert "Authorization: " in server.requests[0]


@pytest.mark.parametrize(
    ("headers", "offset"),
    [
        ("Date: Sun, 01 Nov 2026 00:05:00 GMT", timedelta(minutes=5)),
        ("Date: Sat, 31 Oct 2026 23:59:00 GMT", -timedelta(minutes=1)),
        ("Date: Sun, 01 Nov 2026 00:05:00 GMT\r\nAge: 300", None),
        ("Date: yesterday", None),
        ("X-Date: none", None),
    ],
    ids=["before", "behind", "cached", "nonsense", "absent"],
)
def test_the_clock_of_the_server_is_compared_with_ours(server, clock, headers, offset):
    """
    Who filters by the server's times must know how wrong its clock is.
    """
    with HTTPClient(
        server.answers(OK.replace(b"Content-Type", f"{headers}\r\nContent-Type".encode())), clock=clock
    ) as client:
        client.request("GET", "/cards/17", what="read card 17")

    assert client.clock_offset == offset


def test_a_read_survives_two_hiccups(server, clock):
    """
    A read is tried three times in all, with a pause that the clock takes.
    """
    began = clock.now()

    with HTTPClient(server.answers(BROKEN, b"", OK), clock=clock) as client:
        card = client.request("GET", "/cards/17", what="read card 17")

    assert card == {"id": "17"}
    assert clock.now() - began == timedelta(seconds=1.25)


def test_a_read_that_keeps_failing_is_left_to_the_job(server, clock):
    """
    After the third time an outage is not for us to wait out.
    """
    client = HTTPClient(server.answers(BROKEN, BROKEN, BROKEN, OK), clock=clock)

    with client, pytest.raises(NetworkRetryableError, match="503 Service Unavailable"):
        client.request("GET", "/cards/17", what="read card 17")

    assert len(server.requests) == 3


def test_a_long_wait_that_the_server_asks_for_is_passed_on(server, clock):
    """
    A minute is not slept inside a request: the job is repeated then.
    """
    url = server.answers(answer("503 Service Unavailable", b"", "Retry-After: 60"))

    with HTTPClient(url, clock=clock) as client, pytest.raises(NetworkRetryableError) as caught:
        client.request("GET", "/cards/17", what="read card 17")

    assert caught.value.retry_in == timedelta(minutes=1)
    assert len(server.requests) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "script", [BROKEN, b"", b"<reset>", OK[:-4], OK.replace(b"application/json", b"text/html")]
)
def test_a_write_without_a_clear_answer_is_sent_once_and_unknown(server, clock, method, script):
    """
    5xx, hang up, reset, cut and a page of a proxy: the write may have taken effect.
    """
    client = HTTPClient(server.answers(script, OK, OK), clock=clock)

    with client, pytest.raises(UnknownOutcomeError, match="cannot change card 17"):
        client.request(method, "/cards/17", json={"name": "x"}, what="change card 17")

    assert len(server.requests) == 1


@pytest.mark.parametrize("script", [b"", b"<reset>", OK[:-4], OK.replace(b"application/json", b"text/html")])
def test_a_read_without_a_clear_answer_is_tried_again(server, clock, script):
    """
    The same failures of a read cost a second request and nothing else.
    """
    with HTTPClient(server.answers(script, OK), clock=clock) as client:
        card = client.request("GET", "/cards/17", what="read card 17")

    assert card == {"id": "17"}


def test_a_silent_server_leaves_a_write_unknown_and_a_read_for_later(server, clock):
    """
    A timeout says nothing about what the server does.
    """
    with HTTPClient(server.url, clock=clock, timeout=SHORT, repeats=0) as client:
        with pytest.raises(UnknownOutcomeError, match=r"no answer from 127\.0\.0\.1:"):
            client.request("POST", "/cards", json={}, what="create a card")
        with pytest.raises(NetworkRetryableError, match=r"no answer from 127\.0\.0\.1:"):
            client.request("GET", "/cards/17", what="read card 17")


def test_a_post_that_only_reads_is_repeated(server, clock):
    """
    The caller knows better than the verb.
    """
    with HTTPClient(server.answers(BROKEN, OK), clock=clock) as client:
        found = client.request("POST", "/search", json={}, what="search cards", idempotent=True)

    assert found == {"id": "17"}


def test_a_get_that_writes_is_not_repeated(server, clock):
    """
    Nor is a GET safe where the caller says that it is not.
    """
    with HTTPClient(server.answers(BROKEN, OK), clock=clock) as client, pytest.raises(UnknownOutcomeError):
        client.request("GET", "/archive", what="archive everything", idempotent=False)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_that_is_not_there_is_tried_later(clock, method):
    """
    Nothing was sent, so a create may simply be repeated by the job.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

    with (
        HTTPClient(url, clock=clock) as client,
        pytest.raises(NetworkRetryableError, match="no connection to"),
    ):
        client.request(method, "/cards", what="reach the server")


def test_a_host_that_does_not_exist_is_tried_later(clock):
    """
    The name service may be down: a running sync waits. A probe says it differently.
    """
    client = HTTPClient("http://nowhere.invalid", clock=clock, repeats=0)

    with client, pytest.raises(NetworkRetryableError, match=r"no connection to nowhere\.invalid"):
        client.request("GET", "/cards", what="reach the server")


def test_plain_text_behind_https_is_a_wrong_location():
    """
    A server that speaks no TLS is a setting that a person must change.
    """
    with socket.create_server(("127.0.0.1", 0)) as plain:
        answering = threading.Thread(target=_speak_plainly, args=(plain,))
        answering.start()
        url = f"https://127.0.0.1:{plain.getsockname()[1]}"
        with HTTPClient(url, repeats=0) as client, pytest.raises(BackendError, match="no trusted connection"):
            client.request("GET", "/", what="reach the server")
        answering.join()


def _speak_plainly(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(65536)


@pytest.mark.parametrize(
    "url",
    [
        "", "nohost", "ftp://host", "http://", "http:///path", "http://[::1", "http://a b/", "http://user:pw@host",
        "http://host/?key=secret", "http://host/#x", "http://" + "a" * 70 + ".com", "//host/1",
    ],
)  # fmt: skip
def test_a_location_that_is_no_address_is_told_at_once(url):
    """
    Before any request, and without repeating what might hold a password.
    """
    with pytest.raises(BackendError, match="location of the backend") as caught:
        HTTPClient(url)

    assert "pw" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("401 Unauthorized", CredentialsError),
        ("404 Not Found", IDMissingInBackend),
        ("422 No", InvalidDataError),
    ],
)
def test_a_refusal_carries_the_text_of_the_server(server, status, expected):
    """
    Its own words are what a person needs.
    """
    client = HTTPClient(server.answers(answer(status, b"invalid value for idList")))

    with client, pytest.raises(expected, match="invalid value for idList"):
        client.request("POST", "/cards", what="create a card")


def test_a_text_that_means_wrong_credentials_is_known_whatever_the_status(server):
    """
    Some servers say "invalid token" with 400.
    """
    client = HTTPClient(
        server.answers(answer("400 Bad Request", b"invalid token\n")), refusals=("invalid token",)
    )

    with client, pytest.raises(CredentialsError, match="says 'invalid token'"):
        client.request("GET", "/cards/17", what="read card 17")


def test_a_redirect_is_not_followed(server):
    """
    The credentials go where a person said, and nowhere else.
    """
    url = server.answers(answer("302 Found", b"", f"Location: {server.url}/elsewhere"), OK)

    with HTTPClient(url) as client, pytest.raises(BackendError, match="final address"):
        client.request("GET", "/cards/17", what="read card 17")

    assert len(server.requests) == 1


def test_every_request_draws_from_the_limiter(server, clock):
    """
    A repeated read draws again: the server counts it again.
    """
    limiter = CountingLimiter()
    windows = (TEN_SECONDS, QUARTER_HOUR)

    with HTTPClient(
        server.answers(BROKEN, OK), clock=clock, limiter=limiter, credential="us", windows=windows
    ) as client:
        client.request("GET", "/cards/17", what="read card 17")

    assert limiter.taken == [("us", windows), ("us", windows)]


def test_a_refusal_for_speed_stops_everybody(server, clock):
    """
    The limiter hears of it, and the job comes back when the shortest window is over.
    """
    limiter = CountingLimiter()
    client = HTTPClient(
        server.answers(answer("429 Too Many Requests")), clock=clock, limiter=limiter, credential="us",
        windows=(QUARTER_HOUR, TEN_SECONDS),
    )  # fmt: skip

    with client, pytest.raises(RateLimitedError) as caught:
        client.request("GET", "/cards/17", what="read card 17")

    assert caught.value.retry_in == timedelta(seconds=10)
    assert limiter.over == [("us", TEN_SECONDS)]
    assert len(server.requests) == 1


def test_a_refusal_for_speed_that_says_how_long_is_believed(server, clock):
    """
    The server's own number goes before our idea of its window.
    """
    client = HTTPClient(
        server.answers(answer("429 Too Many Requests", b"", "Retry-After: 3")),
        clock=clock,
        windows=(TEN_SECONDS,),
    )

    with client, pytest.raises(RateLimitedError) as caught:
        client.request("POST", "/cards", what="create a card")

    assert caught.value.retry_in == timedelta(seconds=3)


def test_a_limiter_that_refuses_sends_nothing(server):
    """
    Our own limit is known before the server must say it.
    """

    class Full(CountingLimiter):
        def take(self, credential, windows):
            msg = "slower"
            raise RateLimitedError(msg)

    with (
        HTTPClient(server.url, limiter=Full(), windows=(TEN_SECONDS,)) as client,
        pytest.raises(RateLimitedError),
    ):
        client.request("POST", "/cards", what="create a card")

    assert server.requests == []


def test_limits_may_depend_on_the_route(server):
    """
    A subclass says which windows a path draws from.
    """

    class Client(HTTPClient):
        def quotas(self, path):
            return [Quota("us", (QUARTER_HOUR,))] if path.startswith("/members/") else []

    limiter = CountingLimiter()

    with Client(server.answers(OK, OK), limiter=limiter) as client:
        client.request("GET", "/cards/17", what="read card 17")
        client.request("GET", "/members/me", what="read our member")

    assert limiter.taken == [("us", (QUARTER_HOUR,))]


def test_no_secret_is_in_any_message_log_or_repr(server, caplog, clock):
    """
    Not in our words, not in the server's, not in the HTTP library's own log.
    """
    caplog.set_level(logging.DEBUG)
    echo = answer("400 Bad Request", b"bad token t0ken/1, key k3y-0f-us, t0ken%2F1")

    with HTTPClient(server.answers(echo, OK), auth=AUTH, clock=clock) as client:
        with pytest.raises(InvalidDataError) as caught:
            client.request("GET", "/cards/17", what="read card 17")
        client.request("GET", "/tokens/t0ken%2F1/webhooks", what="list webhooks")
        seen = [str(caught.value), repr(caught.value), repr(client), repr(caught.value.__cause__)]
    seen += [record.getMessage() + repr(record.__dict__) for record in caplog.records]

    assert "bad token ***, key ***, ***" in seen[0]
    assert any("HTTP Request" in text for text in seen)
    assert [text for text in seen if "t0ken" in text or "k3y" in text] == []


def test_each_request_is_logged_with_keys(server, caplog):
    """
    What, with which outcome, how long; no path and no body.
    """
    caplog.set_level(logging.DEBUG, logger="isthmus.http")

    with HTTPClient(server.answers(OK, answer("404 Not Found"))) as client:
        client.request("GET", "/cards/17", what="read card 17")
        with pytest.raises(IDMissingInBackend):
            client.request("GET", "/cards/18", what="read card 18")

    seen = [
        (r.levelname, r.getMessage(), r.isthmus_method, r.isthmus_what, r.isthmus_outcome)
        for r in caplog.records
        if r.name == "isthmus.http"
    ]
    assert seen == [
        ("DEBUG", "http request", "GET", "read card 17", "done"),
        ("INFO", "http request", "GET", "read card 18", "IDMissingInBackend"),
    ]


def test_credentials_may_be_told_anew_before_each_request(server):
    """
    A token that is refreshed elsewhere is the one that is sent.
    """
    tokens = iter(["first-token", "second-token"])

    with HTTPClient(
        server.answers(OK, OK), auth=lambda: Auth(headers={"Authorization": next(tokens, "second-token")})
    ) as client:
        client.request("GET", "/a", what="read a")
        client.request("GET", "/b", what="read b")

    sent = [
        line for text in server.requests for line in text.split("\r\n") if line.startswith("Authorization")
    ]
    assert sent == ["Authorization: first-token", "Authorization: second-token"]


def test_no_cookie_is_kept(server):
    """
    Our credentials are the only thing that says who we are.
    """
    with_cookie = OK.replace(b"\r\n", b"\r\nSet-Cookie: session=abc; Path=/\r\n", 1)

    with HTTPClient(server.answers(with_cookie, OK)) as client:
        client.request("GET", "/a", what="read a")
        client.request("GET", "/b", what="read b")

    assert "cookie" not in server.requests[1].lower()


def test_half_a_character_in_the_query_is_a_data_error(server):
    """
    It is the record's fault, not the network's.
    """
    with HTTPClient(server.url) as client, pytest.raises(InvalidDataError, match="lone surrogate"):
        client.request("GET", "/cards", params={"q": "\ud800"}, what="search cards")


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(server, monkeypatch):
    """
    A simulator on loopback works behind a company's proxy settings.
    """
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)

    with HTTPClient(server.answers(OK)) as client:
        card = client.request("GET", "/cards/17", what="read card 17")

    assert card == {"id": "17"}
