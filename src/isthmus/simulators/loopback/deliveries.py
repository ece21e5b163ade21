"""What a simulator sends out by itself: one after the other, from a thread of its own, to loopback only."""

import http.client
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar
from urllib.parse import SplitResult, urlsplit

D = TypeVar("D")

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def send_out(
    method: str, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float = 5.0
) -> int:
    """Send a request to this machine and give the status of its answer.

    Args:
        method: The HTTP method.
        url: Where to.
        body: What to send.
        headers: With these headers.
        timeout_s: How long to wait for anything to move.

    Raises:
        ValueError: When the address is not on this machine.
    """
    parts: SplitResult = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK:
        raise ValueError("an address that is not on this machine (http, loopback)")
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout_s)
    try:
        target = parts.path or "/"
        connection.request(method, f"{target}?{parts.query}" if parts.query else target, body, dict(headers))
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


class Deliveries(Generic[D]):
    """A queue of things to deliver and the thread that does it (begun with the first one).

    Args:
        deliver: Delivers one thing.
        name: Names the thread.

    Attributes:
        stopping: Set when no more is to be delivered; pauses end with it.
    """

    def __init__(self, deliver: Callable[[D], None], *, name: str) -> None:
        self.stopping = threading.Event()
        self._deliver = deliver
        self._name = name
        self._queue: queue.Queue[D | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._idle = threading.Condition()
        self._open = 0

    def start(self) -> None:
        """Deliver from now on."""
        self.stopping.clear()

    def stop(self) -> None:
        """Give up what is not delivered yet and end the thread."""
        self.stopping.set()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=10)
            self._thread = None

    def wait_until_idle(self, timeout_s: float = 10) -> bool:
        """Wait until everything that happened so far is delivered or given up."""
        with self._idle:
            return self._idle.wait_for(lambda: self._open == 0, timeout_s)

    def put(self, delivery: D) -> None:
        """Deliver something; after `stop` it is dropped."""
        if self.stopping.is_set():
            return
        with self._idle:
            self._open += 1
            self._queue.put(delivery)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (delivery := self._queue.get()) is not None:
            try:
                self._deliver(delivery)
            finally:
                with self._idle:
                    self._open -= 1
                    self._idle.notify_all()
