"""Starting and stopping what listens on loopback."""

import contextlib
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from isthmus.simulators.loopback.server import LoopbackServer


class Companion(Protocol):
    """What begins before a simulator listens and ends after its last connection."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """End."""
        ...


class Simulator(ABC):
    """A server in a thread of this process; a context manager.

    Args:
        name: Names the thread.
        port: Where to listen; 0 takes a free port and keeps it.

    Attributes:
        url: Where it listens, such as ``http://127.0.0.1:40123``; empty before the first start.
    """

    def __init__(self, *, name: str, port: int = 0) -> None:
        self.url = ""
        self._name = name
        self._port = port
        self._server: LoopbackServer | None = None
        self._thread: threading.Thread | None = None
        self._stop_requested = threading.Event()
        self._companions: list[Companion] = []

    @abstractmethod
    def _make_server(self, port: int) -> LoopbackServer:
        """Make the server; its port is taken when this returns."""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen. The port is taken when this returns.

        After `stop` it listens again at the same address, with all that it knew: an outage.
        """
        self._stop_requested.clear()
        for companion in self._companions:
            companion.start()
        server = self._make_server(self._port)
        self._port = server.server_address[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, args=(0.02,), name=self._name, daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and end every connection; a second call does nothing."""
        self._stop_requested.set()
        server, thread, self._server, self._thread = self._server, self._thread, None, None
        if server is None or thread is None:
            return
        server.shutdown()
        thread.join(timeout=10)
        server.close_all()
        server.server_close()
        for companion in self._companions:
            companion.stop()

    def wait_idle(self, timeout_s: float = 10.0) -> bool:
        """Wait until every client has gone and what it asked for last is done.

        Args:
            timeout_s: How long at most.

        Returns:
            False when some are still there.
        """
        return self._server is None or self._server.wait_idle(timeout_s)

    def way_in(self) -> dict[str, str]:
        """Tell what a client needs: the URL, and what a simulator wants to see there."""
        return {"url": self.url}

    def run(self, announce: Callable[[Self], None] | None = None) -> None:
        """Listen until somebody asks for the end, or an interrupt.

        Args:
            announce: Told when it listens; prints the way in when not given.
        """
        with self:
            (announce or _print)(self)
            with contextlib.suppress(KeyboardInterrupt):
                self.wait()

    def request_stop(self) -> None:
        """Let `wait` return; the one who waits stops the server."""
        self._stop_requested.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until somebody asks for the end."""
        return self._stop_requested.wait(timeout_s)


def _print(simulator: Simulator) -> None:
    facts = simulator.way_in()
    width = max(map(len, facts))
    sys.stdout.write("".join(f"{name:<{width}}  {value}\n" for name, value in facts.items()))
    sys.stdout.flush()
