"""People editing on both sides while two workers synchronise, and what became of each edit."""

import random
from collections import Counter
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from agreement import comparable
from world import FastClock, Installation, settings_for

from isthmus.connectors.trello.markup import markdown_to_html
from isthmus.hub import Hub
from isthmus.simulators.trello import TrelloSimulator
from isthmus.simulators.trello.faults import FaultPlan
from isthmus.sync import Inbox
from isthmus.testing.crash import start_child

SPEED = 50.0
_PROGRAM = Path(__file__).with_name("two_workers.py")


@dataclass(frozen=True)
class Edit:
    """One edit of the test's own list.

    Attributes:
        token: Stands in the value, and nowhere else.
        side: ``ours`` or ``theirs``.
        pair: The card (by its ID) that is edited; None for a create.
        field: ``name`` or ``text``.
    """

    token: str
    side: str
    pair: str | None
    field: str


class Bustle:
    """One run with its seed.

    Args:
        url: The hub's database, with its schema.
        folder: For the key file.
        seed: Decides edits and faults.
        kinds: What goes wrong on Trello.
    """

    def __init__(self, url: str, folder: Path, seed: str, kinds: tuple[str, ...]) -> None:
        self._url = url
        self._key_file = str(folder / "isthmus.key")
        self._dice = random.Random(seed)
        self._kinds = kinds
        self.clock = FastClock(SPEED)
        self.trello = TrelloSimulator(seed=self._dice.randrange(1000), clock=self.clock)
        self.edits: list[Edit] = []
        self.tasks: dict[str, Any] = {}
        self.trouble: Counter[str] = Counter()

    def run(self, rounds: int, edits: int) -> None:
        """Let people edit while the workers work, then let everything come to rest."""
        with self.trello, Hub(settings_for(self._url, Path(self._key_file)), clock=self.clock) as hub:
            self._begin(Installation(hub, self.clock))
            seed = self._dice.randrange(1000)
            self.trello.faults.plan(
                FaultPlan(seed=seed, rate=0.25, kinds=self._kinds, hold_s=0.02, delay_s=0.02)
            )
            workers = [_Worker(self._url, self._key_file, self.clock) for _ in range(2)]
            for _ in range(rounds):
                for worker in workers:
                    worker.order("go")
                for _ in range(edits):
                    self._edit(hub)
                for worker in workers:
                    worker.wait()
                # What comes late comes at the end of a round, sooner or later than a probe.
                self.trello.faults.release()
            self.trello.faults.clear()
            for worker in workers:
                self.trouble += worker.stop()
            last = _Worker(self._url, self._key_file, self.clock)
            last.order("settle")
            last.wait()
            last.stop()

    def _begin(self, place: Installation) -> None:
        self.trello.seed_demo(boards=1, lists=2, cards=5)
        place.connect(self.trello, lease_s=600.0, quiet_s=60.0)
        place.imports()
        for binding in place.bindings("trello.card"):
            self.tasks[binding["external_id"]] = int(binding["record_id"])

    # -- editing -----------------------------------------------------------------------

    def _edit(self, hub: Hub) -> None:
        token = f"e{len(self.edits)}x"
        side = self._dice.choice(("ours", "theirs"))
        if self._dice.random() < 0.2:
            edit = Edit(token, side, None, "name")
            self._create(hub, edit)
        else:
            # Few cards and many edits: both sides often mean the same one.
            pair = self._dice.choice(sorted(self.tasks)[:5])
            edit = Edit(token, side, pair, self._dice.choice(("name", "text")))
            self._change(hub, edit)
        self.edits.append(edit)

    def _create(self, hub: Hub, edit: Edit) -> None:
        (board,) = self.trello.state.boards()
        if edit.side == "theirs":
            self.trello.state.create_card(self.trello.state.lists(board)[0], f"Made {edit.token}")
            return
        with hub.env(user="anna") as env:
            task = env["project.task"].browse(min(self.tasks.values()))
            place = {"project_id": task.project_id.id, "stage_id": task.stage_id.id}
            env["project.task"].create({"name": f"Made {edit.token}", **place})

    def _change(self, hub: Hub, edit: Edit) -> None:
        assert edit.pair is not None
        if edit.side == "theirs":
            field = "name" if edit.field == "name" else "desc"
            self.trello.state.update_card(edit.pair, **{field: f"Said {edit.token}"})
            return
        values = {"name": f"Said {edit.token}"}
        if edit.field == "text":
            values = {"description": f"<p>Said {edit.token}</p>"}
        with hub.env(user="anna") as env:
            env["project.task"].write([self.tasks[edit.pair]], values)


class _Worker:
    """A worker process, ordered about by a pipe."""

    def __init__(self, url: str, key_file: str, clock: FastClock) -> None:
        self._orders, theirs = get_context("forkserver").Pipe()
        self._result = start_child(_PROGRAM, "work", url, key_file, clock, theirs)
        theirs.close()

    def order(self, what: str) -> None:
        self._orders.send(what)

    def wait(self) -> None:
        """Wait for the end of what was ordered; a worker that died shows why."""
        try:
            self._orders.recv()
        except EOFError:
            self._result()
            raise

    def stop(self) -> Counter[str]:
        self._orders.send("stop")
        trouble: Counter[str] = self._result()
        self._orders.close()
        return trouble


@dataclass
class Account:
    """What is there in the end.

    Attributes:
        fates: How many edits ended how.
        lost: Edits that are nowhere.
        apart: Cards whose sides differ although no open inbox item says so.
        doubled: Names that several cards, and so perhaps several tasks, have.
    """

    fates: Counter[str]
    lost: list[Edit]
    apart: list[str]
    doubled: set[str]


def account(bustle: Bustle, place: Installation) -> Account:
    """Look for every edit on both sides and in the inbox."""
    with place.hub.env(readonly=True) as env:
        fields = ["name", "description"]
        found = env["project.task"].search([("active", "in", [True, False])])
        tasks = {t["id"]: t for t in env["project.task"].read([t.id for t in found], fields)}
        items = [Inbox(env).show(i["id"]) for i in Inbox(env).list(state=None)]
    cards = {card["id"]: card for card in bustle.trello.state.cards()}
    told = repr([item["payload"] for item in items])
    open_items = {item["external_id"] for item in items if item["state"] == "open"}
    result = Account(Counter(), [], [], set())
    for number, edit in enumerate(bustle.edits):
        fate = _fate(bustle, number, edit, tasks, cards, told)
        result.fates[fate] += 1
        if fate == "lost":
            result.lost.append(edit)
    for card_id, task_id in bustle.tasks.items():
        card, task = cards[card_id], tasks[task_id]
        texts = [comparable(markdown_to_html(card["desc"])), comparable(task["description"])]
        same = card["name"] == task["name"] and texts[0] == texts[1]
        if not same and card_id not in open_items:
            result.apart.append(card_id)
    for entries in (cards, tasks):
        counts = Counter(e["name"] for e in entries.values() if e["name"].startswith("Made "))
        result.doubled |= {name for name, count in counts.items() if count > 1}
    return result


def _fate(
    bustle: Bustle, number: int, edit: Edit, tasks: dict[Any, Any], cards: dict[str, Any], told: str
) -> str:
    if edit.pair is None:
        name = f"Made {edit.token}"
        both = [any(e["name"] == name for e in entries.values()) for entries in (cards, tasks)]
        return "present on both sides" if all(both) else "in the inbox" if edit.token in told else "lost"
    card, task = cards[edit.pair], tasks[bustle.tasks[edit.pair]]
    there = card["name" if edit.field == "name" else "desc"]
    here = task["name" if edit.field == "name" else "description"] or ""
    if edit.token in there and edit.token in here:
        return "present on both sides"
    if edit.token in told:
        return "in the inbox"
    later = [e for e in bustle.edits[number + 1 :] if (e.pair, e.field) == (edit.pair, edit.field)]
    return "replaced by a later edit" if later else "lost"
