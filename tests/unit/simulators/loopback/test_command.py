"""``isthmus simulator``: what listens on loopback, as a command."""

import signal
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from typer.testing import CliRunner

from isthmus.cli.program import app


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on; what the command does about signals ends with the test."""
    before = signal.getsignal(signal.SIGTERM)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("type_", ["odoo", "trello"])
def test_a_port_that_is_taken_is_named_with_the_way_out(type_: str, taken: int) -> None:
    """
    As the worker does for the ports it serves.
    """
    done = CliRunner().invoke(app, ["simulator", type_, "--port", str(taken)], prog_name="isthmus")

    assert done.exit_code == 2
    assert done.stderr == (
        f"isthmus: --port: 127.0.0.1:{taken} cannot be listened on: Address already in use; "
        "--port 0 takes a free one\n"
    )
