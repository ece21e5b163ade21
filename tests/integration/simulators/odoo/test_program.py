"""The simulator as a process, and the routes that drive it."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.request import Request, urlopen


def control(url: str, route: str, body: Any = None, method: str = "POST") -> Any:
    """Ask a control route."""
    data = json.dumps(body or {}).encode() if method == "POST" else None
    with urlopen(Request(f"{url}/_control/{route}", data, method=method), timeout=10) as answer:
        return json.load(answer)


def test_it_runs_as_a_program_until_told_to_stop() -> None:
    """
    It prints where it is and how to get in, and ends with success.
    """
    command = [sys.executable, "-m", "isthmus.simulators.odoo", "--odoo-version", "19.0", "--projects", "1"]
    with subprocess.Popen([*command, "--tasks", "2"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        facts = dict(process.stdout.readline().split() for _ in range(5))
        count = {"model": "project.task", "method": "search_count", "args": [[]]}
        tasks = control(facts["url"], "call", count)["result"]
        with urlopen(f"{facts['url']}/web/version", timeout=10) as answer:
            version = json.load(answer)["version"]
        control(facts["url"], "stop")
        ended = process.wait(timeout=10)

    assert list(facts) == ["url", "database", "login", "password", "key"]
    assert (tasks, version, ended) == (8, "19.0", 0)


def test_the_command_says_how_to_go_on() -> None:
    """
    It serves as the program of the package does, and names the next command.
    """
    command = [sys.executable, "-m", "isthmus.cli", "simulator", "odoo", "--odoo-version", "17.0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        control(told["url"], "stop")
        ended = process.wait(timeout=10)

    login = f"--database odoo --login admin --key {told['key']}"
    assert told["next"] == [f"isthmus backend add odoo --url {told['url']} {login}"]
    assert ended == 0


def test_another_process_drives_it_by_control_routes(odoo18: Any) -> None:
    """
    Faults, keys, edits, the log; what cannot be understood is said.
    """
    url = odoo18.odoo.url

    control(url, "faults", {"next": {"kind": "access", "method": "search", "model": "project.*"}})
    refused = odoo18.kw("project.task", "search", [])
    key = control(url, "key", {"days": 3})["key"]
    made = control(url, "call", {"model": "project.task", "method": "create", "args": [{"name": "Draft"}]})
    calls = control(url, "calls", method="GET")["calls"]
    bad = odoo18.send("POST", "/_control/call", {"model": "no.such", "method": "search"})

    assert refused["error"]["data"]["name"] == "odoo.exceptions.AccessError"
    assert odoo18.odoo.world.user_of_key(key) == 2
    assert odoo18.kw("project.task", "read", [made["result"]], ["name"])["result"][0]["name"] == "Draft"
    assert [(call["method"], call["fault"]) for call in calls] == [("search", "access")]
    assert (bad.status, bad.text) == (400, "odoo.exceptions.UserError: Object no.such doesn't exist")


def test_after_an_outage_everything_is_as_it_was(odoo18: Any) -> None:
    """
    Stopped and started again it has the same address and the same content.
    """
    odoo = odoo18.odoo
    made = odoo.as_user("admin").create("project.task", {"name": "Draft"})
    address = odoo.url

    odoo18.close()
    odoo.stop()
    odoo.start()

    assert odoo.url == address
    assert odoo18.kw("project.task", "read", [made], ["name"])["result"] == [{"id": made, "name": "Draft"}]


def test_many_clients_at_once_lose_nothing(serve: Callable[..., Any]) -> None:
    """
    Every create of every client is there once.
    """
    first = serve("18.0")

    def client(number: int) -> None:
        own = type(first)(first.odoo)
        for count in range(25):
            own.kw("project.task", "create", {"name": f"{number}-{count}"})
        own.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(client, range(8)))

    rows = first.kw("project.task", "search_read", [], fields=["name"])["result"]
    assert sorted(row["name"] for row in rows) == sorted(f"{n}-{c}" for n in range(8) for c in range(25))
    assert first.odoo.calls.count("create", "project.task") == 200
