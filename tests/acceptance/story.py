"""The Trello story: three boards live on both sides, and everything happens to them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from agreement import assert_agreement
from world import World

from isthmus.sync import Report

_DUE = datetime(2027, 3, 1, 12, tzinfo=UTC)
_DUE_THERE = "2027-03-01T12:00:00.000Z"
_ALL = ("active", "in", [True, False])


class TrelloStory:
    """The chapters in the order in which they are told; each leaves both sides in agreement.

    Args:
        world: Where it plays: only the story's own people edit there.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.people = world.people
        self.boards: list[dict[str, Any]] = []
        self.apart: set[str] = set()
        days = world.due_is_day
        self.due_shown = "2027-03-01" if days else _DUE
        self.due_sent = "2027-03-01T00:00:00.000Z" if days else _DUE_THERE

    def chapters(self) -> Iterator[Callable[[], None]]:
        yield self.three_boards_are_imported
        yield self.a_second_run_changes_nothing
        yield self.what_changes_there_changes_here
        yield self.what_changes_here_changes_there
        yield self.different_fields_of_one_card_change_on_both_sides
        yield self.new_cards_and_lists_become_tasks_and_stages
        yield self.new_tasks_and_stages_become_cards_and_lists
        yield self.a_stage_shared_by_three_projects_has_one_name
        yield self.a_conflict_is_decided_for_us
        yield self.a_conflict_is_decided_for_them
        yield self.a_bad_card_is_parked_and_repaired
        yield self.archived_there_is_archived_here
        yield self.archived_here_is_archived_there
        yield self.deleted_there_by_policy_archive
        yield self.deleted_there_by_policy_delete
        yield self.deleted_there_by_policy_forget
        yield self.deleted_here_by_policy_archive
        yield self.deleted_here_by_policy_delete
        yield self.deleted_here_by_policy_forget
        yield self.deleted_there_but_changed_here_is_asked
        yield self.deleted_here_but_changed_there_is_asked
        yield self.tombstones_keep_what_was_deleted_away
        yield self.a_new_project_becomes_a_board
        yield self.a_second_run_changes_nothing

    def tell(self) -> None:
        for chapter in self.chapters():
            chapter()
            self.nothing_echoes()
            assert_agreement(self.world, self.apart)

    # -- helpers -----------------------------------------------------------------------

    def card(self, name: str) -> dict[str, Any]:
        return next(card for card in self.people.cards() if card["name"] == name)

    def cards(self, name: str) -> int:
        return sum(card["name"] == name for card in self.people.cards())

    def some_card(self) -> dict[str, Any]:
        """Choose a card that no chapter has touched yet."""
        for card in self.people.cards(self.boards[0]):
            if "#" in card["name"] and not card["closed"] and card["name"] not in self.apart:
                return card
        raise AssertionError("the story has used up its cards")

    def board_list(self, name: str, board: int = 0) -> dict[str, Any]:
        return next(entry for entry in self.people.lists(self.boards[board]) if entry["name"] == name)

    def find(self, model: str, name: str) -> list[Any]:
        with self.world.ours() as env:
            return [r.id for r in env[model].search([("name", "=", name), _ALL], order="id")]

    def task(self, name: str) -> dict[str, Any]:
        (task_id,) = self.find("project.task", name)
        with self.world.ours() as env:
            row: dict[str, Any] = env["project.task"].read([task_id], list(env["project.task"].fields))[0]
            return row

    def edit(self, model: str, called: str, /, **values: Any) -> None:
        (record_id,) = self.find(model, called)
        with self.world.ours() as env:
            env[model].write([record_id], values)

    def create(self, model: str, /, **values: Any) -> Any:
        with self.world.ours() as env:
            return env[model].create(values).id

    def unlink(self, name: str) -> None:
        (task_id,) = self.find("project.task", name)
        with self.world.ours() as env:
            env["project.task"].unlink([task_id])

    def imports(self, **options: Any) -> Report:
        """Import, and see that nothing of it is written there except to sisters of what came."""
        return self.world.imports(**options)

    def nothing_echoes(self, *, told_again: int = 0) -> None:
        """What a run has written on one side must not come back from the other.

        Args:
            told_again: Jobs that look once more at a conflict: a change feed tells recent changes again.
        """
        self.world.trello.requests.clear()
        ran = self.world.exports()
        report = self.imports()
        ran += self.world.exports()

        assert (report.changed, self.world.writes_there()) == (0, 0), report.sentence()
        assert ran <= told_again

    def one_open_item(self, kind: str) -> dict[str, Any]:
        (item,) = self.world.inbox()
        assert item["kind"] == kind
        return item

    # -- import ------------------------------------------------------------------------

    def three_boards_are_imported(self) -> None:
        self.people.seed_demo(boards=3, lists=3, cards=6)
        self.boards = self.people.boards()
        self.world.connect(self.world.trello, lease_s=30.0, quiet_s=5.0)

        report = self.imports()

        assert report.done["created"] == 3 + 9 + 54

    def a_second_run_changes_nothing(self) -> None:
        report = self.imports()
        again = self.imports(full=True)

        assert report.sentence().startswith("nothing changed: ")
        assert again.changed == 0
        assert not self.world.inbox()

    # -- changes -----------------------------------------------------------------------

    def what_changes_there_changes_here(self) -> None:
        card = self.some_card()
        self.people.update_card(card, name="Renamed there", desc="A **new** text", due=_DUE_THERE)
        self.people.move_card(card, self.board_list("Review"), pos=12345.4)
        self.people.update_list(self.board_list("Doing"), name="Under way")

        self.imports()

        task = self.task("Renamed there")
        assert (task["description"], task["date_deadline"], task["sequence"]) == (
            "<p>A <strong>new</strong> text</p>",
            self.due_shown,
            12345,
        )
        assert [task["stage_id"]] == self.find("project.task.type", "Review")[:1]
        assert self.find("project.task.type", "Under way")

    def what_changes_here_changes_there(self) -> None:
        name = self.some_card()["name"]
        doing = self.find("project.task.type", "Under way")[0]
        self.edit(
            "project.task", name, name="Renamed here", description="<p>Say <b>it</b></p>",
            date_deadline=_DUE, sequence=77, stage_id=doing,
        )  # fmt: skip
        self.edit("project.project", self.boards[2]["name"], name="Office removal")

        self.world.exports()

        card = self.card("Renamed here")
        assert (card["desc"], card["due"], card["pos"]) == ("Say **it**", self.due_sent, 77)
        assert card["idList"] == self.board_list("Under way")["id"]
        assert self.people.boards()[2]["name"] == "Office removal"

    def different_fields_of_one_card_change_on_both_sides(self) -> None:
        card = self.some_card()
        self.people.update_card(card, desc="Their text")
        self.edit("project.task", card["name"], name="Our title")

        self.imports()
        self.world.exports()

        assert self.card("Our title")["desc"] == "Their text"
        assert self.task("Our title")["description"] == "<p>Their text</p>"
        assert not self.world.inbox()

    # -- creates -----------------------------------------------------------------------

    def new_cards_and_lists_become_tasks_and_stages(self) -> None:
        made = self.people.create_list(self.boards[1], "Someday")
        self.people.create_card(made, "Made there", desc="* one\n* two", due=_DUE_THERE)

        self.imports()

        assert self.task("Made there")["date_deadline"] == self.due_shown
        assert len(self.find("project.task.type", "Someday")) == 1

    def new_tasks_and_stages_become_cards_and_lists(self) -> None:
        (project,) = self.find("project.project", self.boards[0]["name"])
        stage = self.create("project.task.type", name="Ideas", sequence=9, project_ids=[project])
        self.create(
            "project.task", name="Made here", project_id=project, stage_id=stage, date_deadline=_DUE,
            description="<p>Really</p>", sequence=5,
        )  # fmt: skip

        self.world.exports()

        card = self.card("Made here")
        assert (card["desc"], card["due"]) == ("Really", self.due_sent)
        assert card["idList"] == self.board_list("Ideas")["id"]
        assert self.cards("Made here") == 1

    def a_stage_shared_by_three_projects_has_one_name(self) -> None:
        projects = [self.find("project.project", board["name"])[0] for board in self.people.boards()]
        self.create("project.task.type", name="Waiting", sequence=8, project_ids=projects)
        self.world.exports()
        shared = [self.board_list("Waiting", number) for number in range(3)]

        self.people.update_list(shared[1], name="On hold")
        self.imports()
        names = [entry["name"] for n in range(3) for entry in self.people.lists(self.boards[n])]

        assert names.count("On hold") == 3
        assert "Waiting" not in names
        assert len(self.find("project.task.type", "On hold")) == 1
        bound = self.world.bindings("trello.list", ("external_id", "in", [s["id"] for s in shared]))
        assert sorted(b["scope"] for b in bound) == sorted(board["id"] for board in self.boards)

    def a_new_project_becomes_a_board(self) -> None:
        self.world.options(export_domain={"project.project": [("name", "like", "Garden%")]})
        project = self.create("project.project", name="Garden party")
        stage = self.create("project.task.type", name="Prepare", project_ids=[project])
        self.create("project.task", name="Buy lanterns", project_id=project, stage_id=stage)

        self.world.exports()

        (board,) = [b for b in self.people.boards() if b["name"] == "Garden party"]
        assert [entry["name"] for entry in self.people.lists(board)] == ["Prepare"]
        assert self.cards("Buy lanterns") == 1

    # -- conflicts ---------------------------------------------------------------------

    def _conflict(self, ours: str, theirs: str) -> dict[str, Any]:
        card = self.some_card()
        self.people.update_card(card, name=theirs)
        self.edit("project.task", card["name"], name=ours)
        self.world.exports()
        self.imports()
        self.apart.update((ours, theirs))

        assert self.card(theirs)["id"] == card["id"]
        assert self.task(ours)["id"]
        self.nothing_echoes(told_again=2)
        return self.one_open_item("conflict")

    def a_conflict_is_decided_for_us(self) -> None:
        item = self._conflict("Our word", "Their word")
        self.world.resolve(item["id"], "ours")
        self.apart.clear()

        assert self.cards("Our word") == 1
        assert not self.world.inbox()

    def a_conflict_is_decided_for_them(self) -> None:
        item = self._conflict("Our saying", "Their saying")
        self.world.resolve(item["id"], "theirs")
        self.apart.clear()

        assert len(self.find("project.task", "Their saying")) == 1
        assert not self.world.inbox()

    def a_bad_card_is_parked_and_repaired(self) -> None:
        bad = self.people.create_card(self.board_list("Review", 1), "")
        good = self.people.create_card(self.board_list("Review", 1), "Beside a bad one")
        self.imports()
        item = self.one_open_item("dead_letter")

        assert item["external_id"] == bad["id"]
        assert "has no name" in item["summary"]
        assert self.task(good["name"])

        self.people.update_card(bad, name="Repaired")
        self.imports()

        assert self.task("Repaired")
        assert not self.world.inbox()

    # -- archiving and deleting --------------------------------------------------------

    def archived_there_is_archived_here(self) -> None:
        card = self.some_card()
        self.people.update_card(card, name="Archived there")
        self.people.archive_card(card)
        self.imports()
        archived = self.task("Archived there")["active"]
        self.people.archive_card(card, closed=False)
        self.imports()

        assert (archived, self.task("Archived there")["active"]) == (False, True)

    def archived_here_is_archived_there(self) -> None:
        name = self.some_card()["name"]
        self.edit("project.task", name, name="Archived here", active=False)
        self.world.exports()

        assert self.card("Archived here")["closed"] is True

    def _deleted_there(self, policy: str) -> str:
        self.world.options(on_external_delete=policy)
        card = self.some_card()
        name = f"Deleted there, {policy}"
        self.people.update_card(card, name=name)
        self.imports()
        self.people.delete_card(card)
        self.imports()
        self.apart.add(name)
        (binding,) = self.world.bindings("trello.card", ("external_id", "=", card["id"]))

        assert binding["state"] == "tombstone"
        return name

    def deleted_there_by_policy_archive(self) -> None:
        name = self._deleted_there("archive")

        assert self.task(name)["active"] is False

    def deleted_there_by_policy_delete(self) -> None:
        name = self._deleted_there("delete")

        assert self.find("project.task", name) == []

    def deleted_there_by_policy_forget(self) -> None:
        name = self._deleted_there("forget")
        self.edit("project.task", name, description="<p>ours alone now</p>")
        self.world.exports()

        assert self.task(name)["active"] is True
        assert self.cards(name) == 0

    def _deleted_here(self, policy: str) -> str:
        self.world.options(on_record_delete=policy)
        card = self.some_card()
        name = f"Deleted here, {policy}"
        self.people.update_card(card, name=name)
        self.imports()
        self.unlink(name)
        self.world.exports()
        self.apart.add(name)
        (binding,) = self.world.bindings("trello.card", ("external_id", "=", card["id"]))

        assert binding["state"] == "tombstone"
        return name

    def deleted_here_by_policy_archive(self) -> None:
        name = self._deleted_here("archive")

        assert self.card(name)["closed"] is True

    def deleted_here_by_policy_delete(self) -> None:
        name = self._deleted_here("delete")

        assert self.cards(name) == 0

    def deleted_here_by_policy_forget(self) -> None:
        name = self._deleted_here("forget")

        assert self.card(name)["closed"] is False

    def deleted_there_but_changed_here_is_asked(self) -> None:
        self.world.options(on_external_delete="delete")
        card = self.some_card()
        self.edit("project.task", card["name"], name="Changed here, deleted there")
        self.people.delete_card(card)
        self.imports()
        item = self.one_open_item("deletion")

        assert self.task("Changed here, deleted there")["active"] is True

        self.world.resolve(item["id"], "ours")
        self.apart.add("Changed here, deleted there")

        assert self.task("Changed here, deleted there")["active"] is True

    def deleted_here_but_changed_there_is_asked(self) -> None:
        self.world.options(on_record_delete="delete")
        card = self.some_card()
        self.people.update_card(card, name="Changed there, deleted here")
        self.unlink(card["name"])
        self.world.exports()
        item = self.one_open_item("deletion")

        assert self.cards("Changed there, deleted here") == 1

        self.world.resolve(item["id"], "theirs")

        assert self.task("Changed there, deleted here")["active"] is True
        assert self.cards("Changed there, deleted here") == 1

    def tombstones_keep_what_was_deleted_away(self) -> None:
        card = self.card("Deleted here, forget")
        self.people.update_card(card, desc="still edited there")
        self.imports()
        self.imports(full=True)

        assert self.find("project.task", "Deleted here, forget") == []
        assert self.find("project.task", "Deleted there, delete") == []
