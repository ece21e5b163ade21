"""Calls to an Odoo whose answers get lost, come late or are something else: nothing is made twice or lost."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crash_stories import BASE, QUIET
from odoo_stories import STORIES, Setting, Theatre, open_place, run
from people import People
from world import REMOTE_MODELS, Installation

from isthmus.errors import IsthmusError
from isthmus.simulators.odoo.faults import CALLS, FaultPlan
from isthmus.simulators.trello import FaultPlan as TrelloFaultPlan
from isthmus.testing import FrozenClock
from isthmus.testing.databases import Databases

Tell = Callable[[str, object], None]
_TIMEOUT_S = 0.3
_A_MOMENT = timedelta(seconds=2)
"""Odoo tells whole seconds: what is written in that of the create looks like a part of it."""
_EVERY = [("active", "in", [True, False])]
_METHODS = (*CALLS, "check_object_reference", "get_metadata", "fields_get", "has_access", "context_get",
            "authenticate", "version")  # fmt: skip
_LOST = [
    ("timeout_before", {}), ("timeout_after", {}), ("reset_before", {}), ("reset_after", {}),
    ("truncated", {}), ("server_error", {"applied": True}), ("wrong_type", {"applied": True}),
    ("maintenance", {}), ("serialization", {}), ("rate_limit", {}),
]  # fmt: skip


@contextmanager
def _opened(setting: Setting) -> Iterator[Installation]:
    with open_place(*setting.places, BASE) as place:
        yield place


def _tries(place: Installation) -> bool:
    """Look at both sides; tell whether that went well."""
    try:
        run(place)
    except IsthmusError:
        # A run by hand fails as a whole; the next one goes on.
        return False
    return True


def _settles(place: Installation) -> int:
    """Look at both sides until that goes well; tells how often it did not."""
    failed = 0
    while not _tries(place):
        failed += 1
        assert failed < 20
        place.clock.advance(2 * QUIET)
    return failed


def _names(setting: Setting) -> dict[str, Counter[str]]:
    people = People.of(setting.odoo)
    return {
        model: Counter(row["name"] for row in people[model].read(_ids(people, model), ["name"]))
        for model in REMOTE_MODELS
    }


def _ids(people: People, model: str) -> list[int]:
    return [record.id for record in people[model].search(_EVERY)]


def _sides_and_bindings(setting: Setting) -> dict[str, list[str]]:
    """Show what both sides hold, and how it is bound."""
    bindings = ("isthmus_trello_board", "isthmus_trello_list", "isthmus_trello_card")
    shown = setting.all().items()
    return {table: rows for table, rows in shown if table in bindings or not table.startswith("isthmus_")}


@pytest.mark.parametrize(("version", "kinds"), [("18.0", _LOST), ("19.0", _LOST[:3])])
def test_a_create_whose_answer_is_lost_happens_once(
    databases: Databases, tmp_path: Path, version: str, kinds: list[tuple[str, dict[str, Any]]]
) -> None:
    """
    Whatever becomes of the answer, each record is there once and bound as if it had come.
    """
    theatre = Theatre(databases, STORIES["first import"], version, tmp_path)
    with theatre.setting() as setting, _opened(setting) as place:
        _settles(place)
        expected = _sides_and_bindings(setting)

    for number, (kind, options) in enumerate(kinds):
        model = REMOTE_MODELS[number % 3]
        with theatre.setting(timeout_s=_TIMEOUT_S) as setting, _opened(setting) as place:
            setting.odoo.faults.next(kind, method="load", model=model, **options)
            _tries(place)
            place.clock.advance(2 * QUIET)
            _settles(place)
            found = _sides_and_bindings(setting)

            assert setting.odoo.faults.fired[kind]
            assert not place.inbox()
        for table, rows in expected.items():
            assert found[table] == rows, f"{kind} of load of {model}: {table}"


@pytest.mark.parametrize(("version", "kind"), [("18.0", "timeout_after"), ("19.0", "truncated")])
def test_what_a_person_does_before_a_lost_create_is_found_stays(
    databases: Databases, tmp_path: Path, version: str, kind: str
) -> None:
    """
    The records are there, we have not heard of them, and somebody is quicker than we are.
    """
    theatre = Theatre(databases, STORIES["first import"], version, tmp_path)
    with theatre.setting(timeout_s=_TIMEOUT_S) as setting, _opened(setting) as place:
        setting.odoo.faults.next(kind, method="load", model="project.task")
        _tries(place)
        setting.clock.advance(_A_MOMENT)
        people = People.of(setting.odoo)
        renamed, archived, deleted = people["project.task"].search([], order="id")[:3]
        names = [task.name for task in (renamed, archived, deleted)]
        people["project.task"].write([renamed.id], {"name": "By Robin", "description": "<p>Robin's</p>"})
        people["project.task"].write([archived.id], {"active": False})
        people["project.task"].unlink([deleted.id])
        place.clock.advance(2 * QUIET)
        _settles(place)
        _settles(place)
        tasks = {t["name"]: t for t in people["project.task"].read(
            _ids(people, "project.task"), ["name", "description", "active"]
        )}  # fmt: skip
        cards = {card["name"]: card for card in setting.trello.state.cards()}
        asked = place.inbox()

    assert (tasks["By Robin"]["description"], cards["By Robin"]["desc"]) == ("<p>Robin's</p>", "Robin's")
    assert (tasks[names[1]]["active"], cards[names[1]]["closed"]) == (False, True)
    # Nobody knows that the third one was ever there: it is made again.
    assert names[2] in tasks
    assert (sorted(tasks), len(cards), asked) == (sorted(cards), 6, [])


def _rename(setting: Setting, name: str) -> None:
    """Let somebody rename the first card, later than anybody has done anything there."""
    clock = setting.trello.world.clock
    assert isinstance(clock, FrozenClock)
    clock.advance(QUIET)
    setting.trello.state.update_card(setting.trello.state.cards()[0], name=name)


@contextmanager
def _with_a_lost_write(databases: Databases, folder: Path) -> Iterator[tuple[Setting, Installation]]:
    """Everything was imported, and then a name whose write to Odoo has had no answer."""
    theatre = Theatre(databases, STORIES["first import"], "18.0", folder)
    with theatre.setting(timeout_s=_TIMEOUT_S) as setting, _opened(setting) as place:
        _settles(place)
        _rename(setting, "Theirs")
        setting.odoo.faults.next("timeout_after", method="write", model="project.task")
        assert not _tries(place)
        assert _names(setting)["project.task"]["Theirs"] == 1
        place.clock.advance(2 * QUIET)
        yield setting, place


def test_a_write_whose_answer_is_lost_is_nobodys_edit(databases: Databases, tmp_path: Path) -> None:
    """
    Our side is looked at first: what we wrote there ourselves is no change that meets their next one.
    """
    with _with_a_lost_write(databases, tmp_path) as (setting, place):
        _rename(setting, "Theirs again")
        _settles(place)
        asked = [item["summary"] for item in place.inbox()]
        names = _names(setting)["project.task"]

    assert asked == []
    assert names["Theirs again"] == 1


def test_a_write_whose_answer_is_lost_is_settled_by_the_next_run(
    databases: Databases, tmp_path: Path
) -> None:
    """
    When a person says later what we had written then, it is theirs, and meets another edit as such.
    """
    with _with_a_lost_write(databases, tmp_path) as (setting, place):
        _settles(place)
        people = People.of(setting.odoo)
        (task,) = people["project.task"].search([("name", "=", "Theirs")])
        people["project.task"].write([task.id], {"name": "By Robin"})
        _settles(place)
        people["project.task"].write([task.id], {"name": "Theirs"})
        _rename(setting, "Something else")
        place.imports()
        asked = [item["kind"] for item in place.inbox()]
        name = task.name

    assert name == "Theirs"
    assert asked == ["conflict"]


@pytest.mark.parametrize("version", ["18.0", "19.0"])
def test_a_create_that_takes_effect_after_its_repetition_changes_nothing(
    databases: Databases, tmp_path: Path, version: str
) -> None:
    """
    The first call arrives when the second has made the records and a person has worked on one.
    """
    theatre = Theatre(databases, STORIES["first import"], version, tmp_path)
    with theatre.setting(timeout_s=_TIMEOUT_S) as setting, _opened(setting) as place:
        setting.odoo.faults.next("late", method="load", model="project.task")
        _tries(place)
        place.clock.advance(2 * QUIET)
        _settles(place)
        before = _names(setting)
        people = People.of(setting.odoo)
        task = people["project.task"].search([], order="id")[0]
        people["project.task"].write([task.id], {"name": "By Robin"})
        released = setting.odoo.faults.release()
        after = _names(setting)
        name = task.name
        place.clock.advance(2 * QUIET)
        _settles(place)
        cards = Counter(card["name"] for card in setting.trello.state.cards())

    assert released == 1
    assert sum(before["project.task"].values()) == sum(after["project.task"].values()) == 6
    assert name == "By Robin"
    assert cards == after["project.task"]


@pytest.mark.parametrize("version", ["18.0", "19.0"])
def test_a_create_that_takes_effect_before_it_is_looked_for_is_found(
    databases: Databases, tmp_path: Path, version: str
) -> None:
    """
    The call arrives after we have given up, and a person has already worked on a record by the next run.
    """
    theatre = Theatre(databases, STORIES["first import"], version, tmp_path)
    with theatre.setting(timeout_s=_TIMEOUT_S) as setting, _opened(setting) as place:
        setting.odoo.faults.next("late", method="load", model="project.task")
        _tries(place)
        setting.odoo.faults.release()
        setting.clock.advance(_A_MOMENT)
        people = People.of(setting.odoo)
        task = people["project.task"].search([], order="id")[0]
        people["project.task"].write([task.id], {"name": "By Robin"})
        place.clock.advance(2 * QUIET)
        _settles(place)
        _settles(place)
        names = _names(setting)["project.task"]
        cards = Counter(card["name"] for card in setting.trello.state.cards())
        asked = [item["kind"] for item in place.inbox()]

    assert sum(names.values()) == 6
    assert names["By Robin"] == 1
    assert cards == names or asked == ["conflict"]


def _play_faults(
    databases: Databases, folder: Path, story: str, version: str, seeds: range, tell: Tell
) -> None:
    theatre = Theatre(databases, STORIES[story], version, folder)
    with theatre.setting() as setting, _opened(setting) as place:
        _settles(place)
        _settles(place)
        expected = _sides_and_bindings(setting)
    fired: Counter[str] = Counter()
    wrong = []
    for seed in seeds:
        dice = random.Random(f"{story} {version} {seed}")
        with theatre.setting(timeout_s=_TIMEOUT_S) as setting, _opened(setting) as place:
            plan: dict[str, Any] = {"seed": seed, "rate": dice.choice((0.1, 0.3)), "most": 30}
            setting.odoo.faults.plan(FaultPlan(methods=_METHODS, hold_s=2 * _TIMEOUT_S, **plan))
            if dice.random() < 0.5:
                setting.trello.faults.plan(TrelloFaultPlan(seed=seed, rate=0.1, most=5))
            _settles(place)
            setting.odoo.faults.clear()
            setting.trello.faults.clear()
            place.clock.advance(2 * QUIET)
            _settles(place)
            _settles(place)
            fired += setting.odoo.faults.fired
            found = _sides_and_bindings(setting)
            asked = [item["summary"] for item in place.inbox()]
        wrong += [
            f"seed {seed}: {table}: {rows} instead of {expected[table]}"
            for table, rows in found.items()
            if rows != expected[table]
        ]
        wrong += [f"seed {seed}: asked {asked}"] if asked else []
    counts = ", ".join(f"{n} {kind}" for kind, n in sorted(fired.items()))
    tell("told", f"{story} with Odoo {version}, {len(seeds)} plans of faults: {counts}")

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("story", "version"), [("first import", "19.0"), ("both sides", "18.0")])
def test_faults_of_some_calls_leave_no_trace(
    databases: Databases, tmp_path: Path, story: str, version: str, record_property: Tell
) -> None:
    """Both sides are in the end as if nothing had gone wrong; `make chaos` plays more plans."""
    _play_faults(databases, tmp_path, story, version, range(2), record_property)


@pytest.mark.chaos
@pytest.mark.parametrize("version", ["18.0", "19.0"])
@pytest.mark.parametrize("story", STORIES)
def test_faults_of_any_calls_leave_no_trace(
    databases: Databases, tmp_path: Path, story: str, version: str, record_property: Tell
) -> None:
    """Many plans, so that every kind hits every call."""
    _play_faults(databases, tmp_path, story, version, range(100, 140), record_property)
