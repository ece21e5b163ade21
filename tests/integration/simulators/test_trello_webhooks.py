"""Webhooks: who may subscribe, what is delivered, what happens when nobody answers."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from isthmus.simulators.trello import TrelloSimulator, signature


class Receiver(ThreadingHTTPServer):
    """Answers what it is told to and keeps what it gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.head_status = 200
        self.answers: list[int] = []
        self.bodies: list[bytes] = []
        self.signatures: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook?a=1"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_HEAD(self) -> None:
        self.send_response(self.server.head_status)
        self.end_headers()

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.signatures.append(self.headers["X-Trello-Webhook"])
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that webhooks are sent to."""
    server = Receiver()
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def board(trello: TrelloSimulator) -> dict[str, Any]:
    """A board to watch."""
    return trello.state.create_board("Website")


@pytest.fixture
def hook(call: Callable[..., Any], board: dict[str, Any], receiver: Receiver) -> dict[str, Any]:
    """A subscription to the board."""
    return call("POST", "/1/webhooks", {"idModel": board["id"], "callbackURL": receiver.url}).json()


def test_every_change_arrives_once_and_signed(
    trello: TrelloSimulator, board: dict[str, Any], hook: dict[str, Any], receiver: Receiver
) -> None:
    """
    In the order in which things happened, ours and others' alike.
    """
    todo = trello.state.create_list(board, "To do")
    trello.state.create_card(todo, "A")
    idle = trello.webhooks.wait_until_idle()

    actions = [json.loads(body)["action"] for body in receiver.bodies]
    assert idle
    assert [action["type"] for action in actions] == ["createList", "createCard"]
    assert receiver.signatures == [signature(trello.secret, body, receiver.url) for body in receiver.bodies]


def test_a_failed_delivery_is_tried_again(
    trello: TrelloSimulator, board: dict[str, Any], hook: dict[str, Any], receiver: Receiver
) -> None:
    """
    The same body comes again until it is taken.
    """
    receiver.answers = [500, 503]

    trello.state.update_board(board, name="Renamed")
    trello.webhooks.wait_until_idle()

    assert len(receiver.bodies) == 3
    assert len(set(receiver.bodies)) == 1


def test_a_receiver_that_is_gone_is_forgotten(
    trello: TrelloSimulator,
    call: Callable[..., Any],
    board: dict[str, Any],
    hook: dict[str, Any],
    receiver: Receiver,
) -> None:
    """
    410 ends the subscription.
    """
    receiver.answers = [410]

    trello.state.update_board(board, name="Renamed")
    trello.webhooks.wait_until_idle()

    assert call("GET", f"/1/webhooks/{hook['id']}").status == 404


def test_a_paused_webhook_is_silent(
    trello: TrelloSimulator,
    call: Callable[..., Any],
    board: dict[str, Any],
    hook: dict[str, Any],
    receiver: Receiver,
) -> None:
    """
    ``active=false`` stops the deliveries.
    """
    call("PUT", f"/1/webhooks/{hook['id']}", {"active": False})

    trello.state.update_board(board, name="Renamed")
    trello.webhooks.wait_until_idle()

    assert receiver.bodies == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"callbackURL": ""}, "invalid value for callbackURL"),
        ({"callbackURL": "https://example.org/hook"}, "did not return 200 status code"),
        ({"callbackURL": "http://127.0.0.1:1/hook"}, "did not return 200 status code"),
        ({"idModel": "f" * 24}, "invalid value for idModel"),
    ],
)
def test_a_subscription_needs_a_model_and_a_willing_address(
    call: Callable[..., Any], board: dict[str, Any], receiver: Receiver, change: dict[str, str], message: str
) -> None:
    """
    The address is asked first; only addresses of this machine are.
    """
    wish = {"idModel": board["id"], "callbackURL": receiver.url, **change}

    reply = call("POST", "/1/webhooks", wish)

    assert reply.status == 400
    assert message in reply.text


def test_an_address_that_says_no_gets_no_webhook(
    call: Callable[..., Any], board: dict[str, Any], receiver: Receiver
) -> None:
    """
    HEAD must answer 200 and nothing else.
    """
    receiver.head_status = 204

    reply = call("POST", "/1/webhooks", {"idModel": board["id"], "callbackURL": receiver.url})

    assert (reply.status, "got 204" in reply.text) == (400, True)


def test_the_same_subscription_is_not_made_twice(
    call: Callable[..., Any], board: dict[str, Any], hook: dict[str, Any], receiver: Receiver
) -> None:
    """
    Address, model and token together are unique.
    """
    reply = call("POST", "/1/webhooks", {"idModel": board["id"], "callbackURL": receiver.url})

    assert reply.status == 400
    assert "already exists" in reply.text
