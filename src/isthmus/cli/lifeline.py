"""What holds a worker process and its supervisor together: a pair of sockets.

Commands go down it, figures come up, and each side is told by the kernel when the other one is
gone, however it went. Signals would do less: a service manager sends them to every process of a
service at once, so that a second SIGTERM could mean anything.
"""

import json
import logging
import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

logger = logging.getLogger("isthmus.worker")

STOP: Final = b"s"
"""Claim nothing more; running jobs may end within the grace."""
NOW: Final = b"n"
"""Hand running jobs back at once."""


class Lifeline:
    """The worker process's end.

    Args:
        number: The socket's file descriptor, as the supervisor has passed it on.

    Attributes:
        stop: Set when the process is to claim nothing more: it was told so, or its supervisor is gone.
        now: Set when it is to end at once.
    """

    def __init__(self, number: int) -> None:
        # What a job starts must not hold it open.
        os.set_inheritable(number, False)
        self._socket = socket.socket(fileno=number)
        self._lock = threading.Lock()
        self._ear, self._bell = socket.socketpair()
        self._bell.setblocking(False)
        self.stop = threading.Event()
        self.now = threading.Event()
        threading.Thread(target=self._listen, name="isthmus-lifeline", daemon=True).start()

    def heed(self, number: signal.Signals) -> None:
        """Take a signal as the command to stop; in the main thread.

        A handler that sets an event itself can find the lock of the event in its own thread's hands.
        """
        signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._bell.fileno())

    def tell(self, **facts: Any) -> None:
        """Tell the supervisor something; one that is gone needs to know nothing."""
        line = json.dumps(facts).encode() + b"\n"
        try:
            with self._lock:
                self._socket.sendall(line)
        except OSError:
            logger.debug("the supervisor is gone")

    def _listen(self) -> None:
        while True:
            ready, _, _ = select.select([self._socket, self._ear], [], [])
            if self._ear in ready:
                self._ear.recv(64)
            if self._socket in ready:
                received = self._receive()
                if not received:
                    break
                if NOW in received:
                    self.now.set()
            self.stop.set()
        if not self.stop.is_set():
            logger.warning("the supervisor is gone: this worker process ends, running jobs may end before")
        self.stop.set()

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(64)
        except OSError:
            return b""


class Lines:
    """Puts what arrives in pieces together to lines of JSON.

    >>> heard = []
    >>> lines = Lines(heard.append)
    >>> lines.feed(b'{"jobs": {"do'); lines.feed(b'ne": 2}}' + bytes([10]))
    >>> heard
    [{'jobs': {'done': 2}}]

    Args:
        hear: Called with each.
    """

    def __init__(self, hear: Callable[[dict[str, Any]], object]) -> None:
        self._hear = hear
        self._rest = b""

    def feed(self, received: bytes) -> None:
        """Take what has arrived; a line that was cut off by the sender's death is never heard."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            self._hear(json.loads(line))
