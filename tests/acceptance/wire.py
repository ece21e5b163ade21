"""A wire between PostgreSQL and who uses it that can go dead: nothing is closed, nothing arrives."""

import socket
import threading
from contextlib import suppress
from typing import Self

from sqlalchemy.engine import make_url

_LOOPBACK = "127.0.0.1"
_MOST = 65_536


class Wire:
    """Passes connections on to a PostgreSQL.

    Args:
        url: Its URL, by socket or by TCP.

    Attributes:
        url: The URL that leads through the wire.
        dead: How many connections have gone dead.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        host = str(parsed.query.get("host", parsed.host or _LOOPBACK))
        port = int(str(parsed.query.get("port", parsed.port or 5432)))
        self._target = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
        self._listener = socket.create_server((_LOOPBACK, 0))
        query = {key: value for key, value in parsed.query.items() if key not in {"host", "port"}}
        through = parsed.set(host=_LOOPBACK, port=self._listener.getsockname()[1], query=query)
        self.url = through.render_as_string(hide_password=False)
        self.dead = 0
        self._links: list[_Link] = []
        self._threads = [threading.Thread(target=self._accept, name="wire", daemon=True)]

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                if isinstance(self._target, str):
                    far = socket.socket(socket.AF_UNIX)
                    far.connect(self._target)
                else:
                    far = socket.create_connection(self._target)
                link = _Link(near, far)
                self._links.append(link)
                for source, target in ((near, far), (far, near)):
                    thread = threading.Thread(target=link.pass_on, args=(source, target), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def go_dead(self) -> None:
        """Pass nothing more on the connections that there are; new ones are not touched."""
        for link in list(self._links):
            self.dead += not link.is_dead and link.is_open
            link.is_dead = True

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        # It wakes who accepts; closing alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for link in self._links:
            link.cut()
        for thread in self._threads[1:]:
            thread.join()
        for link in self._links:
            link.close()


class _Link:
    """One connection."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self._ends = (near, far)
        self.is_dead = False
        self.is_open = True

    def pass_on(self, source: socket.socket, target: socket.socket) -> None:
        """Pass bytes on in one direction; a dead one takes them in, as the network of a lost machine does."""
        with suppress(OSError):
            while data := source.recv(_MOST):
                if not self.is_dead:
                    target.sendall(data)
        if not self.is_dead:
            self.is_open = False
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """Let the threads end."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the sockets back."""
        for end in self._ends:
            end.close()
