"""``isthmus worker --webhooks``: takes hints of other systems, served by the supervisor for all processes."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from socketserver import BaseRequestHandler, TCPServer
from typing import TYPE_CHECKING, Any, Final, Self

from isthmus.cli.session import Session
from isthmus.cli.webhook_request import Request
from isthmus.errors import DatabaseBusyError
from isthmus.job.desk.address import THIS_MACHINE, Address

if TYPE_CHECKING:  # see isthmus.cli.session
    from isthmus.sync.hook import Heard

logger = logging.getLogger("isthmus.worker")

_TICK_S: Final = 0.1
"""How long it may take until the end is noticed."""
_TURNED_AWAY: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Receive = Callable[[str, str, bytes], "Heard"]
"""Takes a hint: the backend's name, the secret, the body (`isthmus.sync.hook.HookDesk.receive`)."""


@contextmanager
def serve(session: Session, where: str) -> Iterator["HookServer"]:
    """Serve webhooks for the time of a ``with`` block.

    Args:
        session: The command's.
        where: ``[HOST:]PORT``.

    Yields:
        The server.

    Raises:
        UsageError: When the address is none, or cannot be listened on.
    """  # noqa: DOC502 - raised by what is called
    from isthmus.sync.hook import HookDesk

    address = Address.read(where, "--webhooks")
    # Unchecked: a database that is away now is there later.
    desk = HookDesk(session.raw_hub, session.run_id)
    with HookServer(desk.receive, address) as server:
        logger.info("webhooks are served", extra={"isthmus_url": server.url})
        yield server


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server puts up with.

    Attributes:
        answer_s: Seconds for the database to take a hint in. Odoo waits for one second in all.
        request_s: Seconds from the connection to the end of the request.
        threads: Requests at a time.
        waiting: Connections that may wait for one of them; others are turned away.
        writers: Requests at a time that may be at the database.
    """

    answer_s: float = 0.5
    request_s: float = 2.0
    threads: int = 16
    waiting: int = 64
    writers: int = 4


class HookServer:
    """Serves webhooks over HTTP while its ``with`` block runs.

    It answers 202 when the hint is stored, 404 to whoever may not give one, 400 to what cannot be understood
    and 503 when the database is busy: nobody sends again then, and the next poll finds the change.
    No path is ever logged, since there are secrets in them.

    Args:
        receive: Takes a hint.
        address: Where it listens.
        limits: What it puts up with.
    """

    def __init__(
        self, receive: Receive, address: Address = THIS_MACHINE, limits: Limits | None = None
    ) -> None:
        self._receive = receive
        self._address = address
        self._limits = limits or Limits()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin to listen.

        Raises:
            UsageError: When the address cannot be listened on, mostly because another does.
        """  # noqa: DOC502 - made by the address
        try:
            self._server = _Server(self._address, self._receive, self._limits)
        except OSError as exc:
            raise self._address.refused("--webhooks", exc) from exc
        # Where it was free to choose, it has chosen.
        self._address = self._address._replace(port=self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_TICK_S,), name="isthmus-webhooks", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    @property
    def url(self) -> str:
        """Where it is; paths are those that ``isthmus webhook url`` tells."""
        return self._address.url


class _Server(TCPServer):
    """The listening socket, and the threads behind it."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: Address, receive: Receive, limits: Limits) -> None:
        if ":" in address.host:
            self.address_family = socket.AF_INET6
        self.limits = limits
        self._receive = receive
        self._places = threading.BoundedSemaphore(limits.threads + limits.waiting)
        self._readers = ThreadPoolExecutor(limits.threads, "isthmus-webhooks")
        self._writers = ThreadPoolExecutor(limits.writers, "isthmus-hints")
        # Last: where it cannot listen it closes itself.
        super().__init__(address, BaseRequestHandler)

    def server_close(self) -> None:
        """Close everything; what has begun may end."""
        super().server_close()
        for pool in (self._readers, self._writers):
            pool.shutdown(cancel_futures=True)

    # -- connections -------------------------------------------------------------------

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand a connection to a thread, or turn it away when too many wait for one."""
        until = time.monotonic() + self.limits.request_s
        if not self._places.acquire(blocking=False):
            with suppress(OSError):
                request.setblocking(False)
                request.send(_TURNED_AWAY)
            self.shutdown_request(request)
            return
        done = self._readers.submit(self._work, request, client_address, until)
        done.add_done_callback(lambda _: self._leave(request))

    def _work(self, request: Any, client_address: Any, until: float) -> None:
        try:
            Request(request, client_address, self, self._take, until)
        except OSError:
            logger.debug("a webhook's connection was lost")
        except Exception as exc:  # noqa: BLE001 - one request; its traceback might show the path
            logger.warning("a webhook failed: %s", type(exc).__name__)

    def _leave(self, request: Any) -> None:
        self.shutdown_request(request)
        self._places.release()

    # -- hints -------------------------------------------------------------------------

    def _take(self, name: str, secret: str, body: bytes) -> HTTPStatus:
        """Take a hint within the time there is; when it is over what has begun may still be stored."""
        from isthmus.sync.hook import Heard

        statuses = {
            Heard.TAKEN: HTTPStatus.ACCEPTED,
            Heard.REFUSED: HTTPStatus.NOT_FOUND,
            Heard.GARBAGE: HTTPStatus.BAD_REQUEST,
        }
        taking = self._writers.submit(self._receive, name, secret, body)
        try:
            return statuses[taking.result(self.limits.answer_s)]
        except (TimeoutError, DatabaseBusyError):
            taking.cancel()
            logger.warning("a webhook was not taken: the database is busy or away; the next poll makes up")
            return HTTPStatus.SERVICE_UNAVAILABLE
        except Exception as exc:  # noqa: BLE001 - whatever it is, the sender cannot help it
            logger.warning("a webhook failed: %s", type(exc).__name__)
            return HTTPStatus.INTERNAL_SERVER_ERROR
