"""Every recorded exchange with the real Trello, asked again of the simulator."""

import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from isthmus.simulators.trello import NOT_SIMULATED, TrelloSimulator
from isthmus.simulators.trello.routes_boards import ROUTES as BOARD_ROUTES
from isthmus.simulators.trello.routes_cards import ROUTES as CARD_ROUTES
from isthmus.simulators.trello.routes_others import ROUTES as OTHER_ROUTES
from isthmus.simulators.trello.routing import Route, Router

RECORDED = Path(__file__).parents[2] / "data" / "trello_recorded.json"
EXCHANGES: list[dict[str, Any]] = json.loads(RECORDED.read_text())["exchanges"]
SIMULATED = Router([*BOARD_ROUTES, *CARD_ROUTES, *OTHER_ROUTES])
OTHERS = Router([Route(*name.split(" ", 1), handler=lambda call: None) for name in NOT_SIMULATED])
ABSENT = "5" * 24
OBJECT_ID = re.compile(r"[0-9a-f]{24}$")
BOUNDARY = "recorded-boundary"
MAY_BE_EMPTY = (".idOrganizations", ".powerUps", ".previews")
"""Lists that the simulator never fills (they belong to resources it does not have)."""


def route_of(exchange: dict[str, Any]) -> tuple[Route, dict[str, str]] | None:
    """Find our route for a recorded request."""
    return SIMULATED.find(exchange["method"], exchange["path"].removeprefix("/1"))


def name_of(exchange: dict[str, Any]) -> str:
    """Name a recorded request by method and path."""
    return f"{exchange['method']} {exchange['path'].removeprefix('/1')}"


COVERED = [exchange for exchange in EXCHANGES if route_of(exchange)]
REST = [exchange for exchange in EXCHANGES if not route_of(exchange)]


def misfits(recorded: Any, ours: Any, where: str = "$") -> list[str]:
    """Name each place where a client that was written for the recorded answer would stumble."""
    if recorded is None or ours is None:
        return []
    if isinstance(recorded, bool) or isinstance(ours, bool):
        return [] if type(recorded) is type(ours) else [f"{where}: {recorded!r} became {ours!r}"]
    if isinstance(recorded, (int, float)) and isinstance(ours, (int, float)):
        return []
    if type(recorded) is not type(ours):
        return [f"{where}: {recorded!r} became {ours!r}"]
    if isinstance(recorded, dict):
        found = [f"{where}.{key} is missing" for key in recorded if key not in ours]
        for key in recorded.keys() & ours.keys():
            if not (key == "data" and "idMemberCreator" in recorded):
                found += misfits(recorded[key], ours[key], f"{where}.{key}")
        return found
    if isinstance(recorded, list):
        if recorded and not ours and not where.endswith(MAY_BE_EMPTY):
            return [f"{where} is empty"]
        return [
            flaw for theirs in recorded if ours for flaw in misfits(theirs, _like(theirs, ours), f"{where}[]")
        ]
    return []


def _like(theirs: Any, ours: list[Any]) -> Any:
    """Choose what to compare an element with: one of the same type, else the fullest."""
    if not isinstance(theirs, dict):
        return ours[0]
    kind = theirs.get("type")
    alike = [own for own in ours if own.get("type") == kind] or ours
    return max(alike, key=lambda own: sum(bool(value) for value in own.values()))


class _Hook(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    do_POST = do_HEAD

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def hook_url() -> Iterator[str]:
    """An address that accepts webhooks."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hook)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    server.shutdown()
    thread.join()
    server.server_close()


class Scene:
    """One of everything, and the names of the recorded things translated to it."""

    def __init__(self, trello: TrelloSimulator, call: Callable[..., Any], hook_url: str) -> None:
        people = trello.state
        self.trello, self.call, self.hook_url = trello, call, hook_url
        self.board = people.create_board("Test Board", desc="For testing")
        self.other_board = people.create_board("Alt. Test Board")
        self.list = people.create_list(self.board, "List 1")
        self.other_list = people.create_list(self.other_board, "Elsewhere")
        self.label = self.send(
            "POST", "/labels", {"idBoard": self.board["id"], "name": "Red", "color": "red"}
        )
        older = people.create_card(self.list, "Older", idLabels=[self.label["id"]])
        card = people.create_card(self.list, "Card 1", desc="A card", idLabels=[self.label["id"]])
        self.card = f"/cards/{card['id']}"
        self.card_id = card["id"]
        self.older_id = older["id"]
        self.checklist = self.send("POST", f"{self.card}/checklists", {"name": "Steps"})
        again = self.send("POST", f"{self.card}/checklists", {"idChecklistSource": self.checklist["id"]})
        self.send("POST", f"/checklists/{again['id']}/checkItems", {"name": "Two"})
        items = f"/checklists/{self.checklist['id']}/checkItems"
        self.item = self.send("POST", items, {"name": "One", "checked": True})
        self.comment = self.send("POST", f"{self.card}/actions/comments", {"text": "Hello"})
        self.attachment = self.send(
            "POST", f"{self.card}/attachments", {"url": "https://example.org/a.png", "name": "a"}
        )
        self.me, self.someone = trello.member_id, people.member.id
        self.send("POST", f"{self.card}/membersVoted", {"value": self.me})
        self.send("POST", f"{self.card}/idMembers", {"value": self.someone})
        self.send("DELETE", f"{self.card}/idMembers/{self.someone}")
        hook = {"idModel": self.board["id"], "callbackURL": hook_url + "?first"}
        self.webhook = self.send("POST", "/webhooks", hook)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        reply = self.call(method, "/1" + path, body)
        assert reply.status == 200, reply.text
        return reply.json()

    def again(self, exchange: dict[str, Any]) -> Any:
        """Send the same request, about the things of this scene."""
        found = route_of(exchange)
        assert found is not None
        route, names = found
        absent = exchange["status"] == 404
        values = {name: ABSENT if absent else self.place(name, value) for name, value in names.items()}
        path = "/1" + re.sub(r"\{(\w+)\}", lambda m: values[m[1]], route.template)
        query = {name: self.id_in_query(route, value) for name, value in exchange["query"].items()}
        if "file" in (exchange["request_body"] or {}):
            part = f'Content-Disposition: form-data; name="file"; filename="taco.txt"\r\n\r\n{"x" * 28}'
            form = f"--{BOUNDARY}\r\n{part}\r\n--{BOUNDARY}--\r\n".encode()
            kind = f"multipart/form-data; boundary={BOUNDARY}"
            return self.call(exchange["method"], path, form, content_type=kind, **query)
        body = {name: self.value(name, value) for name, value in (exchange["request_body"] or {}).items()}
        return self.call(exchange["method"], path, body or None, **query)

    def place(self, name: str, recorded: str) -> str:
        if recorded == "tacokit":
            return self.me
        if recorded in ("me", "faketokenid"):
            return recorded
        return {
            "board": self.board["id"],
            "list": self.list["id"],
            "card": self.card_id,
            "label": self.label["id"],
            "action": self.comment["id"],
            "attachment": self.attachment["id"],
            "checklist": self.checklist["id"],
            "item": self.item["id"],
            "member": self.someone,
            "webhook": self.webhook["id"],
            "token": self.trello.token,
        }[name]

    def id_in_query(self, route: Route, value: str) -> str:
        if not OBJECT_ID.match(value):
            return value
        return self.card_id if route.template.endswith("/cards") else self.comment["id"]

    def value(self, name: str, recorded: Any) -> Any:
        translated = {
            "idBoard": self.other_board["id"],
            "idList": self.other_list["id"],
            "idModel": self.board["id"],
            "idChecklistSource": self.checklist["id"],
            "callbackURL": self.hook_url + "?second",
            "value": self.someone,
        }
        if name == "idMembers":
            return [self.me, self.someone][: len(recorded)]
        return translated.get(name, recorded)


@pytest.fixture
def scene(trello: TrelloSimulator, call: Callable[..., Any], hook_url: str) -> Scene:
    """One of everything, on a fresh server."""
    return Scene(trello, call, hook_url)


def test_every_recorded_route_is_simulated_or_listed_as_not() -> None:
    """
    No recorded route is forgotten: it is answered, or listed with the reason why not.
    """
    unlisted = {name_of(exchange) for exchange in REST if not OTHERS.find(*name_of(exchange).split(" ", 1))}

    assert unlisted == set()


@pytest.mark.parametrize("exchange", REST, ids=name_of)
def test_a_route_that_is_not_simulated_answers_404(
    exchange: dict[str, Any], call: Callable[..., Any]
) -> None:
    """
    What is not simulated says so in plain text, as an unknown route does.
    """
    reply = call(exchange["method"], exchange["path"])

    assert (reply.status, reply.content_type) == (404, "text/plain; charset=utf-8")


@pytest.mark.parametrize("exchange", COVERED, ids=name_of)
def test_an_answer_has_the_recorded_shape(exchange: dict[str, Any], scene: Scene) -> None:
    """
    Status, content type and headers are those recorded; no recorded key is missing or of another type.
    """
    reply = scene.again(exchange)

    assert (exchange["status"], exchange["content_type"]) == (reply.status, reply.content_type), reply.text
    assert set(exchange["headers"]) <= set(reply.headers)
    if exchange["status"] == 200:
        assert misfits(exchange["response_body"], reply.json()) == []
    else:
        assert reply.text == exchange["response_body"]


def _actions(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if {"idMemberCreator", "data", "type"} <= value.keys():
            yield value
        for inner in value.values():
            yield from _actions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _actions(inner)


RECORDED_ACTIONS = [
    action
    for exchange in EXCHANGES
    for action in _actions(exchange["response_body"])
    if not action["type"].endswith("Organization")
]


@pytest.mark.parametrize("kind", sorted({action["type"] for action in RECORDED_ACTIONS}))
def test_an_action_holds_what_it_held_when_recorded(kind: str, scene: Scene) -> None:
    """
    For each recorded action type there is one of ours with the same data, changed fields aside.
    """
    card = scene.card
    scene.send("PUT", card, {"name": "Card 2", "closed": True})
    scene.send("PUT", f"/lists/{scene.list['id']}", {"name": "List 2"})
    scene.send("PUT", f"/actions/{scene.comment['id']}", {"text": "Hello again"})
    scene.send("DELETE", f"{card}/attachments/{scene.attachment['id']}")
    scene.send("DELETE", f"/checklists/{scene.checklist['id']}")
    moved = scene.send("POST", "/cards", {"idList": scene.list["id"], "name": "Mover"})
    scene.send("PUT", f"/cards/{moved['id']}", {"idList": scene.other_list["id"]})
    scene.send("DELETE", f"/cards/{scene.older_id}")
    ours = [action["data"] for action in scene.trello.state.actions(scene.board) if action["type"] == kind]

    wanted = {
        path
        for action in RECORDED_ACTIONS
        if action["type"] == kind
        for path in _paths(action["data"], without=action["data"].get("old", {}))
    }
    assert wanted - {path for data in ours for path in _paths(data, without={})} == set()


def _paths(data: dict[str, Any], *, without: dict[str, Any]) -> Iterator[str]:
    for key, value in data.items():
        yield key
        if isinstance(value, dict) and key != "old":
            yield from (f"{key}.{inner}" for inner in value if inner not in without)
