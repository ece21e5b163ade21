"""The simulator as a whole: start it, drive it, stop it."""

from isthmus.clock import Clock, SystemClock
from isthmus.simulators.loopback import LoopbackServer, Simulator
from isthmus.simulators.trello.api import TrelloApi
from isthmus.simulators.trello.control import Control
from isthmus.simulators.trello.faults import Faults
from isthmus.simulators.trello.journal import RequestLog
from isthmus.simulators.trello.limits import RateLimits
from isthmus.simulators.trello.people import People
from isthmus.simulators.trello.server import make_server
from isthmus.simulators.trello.webhooks import WebhookSender
from isthmus.simulators.trello.world import World


class TrelloSimulator(Simulator):
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
        super().__init__(name="trello-simulator", port=port)
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
        self._companions.append(self.webhooks)
        self._clock = clock
        self.api = TrelloApi(self.world, RateLimits(clock) if limits else None)

    def _make_server(self, port: int) -> LoopbackServer:
        return make_server(
            port=port,
            api=self.api,
            faults=self.faults,
            log=self.requests,
            clock=self._clock,
            control=Control(self),
        )

    def way_in(self) -> dict[str, str]:
        """Tell the URL, and the key and token of our own account."""
        return super().way_in() | {"key": self.key, "token": self.token}

    def seed_demo(self, boards: int = 3, lists: int = 4, cards: int = 25) -> None:
        """Fill it: so many boards, lists per board, cards per list; names are always the same."""
        self.state.seed_demo(boards=boards, lists=lists, cards=cards)
