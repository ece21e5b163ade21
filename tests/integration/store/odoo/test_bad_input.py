"""What a person sees of a wrong setting or of a server that misbehaves; nothing is lost or doubled by it."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from odoo_company import IMPATIENT_S, PROJECT, QUIET, STAGE, TASK, Company, Tagged

from isthmus.errors import IsthmusError
from isthmus.mapping import ImportMapper, mapping, only_create
from isthmus.simulators.odoo import PROJECT_USER
from isthmus.sync import Operation, RecordImporter

Make = Callable[..., Company]
BURSTS = {
    "load": ("maintenance", "wrong_type", "serialization"),
    "write": ("maintenance", "rate_limit", "serialization"),
    "read": ("maintenance", "server_error"),
    "search_read": ("wrong_type", "rate_limit"),
}
LOST = ("timeout_before", "timeout_after", "truncated", "late")


class TestStatus:
    def test_the_status_is_told_while_the_server_is_away(self, synced: Company) -> None:
        """It is then that somebody looks."""
        synced.odoo.faults.maintenance = True
        synced.restart()

        assert synced.status() == ""


class TestRights:
    def test_a_model_that_the_user_may_not_create_stops_the_import(self, company: Company) -> None:
        """A matter of the configuration: the model is named, nothing is parked, no write is left open."""
        company.work_as("bot", *PROJECT_USER)

        told = company.sync()

        assert told.code == 3
        assert "our user has no right to create project.project" in told.err
        assert (company.tasks(), company.inbox(), company.effects()) == ([], [], 0)

    def test_what_was_made_before_the_refusal_is_kept(self, company: Company) -> None:
        """Once the right is given it goes on from there."""
        company.odoo.faults.next("access", model=TASK, method="load")

        refused = company.sync()
        granted = company.sync()

        assert (refused.code, company.effects()) == (3, 0)
        assert "In database 'odoo' login 'admin' has no right to do this on project.task" in refused.err
        assert (granted.code, granted.out) == (0, "trello: here: 3 unchanged, 6 created\n")
        assert company.names_here() == company.names_there()


class TestRefusedRecords:
    def test_of_records_that_are_written_together_only_the_refused_one_is_parked(
        self, synced: Company
    ) -> None:
        """With Odoo's own words; the same call would have changed the others."""
        names = synced.names_there()
        synced.constrain(
            TASK,
            lambda row: "No deadlines here." if row["name"] == names[0] and row["date_deadline"] else None,
        )
        for card in synced.trello.state.cards():
            synced.trello.state.update_card(card, due="2026-05-01T12:00:00.000Z")

        told = synced.sync()

        deadlines = {name: synced.read(synced.task(name), "date_deadline")["date_deadline"] for name in names}
        assert told.code == 0
        assert [name for name, at in deadlines.items() if at != "2026-05-01 12:00:00"] == names[:1]
        (item,) = synced.inbox()
        assert item["summary"].endswith(
            f"failed: cannot write project.task({synced.task(names[0])}): No deadlines here."
        )

    @pytest.mark.parametrize("lost", [False, True], ids=["at once", "after a lost answer"])
    def test_a_new_record_whose_lists_are_refused_is_parked_and_finished_later(
        self, make_company: Make, lost: bool
    ) -> None:
        """It is there, without them; the others have theirs, and once they are accepted so has it."""
        company = make_company(components=(Tagged,))
        tags = [company.robin.create("project.tags", {"name": name}) for name in "ab"]
        name = company.names_there()[2]
        accept = company.refuse(TASK, "tag_ids", name, "No tags here.")
        if lost:
            company.set(timeout_s=IMPATIENT_S)
            company.odoo.faults.next("timeout_before", method="write", model=TASK)
            with suppress(IsthmusError):
                company.fetch(full=True)

        told = company.sync()
        (item,) = company.inbox()
        before = {row["name"]: row["tag_ids"] for row in company.rows(TASK, ["name", "tag_ids"])}
        accept()
        company.resolve(item["id"], "retry")
        company.jobs()
        company.settle()

        assert (told.code, "1 parked" in told.out) == (0, True)
        assert item["summary"].endswith(f"cannot finish project.task({company.task(name)}): No tags here.")
        assert before == {n: [] if n == name else tags for n in company.names_there()}
        assert [row["tag_ids"] for row in company.rows(TASK, ["name", "tag_ids"])] == [tags] * 6
        assert (company.inbox(), company.failed(), company.effects()) == ([], [], 0)

    def test_a_refused_record_is_parked_though_others_have_other_columns(self, make_company: Make) -> None:
        """What Odoo keeps of one call does not hide what it refuses of the next."""
        company = make_company(components=(Coloured,))
        bad = company.names_there()[-1]
        company.constrain(TASK, lambda row: "Not this one." if row["name"] == bad else None)

        told = company.sync()

        assert (told.code, told.err) == (0, "")
        assert "8 created, 1 parked" in told.out
        assert company.names_here() == company.names_there()[:-1]
        assert (len(company.inbox()), company.effects()) == (1, 0)

    def test_a_record_that_may_not_be_deleted_is_parked(self, synced: Company) -> None:
        """The others of its page go on."""
        synced.set("trello", on_external_delete="delete")
        first, second, *_ = synced.names_there()
        synced.keep(TASK, synced.task(first))
        for name in (first, second):
            synced.trello.state.delete_card(synced.card(name))

        synced.fetch(full=True)

        assert first in synced.names_here()
        assert second not in synced.names_here()
        (item,) = synced.inbox()
        assert item["summary"].endswith("It is needed.")


class TestHiddenRecords:
    def test_a_record_that_a_rule_hides_is_not_taken_for_deleted(self, synced: Company) -> None:
        """Its card stays as it is, and everything else goes on."""
        name, other = synced.names_there()[:2]
        synced.hide(TASK, synced.task(name))
        synced.clock.advance(timedelta(hours=1))
        synced.trello.state.update_card(synced.card(other), name="Renamed")

        told = synced.sync()
        synced.observe(full=True)
        synced.jobs()

        assert told.code == 0
        assert "1 skipped (project.task hidden from our user by a record rule)" in told.out
        assert [card["closed"] for card in synced.trello.state.cards()] == [False] * 6
        assert "Renamed" in synced.names_here()
        assert (synced.inbox(), synced.failed()) == ([], [])

    def test_what_changes_there_of_a_hidden_record_waits_for_a_person(self, synced: Company) -> None:
        """It comes in once the user may see the record; those it was read together with are written."""
        first, second = synced.names_there()[:2]
        hidden = synced.task(first)
        synced.hide(TASK, hidden)
        synced.trello.state.update_card(synced.card(first), name="Hidden")
        synced.trello.state.update_card(synced.card(second), name="Seen")

        told = synced.sync()
        (item,) = synced.inbox()
        synced.hide(TASK)
        synced.resolve(item["id"], "retry")
        synced.jobs()

        assert told.code == 0
        assert f"our user may not see project.task {hidden}: a record rule hides" in item["summary"]
        assert {"Hidden", "Seen"} <= set(synced.names_here())
        assert (synced.inbox(), synced.effects()) == ([], 0)

    def test_a_change_of_a_record_that_is_hidden_by_now_is_not_taken_for_its_deletion(
        self, synced: Company
    ) -> None:
        """The job that exports it parks it."""
        name = synced.names_there()[0]
        hidden = synced.task(name)
        synced.robin.write(TASK, hidden, {"name": "Changed, then hidden"})
        synced.observe()
        synced.hide(TASK, hidden)

        synced.jobs()

        assert [card["closed"] for card in synced.trello.state.cards()] == [False] * 6
        assert [item["topic"] for item in synced.inbox()] == ["export"]

    def test_a_record_that_a_rule_protects_from_writing_is_parked(self, synced: Company) -> None:
        """By itself, although the same call was to write others."""
        names = synced.names_there()
        synced.hide(TASK, synced.task(names[0]), only="write")
        for card in synced.trello.state.cards():
            synced.trello.state.update_card(card, due="2026-05-01T12:00:00.000Z")

        told = synced.sync()

        deadlines = [
            row["date_deadline"] for row in synced.robin.read(TASK, synced.tasks(), ["date_deadline"])
        ]
        assert told.code == 0
        assert deadlines.count("2026-05-01 12:00:00") == 5
        (item,) = synced.inbox()
        assert "top-secret" in item["summary"]


class TestSettings:
    def test_a_wrong_database_is_named(self, company: Company) -> None:
        """By the test and by the run; with the right one it goes on."""
        company.set(database="elsewhere")

        tested, synced = company.test(), company.sync()
        company.set(database="odoo")

        assert (tested.code, synced.code, company.effects()) == (3, 3, 0)
        for told in (tested, synced):
            assert told.err.endswith("Is 'elsewhere' the name of the database?\n")
        assert company.sync().out == "trello: here: 9 created\n"

    @pytest.mark.parametrize("version", ["18.0", "19.0"])
    def test_a_wrong_key_is_told_without_showing_it(self, make_company: Make, version: str) -> None:
        """Login and database are named."""
        company = make_company(version)
        company.set_key("not-the-key")

        tested, synced = company.test(), company.sync()

        assert (tested.code, synced.code) == (3, 3)
        for told in (tested, synced):
            assert "cannot log in to database 'odoo' as 'admin'" in told.err
            assert "not-the-key" not in told.err

    def test_a_key_that_ends_while_the_program_runs_stops_it(self, make_company: Make) -> None:
        """The new one is read where it is stored; no restart is needed, and nothing is lost."""
        company = make_company("19.0", key=True)
        company.sync()
        assert "key expires on 2027-01-01" in company.test().out
        company.robin.write(TASK, company.tasks()[0], {"name": "Changed before"})
        company.clock.advance(timedelta(days=400))

        refused = company.sync()
        status = company.status()
        company.set_key(company.odoo.api_key())
        accepted = company.sync()

        assert (refused.code, accepted.code) == (3, 0)
        assert "Check the password or API key of login 'admin' for database 'odoo'" in refused.err
        assert "the key of backend 'company' has expired on 2027-01-01" in status
        assert "Changed before" in company.names_there()
        assert company.failed() == []

    def test_a_job_that_met_a_refused_key_says_so_and_is_run_again(self, make_company: Make) -> None:
        """It is not tried again by itself: the status names the command."""
        company = make_company("19.0", key=True)
        company.sync()
        company.robin.write(TASK, company.tasks()[0], {"name": "Changed before"})
        company.observe()
        company.clock.advance(timedelta(days=400))

        company.jobs()
        (error,), status = company.failed(), company.status()
        company.set_key(company.odoo.api_key())
        company.hub.queue.retry(job.id for job in company.hub.queue.list(state="failed"))
        company.jobs()

        assert error.startswith("cannot read project.task(1): Invalid apikey. Check the password or API key")
        assert "1 job has failed" in status
        assert "isthmus jobs retry --failed" in status
        assert "Changed before" in company.names_there()

    def test_the_status_forgets_the_end_of_a_key_that_was_replaced(self, make_company: Make) -> None:
        """A key that works has not expired, whatever was noted of another one."""
        company = make_company("19.0", key=True)
        company.test()
        company.clock.advance(timedelta(days=400))
        company.set_key(company.odoo.api_key())

        assert company.test().code == 0
        assert company.status() == ""

    def test_a_model_that_is_not_installed_is_named(self, company: Company) -> None:
        """With the database; once the app is installed, it goes on."""
        app = company.odoo.world.registry.pop(TASK)

        tested, synced = company.test(), company.sync()
        company.odoo.world.registry[TASK] = app

        assert (tested.code, synced.code) == (3, 1)
        assert "database 'odoo' has no model project.task (is the app installed?)" in tested.err
        assert "unknown model 'project.task': it is not installed in database 'odoo'" in synced.err
        assert company.sync().out == "trello: here: 9 created\n"

    def test_a_mapper_that_names_a_field_that_is_not_there_stops_the_run(self, make_company: Make) -> None:
        """Near names are told; not one record is parked, since it is no fault of any."""
        company = make_company(components=(Misspelt,))

        told = company.sync()

        assert told.code == 1
        assert "model 'project.task' has no field 'date_deadlin'; did you mean 'date_deadline'" in told.err
        assert (company.tasks(), company.inbox(), company.effects()) == ([], [], 0)

    @pytest.mark.parametrize("version", ["8.0", "13.0"])
    def test_an_old_version_is_told(self, make_company: Make, version: str) -> None:
        """With the first that is known."""
        company = make_company()
        company.odoo.faults.version = version

        tested, synced = company.test(), company.sync()

        assert (tested.code, synced.code) == (3, 3)
        for told in (tested, synced):
            assert f"runs Odoo {version}; version 14.0 or later is needed" in told.err


class Misspelt(ImportMapper):
    """Somebody's addition to the mapper of cards."""

    _inherit = "trello.card.import.mapper"

    @only_create
    @mapping
    def deadline_of_ours(self, payload: Any) -> dict[str, Any]:
        """Write a field that no Odoo has."""
        return {"date_deadlin": None}


class Coloured(ImportMapper):
    """Somebody's addition to the mapper of cards: not all have the same columns."""

    _inherit = "trello.card.import.mapper"

    @only_create
    @mapping
    def colour_of_ours(self, payload: Any) -> dict[str, Any]:
        """Choose a colour for some."""
        return {"color": 3} if int(payload["name"][-1]) % 2 else {}


class OneByOne(RecordImporter):
    """Somebody's own way to create tasks."""

    _inherit = "trello.card.importer"

    def _create(self, operation: Operation) -> Any:
        """Create a task by a call of its own."""
        return self.env[self.record_model].create(operation.values).id


class TestWeather:
    """What passes by itself."""

    @pytest.mark.parametrize("method", BURSTS)
    def test_what_failed_is_done_once_it_is_over(self, synced: Company, method: str) -> None:
        """A page of a proxy, transactions that lose in a burst, a limit; nothing is lost or doubled."""
        cards = synced.names_there()
        for turn, fault in enumerate(BURSTS[method]):
            synced.trello.state.create_card(synced.lists[0], name=f"New there {fault}")
            synced.trello.state.update_card(synced.card(cards[turn]), desc=f"Changed there at {fault}")
            synced.robin.write(TASK, synced.task(cards[turn - 1]), {"description": f"<p>Here at {fault}</p>"})
            synced.odoo.faults.next(fault, method=method, times=3)

            codes = {synced.sync().code for _ in range(2)}
            synced.odoo.faults.clear()
            synced.settle()

            assert codes <= {0, 1}
            assert any(call.fault == fault for call in synced.odoo.calls)
            assert f"New there {fault}" in synced.names_here()
            assert synced.here() == synced.there()
        assert len(synced.tasks()) == len(synced.trello.state.cards()) == 6 + len(BURSTS[method])
        assert (synced.inbox(), synced.failed(), synced.effects()) == ([], [], 0)

    def test_lost_answers_are_settled_without_a_person(self, synced: Company) -> None:
        """Whether the write took effect or not, or later; an answer that a proxy cuts is lost, too."""
        synced.set(timeout_s=IMPATIENT_S)
        synced.set("trello", on_external_delete="delete")
        cards, methods = synced.names_there(), ("load", "write", "unlink")
        for turn, fault in enumerate(LOST):
            synced.trello.state.create_card(synced.lists[0], name=f"New there {fault}")
            synced.trello.state.update_card(synced.card(cards[-1]), desc=f"Changed there at {fault}")
            synced.trello.state.delete_card(synced.card(cards[turn]))
            for method in methods:
                synced.odoo.faults.next(fault, method=method)

            for _ in methods:
                with suppress(IsthmusError):
                    synced.fetch(full=True)
                synced.odoo.faults.release()
                synced.clock.advance(QUIET)
            synced.fetch(full=True)
            synced.settle()

            hit = {call.method for call in synced.odoo.calls if call.fault == fault}
            assert hit == set(methods)
            assert f"New there {fault}" in synced.names_here()
            assert cards[turn] not in synced.names_here()
            assert synced.here() == synced.there()
        assert len(synced.tasks()) == 6
        assert (synced.inbox(), synced.failed(), synced.effects()) == ([], [], 0)

    def test_a_create_that_comes_late_is_found_though_its_repetition_was_refused(
        self, synced: Company
    ) -> None:
        """The key of the first one is kept until it is known what became of it."""
        synced.trello.state.create_card(synced.lists[0], name="Late")
        synced.set(timeout_s=IMPATIENT_S)
        synced.odoo.faults.next("late", method="load")
        with suppress(IsthmusError):
            synced.fetch(full=True)
        synced.odoo.faults.next("serialization", method="load")
        with suppress(IsthmusError):
            synced.fetch(full=True)

        synced.odoo.faults.release()
        synced.fetch(full=True)
        synced.settle()

        assert synced.names_here().count("Late") == synced.names_there().count("Late") == 1
        assert (synced.inbox(), synced.failed(), synced.effects()) == ([], [], 0)

    def test_what_a_step_of_a_connector_has_made_is_not_made_again(self, make_company: Make) -> None:
        """When the next record of its page is refused, or the server goes away."""
        company = make_company(components=(OneByOne,))
        bad = company.names_there()[2]
        company.constrain(TASK, lambda row: "No." if row["name"] == bad else None)

        told = company.sync()

        assert told.code == 0
        assert company.names_here() == [name for name in company.names_there() if name != bad]
        assert len(company.inbox()) == 1

    def test_maintenance_is_told_by_every_command(self, synced: Company) -> None:
        """And is over when it is over."""
        synced.robin.write(TASK, synced.tasks()[0], {"name": "Changed before"})
        synced.odoo.faults.maintenance = True
        synced.restart()

        tested, refused = synced.test(), synced.sync()
        synced.odoo.faults.maintenance = False

        assert (tested.code, refused.code) == (3, 1)
        assert "backend 'company' cannot be reached at http" in tested.err
        assert "answered 503 Service Unavailable: an HTML page" in refused.err
        assert synced.sync().code == 0
        assert "Changed before" in synced.names_there()


class TestDeletedInBetween:
    def test_a_task_that_is_deleted_before_its_write_takes_its_card_along(self, synced: Company) -> None:
        """By the backend's policy, as if the deletion had been seen first; the others are written."""
        first, second = synced.names_there()[:2]
        task = synced.task(first)
        for name in (first, second):
            synced.trello.state.update_card(synced.card(name), desc="Changed there")
        synced.before(TASK, "write", lambda: synced.robin.unlink(TASK, task))

        synced.fetch()
        synced.settle()

        assert synced.card(first)["closed"]
        assert synced.read(synced.task(second), "description")["description"] == "<p>Changed there</p>"
        assert (synced.inbox(), synced.failed(), synced.effects()) == ([], [], 0)
        assert synced.nothing_moves(1)

    @pytest.mark.parametrize("turn", [1, 3])
    def test_a_task_that_is_deleted_while_its_page_is_read_does_not_hold_up_the_others(
        self, make_company: Make, turn: int
    ) -> None:
        """Before the read, or between its halves, where a proxy cuts it."""
        company = make_company(cards=20)
        company.sync()
        company.observe()
        names = company.names_there()
        task = company.task(names[-1])
        for card in company.trello.state.cards():
            company.trello.state.update_card(card, desc="Changed there")
        company.odoo.faults.cut_over_bytes = 3_000
        company.before(TASK, "read", lambda: company.robin.unlink(TASK, task), turn=turn)

        company.fetch()
        company.settle()

        told = [row["description"] for row in company.robin.read(TASK, company.tasks(), ["description"])]
        assert told == ["<p>Changed there</p>"] * 39
        assert company.card(names[-1])["closed"]
        assert (company.inbox(), company.failed(), company.effects()) == ([], [], 0)

    def test_a_task_that_was_deleted_before_its_export_is_no_obstacle(self, synced: Company) -> None:
        """It is noticed by the export of what else has changed, in the same run."""
        first, second = synced.names_there()[:2]
        synced.robin.unlink(TASK, synced.task(first))
        synced.robin.write(TASK, synced.task(second), {"name": "Changed here"})

        told = synced.sync()

        assert (told.code, told.err) == (0, "")
        assert synced.card(first)["closed"]
        assert "Changed here" in synced.names_there()


class TestPages:
    def test_of_a_page_only_the_refused_record_is_parked(self, make_company: Make) -> None:
        """With Odoo's own message; it is halved out, and nothing is there twice."""
        company = make_company(cards=64)
        bad = company.names_there()[77]
        company.constrain(TASK, lambda row: "A task needs a better title." if row["name"] == bad else None)

        told = company.sync()
        loads = company.odoo.calls.count(method="load", model=TASK)
        again = company.sync()

        assert (told.code, again.code) == (0, 0)
        assert "130 created, 1 parked" in told.out
        assert loads <= 1 + 2 * 7
        assert company.odoo.calls.count(method="create") == 0
        assert company.names_here() == [name for name in company.names_there() if name != bad]
        (item,) = company.inbox()
        assert item["summary"].endswith("failed: cannot create project.task: A task needs a better title.")
        assert company.status() == "! 1 item waits for a person: isthmus inbox list"

    def test_a_refused_record_comes_in_when_it_is_right(self, company: Company) -> None:
        """Its item is closed by that."""
        bad = company.names_there()[0]
        company.constrain(TASK, lambda row: "No." if row["name"] == bad else None)
        company.sync()
        company.trello.state.update_card(company.card(bad), name="A better title")

        company.sync()

        assert company.names_here() == company.names_there()
        assert (company.inbox(), company.effects()) == ([], 0)

    def test_a_proxy_that_cuts_long_answers_makes_it_slower(self, make_company: Make) -> None:
        """Reads are asked for in halves; nothing is lost or doubled."""
        company = make_company(cards=20)
        company.odoo.faults.cut_over_bytes = 3_000

        told = company.sync()
        company.robin.write(TASK, company.tasks(), {"description": "<p>Changed here</p>"})
        observed = company.observe()
        company.jobs()

        assert told.out == "trello: here: 43 created\n"
        assert observed == 40
        assert company.here() == company.there()


class TestClocks:
    @pytest.mark.parametrize(
        ("hours", "words"), [(1, "60 minutes ahead of ours"), (-1, "60 minutes behind ours")]
    )
    def test_a_server_whose_clock_is_wrong_loses_no_change(
        self, make_company: Make, hours: int, words: str
    ) -> None:
        """The test of the backend says so; what is observed does not depend on it."""
        company = make_company()
        company.odoo.faults.clock_offset = timedelta(hours=hours)

        told = company.test()
        company.sync()
        company.observe()
        observed = []
        for turn, task in enumerate(company.tasks()[:4]):
            company.robin.write(TASK, task, {"name": f"Changed {turn}"})
            observed.append(company.observe())
            company.clock.advance(timedelta(seconds=7 * turn))
        company.jobs()

        assert words in told.out
        assert observed == [1] * 4
        assert company.names_here() == company.names_there()


class TestNoPingPong:
    """What one side cannot keep as it was given does not go round in circles."""

    def test_descriptions_that_odoo_rewrites(self, synced: Company) -> None:
        """Its answer is what later values are compared with."""
        cards = (
            "<b>bold</b> & <script>alert(1)</script>", "two\n\n\n\nlines  \nand trailing   ",
            "  > quote\n\n| a | b |", "* x\n    * y\n\n1. a\n2. b",
        )  # fmt: skip
        tasks = ("plain text", "<p>a<br>b</p><div><span style='color:red'>x</span></div>")
        names = synced.names_there()
        for name, text in zip(names, cards, strict=False):
            synced.trello.state.update_card(synced.card(name), desc=text)
        for name, text in zip(reversed(names), tasks, strict=False):
            synced.robin.write(TASK, synced.task(name), {"description": text})

        synced.sync()

        assert synced.nothing_moves()
        assert synced.here() == synced.there()

    def test_names_with_spaces_around_them(self, synced: Company) -> None:
        """Odoo keeps them, Trello does not."""
        first, second = synced.names_there()[:2]
        synced.robin.write(TASK, synced.task(first), {"name": "  from Odoo "})
        synced.trello.state.update_card(synced.card(second), name="  from Trello ")
        synced.trello.state.create_card(synced.lists[0], name="  new ")

        synced.sync()

        assert synced.nothing_moves()
        assert {"  from Odoo ", "from Trello", "new"} <= set(synced.names_here())
        assert {"from Odoo", "from Trello", "new"} <= set(synced.names_there())

    def test_a_deadline_that_odoo_keeps_as_a_day(self, make_company: Make) -> None:
        """The instant stays on the card until somebody changes the day."""
        company = make_company("16.0")
        company.sync()
        name = company.names_there()[1]
        company.trello.state.update_card(company.card(name), due="2026-05-01T12:34:56.789Z")

        company.sync()
        quiet = company.nothing_moves()
        company.robin.write(TASK, company.task(name), {"priority": "1", "name": "Renamed"})
        company.settle()
        kept = company.card("Renamed")["due"]
        company.robin.write(TASK, company.task("Renamed"), {"date_deadline": "2026-06-01"})
        company.settle()

        assert quiet
        assert kept == "2026-05-01T12:34:56.789Z"
        assert company.card("Renamed")["due"] == "2026-06-01T00:00:00.000Z"
        assert company.nothing_moves(1)


class TestPlaces:
    def test_projects_of_the_same_name_are_told_apart(self, synced: Company) -> None:
        """A task of the other one is no card."""
        (project,) = synced.robin.search(PROJECT)
        name = synced.robin.read(PROJECT, project, ["name"])[0]["name"]
        other = synced.robin.create(PROJECT, {"name": name})
        stage = synced.robin.create(STAGE, {"name": "To do", "project_ids": [[6, 0, [other]]]})
        synced.robin.create(TASK, {"name": "Of the other", "project_id": other, "stage_id": stage})

        told = synced.sync()

        assert told.code == 0
        assert "Of the other" not in synced.names_there()
        assert len(synced.trello.state.boards()) == 1
        assert (synced.inbox(), synced.nothing_moves(1)) == ([], True)

    def test_a_task_that_is_moved_to_another_project_brings_it_along(self, synced: Company) -> None:
        """The project becomes a board, once; and the task comes back."""
        name = synced.names_there()[0]
        task = synced.task(name)
        row = synced.read(task, "project_id", "stage_id")
        home = {"project_id": row["project_id"][0], "stage_id": row["stage_id"][0]}
        other = synced.robin.create(PROJECT, {"name": "Without a board"})
        stage = synced.robin.create(STAGE, {"name": "Open", "project_ids": [[6, 0, [other]]]})

        synced.robin.write(TASK, task, {"project_id": other, "stage_id": stage})
        synced.sync()
        boards = {board["id"]: board["name"] for board in synced.trello.state.boards()}
        moved = boards[synced.card(name)["idBoard"]]
        synced.robin.write(TASK, task, home)
        synced.sync()
        synced.settle()

        assert (moved, len(boards)) == ("Without a board", 2)
        assert synced.card(name)["idBoard"] == synced.board["id"]
        assert synced.nothing_moves(1)

    def test_a_task_without_a_stage_waits_for_a_person(self, synced: Company) -> None:
        """The card stays as it is; the item is closed when the task has its stage again."""
        name = synced.names_there()[0]
        task = synced.task(name)
        stage = synced.read(task, "stage_id")["stage_id"][0]

        synced.robin.write(TASK, task, {"stage_id": False})
        told = synced.sync()
        items = synced.inbox()
        synced.robin.write(TASK, task, {"stage_id": stage})
        synced.sync()

        assert told.code == 0
        assert [item["summary"].endswith("has no stage: a card needs a list") for item in items] == [True]
        assert synced.inbox() == []


@pytest.mark.parametrize("version", ["14.0", "16.0", "17.0", "18.0", "19.0", "20.0"])
def test_two_ways_with_every_version(make_company: Make, version: str) -> None:
    """Created, changed, archived and deleted on both sides; what it has no word for stays as it is."""
    company = make_company(version, key=version >= "19")
    company.set("trello", on_external_delete="delete", on_record_delete="delete")
    company.sync()
    names, people = company.names_there(), "user_ids" if company.odoo.version.major >= 15 else "user_id"
    (project,) = company.robin.search(PROJECT)
    stage, *_ = company.robin.search(STAGE, [], order="id")
    uid = company.robin.uid
    company.robin.write(TASK, company.tasks(), {people: [[6, 0, [uid]]] if people == "user_ids" else uid})

    company.robin.create(
        TASK,
        {
            "name": "Made here",
            "project_id": project,
            "stage_id": stage,
            "description": "<p>with <b>text</b></p>",
        },
    )
    company.trello.state.create_card(
        company.lists[0], name="Made there", desc="with **text**", due="2026-05-01T12:34:56.789Z"
    )
    company.robin.write(TASK, company.task(names[0]), {"name": "Changed here", "date_deadline": "2026-07-01"})
    company.trello.state.update_card(
        company.card(names[1]), name="Changed there", idList=company.lists[0]["id"]
    )
    company.robin.write(TASK, company.task(names[2]), {"active": False})
    company.trello.state.archive_card(company.card(names[3]))
    company.robin.unlink(TASK, company.task(names[4]))
    company.trello.state.delete_card(company.card(names[5]))
    told = company.sync()
    company.settle()
    company.fetch(full=True)

    assert (told.code, company.inbox(), company.failed(), company.effects()) == (0, [], [], 0)
    assert company.here() == company.there()
    assert sorted(row[0] for row in company.here()) == sorted([
        "Made here",
        "Made there",
        "Changed here",
        "Changed there",
        names[2],
        names[3],
    ])
    kept = company.robin.read(TASK, company.task("Changed there"), [people])[0][people]
    assert kept[0] == uid
    assert company.nothing_moves(1)
