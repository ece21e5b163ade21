"""py-trello, a client that knows nothing of us, walks the simulator."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import trello as py_trello
from requests.adapters import HTTPAdapter

from isthmus.simulators.trello import TrelloSimulator


class ToSimulator(HTTPAdapter):
    """Sends what is meant for Trello to the simulator (the client's addresses are fixed)."""

    def __init__(self, url: str) -> None:
        self._netloc = urlsplit(url).netloc
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        request.url = parts._replace(scheme="http", netloc=self._netloc).geturl()
        return super().send(request, *args, **kwargs)


@pytest.fixture
def client(trello: TrelloSimulator) -> Iterator[py_trello.TrelloClient]:
    """A py-trello client whose requests end at the simulator."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", ToSimulator(trello.url))
        yield py_trello.TrelloClient(
            api_key=trello.key, api_secret=trello.secret, token=trello.token, http_service=session
        )


@pytest.fixture
def received() -> Iterator[tuple[str, Queue[tuple[str, bytes]]]]:
    """An address for webhooks and a queue of (signature, body) of what arrives there."""
    arrived: Queue[tuple[str, bytes]] = Queue()

    class Hook(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrived.put((self.headers["X-Trello-Webhook"], body))
            self.do_HEAD()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook?of=py-trello", arrived
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_sees_the_boards_lists_and_cards_of_others(
    client: py_trello.TrelloClient, trello: TrelloSimulator
) -> None:
    """
    What people made is what the client lists.
    """
    trello.seed_demo(boards=2, lists=3, cards=4)

    boards = client.list_boards()
    lists = boards[0].list_lists()
    cards = boards[0].all_cards()

    assert [board.name for board in boards] == ["Website", "Mobile app"]
    assert [entry.name for entry in lists] == ["To do", "Doing", "Review"]
    assert [card.name for card in cards] == [card["name"] for card in trello.state.cards(boards[0].id)]
    assert len(lists[1].list_cards()) == 4


def test_it_makes_a_board_with_lists_and_cards(
    client: py_trello.TrelloClient, trello: TrelloSimulator
) -> None:
    """
    A board, two lists and a card made by the client are on the server as written.
    """
    board = client.add_board("From py-trello", default_lists=False)
    todo = board.add_list("To do", pos="bottom")
    done = board.add_list("Done", pos="bottom")
    label = board.add_label("Urgent", "red")
    card = todo.add_card("Write", desc="with **stars**", labels=[label], due="2027-01-02T03:04:05.000Z")

    on_server = trello.state.card(card.id)
    assert [entry.id for entry in board.open_lists()] == [todo.id, done.id]
    assert on_server["name"] == "Write"
    assert on_server["desc"] == "with **stars**"
    assert on_server["due"] == "2027-01-02T03:04:05.000Z"
    assert [entry["name"] for entry in on_server["labels"]] == ["Urgent"]


def test_it_changes_moves_archives_and_deletes_a_card(
    client: py_trello.TrelloClient, trello: TrelloSimulator
) -> None:
    """
    Each change by the client is on the server and in the card's history.
    """
    trello.seed_demo(boards=1, lists=2, cards=1)
    board = client.list_boards()[0]
    first, second = board.list_lists()
    card = first.list_cards()[0]

    card.set_name("Renamed")
    card.set_description("New text")
    card.change_list(second.id)
    card.change_pos("top")
    card.set_closed(True)
    card.fetch()

    moves = card.fetch_actions("updateCard:idList")
    assert (card.name, card.desc, card.idList, card.closed) == ("Renamed", "New text", second.id, True)
    assert [move["data"]["listAfter"]["name"] for move in moves] == ["Doing"]
    assert first.list_cards() == []
    card.delete()
    assert trello.state.actions(board.id)[0]["type"] == "deleteCard"
    with pytest.raises(py_trello.ResourceUnavailable):
        client.get_card(card.id)


def test_it_comments_and_ticks_a_checklist(client: py_trello.TrelloClient, trello: TrelloSimulator) -> None:
    """
    Comments, checklists, attachments and members of a card work both ways.
    """
    trello.seed_demo(boards=1, lists=1, cards=1)
    board = client.list_boards()[0]
    card = board.all_cards()[0]

    comment = card.comment("First")
    card.update_comment(comment["id"], "Better")
    checklist = card.add_checklist("Steps", ["one", "two"])
    checklist.set_checklist_item("two", True)
    card.attach(name="link", url="https://example.org/")
    card.assign(trello.member_id)
    card = client.get_card(card.id)
    card.fetch()

    states = {item["name"]: item["state"] for item in card.checklists[0].items}
    assert [entry["data"]["text"] for entry in card.comments] == ["Better"]
    assert states == {"one": "incomplete", "two": "complete"}
    assert [entry["url"] for entry in card.attachments] == ["https://example.org/"]
    assert card.idMembers == [trello.member_id]
    assert card.badges["checkItemsChecked"] == 1
    card.delete_comment(comment)
    assert card.get_comments() == []


def test_it_handles_labels_and_members_of_a_board(
    client: py_trello.TrelloClient, trello: TrelloSimulator
) -> None:
    """
    Labels are made, put on cards and removed; members are listed.
    """
    trello.seed_demo(boards=1, lists=1, cards=1)
    board = client.list_boards()[0]
    card = board.all_cards()[0]

    label = board.add_label("Later", "sky")
    card.add_label(label)
    card.fetch()
    worn = [entry.name for entry in card.labels]
    card.remove_label(label)
    board.delete_label(label.id)

    assert worn == ["Later"]
    assert "Later" not in [entry.name for entry in board.get_labels()]
    assert {member.username for member in board.all_members()} == {"isthmus", "robin"}
    assert client.get_member("me").id == trello.member_id


def test_a_webhook_tells_what_happened_with_a_signature(
    client: py_trello.TrelloClient,
    trello: TrelloSimulator,
    received: tuple[str, Queue[tuple[str, bytes]]],
) -> None:
    """
    A change by somebody else arrives, signed with the secret over body and address.
    """
    url, arrived = received
    trello.seed_demo(boards=1, lists=1, cards=1)
    board = client.list_boards()[0]
    hook = client.create_hook(url, board.id, desc="watch")

    card = trello.state.update_card(trello.state.cards()[0], name="Changed")
    signed, body = arrived.get(timeout=10)

    expected = hmac.new(trello.secret.encode(), body + url.encode(), hashlib.sha1).digest()
    assert base64.b64encode(expected).decode() == signed
    assert json.loads(body)["action"]["data"]["card"]["id"] == card["id"]
    assert json.loads(body)["model"]["id"] == board.id
    assert [entry.id for entry in client.list_hooks()] == [hook.id]
    hook.delete()
    assert client.list_hooks() == []


def test_wrong_credentials_are_refused(trello: TrelloSimulator) -> None:
    """
    The client's own error for refused credentials is raised.
    """
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", ToSimulator(trello.url))
        stranger = py_trello.TrelloClient(
            api_key=trello.key, api_secret="no", token="no", http_service=session
        )

        with pytest.raises(py_trello.Unauthorized, match="invalid token"):
            stranger.list_boards()
