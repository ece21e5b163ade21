"""What the README shows is what happens."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()


def block(mark: str) -> str:
    """Give the code block that follows a mark in the README."""
    found = re.search(rf"(?s)<!-- {re.escape(mark)} -->\n```\w*\n(.*?)```", README)
    assert found is not None, f"the README has no block marked {mark!r}"
    return found.group(1)


class Desk(ThreadingHTTPServer):
    """A help desk with one ticket."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tickets: dict[str, dict[str, Any]] = {
            "7": {"id": 7, "title": "Printer smokes", "body": "<p>A little.</p>", "by": "robin"}
        }
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Desk

    def do_GET(self) -> None:
        self._answer(self.server.tickets[self.path.rpartition("/")[2]])

    def do_PATCH(self) -> None:
        ticket = self.server.tickets[self.path.rpartition("/")[2]]
        ticket.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer(ticket)

    def _answer(self, ticket: dict[str, Any]) -> None:
        body = json.dumps(ticket).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A running help desk."""
    with Desk() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def run_python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python code in a folder; a warning is an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_example_connector_does_what_the_readme_says(desk: Desk, tmp_path: Path) -> None:
    """
    The ticket comes here, our change of it goes there, and nothing comes back.
    """
    use = block("use").replace("http://127.0.0.1:8000", desk.url)
    script = "\n".join([block("imports, before the connector"), block("connector"), use])
    run_python("from isthmus.cli import main; import sys; sys.argv[1:] = ['init']; main()", tmp_path)

    done = run_python(script, tmp_path)

    assert done.stderr == ""
    assert done.stdout == block("output")
    assert desk.tickets["7"] == {"id": 7, "title": "Printer burns", "body": "<p>A little.</p>", "by": "robin"}


def test_the_example_connector_has_as_many_lines_as_it_says() -> None:
    """
    "A connector in 20 lines" counts every line that is not empty.
    """
    said = int(re.findall(r"(?m)^## A connector in (\d+) lines$", README)[0])

    lines = [line for line in block("connector").splitlines() if line.strip()]

    assert len(lines) <= said
    assert max(map(len, lines)) <= 110


def test_the_jobs_are_delayed_as_the_readme_says(isthmus_hub: Any) -> None:
    """
    One for tomorrow, and two of which a third waits; the schedule is one.
    """
    names: dict[str, Any] = {"__name__": "readme_jobs"}
    exec(block("jobs"), names)
    names["hub"] = hub = isthmus_hub(extensions=[names["TaskJobs"]])
    exec(block("jobs, delayed"), names)

    delayed = [found for found in hub.queue.list() if found.model == "project.task"]
    schedules = {state.name for state in hub.queue.schedules.list()}
    hub.queue.run_pending()

    assert sorted(found.state for found in delayed) == ["pending"] * 3 + ["wait_dependencies"]
    assert {found.channel for found in delayed} == {"root.mail"}
    assert [found.eta is not None for found in hub.queue.list(state="pending", method="remind")] == [True]
    assert "project.task.send_report" in schedules
