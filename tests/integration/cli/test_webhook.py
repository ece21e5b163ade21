"""``isthmus webhook`` and ``isthmus worker --webhooks``: real requests, a real database, a real worker."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import create_engine, text

from isthmus.cli.webhooks import HookServer
from isthmus.job import Job, State
from isthmus.simulators.odoo import OdooSimulator
from isthmus.simulators.trello import TrelloSimulator
from isthmus.sync import Inbox
from isthmus.sync.hint import LANE
from isthmus.sync.hook import HookDesk
from isthmus.testing.waiting import until

Folder = Any
"""See conftest."""
PROGRAM = Path(sys.executable).with_name("isthmus")
HINT = {"_model": "trello.card", "_id": 7, "_action": "Tell(#1)"}
"""As Odoo would tell it; to a backend of any kind its own binding models mean something."""


def post(url: str, path: str, told: Any = HINT) -> int:
    """Send a hint; give the status of the answer."""
    place = urlsplit(url)
    with closing(http.client.HTTPConnection(str(place.hostname), place.port, timeout=10)) as connection:
        connection.request("POST", path, json.dumps(told), {"Content-Type": "application/json"})
        return connection.getresponse().status


@contextmanager
def working(folder: Folder, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a worker beside the test; its log is in the file ``err``."""
    with (folder.path / "err").open("wb") as err:
        process = subprocess.Popen(
            [str(PROGRAM), "worker", "--no-poll", *words],
            cwd=folder.path,
            stdout=subprocess.DEVNULL,
            stderr=err,
            stdin=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def connect_odoo(folder: Folder, odoo: OdooSimulator, *words: str) -> None:
    """Add an Odoo as the backend ``company``."""
    folder.set("KEY_OF_ODOO", odoo.password)
    login = ("--database", odoo.database, "--login", odoo.login, "--key", "env:KEY_OF_ODOO")
    folder.ok("backend", "add", "odoo", "company", "--url", odoo.url, *login, *words)


def log(folder: Folder) -> str:
    """Give what the worker has logged."""
    found: str = (folder.path / "err").read_text()
    return found


def hinted(folder: Folder) -> list[Job]:
    """List the jobs that hints have caused."""
    with folder.hub() as hub:
        return list(hub.queue.list(channel=LANE))


# --- the path --------------------------------------------------------------------------


def test_the_path_stays_until_it_is_rotated(connected: Folder) -> None:
    """
    Standard output has the path alone, for scripts; JSON has it with what it is of use for.
    """
    first = connected.ok("webhook", "url", "trello")
    document = connected.ok(
        "webhook", "url", "trello", "--json", "--base", "https://hub.example.com/"
    ).document
    rotated = connected.ok("webhook", "rotate", "trello").out

    assert re.fullmatch(r"/hook/trello/[\w-]{43}\n", first.out)
    assert first.err == "of no use yet: nothing that is synchronised lives in 'trello'\n"
    assert document["url"] == f"https://hub.example.com{first.out.strip()}"
    assert (document["models"], document["renewed"]) == ([], False)
    assert re.fullmatch(r"/hook/trello/[\w-]{43}\n", rotated)
    assert rotated != first.out


def test_an_unknown_backend_names_the_near_one(connected: Folder) -> None:
    """
    And makes no secret.
    """
    result = connected.run("webhook", "url", "trelo")

    assert result.code == 3
    assert "did you mean 'trello'?" in result.err


def test_what_a_backend_shows_has_no_secret_in_it(connected: Folder) -> None:
    """
    Only the commands that are for it tell it.
    """
    secret = connected.ok("webhook", "url", "trello").out.strip().rpartition("/")[2]
    shown = [
        connected.ok(*words) for words in (("backend", "show", "trello"), ("status",), ("-vv", "status"))
    ]

    assert all(secret not in result.out + result.err for result in shown)


# --- requests --------------------------------------------------------------------------


def test_a_burst_of_requests_is_one_job(connected: Folder) -> None:
    """
    A hundred hints at the same record from ten senders; two other records have jobs of their own.
    """
    path = connected.ok("webhook", "url", "trello").out.strip()
    told = [HINT] * 100 + [{**HINT, "_id": 8}, {**HINT, "_id": 9}]
    with (
        connected.hub() as hub,
        HookServer(HookDesk(hub).receive) as server,
        ThreadPoolExecutor(10) as senders,
    ):
        statuses = list(senders.map(lambda hint: post(server.url, path, hint), told))

    # On a machine that has no time at all some are answered by 503: nobody sends those again.
    assert set(statuses) <= {202, 503}
    assert statuses.count(202) > 50
    assert len(hinted(connected)) <= 3


def test_a_busy_database_does_not_hold_the_sender_up(connected: Folder) -> None:
    """
    Odoo waits for one second in the middle of what its user does: it has its answer before.
    """
    path = connected.ok("webhook", "url", "trello").out.strip()
    engine = create_engine(f"sqlite:///{connected.path / 'isthmus.db'}", isolation_level="AUTOCOMMIT")
    with connected.hub() as hub, HookServer(HookDesk(hub).receive) as server:
        post(server.url, path, {"_model": "res.partner", "_id": 1})  # everything has been imported once
        with engine.connect() as writer:
            writer.execute(text("BEGIN IMMEDIATE"))
            began = time.monotonic()
            busy = post(server.url, path)
            took = time.monotonic() - began
            writer.execute(text("ROLLBACK"))
        until(lambda: post(server.url, path) == 202, "the database is free")
    engine.dispose()

    assert busy == 503
    assert took < 1
    assert len(hinted(connected)) == 1


# --- the worker ------------------------------------------------------------------------


def test_a_worker_takes_hints_and_acts_on_them(connected: Folder) -> None:
    """
    One address for all its processes; a rotated secret counts at once; the log has no path.
    """
    path = connected.ok("webhook", "url", "trello").out.strip()
    with connected.hub() as hub, working(connected, "--webhooks", "0", "--processes", "2", "-vv") as process:
        until(lambda: "worker started" in log(connected), "it works")
        (url,) = re.findall(r"isthmus_url=(\S+)", log(connected))
        statuses = [post(url, path), post(url, f"{path}x"), post(url, path, {"_model": "nothing"})]
        until(lambda: hub.queue.list(channel=LANE)[0].state == State.DONE, "it was looked at")
        # Trello's keys are no numbers: that it says so shows that it was asked.
        with hub.env(readonly=True) as env:
            (item,) = Inbox(env).list()
        rotated = connected.ok("webhook", "rotate", "trello").out.strip()
        statuses += [post(url, path), post(url, rotated)]
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)

    assert statuses == [202, 404, 400, 404, 202]
    assert code == 0
    assert "cannot read card 7" in item["summary"]
    assert "/hook/" not in log(connected)
    assert all(told.rpartition("/")[2] not in log(connected) for told in (path, rotated))


def test_an_odoo_tells_and_the_record_is_here(folder: Folder) -> None:
    """
    What its automation rules send brings a new record, a change, and a deletion; another record stays out.
    """
    folder.set("ISTHMUS_PLUGINS", '["odoo"]')
    folder.set("ISTHMUS_MODELS", '["partner"]')
    folder.ok("init")
    with OdooSimulator() as odoo, folder.hub() as hub:
        chosen = 'import_domain={"res.partner": [["name", "like", "Hook"]]}'
        connect_odoo(folder, odoo, "--option", chosen)
        told = folder.ok("webhook", "url", "company")

        def names() -> list[str]:
            with hub.env(readonly=True) as env:
                return [partner["name"] for partner in env["res.partner"].search([("active", "=", True)])]

        with working(folder, "--webhooks", "0"):
            until(lambda: "worker started" in log(folder), "it works")
            (url,) = re.findall(r"isthmus_url=(\S+)", log(folder))
            odoo.automation("res.partner", f"{url}{told.out.strip()}", fields=("name", "write_date"))
            person = odoo.as_user("admin")
            person.create("res.partner", {"name": "Not chosen"})
            key = person.create("res.partner", {"name": "Hook"})
            until(lambda: names() == ["Hook"], "the new record is here")
            person.write("res.partner", key, {"name": "Captain Hook"})
            until(lambda: names() == ["Captain Hook"], "its change is here")
            person.unlink("res.partner", key)
            until(lambda: names() == [], "its deletion is here")

    assert told.err == "of use for: res.partner\n"
    assert set(odoo.automations.delivered) == {202}


def test_an_odoo_of_ours_tells_and_the_card_changes(folder: Folder, trello: TrelloSimulator) -> None:
    """
    Where the tasks live in an Odoo, a task that is renamed or deleted there reaches its card without a poll.
    """
    folder.set("ISTHMUS_PLUGINS", '["trello", "odoo"]')
    folder.ok("init")
    with OdooSimulator() as odoo:
        connect_odoo(folder, odoo)
        with (folder.path / "isthmus.toml").open("a") as file:
            file.write('[stores.company]\nbackend = "company"\n')
            file.write('models = ["project.project", "project.task.type", "project.task"]\n')
        assert folder.connect(trello, "--board", "all").code == 0
        folder.ok("import", "trello")
        told = folder.ok("webhook", "url", "company")
        person = odoo.as_user("admin")
        renamed, deleted = person.search("project.task", order="id", limit=2)
        (name,) = [row["name"] for row in person.read("project.task", [deleted], ["name"])]

        def cards(name: str) -> list[bool]:
            return [card.closed for card in list(trello.world.cards.values()) if card.name == name]

        with working(folder, "--webhooks", "0"):
            until(lambda: "worker started" in log(folder), "it works")
            (url,) = re.findall(r"isthmus_url=(\S+)", log(folder))
            odoo.automation("project.task", f"{url}{told.out.strip()}")
            person.write("project.task", renamed, {"name": "Renamed in Odoo"})
            until(lambda: cards("Renamed in Odoo") == [False], "its card is renamed")
            before = cards(name).count(True)
            person.unlink("project.task", deleted)
            until(lambda: cards(name).count(True) == before + 1, "its card is archived")

    assert told.err == "of use for: project.project, project.task, project.task.type, res.partner\n"
    assert set(odoo.automations.delivered) == {202}


@pytest.mark.parametrize("where", ["nonsense", "127.0.0.1:", "127.0.0.1:99999"])
def test_an_address_that_is_none_names_the_option(connected: Folder, where: str) -> None:
    """
    Not the one of metrics, which is written the same way.
    """
    result = connected.run("worker", "--webhooks", where)

    assert result.code == 2
    assert result.err.startswith("isthmus: --webhooks: an address is written like ")


def test_an_address_that_is_taken_is_said_once(connected: Folder) -> None:
    """
    No process is started for nothing.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = connected.run("worker", "--webhooks", str(port))

    assert result.code == 2
    assert f"--webhooks: 127.0.0.1:{port} cannot be listened on: Address already in use" in result.err
    assert "worker started" not in result.err
