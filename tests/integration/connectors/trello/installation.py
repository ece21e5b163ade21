"""A hub beside a simulated Trello, as tests of the connector use them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from isthmus.backend import create_key_file
from isthmus.hub import Hub
from isthmus.job import State
from isthmus.settings import Settings
from isthmus.simulators.trello import TrelloSimulator
from isthmus.sync import Inbox, Report, service
from isthmus.testing import SteppingClock

ALL = ("active", "in", [True, False])


class Installation:
    """A hub with one Trello backend, and the Trello it talks to."""

    def __init__(self, url: str, folder: Path, **settings: Any) -> None:
        self.clock = SteppingClock()
        self.trello = TrelloSimulator(clock=self.clock).start()
        self.people = self.trello.state
        create_key_file(folder / "isthmus.key")
        self.settings = Settings(database_url=url, key_file=folder / "isthmus.key", **settings)
        self.hub = Hub(self.settings, clock=self.clock)

    def close(self) -> None:
        self.hub.close()
        self.trello.stop()

    def connect(self, boards: int = 1, lists: int = 2, cards: int = 0) -> list[dict[str, Any]]:
        """Fill Trello and select its boards; gives them."""
        self.people.seed_demo(boards=boards, lists=lists, cards=cards)
        found = self.people.boards()
        with self.hub.env(user="admin") as env:
            values = {"name": "trello", "url": self.trello.url, "quiet_s": 5.0}
            backend = env["trello.backend"].create(values)
            backend.set_credentials({"key": self.trello.key, "token": self.trello.token})
            backend.set_options({"boards": [b["id"] for b in found]})
        return found

    def set(self, **options: Any) -> None:
        with self.hub.env() as env:
            self.backend(env).set_options(options)

    def backend(self, env: Any) -> Any:
        return service.get_backend(env, "trello")

    # -- runs --------------------------------------------------------------------------

    def imports(self, *, full: bool = False) -> Report:
        with self.hub.env(user="anna") as env:
            return service.import_backend(env, self.backend(env), full=full)

    def pages(self, model: str, *payloads: Any) -> Report:
        """Import records as a listing would have told them."""
        with self.hub.env() as env, self.backend(env).work_on(model) as work:
            importer = work.component(usage="record.importer")
            return importer.run_page(payloads, read_at=env.locks.now())

    def jobs(self) -> list[str]:
        """Run all jobs, also those for later; gives the errors of those that failed."""
        for _ in range(30):
            self.hub.queue.run_pending()
            if not self.hub.queue.counts()[State.PENDING]:
                break
            self.clock.advance(timedelta(seconds=60))
        return [f"{job.error}" for job in self.hub.queue.list(state="failed")]

    # -- our side ----------------------------------------------------------------------

    def create(self, model: str, **values: Any) -> Any:
        with self.hub.env(user="anna") as env:
            return env[model].create(values).id

    def write(self, model: str, key: Any, **values: Any) -> None:
        with self.hub.env(user="anna") as env:
            env[model].write([key], values)

    def unlink(self, model: str, key: Any) -> None:
        with self.hub.env(user="anna") as env:
            env[model].unlink([key])

    def ours(self, model: str = "project.task", *domain: Any) -> list[dict[str, Any]]:
        with self.hub.env(readonly=True) as env:
            found = env[model].search([ALL, *domain], order="id")
            return env[model].read([r.id for r in found], list(env[model].fields))

    def task(self, name: str) -> dict[str, Any]:
        (found,) = self.ours("project.task", ("name", "=", name))
        return found

    def place(self) -> dict[str, Any]:
        """Give values of a task in the first stage of the first project."""
        project = self.ours("project.project")[0]["id"]
        return {"project_id": project, "stage_id": self.ours("project.task.type")[0]["id"]}

    # -- looking -----------------------------------------------------------------------

    def card(self, name: str) -> dict[str, Any]:
        (found,) = [c for c in self.people.cards() if c["name"] == name]
        return found

    def bindings(self, model: str, **equal: Any) -> list[dict[str, Any]]:
        with self.hub.env(readonly=True) as env:
            found = env[model].search([(k, "=", v) for k, v in equal.items()], order="id")
            return env[model].read([b.id for b in found], ["record_id", "external_id", "scope", "state"])

    def inbox(self) -> list[dict[str, Any]]:
        with self.hub.env(readonly=True) as env:
            return Inbox(env).list()

    def item(self) -> dict[str, Any]:
        (row,) = self.inbox()
        with self.hub.env(readonly=True) as env:
            return Inbox(env).show(row["id"])
