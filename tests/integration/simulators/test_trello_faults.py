"""What a client sees on the wire when the server misbehaves, and what took effect."""

import http.client
import json
import socket
from collections.abc import Callable
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from isthmus.simulators.trello import TrelloSimulator

CUT = (http.client.RemoteDisconnected, ConnectionResetError)


@pytest.fixture
def path(trello: TrelloSimulator) -> str:
    """Where to make a card."""
    board = trello.state.create_board("Website")
    return f"/1/lists/{trello.state.create_list(board, 'To do')['id']}/cards"


def names(trello: TrelloSimulator) -> list[str]:
    """The names of all cards on the server."""
    return [card["name"] for card in trello.state.cards()]


@pytest.mark.parametrize(
    ("kind", "error", "applied"),
    [
        ("timeout_before", http.client.RemoteDisconnected, []),
        ("timeout_after", http.client.RemoteDisconnected, ["A"]),
        ("reset_before", ConnectionResetError, []),
        ("reset_after", ConnectionResetError, ["A"]),
        ("truncated", http.client.IncompleteRead, ["A"]),
        ("late", http.client.RemoteDisconnected, []),
    ],
)
def test_a_cut_create_took_effect_or_not(
    kind: str,
    error: type[Exception],
    applied: list[str],
    trello: TrelloSimulator,
    call: Callable[..., Any],
    path: str,
) -> None:
    """
    The client sees a broken connection either way; the kind decides what is on the server.
    """
    trello.faults.next(kind, method="POST", hold_s=0.05)

    with pytest.raises(error):
        call("POST", path, {"name": "A"})

    assert names(trello) == applied
    assert [entry.fault for entry in trello.requests] == [kind]


@pytest.mark.parametrize(
    ("kind", "options", "status", "content_type", "applied"),
    [
        ("rate_limit", {}, 429, "application/json; charset=utf-8", []),
        ("server_error", {"status": 502}, 502, "text/plain; charset=utf-8", []),
        ("server_error", {"status": 500, "applied": True}, 500, "text/plain; charset=utf-8", ["A"]),
        ("wrong_type", {}, 200, "text/html; charset=utf-8", []),
        ("wrong_type", {"applied": True}, 200, "text/html; charset=utf-8", ["A"]),
        ("slow", {"delay_s": 0.05}, 200, "application/json; charset=utf-8", ["A"]),
    ],
)
def test_a_bad_answer_to_a_create(
    kind: str,
    options: dict[str, Any],
    status: int,
    content_type: str,
    applied: list[str],
    trello: TrelloSimulator,
    call: Callable[..., Any],
    path: str,
) -> None:
    """
    Status and type are those of the kind, and so is what is on the server.
    """
    trello.faults.next(kind, **options)

    reply = call("POST", path, {"name": "A"})

    assert (reply.status, reply.content_type) == (status, content_type)
    assert names(trello) == applied


def test_a_client_that_gives_up_ends_the_holding(trello: TrelloSimulator, path: str) -> None:
    """
    The server holds no connection longer than its client wants.
    """
    trello.faults.next("timeout_after", hold_s=30)
    host = urlsplit(trello.url)
    target = f"{path}?key={trello.key}&token={trello.token}&name=A"
    connection = socket.create_connection((host.hostname, host.port), timeout=10)
    connection.sendall(f"POST {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    connection.shutdown(socket.SHUT_WR)

    answer = connection.recv(100)
    connection.close()

    assert answer == b""
    assert names(trello) == ["A"]


def test_a_late_create_comes_when_it_is_released(
    trello: TrelloSimulator, call: Callable[..., Any], path: str
) -> None:
    """
    A request of unknown outcome takes effect after somebody has looked.
    """
    trello.faults.next("late", hold_s=0.05)
    with pytest.raises(CUT):
        call("POST", path, {"name": "A"})

    before = names(trello)
    released = call("POST", "/_control/release").json()

    assert (before, released, names(trello)) == ([], {"released": 1}, ["A"])


def test_a_stopped_server_lets_go_of_held_connections() -> None:
    """
    Stopping does not wait for a fault to end.
    """
    errors: list[Exception] = []
    with TrelloSimulator() as trello:
        trello.faults.next("timeout_before", hold_s=60)
        connection = http.client.HTTPConnection(urlsplit(trello.url).netloc, timeout=30)

        def ask() -> None:
            try:
                connection.request("GET", "/1/members/me")
                connection.getresponse()
            except OSError as error:
                errors.append(error)

        thread = Thread(target=ask)
        thread.start()
        while not trello.requests:
            thread.join(0.01)
    thread.join(10)
    connection.close()

    assert not thread.is_alive()
    assert len(errors) == 1


def test_another_process_drives_it_by_control_routes(
    trello: TrelloSimulator, call: Callable[..., Any]
) -> None:
    """
    Content, faults, edits, log and state are all reachable over HTTP.
    """
    call("POST", "/_control/seed", {"boards": 1, "lists": 2, "cards": 3})
    card = call("GET", "/_control/state").json()["cards"][0]
    call("POST", "/_control/faults", {"next": {"kind": "server_error", "method": "GET", "path": "/cards/*"}})
    edit = {"do": "update_card", "args": [card["id"]], "values": {"name": "Edited"}}
    edited = call("POST", "/_control/edit", edit).json()

    failed = call("GET", f"/1/cards/{card['id']}").status
    read = call("GET", f"/1/cards/{card['id']}").json()
    log = call("GET", "/_control/requests").json()
    info = call("GET", "/_control/info").json()

    assert (failed, read["name"], edited["name"]) == (503, "Edited", "Edited")
    assert log["counts"] == {"GET /cards/{card}": 2}
    assert trello.token not in json.dumps(log)
    assert (info["url"], info["key"], info["token"]) == (trello.url, trello.key, trello.token)


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("edit", {"do": "shutdown"}, "unknown edit 'shutdown'"),
        ("edit", {"do": "update_card", "args": ["f" * 24]}, "The requested resource was not found."),
        ("faults", {"plan": {"kinds": ["nonsense"]}}, "nonsense"),
        ("faults", {"next": {"kind": "slow", "colour": "red"}}, "colour"),
        ("nothing", {}, "no control route"),
    ],
)
def test_a_wrong_control_request_is_told_what_is_wrong(
    call: Callable[..., Any], path: str, body: dict[str, Any], said: str
) -> None:
    """
    A mistake in a test shows at once.
    """
    reply = call("POST", f"/_control/{path}", body)

    assert reply.status in {400, 404}
    assert said in reply.text


def test_seeded_faults_hit_a_kept_connection_and_it_recovers(
    trello: TrelloSimulator, call: Callable[..., Any], path: str
) -> None:
    """
    After any fault the next request is answered; the log knows each outcome.
    """
    call("POST", "/_control/faults", {"plan": {"seed": 3, "rate": 0.5, "hold_s": 0.01, "delay_s": 0.01}})
    sent = [f"Card {number}" for number in range(60)]
    for name in sent:
        try:
            call("POST", path, {"name": name})
        except (*CUT, http.client.IncompleteRead):
            continue
    call("POST", "/_control/faults", {"clear": True})

    applied = sum(entry.applied for entry in trello.requests)
    assert len(names(trello)) == applied < len(sent)
    assert len(trello.requests) == len(sent)
    assert call("GET", "/1/members/me").status == 200
