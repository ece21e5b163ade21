"""The server of webhooks over real connections, in front of functions that take hints."""

import http.client
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from urllib.parse import urlsplit

import pytest

from isthmus.cli.webhook_request import LARGEST
from isthmus.cli.webhooks import HookServer, Limits, Receive
from isthmus.errors import DatabaseBusyError, UsageError
from isthmus.job.desk.address import Address
from isthmus.sync.hook import Heard

SECRET = "8ZrT-not-to-be-told-anywhere"
PATH = f"/hook/company/{SECRET}"
JSON = {"Content-Type": "application/json"}
Serve = Callable[..., HookServer]


class Desk:
    """Takes every hint, and remembers it."""

    def __init__(self, heard: Heard = Heard.TAKEN) -> None:
        self.heard = heard
        self.calls: list[tuple[str, str, bytes]] = []

    def __call__(self, name: str, secret: str, body: bytes) -> Heard:
        self.calls.append((name, secret, body))
        return self.heard


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve in front of a function, within limits."""
    with ExitStack() as stack:

        def start(receive: Receive, **limits: float) -> HookServer:
            server = HookServer(receive, limits=Limits(**limits))  # type: ignore[arg-type]
            return stack.enter_context(server)

        yield start


@pytest.fixture
def desk() -> Desk:
    """Takes every hint."""
    return Desk()


def connect(server: HookServer) -> socket.socket:
    """Open a bare connection."""
    place = urlsplit(server.url)
    assert place.hostname is not None
    return socket.create_connection((place.hostname, place.port or 0), timeout=10)


def ask(
    server: HookServer,
    path: str = PATH,
    body: bytes = b"{}",
    method: str = "POST",
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes, dict[str, str]]:
    """Send a request; give status, body and headers of the answer."""
    place = urlsplit(server.url)
    with closing(http.client.HTTPConnection(str(place.hostname), place.port, timeout=10)) as connection:
        connection.request(method, path, body=body, headers=JSON if headers is None else headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())


def head(length: int) -> bytes:
    """Give what stands before a body."""
    fields = f"Content-Type: application/json\r\nContent-Length: {length}"
    return f"POST {PATH} HTTP/1.1\r\n{fields}\r\n\r\n".encode()


def spoken(server: HookServer, said: bytes) -> bytes:
    """Say something on a bare connection; give all that is answered."""
    with connect(server) as connection:
        connection.sendall(said)
        return b"".join(iter(lambda: connection.recv(4_096), b""))


# --- what is asked and answered --------------------------------------------------------


def test_a_hint_is_handed_on_as_it_came(serve: Serve, desk: Desk) -> None:
    """
    Name and secret are those of the path, unquoted; the answer says no more than that it was taken.
    """
    server = serve(desk)
    answer = ask(server, "/hook/our%20odoo/s3cret?from=odoo", b'{"_id": 7}')

    assert answer == (202, b"", {"Content-Length": "0", "Connection": "close"})
    assert desk.calls == [("our odoo", "s3cret", b'{"_id": 7}')]


@pytest.mark.parametrize(
    ("heard", "status"), [(Heard.TAKEN, 202), (Heard.REFUSED, 404), (Heard.GARBAGE, 400)]
)
def test_each_end_has_its_status_and_no_detail(serve: Serve, heard: Heard, status: int) -> None:
    """
    Only the status tells what became of a hint.
    """
    server = serve(Desk(heard))

    assert ask(server) == (status, b"", {"Content-Length": "0", "Connection": "close"})


@pytest.mark.parametrize(
    "path", ["/", "/hook", "/hook/company", f"{PATH}/more", "/metrics", "/hook/%ff/x", "//[/hook/a/b"]
)
def test_other_paths_are_not_there(serve: Serve, desk: Desk, path: str) -> None:
    """
    They look like those of backends that are not there.
    """
    server = serve(desk)

    assert ask(server, path) == (404, b"", {"Content-Length": "0", "Connection": "close"})
    assert desk.calls == []


def test_somebody_is_here(serve: Serve, desk: Desk) -> None:
    """
    HEAD is answered by 200 whatever the path: some systems ask before they accept an address.
    """
    server = serve(desk)

    assert [ask(server, path, b"", "HEAD")[0] for path in (PATH, "/hook/other/x")] == [200, 200]
    assert desk.calls == []


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_only_post_is_a_hint(serve: Serve, desk: Desk, method: str) -> None:
    """
    Other methods are refused by name.
    """
    status, body, headers = ask(serve(desk), method=method)

    assert (status, body, headers["Allow"]) == (405, b"", "HEAD, POST")
    assert desk.calls == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({**JSON, "Content-Encoding": "gzip"}, 415),
        ({**JSON, "Transfer-Encoding": "chunked"}, 411),
        ({**JSON, "Content-Length": "-1"}, 400),
        ({**JSON, "Content-Length": "9" * 5_000}, 413),
    ],
)
def test_only_json_of_a_known_length_is_read(
    serve: Serve, desk: Desk, headers: dict[str, str], status: int
) -> None:
    """
    Whatever else is said about the body, it is refused before it is read.
    """
    assert ask(serve(desk), headers=headers)[0] == status
    assert desk.calls == []


def test_a_charset_is_no_other_type(serve: Serve, desk: Desk) -> None:
    """
    ``application/json; charset=utf-8`` is JSON.
    """
    assert ask(serve(desk), headers={"Content-Type": "application/json; charset=utf-8"})[0] == 202


def test_a_body_that_is_too_large_is_refused(serve: Serve, desk: Desk) -> None:
    """
    The largest is taken, one byte more is not: the sender gets its answer although it goes on sending.
    """
    server = serve(desk, request_s=10)
    statuses = [ask(server, body=b"x" * size)[0] for size in (LARGEST, LARGEST + 1)]

    assert statuses == [202, 413]
    assert [len(body) for *_, body in desk.calls] == [LARGEST]


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n",
        b"POST " + PATH.encode() + b"\r\n\r\n",
        b"POST " + PATH.encode() + b" HTTP/9.9\r\n\r\n",
        b"POST " + PATH.encode() * 5_000 + b" HTTP/1.1\r\n\r\n",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["no HTTP", "too short", "another version", "long path", "many headers", "two lengths", "TLS"],
)
def test_what_is_no_request_is_not_repeated(serve: Serve, desk: Desk, said: bytes) -> None:
    """
    The answer, if there is one, has nothing of what was sent.
    """
    answer = spoken(serve(desk, request_s=0.5), said)

    assert SECRET.encode() not in answer
    assert answer == b"" or answer.partition(b"\r\n")[0].split()[1].startswith((b"4", b"5"))
    assert desk.calls == []


def test_a_sender_that_is_cut_gives_no_hint(serve: Serve, desk: Desk) -> None:
    """
    Half a body is none.
    """
    server = serve(desk)
    with connect(server) as connection:
        connection.sendall(head(9) + b"{}")
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(4_096)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert desk.calls == []


# --- who is slow, and who comes in crowds ----------------------------------------------


@pytest.mark.parametrize("beginning", [b"", b"POST /hook", f"POST {PATH} HTTP/1.1\r\nA:".encode()])
def test_a_slow_sender_is_cut(serve: Serve, desk: Desk, beginning: bytes) -> None:
    """
    However much of the request has come: its time is over.
    """
    server = serve(desk, request_s=0.3)
    began = time.monotonic()
    answer = spoken(server, beginning)

    assert answer == b""
    assert 0.2 < time.monotonic() - began < 5


def test_a_sender_that_drips_is_cut_all_the_same(serve: Serve, desk: Desk) -> None:
    """
    A byte from time to time does not prolong the time.
    """
    server = serve(desk, request_s=0.5)
    pause = threading.Event()
    sent = 0
    with connect(server) as connection:
        connection.sendall(head(900))
        with suppress(ConnectionError):
            while sent < 900:
                connection.sendall(b" ")
                sent += 1
                pause.wait(0.02)

    assert 0 < sent < 900
    assert desk.calls == []


def test_slow_senders_do_not_keep_others_out(serve: Serve, desk: Desk) -> None:
    """
    When all threads wait for slow ones, a hint is taken as soon as their time is over.
    """
    server = serve(desk, threads=2, request_s=1.0)
    with closing(connect(server)), closing(connect(server)):
        # The time of the third begins when it comes: it must outlast theirs.
        threading.Event().wait(0.5)
        status = ask(server)[0]

    assert status == 202


def test_too_many_at_once_are_turned_away(serve: Serve) -> None:
    """
    Those that find a place are all served; nobody waits for ever.
    """
    go = threading.Event()

    def receive(_name: str, _secret: str, _body: bytes) -> Heard:
        go.wait(10)
        return Heard.TAKEN

    server = serve(receive, threads=2, waiting=3, writers=2, answer_s=10, request_s=10)
    crowd = [connect(server) for _ in range(5)]
    with connect(server) as another:
        turned_away = another.recv(4_096)
    for connection in crowd:
        connection.sendall(head(2) + b"{}")
    go.set()
    answers = [connection.recv(4_096) for connection in crowd]
    for connection in crowd:
        connection.close()

    assert turned_away.startswith(b"HTTP/1.1 503 ")
    assert [answer.split()[1] for answer in answers] == [b"202"] * 5
    assert ask(server)[0] == 202


def test_a_crowd_is_served(serve: Serve, desk: Desk) -> None:
    """
    Three hundred hints from sixteen senders all arrive.
    """
    server = serve(desk, request_s=20, answer_s=20)
    with ThreadPoolExecutor(16) as senders:
        statuses = list(senders.map(lambda n: ask(server, body=b"%d" % n)[0], range(300)))

    assert set(statuses) == {202}
    assert sorted(int(body) for *_, body in desk.calls) == list(range(300))


# --- the database ----------------------------------------------------------------------


def test_a_busy_database_is_not_waited_for(serve: Serve) -> None:
    """
    The sender has its answer before its own patience is over; polling finds the change.
    """
    go = threading.Event()
    taken: list[str] = []

    def receive(name: str, _secret: str, _body: bytes) -> Heard:
        go.wait(10)
        taken.append(name)
        return Heard.TAKEN

    server = serve(receive, answer_s=0.3, writers=1)
    began = time.monotonic()
    statuses = [ask(server)[0], ask(server, "/hook/second/x")[0]]
    took = time.monotonic() - began
    go.set()
    statuses.append(ask(server, "/hook/third/x")[0])

    assert statuses == [503, 503, 202]
    assert took < 5
    assert taken == ["company", "third"]


@pytest.mark.parametrize(
    ("error", "status"), [(DatabaseBusyError("locked"), 503), (RuntimeError(f"at {PATH}"), 500)]
)
def test_an_error_is_answered_and_the_server_goes_on(
    serve: Serve, error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Its message goes nowhere: who knows what stands in it.
    """

    def receive(name: str, _secret: str, _body: bytes) -> Heard:
        if name == "company":
            raise error
        return Heard.TAKEN

    server = serve(receive)
    with caplog.at_level(logging.DEBUG):
        statuses = [ask(server)[0], ask(server, "/hook/other/x")[0]]

    assert statuses == [status, 202]
    assert caplog.messages
    assert SECRET not in caplog.text


# --- secrets and addresses -------------------------------------------------------------


def test_no_path_is_told(
    serve: Serve, desk: Desk, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """
    Neither in the log nor on the streams, whatever is asked.
    """
    with caplog.at_level(logging.DEBUG):
        server = serve(desk, request_s=0.5)
        for method in ("POST", "GET", "HEAD", "BREW"):
            ask(server, method=method)
        spoken(server, f"POST {PATH} HTTP/1.1\r\nContent-Length: 5\r\n".encode())
        spoken(server, f"POST {PATH} HTTP/7\r\n\r\n".encode())
    printed = capfd.readouterr()

    assert SECRET not in caplog.text + printed.out + printed.err


def test_an_address_that_is_taken_is_an_error_of_usage(desk: Desk) -> None:
    """
    It names the option and the address.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(UsageError, match=f"^--webhooks: 127.0.0.1:{port} cannot be listened on: Address"),
            HookServer(desk, Address(port=port)),
        ):
            pass


def test_it_listens_on_the_newer_kind_of_address_too(desk: Desk) -> None:
    """
    A host with colons is one.
    """
    with HookServer(desk, Address("::1")) as server:
        status = ask(server)[0]

    assert server.url.startswith("http://[::1]:")
    assert status == 202
