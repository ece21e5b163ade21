"""A hub, a simulated Trello and our side of it: what every acceptance story plays in."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from people import People

from isthmus.backend import create_key_file
from isthmus.env import CreateSafety, Env, Store
from isthmus.hub import Hub
from isthmus.job import State
from isthmus.settings import Settings
from isthmus.simulators.odoo import OdooSimulator
from isthmus.simulators.trello import TrelloSimulator
from isthmus.sync import Inbox, Report, service
from isthmus.testing import FrozenClock, SteppingClock
from isthmus.testing.databases import Databases, Kind
from isthmus.testing.envs import Envs
from isthmus.testing.remote_server import RemoteServer
from isthmus.testing.remote_store import RemoteStore
from isthmus.testing.tables import bundled_models

_LONGEST = 60
REMOTE_MODELS = ("project.project", "project.task.type", "project.task")
ODOO = "company"
"""The name of the Odoo that our records are in, as a backend and as a store."""


@dataclass(frozen=True)
class OdooLogin:
    """Where an Odoo is, and who we are there."""

    url: str
    database: str
    login: str
    secret: str
    timeout_s: float = 60.0

    @classmethod
    def of(cls, odoo: OdooSimulator, *, timeout_s: float = 60.0) -> "OdooLogin":
        """Log in to a simulator: by a key where it speaks JSON-2, by a password elsewhere."""
        secret = odoo.api_key() if odoo.version.major >= 19 else odoo.password
        return cls(odoo.url, odoo.database, odoo.login, secret, timeout_s)


class FastClock:
    """A clock that runs faster than the machine's, the same in every process that has a copy of it.

    Args:
        speed: How many seconds pass in one.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began = time.time()
        self._ahead = timedelta()

    def now(self) -> datetime:
        passed = timedelta(seconds=(time.time() - self._began) * self._speed)
        return datetime.fromtimestamp(self._began, UTC) + passed + self._ahead

    def sleep(self, seconds: float) -> None:
        threading.Event().wait(seconds / self._speed)

    def advance(self, by: timedelta) -> None:
        """Jump ahead, in this process only: when no other works any more."""
        self._ahead += by


class Installation:
    """A hub with its backend ``trello``.

    Args:
        hub: The hub.
        clock: Its clock.
    """

    def __init__(self, hub: Hub, clock: FrozenClock | FastClock) -> None:
        self.hub = hub
        self.clock = clock

    def connect(self, trello: TrelloSimulator, **values: Any) -> None:
        """Make the backend, with all boards selected."""
        with self.hub.env(user="admin") as env:
            backend = env["trello.backend"].create({"name": "trello", "url": trello.url, **values})
            backend.set_credentials({"key": trello.key, "token": trello.token})
            backend.set_options({"boards": [board["id"] for board in trello.state.boards()]})

    def connect_odoo(self, login: "OdooLogin") -> None:
        """Make the backend of the store that our records are in."""
        with self.hub.env(user="admin") as env:
            backend = env["odoo.backend"].create({"name": ODOO, "url": login.url})
            backend.set_credentials({"key": login.secret})
            backend.set_options({
                "database": login.database, "login": login.login, "timeout_s": login.timeout_s,
            })  # fmt: skip

    def backend(self, env: Env) -> Any:
        return service.get_backend(env, "trello")

    def options(self, **options: Any) -> None:
        with self.hub.env(user="admin") as env:
            self.backend(env).set_options(options)

    # -- runs --------------------------------------------------------------------------

    def imports(self, *, full: bool = False) -> Report:
        """Import once and run what that has delayed."""
        with self.hub.env() as env:
            report = service.import_backend(env, self.backend(env), full=full)
        self.run_jobs()
        return report

    def exports(self) -> int:
        """Look at our side, where it does not tell by itself, and run the jobs; tells how many."""
        with self.hub.env() as env:
            service.observe_backend(env, self.backend(env))
        return self.run_jobs()

    def run_jobs(self) -> int:
        """Run all jobs, also those for later, without waiting for their time."""
        ran = 0
        for _ in range(_LONGEST):
            ran += self.hub.queue.run_pending()
            if not self.hub.queue.counts()[State.PENDING]:
                break
            self.clock.advance(timedelta(seconds=60))
        counts = self.hub.queue.counts()
        failed = [f"{job.description}: {job.error}" for job in self.hub.queue.list(state=State.FAILED)]
        assert not failed, failed
        assert not counts[State.PENDING], [job.description for job in self.hub.queue.list(state="pending")]
        return ran

    # -- looking -----------------------------------------------------------------------

    def inbox(self) -> list[dict[str, Any]]:
        with self.hub.env(readonly=True) as env:
            return Inbox(env).list()

    def resolve(self, checkpoint_id: int, choice: Any) -> str:
        with self.hub.env(user="anna") as env:
            said = Inbox(env).resolve(checkpoint_id, choice)
        self.run_jobs()
        return said

    def bindings(self, model: str, *domain: Any) -> list[Any]:
        with self.hub.env(readonly=True) as env:
            found = env[model].search(list(domain))
            return env[model].read([b.id for b in found], ["record_id", "external_id", "scope", "state"])


class World(Installation):
    """One installation beside one Trello.

    Args:
        hub: The installation.
        simulator: Trello.
        clock: The clock of both.
        ours: Opens an env, or what is used like one, in which people of our side edit.
        due_is_day: True where our side keeps of a task's deadline the day only, as Odoo before 17.0.
    """

    def __init__(
        self,
        hub: Hub,
        simulator: TrelloSimulator,
        clock: FrozenClock,
        ours: Callable[[], AbstractContextManager[Any]],
        *,
        due_is_day: bool = False,
    ) -> None:
        super().__init__(hub, clock)
        self.due_is_day = due_is_day
        self.trello = simulator
        self.people = simulator.state
        self.ours = ours

    def writes_there(self) -> int:
        """Count the writes that Trello has been sent since its log was cleared."""
        return sum(self.trello.requests.count(method) for method in ("POST", "PUT", "DELETE"))


def settings_for(url: str, key_file: Path, **values: Any) -> Settings:
    """Give the settings of a hub over a database, with a key file made where there is none."""
    if not key_file.exists():
        create_key_file(key_file)
    # Deletions of ours are found by the next poll, not by one a quarter of an hour later.
    return Settings.load(**{"database_url": url, "key_file": str(key_file), "id_walk_s": 0, **values})


def migrate(url: str) -> None:
    """Bring a database to the schema that a hub needs; copies of one template serve all tests."""
    with Hub(Settings.load(database_url=url)) as hub:
        hub.upgrade()


@contextmanager
def on_sql(databases: Databases, kind: Kind, folder: Path) -> Iterator[World]:
    """A world whose records lie in the hub's own database."""
    clock = SteppingClock()
    with (
        databases.fresh(kind, migrate) as url,
        Hub(settings_for(url, folder / "isthmus.key"), clock=clock) as hub,
        TrelloSimulator(clock=clock) as simulator,
    ):
        yield World(hub, simulator, clock, lambda: hub.env(user="anna"))


@contextmanager
def on_remote(databases: Databases, safety: CreateSafety | str, folder: Path) -> Iterator[World]:
    """A world whose records lie on a remote server, where another client edits them."""
    clock = SteppingClock()
    with (
        databases.fresh("sqlite") as hub_url,
        databases.fresh("sqlite") as remote_url,
        RemoteServer(remote_url, bundled_models(), create_safety=safety, clock=clock) as server,
        RemoteStore(server.url, REMOTE_MODELS, safety) as store,
        RemoteStore(server.url, REMOTE_MODELS, safety, name="another client") as other,
        Hub(settings_for(hub_url, folder / "isthmus.key"), clock=clock, stores=_stores(store)) as hub,
        TrelloSimulator(clock=clock) as simulator,
    ):
        hub.upgrade()
        others = Envs(hub.engine, stores=_stores(other), clock=clock)
        yield World(hub, simulator, clock, others.env)


def odoo_settings(url: str, key_file: Path, **values: Any) -> Settings:
    """Give the settings of a hub whose records are in an Odoo."""
    store = {"backend": ODOO, "models": REMOTE_MODELS, "lag": 2}
    return settings_for(url, key_file, plugins=("trello", "odoo"), stores={ODOO: store}, **values)


def migrate_for_odoo(url: str) -> None:
    """Bring a database to the schema of a hub whose records are in an Odoo."""
    store = {"backend": ODOO, "models": REMOTE_MODELS}
    settings = Settings.load(database_url=url, plugins=("trello", "odoo"), stores={ODOO: store})
    with Hub(settings) as hub:
        hub.upgrade()


@contextmanager
def on_odoo(databases: Databases, folder: Path, version: str = "18.0") -> Iterator[World]:
    """A world whose records are in a simulated Odoo, where people work by its own API."""
    clock = SteppingClock()
    with (
        OdooSimulator(version, clock=clock) as odoo,
        beside_odoo(databases, folder, clock, OdooLogin.of(odoo), People.of(odoo)) as world,
    ):
        yield world


@contextmanager
def beside_odoo(
    databases: Databases, folder: Path, clock: FrozenClock, login: OdooLogin, people: People
) -> Iterator[World]:
    """A world whose records are in an Odoo that is there already."""
    with (
        databases.fresh("sqlite", migrate_for_odoo) as url,
        Hub(odoo_settings(url, folder / "isthmus.key"), clock=clock) as hub,
        TrelloSimulator(clock=clock) as simulator,
    ):
        due_is_day = people["project.task"].fields["date_deadline"] == "date"
        world = World(hub, simulator, clock, people.at_work, due_is_day=due_is_day)
        world.connect_odoo(login)
        yield world


def _stores(store: RemoteStore) -> list[Store]:
    return [store]
