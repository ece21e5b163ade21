"""What the demo plays on: a hub in a folder, a simulated Trello, our side, and how they are looked at."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

from isthmus.backend import create_key_file
from isthmus.cli.demo.compare import Comparison, compare
from isthmus.cli.demo.crash import HeldAnswer, killed_while_it_waits
from isthmus.cli.demo.side import OurSide
from isthmus.cli.progress import progress
from isthmus.cli.run import Run
from isthmus.errors import FailError
from isthmus.hub import Hub
from isthmus.settings import Settings
from isthmus.simulators.trello import TrelloSimulator
from isthmus.sync.inbox import Choice, Inbox
from isthmus.sync.service import get_backend, observe_backend

_SETTINGS: Final = """\
database_url = "sqlite:///isthmus.db"
key_file = "isthmus.key"
poll_s = 5
"""
QUIET_S: Final = 2.0
"""Quiet time of the demo, in seconds; a real backend waits a minute."""

FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "project.project": ("name",),
    "project.task.type": ("name", "project_ids"),
    "project.task": ("name", "project_id", "stage_id", "date_deadline", "active"),
}


class Ground:
    """The demo's world: a hub in a folder, a simulated Trello, and our side.

    Args:
        folder: An empty folder, for settings, key and database.
        trello: The running simulator; the story fills it.
        ours: Our side.
        run_id: The run.

    Attributes:
        name: What the backend is called.
    """

    name = "trello"

    def __init__(self, folder: Path, trello: TrelloSimulator, ours: OurSide, run_id: str) -> None:
        self.folder = folder
        self.trello = trello
        self.ours = ours
        self.run_id = run_id
        self._open = ExitStack()
        self.settings_file = folder / "isthmus.toml"
        self.settings_file.write_text(_SETTINGS + ours.settings, encoding="utf-8")
        create_key_file(folder / "isthmus.key")
        self.hub = Hub(Settings.load(self.settings_file))

    def __enter__(self) -> Self:
        self._open.enter_context(self.hub)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def compare(self) -> Comparison:
        """Read both sides afresh and compare them."""
        return compare(self.ours.rows, self.trello.state.dump())

    def a_card(self) -> str:
        """Give the ID of some card there."""
        return str(self.trello.state.cards()[0]["id"])

    def sync(self) -> Run:
        """Do what ``isthmus sync`` does.

        Raises:
            FailError: When a job failed.
        """
        run = Run(self.hub, self.name, self.run_id)
        with progress() as tell:
            run.go(tell)
        if run.jobs.failures:
            raise FailError("; ".join(run.jobs.failures))
        return run

    def env(self) -> Any:
        """Open a unit of work."""
        return self.hub.env(user="demo", run_id=self.run_id)

    def others(self) -> list[int]:
        """List the other processes that run jobs."""
        return [worker.pid for worker in self.hub.queue.workers() if worker.pid != os.getpid()]

    def records(self, model: str, name: str) -> list[dict[str, Any]]:
        """Read the records of ours that have a name."""
        return [row for row in self.ours.rows(model, FIELDS[model]) if row["name"] == name]

    def task(self, name: str) -> dict[str, Any]:
        """Read the only task of ours that has a name."""
        found: dict[str, Any] = only(self.records("project.task", name), f"task {name!r}")
        return found

    def name_of(self, model: str, key: Any) -> str:
        """Tell the name of a record of ours."""
        return next(str(row["name"]) for row in self.ours.rows(model, ["name"]) if row["id"] == key)

    def cards(self, name: str) -> list[Any]:
        """List the cards there that have a name."""
        return [card for card in self.trello.state.cards() if card["name"] == name]

    def open_items(self) -> list[dict[str, Any]]:
        """List what is in the inbox."""
        with self.hub.env(readonly=True) as env:
            return Inbox(env).list()

    def resolve(self, item: dict[str, Any], choice: Choice) -> str:
        """Decide one of them."""
        with self.env() as env:
            return Inbox(env).resolve(item["id"], choice)

    def bound(self, model: str, **equal: str) -> dict[str, Any]:
        """Find a binding."""
        with self.hub.env(readonly=True) as env:
            found = env[model].search([(name, "=", value) for name, value in equal.items()])
            row: dict[str, Any] = env[model].read(
                [only(found, "binding").id], ["record_id", "external_id", "state"]
            )[0]
        return row

    def new_task(self, name: str, board: int = 0, **values: Any) -> int:
        """Let somebody on our side create a task, in the first list of a board."""
        there = self.trello.state.boards()[board]
        column = self.trello.state.lists(there)[0]
        project = only(self.records("project.project", there["name"]), "project")
        stages = [
            s for s in self.records("project.task.type", column["name"]) if project["id"] in s["project_ids"]
        ]
        return self.ours.create(
            "project.task",
            {"name": name, "project_id": project["id"], "stage_id": only(stages, "stage")["id"], **values},
        )

    def outlive_crash(
        self,
        answer: HeldAnswer,
        kind: str,
        place: str,
        after: str,
        known: Callable[[], Any],
        found: Callable[[], Any],
    ) -> list[str]:
        """Kill a worker that waits for the answer to a create, and see that the next one makes no second.

        Args:
            answer: What it waits for.
            kind: What it creates.
            place: Where.
            after: When it is tried again.
            known: Tells the key of what was created, as the hub knows it by now.
            found: Tells the key of the only one that there is.

        Raises:
            FailError: When the worker was not killed in between, or what it made is not found again.
        """
        told = killed_while_it_waits(answer, self.settings_file, self.others)
        heard, made, sent = known(), found(), answer.count()
        if heard is not None:
            raise FailError(f"the killed worker had heard of its {kind} {heard}: nothing was shown")
        until_settled(self.hub, self.name, self.run_id)
        again = answer.count() - sent
        if again or known() != found() or found() != made:
            raise FailError(
                f"{again} more creates; of {kind} {made}, which the killed worker made, {known()} is bound"
            )
        return [
            told,
            f"at that moment the {kind} was {place}, and the hub had never heard of it",
            f"{after} the job ran again: 0 more creates were sent, there is 1 {kind}, and it is bound",
        ]

    def poll(self) -> None:
        """Look for what somebody did on our side, where it does not tell by itself."""
        with self.env() as env:
            observe_backend(env, get_backend(env, self.name))


def until_settled(hub: Hub, name: str, run_id: str) -> None:
    """Run jobs until none is left, waiting for those that are to come back.

    Args:
        hub: The hub.
        name: The backend.
        run_id: The run.

    Raises:
        FailError: When jobs are left after many rounds, or one failed.
    """
    for _ in range(200):
        hub.queue.run_pending()
        counts = {str(state): count for state, count in hub.queue.counts().items()}
        if counts["failed"]:
            raise FailError(f"{counts['failed']} jobs of backend {name!r} failed in run {run_id}")
        if not counts["pending"] and not counts["started"]:
            return
        hub.clock.sleep(0.1)
    raise FailError(f"jobs of backend {name!r} do not come to an end: {counts}")


def only(found: Any, what: str) -> Any:
    """Give the only one of what was found.

    Raises:
        FailError: When there is none, or more than one.
    """
    if len(found) != 1:
        raise FailError(f"the demo expected one {what} and found {len(found)}")
    return found[0]
