"""The server as a process and under many hands."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from isthmus.simulators.trello import TrelloSimulator


def test_many_clients_at_once_lose_nothing(trello: TrelloSimulator) -> None:
    """
    Every create of every client is there once, with a number and a place of its own.
    """
    board = trello.state.create_board("Website")
    todo = trello.state.create_list(board, "To do")
    path = f"/1/cards?key={trello.key}&token={trello.token}&idList={todo['id']}"

    def client(number: int) -> None:
        connection = HTTPConnection(urlsplit(trello.url).netloc, timeout=30)
        for count in range(25):
            connection.request("POST", f"{path}&name={number}-{count}")
            connection.getresponse().read()
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(client, range(8)))

    cards = trello.state.cards(board)
    assert {card["name"] for card in cards} == {f"{n}-{c}" for n in range(8) for c in range(25)}
    assert [len({card[key] for card in cards}) for key in ("id", "idShort", "pos", "shortLink")] == [200] * 4


def test_after_an_outage_everything_is_as_it_was(trello: TrelloSimulator, call: Callable[..., Any]) -> None:
    """
    Stopped and started again it has the same address and the same content.
    """
    trello.seed_demo(boards=1, lists=1, cards=2)
    address, before = trello.url, trello.state.dump()

    trello.stop()
    trello.start()

    assert trello.url == address
    assert call("GET", "/_control/state").json() == before


def test_it_runs_as_a_program_until_told_to_stop() -> None:
    """
    It prints where it is and how to get in, and ends with success.
    """
    command = [sys.executable, "-m", "isthmus.simulators.trello", "--boards", "1", "--cards", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().split() for _ in range(3)]
        url = lines[0][1]
        with urlopen(f"{url}/_control/state", timeout=10) as answer:
            state = json.load(answer)
        with urlopen(Request(f"{url}/_control/stop", method="POST"), timeout=10):
            code = process.wait(10)

    assert [line[0] for line in lines] == ["url", "key", "token"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert (len(state["boards"]), len(state["lists"]), len(state["cards"])) == (1, 4, 8)
    assert code == 0


def test_it_needs_neither_a_database_nor_an_http_client() -> None:
    """
    Importing the simulator stays cheap.
    """
    program = (
        "import sys, isthmus.simulators.trello;"
        "print([n for n in ('sqlalchemy', 'httpx2', 'alembic', 'cryptography') if n in sys.modules])"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert printed.stdout.strip() == "[]"
