"""One request to a webhook: read within bounds, answered by a status, and never told of."""

import io
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import Any, Final
from urllib.parse import unquote, urlsplit

LARGEST: Final = 1_000_000
"""Bytes of a body."""
_HEAD: Final = 65_536
"""Bytes of what stands before it."""


Take = Callable[[str, str, bytes], HTTPStatus]
"""Takes a hint, from the backend's name, its secret and what was sent; says how to answer."""


class Request(BaseHTTPRequestHandler):
    """One connection with one request.

    Args:
        request: The connection.
        client_address: Who is at its other end.
        server: Where it came in.
        take: Takes the hint.
        until: When the request must have come in whole.
    """

    protocol_version = "HTTP/1.1"

    def __init__(
        self, request: Any, client_address: Any, server: BaseServer, take: Take, until: float
    ) -> None:
        self._take = take
        self._until = until
        super().__init__(request, client_address, server)

    def setup(self) -> None:
        """Read with an end: of time, and of bytes."""
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Bounded(self.request, self._until, _HEAD + LARGEST))

    def do_HEAD(self) -> None:
        """Say that somebody is here, as some systems ask before they accept an address."""
        self._answer(HTTPStatus.OK)

    def do_POST(self) -> None:
        """Take a hint."""
        length = self._length()
        if isinstance(length, HTTPStatus):
            self._answer(length)
            self._drain()
            return
        body = self.rfile.read(length)
        place = _place(self.path)
        if len(body) < length:
            self._answer(HTTPStatus.BAD_REQUEST)
        elif place is None:
            self._answer(HTTPStatus.NOT_FOUND)
        else:
            self._answer(self._take(*place, body))

    def _length(self) -> int | HTTPStatus:
        """Give the length of the body, or why it is not read."""
        lengths = self.headers.get_all("Content-Length") or []
        if "Transfer-Encoding" in self.headers or len(lengths) != 1:
            return HTTPStatus.LENGTH_REQUIRED
        if not lengths[0].isascii() or not lengths[0].isdecimal():
            return HTTPStatus.BAD_REQUEST
        if len(lengths[0]) > len(str(LARGEST)) or int(lengths[0]) > LARGEST:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if self.headers.get_content_type() != "application/json" or "Content-Encoding" in self.headers:
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        return int(lengths[0])

    def _answer(self, status: int) -> None:
        """Answer by a status and nothing that tells more."""
        self.close_connection = True
        self.send_response_only(status)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "HEAD, POST")
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def _drain(self) -> None:
        """Read what comes although it is not wanted: a sender that is cut may never see the answer."""
        self.wfile.flush()
        self.request.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while self.rfile.read(_HEAD):
                pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer what is no request of ours; the base class would repeat what was sent."""
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else code)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
        """Log nothing: there are secrets in paths."""


class _Bounded(io.RawIOBase):
    """Reads a socket until a moment, and at most so many bytes."""

    def __init__(self, connection: socket.socket, until: float, most: int) -> None:
        super().__init__()
        self._connection = connection
        self._until = until
        self._left = most

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes; none at the end, of the connection or of what is allowed.

        Raises:
            TimeoutError: When the time is over.
        """
        patience = self._until - time.monotonic()
        if patience <= 0:
            raise TimeoutError
        self._connection.settimeout(patience)
        count = self._connection.recv_into(buffer, min(len(buffer), self._left)) if self._left else 0
        self._left -= count
        return count


def _place(path: str) -> tuple[str, str] | None:
    """Find backend and secret in a path.

    >>> _place("/hook/our%20odoo/s3cret?x=1"), _place("/hook/our"), _place("/metrics")
    (('our odoo', 's3cret'), None, None)
    """
    try:
        parts = [unquote(part, errors="strict") for part in urlsplit(path).path.split("/")]
    except ValueError:
        return None
    if len(parts) != 4 or parts[:2] != ["", "hook"]:
        return None
    return parts[2], parts[3]
