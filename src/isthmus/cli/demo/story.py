"""What happens in the demo, step by step: each does something to one side and looks at the other."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from isthmus.backend import create_key_file
from isthmus.cli.demo.compare import Comparison, compare
from isthmus.cli.demo.crash import killed_after_create
from isthmus.cli.progress import progress
from isthmus.cli.run import Run
from isthmus.errors import FailError
from isthmus.hub import Hub
from isthmus.settings import Settings
from isthmus.simulators.trello import TrelloSimulator
from isthmus.sync.inbox import Choice, Inbox
from isthmus.sync.service import get_backend

_QUIET_S: Final = 2.0
"""Quiet time of the demo, in seconds; a real backend waits a minute."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        title: What will be seen.
        play: Does it, and tells what was seen, line by line.
    """

    title: str
    play: Callable[[], list[str]]


class Story:
    """The demo's world: a hub in a folder, and a simulated Trello.

    Args:
        folder: An empty folder, for settings, key and database.
        trello: The running simulator; the story fills it.
        run_id: The run.

    Attributes:
        name: What the backend is called.
    """

    name = "trello"

    def __init__(self, folder: Path, trello: TrelloSimulator, run_id: str) -> None:
        self.folder = folder
        self.trello = trello
        self._run_id = run_id
        self._open = ExitStack()
        self.settings_file = folder / "isthmus.toml"
        self.settings_file.write_text(
            'database_url = "sqlite:///isthmus.db"\nkey_file = "isthmus.key"\npoll_s = 5\n', encoding="utf-8"
        )
        create_key_file(folder / "isthmus.key")
        self.hub = Hub(Settings.load(self.settings_file))

    def __enter__(self) -> Self:
        self._open.enter_context(self.hub)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def steps(self) -> Iterator[Step]:
        """Give the steps in order."""
        yield Step("A database here, a Trello there", self._begin)
        yield Step("Import everything", self._import)
        yield Step("A task changed here is changed there", self._change_here)
        yield Step("A card changed there is changed here", self._change_there)
        yield Step("A new task here, a new card there", self._create_both)
        yield Step("The same card changed on both sides: a person decides", self._conflict)
        yield Step("A card that cannot be imported is parked, the rest goes on", self._bad_card)
        yield Step("A worker is killed after Trello made its card, before it heard of it", self._crash)
        yield Step("A second run", self._again)

    def compare(self) -> Comparison:
        """Read both sides afresh and compare them."""
        with self.hub.env(readonly=True) as env:
            return compare(env, self.trello.state.dump())

    def a_card(self) -> str:
        """Give the ID of some card there."""
        return str(self.trello.state.cards()[0]["id"])

    # -- tools -------------------------------------------------------------------------

    def _sync(self) -> Run:
        run = Run(self.hub, self.name, self._run_id)
        with progress() as tell:
            run.go(tell)
        if run.jobs.failures:
            raise FailError("; ".join(run.jobs.failures))
        return run

    def _env(self) -> Any:
        return self.hub.env(user="demo", run_id=self._run_id)

    def _others(self) -> list[int]:
        """List the other processes that run jobs."""
        return [worker.pid for worker in self.hub.queue.workers() if worker.pid != os.getpid()]

    def _task(self, env: Any, name: str) -> Any:
        found = env["project.task"].search([("name", "=", name), ("active", "in", [True, False])])
        return _only(found, f"task {name!r}")

    def _cards(self, name: str) -> list[Any]:
        return [card for card in self.trello.state.cards() if card["name"] == name]

    def _open_items(self) -> list[dict[str, Any]]:
        with self.hub.env(readonly=True) as env:
            return Inbox(env).list()

    def _resolve(self, item: dict[str, Any], choice: Choice) -> str:
        with self._env() as env:
            return Inbox(env).resolve(item["id"], choice)

    # -- steps -------------------------------------------------------------------------

    def _begin(self) -> list[str]:
        self.hub.upgrade()
        self.hub.check()
        self.trello.seed_demo(boards=3, lists=4, cards=25)
        with self._env() as env:
            backend = env["trello.backend"].create({
                "name": self.name, "url": self.trello.url, "quiet_s": _QUIET_S, "lease_s": 5.0
            })  # fmt: skip
            backend.set_credentials({"key": self.trello.key, "token": self.trello.token})
        with self._env() as env:
            backend = get_backend(env, self.name)
            connected = backend.connect()
            boards = backend.boards()
            backend.set_options({"boards": [board["id"] for board in boards]})
        return [connected, f"boards chosen: {', '.join(board['name'] for board in boards)}"]

    def _import(self) -> list[str]:
        run = self._sync()
        with self.hub.env(readonly=True) as env:
            counts = [
                env[m].search_count([]) for m in ("project.project", "project.task.type", "project.task")
            ]
        boards, cards = self.trello.state.boards(), self.trello.state.cards()
        return [
            run.sentence(),
            f"there: {len(boards)} boards, {self._lists()} lists, {len(cards)} cards",
            f"here: {counts[0]} projects, {counts[1]} stages, {counts[2]} tasks",
        ]

    def _lists(self) -> int:
        return sum(len(self.trello.state.lists(board)) for board in self.trello.state.boards())

    def _change_here(self) -> list[str]:
        with self._env() as env:
            task = env["project.task"].search([], order="id", limit=1)[0]
            before = task["name"]
            task.write({"name": "Renamed here", "description": "<p>Now with a <b>bold</b> reason</p>"})
        run = self._sync()
        card = _only(self._cards("Renamed here"), "card 'Renamed here'")
        return [f"{before!r} became 'Renamed here'; {run.sentence()}", f"there it says: {card['desc']!r}"]

    def _change_there(self) -> list[str]:
        card = self.trello.state.cards()[1]
        target = self.trello.state.lists(card["idBoard"])[-1]
        self.trello.state.update_card(card, name="Renamed there", idList=target["id"], pos="top")
        run = self._sync()
        with self.hub.env(readonly=True) as env:
            stage = self._task(env, "Renamed there")["stage_id"]["name"]
        return [
            f"{card['name']!r} became 'Renamed there'; {run.sentence()}",
            f"here it is in stage {stage!r}",
        ]

    def _create_both(self) -> list[str]:
        board = self.trello.state.boards()[1]
        column = self.trello.state.lists(board)[0]
        self.trello.state.create_card(column, "Made there", desc="By *Robin*")
        with self._env() as env:
            project = _only(env["project.project"].search([("name", "=", board["name"])]), "project")
            stages = [s for s in project["type_ids"] if s["name"] == column["name"]]
            env["project.task"].create({
                "name": "Made here", "project_id": project.id, "stage_id": stages[0].id, "sequence": 5
            })  # fmt: skip
        run = self._sync()
        with self.hub.env(readonly=True) as env:
            task = self._task(env, "Made there")
            name = task["project_id"]["name"]
        card = _only(self._cards("Made here"), "card 'Made here'")
        return [
            run.sentence(),
            f"'Made there' is task {task.id} of {name!r}; 'Made here' is card {card['shortLink']}",
        ]

    def _conflict(self) -> list[str]:
        card = self.trello.state.cards()[2]
        with self._env() as env:
            self._task(env, card["name"]).write({"name": "Our title"})
        self.trello.state.update_card(card, name="Their title", due="2027-03-01T12:00:00.000Z")
        run = self._sync()
        item = _only([i for i in self._open_items() if i["kind"] == "conflict"], "conflict in the inbox")
        with self.hub.env(readonly=True) as env:
            deadline = self._task(env, "Our title")["date_deadline"]
        lines = [
            run.sentence(),
            f"inbox: {item['summary']}",
            f"the due date, changed on one side only, came here all the same: {deadline:%Y-%m-%d}",
        ]
        self._resolve(item, "ours")
        self._sync()
        _only(self._cards("Our title"), "card 'Our title'")
        left = len(self._open_items())
        return [
            *lines,
            f"resolved by --ours: the card is called 'Our title' now; {left} items left in the inbox",
        ]

    def _bad_card(self) -> list[str]:
        column = self.trello.state.lists(self.trello.state.boards()[2])[1]
        bad = self.trello.state.create_card(column, "")
        self.trello.state.create_card(column, "A good card beside it")
        run = self._sync()
        item = _only(
            [i for i in self._open_items() if i["kind"] == "dead_letter"], "parked card in the inbox"
        )
        with self.hub.env(readonly=True) as env:
            good = self._task(env, "A good card beside it")
        lines = [run.sentence(), f"the card beside it is task {good.id}", f"inbox: {item['summary']}"]
        self.trello.state.update_card(bad, name="Has a name now")
        self._sync()
        if any(i["id"] == item["id"] for i in self._open_items()):
            self._resolve(item, "retry")
            self._sync()
        with self.hub.env(readonly=True) as env:
            task = self._task(env, "Has a name now")
        return [*lines, f"given a name there, it is task {task.id} here"]

    def _crash(self) -> list[str]:
        with self._env() as env:
            project = env["project.project"].search([], order="id", limit=1)[0]
            task = env["project.task"].create({
                "name": "Made once", "project_id": project.id, "stage_id": project["type_ids"][0].id
            })  # fmt: skip
            task_id = task.id
        told = killed_after_create(self.trello, self.settings_file, self._others)
        made, known = len(self._cards("Made once")), self._external_id(task_id)
        if known is not None:
            raise FailError(f"the killed worker had heard of its card {known}: nothing was shown")
        posts = self.trello.requests.count("POST", "/cards")
        until_settled(self.hub, self.name, self._run_id)
        again = self.trello.requests.count("POST", "/cards") - posts
        card = _only(self._cards("Made once"), "card 'Made once'")
        if self._external_id(task_id) != card["id"]:
            raise FailError("the card that the killed worker made is not bound to its task")
        found = f"{again} more creates were sent, there is 1 card, bound to task {task_id}"
        return [
            told,
            f"at that moment Trello had {made} card 'Made once', and the task had no card ID here",
            f"after the quiet time ({_QUIET_S:g} s; 60 s by default) the job ran again: {found}",
        ]

    def _external_id(self, task_id: int) -> str | None:
        with self.hub.env(readonly=True) as env:
            row = _only(env["trello.card"].search([("record_id", "=", str(task_id))]), "binding")
            found: str | None = row["external_id"]
        return found

    def _again(self) -> list[str]:
        return [self._sync().sentence()]


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


def _only(found: Any, what: str) -> Any:
    if len(found) != 1:
        raise FailError(f"the demo expected one {what} and found {len(found)}")
    return found[0]
