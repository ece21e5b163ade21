"""What happens in the demo, step by step: each does something to one side and looks at the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from isthmus.cli.demo.crash import HeldCard
from isthmus.cli.demo.ground import FIELDS, QUIET_S, Ground, only
from isthmus.errors import FailError
from isthmus.sync.service import get_backend


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        title: What will be seen.
        play: Does it, and tells what was seen, line by line.
    """

    title: str
    play: Callable[[], list[str]]


class Story(Ground):
    """The steps, played on the demo's ground."""

    def steps(self) -> Iterator[Step]:
        """Give the steps in order."""
        here = self.ours.place
        yield Step(self.ours.title, self._begin)
        yield Step("Import everything", self._import)
        yield Step(f"A task changed {here} is changed there", self._change_here)
        yield Step(f"A card changed there is changed {here}", self._change_there)
        yield Step(f"A new task {here}, a new card there", self._create_both)
        yield Step("The same card changed on both sides: a person decides", self._conflict)
        yield Step("A card that cannot be imported is parked, the rest goes on", self._bad_card)
        yield Step(f"Archived {here} is archived there, and the other way round", self._archive)
        yield Step(f"A task deleted {here}, a card deleted there", self._delete)
        yield Step("A worker is killed after Trello made its card, before it heard of it", self._crash_there)
        if self.ours.made is not None:
            yield Step("A worker is killed after Odoo made its task, before it heard of it", self._crash_here)
        yield Step("A second run", self._again)

    # -- steps -------------------------------------------------------------------------

    def _begin(self) -> list[str]:
        self.hub.upgrade()
        self.hub.check()
        self.trello.seed_demo(boards=3, lists=4, cards=25)
        lines = self.ours.connect(self.hub)
        with self.env() as env:
            backend = env["trello.backend"].create({
                "name": self.name, "url": self.trello.url, "quiet_s": QUIET_S, "lease_s": 5.0
            })  # fmt: skip
            backend.set_credentials({"key": self.trello.key, "token": self.trello.token})
        with self.env() as env:
            backend = get_backend(env, self.name)
            connected = backend.connect()
            boards = backend.boards()
            backend.set_options({"boards": [board["id"] for board in boards]})
        return [*lines, connected, f"boards chosen: {', '.join(board['name'] for board in boards)}"]

    def _import(self) -> list[str]:
        run = self.sync()
        counts = [len(self.ours.rows(model, ["name"])) for model in FIELDS]
        boards, cards = self.trello.state.boards(), self.trello.state.cards()
        return [
            run.sentence(),
            f"there: {len(boards)} boards, {self._lists()} lists, {len(cards)} cards",
            f"{self.ours.place}: {counts[0]} projects, {counts[1]} stages, {counts[2]} tasks",
        ]

    def _lists(self) -> int:
        return sum(len(self.trello.state.lists(board)) for board in self.trello.state.boards())

    def _change_here(self) -> list[str]:
        task = self.ours.rows("project.task", ["name"])[0]
        self.ours.write(
            "project.task",
            task["id"],
            {"name": "Renamed here", "description": "<p>Now with a <b>bold</b> reason</p>"},
        )
        run = self.sync()
        card = only(self.cards("Renamed here"), "card 'Renamed here'")
        return [
            f"{task['name']!r} became 'Renamed here'; {run.sentence()}",
            f"there it says: {card['desc']!r}",
        ]

    def _change_there(self) -> list[str]:
        card = self.trello.state.cards()[1]
        target = self.trello.state.lists(card["idBoard"])[-1]
        self.trello.state.update_card(card, name="Renamed there", idList=target["id"], pos="top")
        run = self.sync()
        stage = self.name_of("project.task.type", self.task("Renamed there")["stage_id"])
        return [
            f"{card['name']!r} became 'Renamed there'; {run.sentence()}",
            f"{self.ours.place} it is in stage {stage!r}",
        ]

    def _create_both(self) -> list[str]:
        column = self.trello.state.lists(self.trello.state.boards()[1])[0]
        self.trello.state.create_card(column, "Made there", desc="By *Robin*")
        self.new_task("Made here", board=1, sequence=5)
        run = self.sync()
        task = self.task("Made there")
        name = self.name_of("project.project", task["project_id"])
        card = only(self.cards("Made here"), "card 'Made here'")
        return [
            run.sentence(),
            f"'Made there' is task {task['id']} of {name!r}; 'Made here' is card {card['shortLink']}",
        ]

    def _conflict(self) -> list[str]:
        card = self.trello.state.cards()[2]
        self.ours.write("project.task", self.task(card["name"])["id"], {"name": "Our title"})
        self.trello.state.update_card(card, name="Their title", due="2027-03-01T12:00:00.000Z")
        run = self.sync()
        item = only([i for i in self.open_items() if i["kind"] == "conflict"], "conflict in the inbox")
        deadline = self.task("Our title")["date_deadline"]
        lines = [
            run.sentence(),
            f"inbox: {item['summary']}",
            f"the due date, changed on one side only, came here all the same: {deadline:%Y-%m-%d}",
        ]
        self.resolve(item, "ours")
        self.sync()
        only(self.cards("Our title"), "card 'Our title'")
        left = len(self.open_items())
        return [
            *lines,
            f"resolved by --ours: the card is called 'Our title' now; {left} items left in the inbox",
        ]

    def _bad_card(self) -> list[str]:
        column = self.trello.state.lists(self.trello.state.boards()[2])[1]
        bad = self.trello.state.create_card(column, "")
        self.trello.state.create_card(column, "A good card beside it")
        run = self.sync()
        item = only([i for i in self.open_items() if i["kind"] == "dead_letter"], "parked card in the inbox")
        good = self.task("A good card beside it")
        lines = [run.sentence(), f"the card beside it is task {good['id']}", f"inbox: {item['summary']}"]
        self.trello.state.update_card(bad, name="Has a name now")
        self.sync()
        if any(i["id"] == item["id"] for i in self.open_items()):
            self.resolve(item, "retry")
            self.sync()
        task = self.task("Has a name now")
        return [*lines, f"given a name there, it is task {task['id']} here"]

    def _archive(self) -> list[str]:
        first, second = self.trello.state.cards()[3:5]
        self.ours.write("project.task", self.task(first["name"])["id"], {"active": False})
        self.trello.state.archive_card(second)
        run = self.sync()
        archived = [
            not self.task(second["name"])["active"],
            only(self.cards(first["name"]), "card")["closed"],
        ]
        if archived != [True, True]:
            raise FailError(f"archived {self.ours.place}, there: {archived}")
        return [
            run.sentence(),
            f"{first['name']!r}, archived {self.ours.place}, is closed there",
            f"{second['name']!r}, closed there, is archived {self.ours.place}",
        ]

    def _delete(self) -> list[str]:
        with self.env() as env:
            policy = {"on_record_delete": "delete", "on_external_delete": "delete"}
            get_backend(env, self.name).set_options(policy)
        first, second = self.trello.state.cards()[5:7]
        self.ours.unlink("project.task", self.task(first["name"])["id"])
        self.trello.state.delete_card(second)
        run = self.sync()
        left = [*self.cards(first["name"]), *self.records("project.task", second["name"])]
        if left:
            raise FailError(f"deleted on one side and left on the other: {left}")
        states = [self.bound("trello.card", external_id=card["id"])["state"] for card in (first, second)]
        if states != ["tombstone", "tombstone"]:
            raise FailError(f"deleted on both sides, but bound as {states}")
        return [
            f"the policies of the backend say delete, not archive: {run.sentence()}",
            f"{first['name']!r} and {second['name']!r} are gone on both sides, their bindings are tombstones",
        ]

    def _crash_there(self) -> list[str]:
        task_id = self.new_task("Made once")
        self.poll()

        def known() -> Any:
            return self.bound("trello.card", record_id=str(task_id))["external_id"]

        def found() -> Any:
            return only(self.cards("Made once"), "card 'Made once'")["id"]

        after = f"after the quiet time ({QUIET_S:g} s; 60 s by default)"
        return self.outlive_crash(HeldCard(self.trello), "card", "there", after, known, found)

    def _crash_here(self) -> list[str]:
        column = self.trello.state.lists(self.trello.state.boards()[0])[0]
        card = self.trello.state.create_card(column, "Made once here")
        with self.env() as env:
            env["trello.card"].with_delay().import_record(get_backend(env, self.name), card["id"])

        def known() -> Any:
            with self.hub.env(readonly=True) as env:
                rows = env["trello.card"].search([("external_id", "=", card["id"])])
                return rows[0]["record_id"] if rows else None

        def found() -> Any:
            return str(self.task("Made once here")["id"])

        assert self.ours.made is not None  # noqa: S101 - the step is left out otherwise
        after = "at once, since Odoo is given a key with each create,"
        return self.outlive_crash(self.ours.made, "task", self.ours.place, after, known, found)

    def _again(self) -> list[str]:
        return [self.sync().sentence()]
