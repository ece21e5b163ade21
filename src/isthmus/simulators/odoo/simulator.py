"""The simulator as a whole: start it, drive it, stop it."""

from isthmus.clock import Clock, SystemClock
from isthmus.simulators.loopback import LoopbackServer, Simulator
from isthmus.simulators.odoo import demo
from isthmus.simulators.odoo.api import OdooApi
from isthmus.simulators.odoo.automation import Automations, Rule
from isthmus.simulators.odoo.calls import Calls
from isthmus.simulators.odoo.control import Control
from isthmus.simulators.odoo.door import Door
from isthmus.simulators.odoo.faults import Faults, WrongClock
from isthmus.simulators.odoo.person import Person
from isthmus.simulators.odoo.server import Desk
from isthmus.simulators.odoo.version import ServerVersion
from isthmus.simulators.odoo.world import OdooWorld

_OLDEST, _NEWEST = 14, 20
"""The releases whose models there are; others are served with the models of the nearest one."""


class OdooSimulator(Simulator):
    """A stateful stand-in for an Odoo server with one database, on loopback.

    Args:
        version: Such as ``18.0``, ``saas~18.2``, ``19.0+e`` or one that nobody serves any more, ``8.0``.
        port: Where to listen; 0 takes a free port.
        clock: Tells the time; `faults` may make it wrong.
        latency_s: How long each request takes at least, in seconds.
        database: The database's name.

    Attributes:
        url: Where it listens, such as ``http://127.0.0.1:40123``.
        database: The database's name.
        login: The administrator's login.
        password: The administrator's password.
        world: The records, for what `as_user` does not offer.
        faults: What goes wrong.
        calls: What was asked.
        api: Answers requests without the network.
        automations: The rules that send webhooks.

    >>> with OdooSimulator() as odoo:
    ...     robin = odoo.as_user("admin")
    ...     task = robin.create("project.task", {"name": "Draft"})
    ...     robin.read("project.task", task, ["name"]) == [{"id": task, "name": "Draft"}]
    True
    """

    def __init__(
        self,
        version: str = "18.0",
        port: int = 0,
        clock: Clock | None = None,
        latency_s: float = 0.0,
        database: str = "odoo",
    ) -> None:
        super().__init__(name="odoo-simulator", port=port)
        self.version = ServerVersion.parse(version)
        self.faults = Faults()
        self._clock = WrongClock(clock or SystemClock(), self.faults)
        self.world = OdooWorld(self._models_of(), clock=self._clock, database=database)
        self.database = database
        self.login = "admin"
        self.password = "admin"  # noqa: S105 - Odoo's own after an installation
        self.calls = Calls()
        self.automations = Automations(self.world)
        self._companions.append(self.automations)
        self._latency_s = latency_s
        self.api = OdooApi(Door(self.world, self.version, self.faults))

    def _models_of(self) -> str:
        major = self.version.major
        if _OLDEST <= major <= _NEWEST:
            return self.version.serie
        return f"{_OLDEST if major < _OLDEST else _NEWEST}.0"

    def _make_server(self, port: int) -> LoopbackServer:
        desk = Desk(
            api=self.api,
            faults=self.faults,
            calls=self.calls,
            control=Control(self),
            latency_s=self._latency_s,
        )
        return desk.listen(port, self._clock)

    def way_in(self) -> dict[str, str]:
        """Tell the URL, the database, and password and a new key of the administrator."""
        return super().way_in() | {
            "database": self.database,
            "login": self.login,
            "password": self.password,
            "key": self.api_key(),
        }

    def api_key(self, login: str | None = None, *, days: float | None = None) -> str:
        """Make an API key.

        Args:
            login: Whose; the administrator's when not given.
            days: When it expires; never when not given, at once or long ago when not positive.
        """
        return self.world.make_key(self._uid(login or self.login), days=days)

    def as_user(self, login: str) -> Person:
        """Act as a person, without the network."""
        return Person(self.world, self._uid(login))

    def automation(
        self,
        model: str,
        url: str,
        on: tuple[str, ...] = ("create", "write", "unlink"),
        fields: tuple[str, ...] = (),
    ) -> Rule:
        """Let the server post to an address on this machine whenever records of a model change.

        Args:
            model: Which records.
            url: Where to post to.
            on: At what.
            fields: What to tell beside the ID.

        Raises:
            ValueError: When the version has no such rules.
        """
        if self.version.major < 17:
            raise ValueError(f"Odoo {self.version.name} sends no webhooks; 17 was the first that does")
        return self.automations.add(model, url, on, fields)

    def seed_demo(self, projects: int = 3, stages: int = 4, tasks: int = 25) -> None:
        """Fill it: so many projects, stages per project, tasks per stage; names are always the same."""
        demo.seed(self.as_user(self.login), projects=projects, stages=stages, tasks=tasks)

    def _uid(self, login: str) -> int:
        uid = self.world.uid_of(login)
        if uid is None:
            raise ValueError(f"there is no user {login!r}")
        return uid
