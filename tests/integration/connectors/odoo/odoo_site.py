"""A hub beside one or more simulated Odoos, as tests of the connector use them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from isthmus.backend import create_key_file
from isthmus.hub import Hub
from isthmus.job import State
from isthmus.settings import Settings
from isthmus.simulators.odoo.person import Person
from isthmus.simulators.odoo.simulator import OdooSimulator
from isthmus.sync import Inbox, Report, service
from isthmus.testing import SteppingClock
from isthmus.testing.crash import Crashed, run_in_child

EVERYTHING = {"res.partner": []}
ALL = ("active", "in", [True, False])
LAG = 60.0
IMPATIENT_S = 0.5
"""For where it is the fault that no answer comes."""
_CRASH = Path(__file__).with_name("odoo_crash.py")


class OdooSite:
    """A hub, and the Odoos that it talks to, by the names of their backends."""

    def __init__(self, url: str, folder: Path, **settings: Any) -> None:
        self.clock = SteppingClock()
        self.odoos: dict[str, OdooSimulator] = {}
        create_key_file(folder / "isthmus.key")
        chosen = {"plugins": ("odoo",), "models": ("partner",), **settings}
        self.settings = Settings(database_url=url, key_file=folder / "isthmus.key", **chosen)
        self.hub = Hub(self.settings, clock=self.clock)
        self.hub.upgrade()

    def close(self) -> None:
        self.hub.close()
        for odoo in self.odoos.values():
            odoo.stop()

    def connect(
        self, name: str, version: str = "18.0", *, secret: str | None = None, **options: Any
    ) -> OdooSimulator:
        """Start an Odoo and make its backend."""
        odoo = OdooSimulator(version, clock=self.clock).start()
        self.odoos[name] = odoo
        with self.hub.env(user="admin") as env:
            backend = env["odoo.backend"].create({"name": name, "url": odoo.url, "quiet_s": 5.0})
            backend.set_credentials({"key": secret or odoo.password})
            backend.set_options({
                "database": odoo.database, "login": odoo.login, "lag_s": LAG, **options,
            })  # fmt: skip
        return odoo

    def in_child(self, function: str, *, crash_at: int | None = None) -> list[str]:
        """Run a function of ``odoo_crash.py`` in a child; the points it passed, none if it died."""
        place = (self.settings.database_url.get_secret_value(), str(self.settings.key_file))
        try:
            points: list[str] = run_in_child(_CRASH, function, *place, self.clock.now(), crash_at=crash_at)
        except Crashed:
            return []
        finally:
            self.odoos["company"].wait_idle()
            self.clock.advance(timedelta(seconds=120))
        return points

    def set(self, name: str, **options: Any) -> None:
        with self.hub.env() as env:
            self.backend(env, name).set_options(options)

    def option(self, name: str, option: str) -> Any:
        with self.hub.env(readonly=True) as env:
            return self.backend(env, name).option(option)

    def backend(self, env: Any, name: str) -> Any:
        return service.get_backend(env, name)

    def admin(self, name: str) -> Person:
        return self.odoos[name].as_user("admin")

    # -- runs --------------------------------------------------------------------------

    def says(self, name: str) -> str:
        """Try the connection."""
        with self.hub.env(user="anna") as env:
            return str(self.backend(env, name).connect())

    def poll(self, name: str, *, full: bool = False) -> Report:
        with self.hub.env(user="poll") as env:
            return service.poll_backend(env, self.backend(env, name), full=full)

    def rotate(self, name: str, **options: Any) -> Any:
        with self.hub.env(user="anna") as env:
            return self.backend(env, name).rotate_key(**options)

    def jobs(self) -> list[str]:
        """Run the jobs that are due, also those for soon; gives the errors of those that failed."""
        for _ in range(30):
            self.hub.queue.run_pending()
            if not self.hub.queue.counts()[State.PENDING]:
                break
            self.clock.advance(timedelta(seconds=60))
        return [f"{job.error}" for job in self.hub.queue.list(state="failed")]

    def resolve(self, item: int, choice: Any) -> None:
        """Choose, as in ``isthmus inbox resolve``."""
        with self.hub.env(user="anna") as env:
            Inbox(env).resolve(item, choice)

    # -- our side ----------------------------------------------------------------------

    def create(self, **values: Any) -> Any:
        with self.hub.env(user="anna") as env:
            return env["res.partner"].create(values).id

    def write(self, key: Any, **values: Any) -> None:
        with self.hub.env(user="anna") as env:
            env["res.partner"].write([key], values)

    def unlink(self, key: Any) -> None:
        with self.hub.env(user="anna") as env:
            env["res.partner"].unlink([key])

    def ours(self, *domain: Any) -> list[dict[str, Any]]:
        with self.hub.env(readonly=True) as env:
            found = env["res.partner"].search([ALL, *domain], order="id")
            return env["res.partner"].read([r.id for r in found], list(env["res.partner"].fields))

    def our(self, name: str) -> dict[str, Any]:
        (found,) = self.ours(("name", "=", name))
        return found

    def country(self, code: str) -> Any:
        with self.hub.env(readonly=True) as env:
            (found,) = env["res.country"].search([("code", "=", code)])
            return found.id

    # -- looking -----------------------------------------------------------------------

    def theirs(self, name: str, *domain: Any) -> list[dict[str, Any]]:
        people = self.admin(name)
        found = people.search("res.partner", [*domain], context={"active_test": False})
        return people.read("res.partner", found)

    def their(self, name: str, called: str) -> dict[str, Any]:
        (found,) = self.theirs(name, ["name", "=", called])
        return found

    def bindings(self, **equal: Any) -> list[dict[str, Any]]:
        with self.hub.env(readonly=True) as env:
            found = env["odoo.partner"].search([(k, "=", v) for k, v in equal.items()], order="id")
            return env["odoo.partner"].read([b.id for b in found], ["record_id", "external_id", "state"])

    def inbox(self) -> list[dict[str, Any]]:
        with self.hub.env(readonly=True) as env:
            return Inbox(env).list()
