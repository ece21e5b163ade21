"""Requests on loopback and every way to treat who sent them."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from threading import Event

import pytest

from isthmus.simulators.loopback import (
    Exchange,
    LoopbackServer,
    Manners,
    Simulator,
    json_answer,
    text_answer,
)

Serve = Callable[[Exchange], None]


class _Small(Simulator):
    def __init__(self, serve: Serve, manners: Manners | None = None) -> None:
        super().__init__(name="small")
        self._serve = serve
        self._manners = manners

    def _make_server(self, port: int) -> LoopbackServer:
        return LoopbackServer(self._serve, port=port, manners=self._manners)


@pytest.fixture
def started() -> Iterator[Callable[..., tuple[_Small, http.client.HTTPConnection]]]:
    """Start a server that does one thing and connect to it."""
    with ExitStack() as stack:

        def start(serve: Serve, manners: Manners | None = None) -> tuple[_Small, http.client.HTTPConnection]:
            small = stack.enter_context(_Small(serve, manners))
            connection = http.client.HTTPConnection(
                "127.0.0.1", int(small.url.rpartition(":")[2]), timeout=10
            )
            stack.callback(connection.close)
            return small, connection

        yield start


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_request_arrives_as_it_was_sent(started, method: str):
    """
    Method, path, query, headers and body.
    """
    _, connection = started(
        lambda e: e.send(
            json_answer([e.request.method, e.request.path, e.request.query, e.request.body.decode()])
        )
    )

    connection.request(method, "/a/b?c=d", b"body", {"X-Given": "yes"})

    assert connection.getresponse().read().decode() == f'["{method}","/a/b","c=d","body"]'


def test_a_server_has_manners_of_its_own(started):
    """
    Its software, its clock and headers that go with every answer.
    """
    manners = Manners(
        headers=lambda answer: {"X-Length": str(len(answer.body))},
        now=lambda: datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC),
        software="Small/1",
    )
    _, connection = started(lambda e: e.send(text_answer(200, "hello")), manners)

    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()

    assert [answer.headers[name] for name in ("X-Length", "Server", "Date")] == [
        "5",
        "Small/1",
        "Sat, 02 Jan 2027 03:04:05 GMT",
    ]


def test_a_cut_answer_tells_the_length_of_all_of_it(started):
    """
    The client sees that something is missing.
    """
    _, connection = started(lambda e: e.send(text_answer(200, "0123456789"), cut=4))
    connection.request("GET", "/")

    with pytest.raises(http.client.IncompleteRead) as cut:
        connection.getresponse().read()

    assert (cut.value.partial, cut.value.expected) == (b"0123", 6)


@pytest.mark.parametrize("treat", [Exchange.reset, lambda e: e.hold(0.01)], ids=["reset", "hold"])
def test_a_client_may_get_no_answer_at_all(started, treat: Serve):
    """
    The connection ends, at once or after a while.
    """
    _, connection = started(treat)
    connection.request("GET", "/")

    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        connection.getresponse()


def test_stopping_ends_who_is_held(started):
    """
    A fault that holds a connection does not hold the test.
    """
    held = Event()

    def hold(exchange: Exchange) -> None:
        held.set()
        exchange.hold(60)

    small, connection = started(hold)
    connection.request("GET", "/")
    assert held.wait(10)

    small.stop()

    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        connection.getresponse()
    assert small.wait_idle()


def test_it_comes_back_at_the_same_address(started):
    """
    Stopped and started again: an outage.
    """
    small, connection = started(lambda e: e.send(text_answer(200, "hello")))
    address = small.url
    small.stop()
    with pytest.raises(OSError):
        connection.request("GET", "/")

    small.start()
    connection.close()
    connection.request("GET", "/")

    assert small.url == address
    assert connection.getresponse().read() == b"hello"
