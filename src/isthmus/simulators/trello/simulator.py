"""The simulator as a whole: start it, drive it, stop it."""

import threading
from types import TracebackType
from typing import Self

from isthmus.clock import Clock, SystemClock
from isthmus.simulators.trello.api import TrelloApi
from isthmus.simulators.trello.control import Control
from isthmus.simulators.trello.faults import Faults
from isthmus.simulators.trello.journal import RequestLog
from isthmus.simulators.trello.limits import RateLimits
from isthmus.simulators.trello.people import People
from isthmus.simulators.trello.server import TrelloServer
from isthmus.simulators.trello.webhooks import WebhookSender
from isthmus.simulators.trello.world import World


class TrelloSimulator:
    """A stateful stand-in for ``api.trello.com``, on loopback.

    Attributes:
        url: Where it listens, such as ``http://127.0.0.1:40123``; the API is below ``/1``.
        key: The API key it accepts.
        token: The token of our own account.
        secret: Signs webhook deliveries.
        member_id: Our own account; changes made with `token` carry it.
        state: Another member, whose edits stand for people at work.
        faults: What goes wrong.
        requests: What was asked.
        api: Answers requests without the network.
        world: The state itself, for what `state` does not offer.

    >>> with TrelloSimulator() as trello:
    ...     board = trello.state.create_board("Website")
    ...     [shown["name"] for shown in trello.state.boards()]
    ['Website']
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        clock: Clock | None = None,
        port: int = 0,
        limits: bool = False,
    ) -> None:
        clock = clock or SystemClock()
        self.world = World(seed=seed, clock=clock)
        ours = self.world.add_member("isthmus", "Isthmus Sync", email="isthmus@example.org")
        other = self.world.add_member("robin", "Robin Example", email="robin@example.org")
        self.key, self.secret = self.world.key, self.world.secret
        self.token, self.other_token = self.world.ids.secret(64), self.world.ids.secret(64)
        self.world.tokens = {self.token: ours.id, self.other_token: other.id}
        self.member_id = ours.id
        self.state = People(self.world, other, partner=ours)
        self.faults = Faults()
        self.requests = RequestLog()
        self.webhooks = WebhookSender(self.world)
        self.url = ""
        self._clock = clock
        self._port = port
        self.api = TrelloApi(self.world, RateLimits(clock) if limits else None)
        self._server: TrelloServer | None = None
        self._thread: threading.Thread | None = None
        self._stop_requested = threading.Event()

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
        self.webhooks.start()
        server = TrelloServer(
            port=self._port, api=self.api, faults=self.faults, log=self.requests, clock=self._clock
        )
        self._port = server.server_address[1]
        self.url = f"http://127.0.0.1:{self._port}"
        server.control = Control(self)
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, args=(0.02,), name="trello-simulator", daemon=True
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
        self.webhooks.stop()

    def wait_idle(self, timeout_s: float = 10.0) -> bool:
        """Wait until every client has gone and what it asked for last is done.

        Args:
            timeout_s: How long at most.

        Returns:
            False when some are still there.
        """
        return self._server is None or self._server.wait_idle(timeout_s)

    def request_stop(self) -> None:
        """Let `wait` return; the one who waits stops the server."""
        self._stop_requested.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until somebody asks for the end."""
        return self._stop_requested.wait(timeout_s)

    def seed_demo(self, boards: int = 3, lists: int = 4, cards: int = 25) -> None:
        """Fill it: so many boards, lists per board, cards per list; names are always the same."""
        self.state.seed_demo(boards=boards, lists=lists, cards=cards)
