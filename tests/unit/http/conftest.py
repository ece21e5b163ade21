"""A loopback server that answers exactly what a test wrote, byte by byte."""

import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

RESET = b"<reset>"
"""Written instead of an answer: cut the connection by TCP RST."""
HOLD = b"<hold>"
"""Written behind an answer: keep the connection open until the test is over."""


@dataclass
class ScriptedServer:
    """Takes one request per connection and answers with the next line of its script.

    With the script at its end it keeps silent until the test is over.
    """

    script: deque[bytes] = field(default_factory=deque)
    requests: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def answers(self, *script: bytes) -> str:
        """Set the script and give the URL."""
        self.script.extend(script)
        return self.url

    def close(self) -> None:
        self.over.set()
        # Wakes `accept`, which closing the socket would not.
        socket.create_connection(self._socket.getsockname()).close()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self.over.is_set():
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            received = b""
            while b"\r\n\r\n" not in received:
                piece = connection.recv(65536)
                if not piece:
                    return
                received += piece
            head, _, body = received.partition(b"\r\n\r\n")
            length = next(
                (
                    int(h.split(b":")[1])
                    for h in head.split(b"\r\n")
                    if h.lower().startswith(b"content-length")
                ),
                0,
            )
            while len(body) < length:
                body += connection.recv(65536)
            self.requests.append((head + b"\r\n\r\n" + body).decode())
            if not self.script:
                self.over.wait()
                return
            answer = self.script.popleft()
            if answer == RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            text = answer.removesuffix(HOLD)
            connection.sendall(text.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            if text != answer:
                self.over.wait()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server that answers what the test writes into its script."""
    scripted = ScriptedServer()
    yield scripted
    scripted.close()
