"""Automation rules that tell a receiver what was committed."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Event, Thread
from typing import Any

import pytest

from isthmus.simulators.odoo import OdooError


class Receiver:
    """Takes what is posted; may be told to answer late or badly."""

    def __init__(self) -> None:
        self.arrived: Queue[tuple[str, dict[str, Any]]] = Queue()
        self.status = 200
        self.answering = Event()
        self.answering.set()
        receiver = self

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.arrived.put((self.path, json.loads(body)))
                receiver.answering.wait(10)
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook/secret"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who listens."""
    made = Receiver()
    thread = Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.answering.set()
    made.server.shutdown()
    thread.join(timeout=10)
    made.server.server_close()


def told(client: Any, receiver: Receiver) -> list[dict[str, Any]]:
    """What has arrived so far."""
    assert client.odoo.automations.wait_until_idle()
    return [receiver.arrived.get_nowait()[1] for _ in range(receiver.arrived.qsize())]


def test_each_committed_change_is_told_once_with_the_fields_asked_for(
    odoo18: Any, receiver: Receiver
) -> None:
    """
    By model, ID, the action's name and fields read without names of relations.
    """
    rule = odoo18.odoo.automation("project.task", receiver.url, fields=("name", "project_id"))
    robin = odoo18.odoo.as_user("admin")

    project = robin.create("project.project", {"name": "Website"})
    task = robin.create("project.task", {"name": "Draft", "project_id": project})
    robin.write("project.task", task, {"name": "Final"})
    robin.unlink("project.task", task)

    head = {"_model": "project.task", "_id": task, "_action": f"{rule.name}(#{rule.id})", "id": task}
    assert told(odoo18, receiver) == [
        head | {"name": name, "project_id": project} for name in ("Draft", "Final", "Final")
    ]


def test_a_rule_hears_only_what_it_watches(odoo18: Any, receiver: Receiver) -> None:
    """
    Other actions and other models are not told.
    """
    odoo18.odoo.automation("project.task", receiver.url, on=("write",))
    robin = odoo18.odoo.as_user("admin")

    partner = robin.create("res.partner", {"name": "Azure"})
    task = robin.create("project.task", {"name": "Draft"})
    robin.write("project.task", task, {"name": "Final"})
    robin.write("res.partner", partner, {"name": "Azure Interior"})

    assert [body["_id"] for body in told(odoo18, receiver)] == [task]


def test_what_is_rolled_back_is_not_told(odoo18: Any, receiver: Receiver) -> None:
    """
    Only commits count.
    """
    odoo18.odoo.automation("project.task", receiver.url)
    robin = odoo18.odoo.as_user("admin")

    with pytest.raises(OdooError):
        robin.call("project.task", "create", [{"name": "Draft"}, {"name": "x", "no_such_field": 1}])

    assert told(odoo18, receiver) == []


def test_a_receiver_that_fails_is_not_asked_again(odoo18: Any, receiver: Receiver) -> None:
    """
    Send and forget.
    """
    receiver.status = 500
    odoo18.odoo.automation("project.task", receiver.url)

    odoo18.odoo.as_user("admin").create("project.task", {"name": "Draft"})

    assert len(told(odoo18, receiver)) == 1
    assert odoo18.odoo.automations.delivered == [500]


def test_a_receiver_that_is_slow_gets_one_second(odoo18: Any, receiver: Receiver) -> None:
    """
    The delivery counts as failed, though it arrived.
    """
    receiver.answering.clear()
    odoo18.odoo.automation("project.task", receiver.url)

    odoo18.odoo.as_user("admin").create("project.task", {"name": "Draft"})

    assert len(told(odoo18, receiver)) == 1
    assert odoo18.odoo.automations.delivered == [0]


def test_sixteen_sends_no_webhooks(serve: Callable[..., Any]) -> None:
    """
    They came with 17.
    """
    with pytest.raises(ValueError, match="17 was the first"):
        serve("16.0").odoo.automation("project.task", "http://127.0.0.1:1/hook")
