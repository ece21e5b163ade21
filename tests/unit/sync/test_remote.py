"""Imports into a remote store of ours: effects, lost answers, people who edit meanwhile."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from memory_connector import MODELS, TwoSides, make_tables

from isthmus.env import CreateSafety
from isthmus.errors import IsthmusError, NetworkRetryableError, UnknownOutcomeError
from isthmus.sync import service
from isthmus.testing import FrozenClock
from isthmus.testing.databases import Databases
from isthmus.testing.remote_server import RemoteServer
from isthmus.testing.remote_store import RemoteStore

NAMES = ("unit.kind", "unit.thing")
SAFETIES = list(CreateSafety)


class RemoteSides(TwoSides):
    """Both sides, ours behind an API."""

    remote: RemoteServer

    def edit(self, model: str, key: Any, **values: Any) -> None:
        """Change a record there as another client does."""
        with self.remote.records.env() as env:
            env[model].write([key], values)


Make = Callable[..., RemoteSides]


@pytest.fixture
def make(databases: Databases, tmp_path: Path) -> Iterator[Make]:
    """Make both sides with a create safety; everything on SQLite."""
    clock = FrozenClock()
    opened: list[Any] = []
    with databases.fresh("sqlite", make_tables) as url, databases.fresh("sqlite") as remote_url:

        def make_sides(safety: CreateSafety = CreateSafety.NATIVE_KEY, *components: type) -> RemoteSides:
            models = {name: MODELS[name] for name in NAMES}
            server = RemoteServer(remote_url, models, create_safety=safety, clock=clock).start()
            server.faults.hold_s = 0.05
            store = RemoteStore(server.url, NAMES, safety)
            sides = RemoteSides(url, tmp_path, *components, clock=clock, stores=[store])
            sides.remote = server
            opened.extend([sides.hub, store, server])
            return sides

        yield make_sides
        for thing in opened:
            (thing.stop if isinstance(thing, RemoteServer) else thing.close)()


@pytest.fixture
def sides(make: Make) -> RemoteSides:
    """Both sides; the store takes our keys."""
    return make()


def test_records_that_need_each_other_come_level_by_level(sides: RemoteSides) -> None:
    """A kind and a chain of parents, each kind of record by one call per level."""
    sides.server.kind("k")
    payloads = [
        sides.server.thing("1", kind="k"),
        sides.server.thing("2", parent="1"),
        sides.server.thing("3", parent="2"),
    ]

    report = sides.lists(*payloads)

    names = {t["id"]: t for t in sides.ours()}
    (one, two, three) = (int(sides.binding(n)["record_id"]) for n in "123")
    assert report.sentence() == "4 created"
    assert (names[two]["parent_id"], names[three]["parent_id"], bool(names[one]["kind_id"])) == (
        one,
        two,
        True,
    )
    assert sides.effects("open") == []


@pytest.mark.parametrize("safety", SAFETIES)
def test_create_write_and_nothing(make: Make, safety: CreateSafety) -> None:
    """What the store makes of our values is the image: nothing comes back."""
    sides = make(safety)
    sides.server.thing("1", title="  Lamp ", text="note")
    said = [sides.imports("1").sentence()]
    sides.server.thing("1", title="Desk lamp")
    said += [sides.imports("1").sentence(), sides.imports("1").sentence()]
    with sides.work() as work:
        observed = service.observe_backend(work.env, sides.backend(work.env))

    assert said == ["1 created", "1 updated", "nothing changed: 1 unchanged"]
    assert (observed.done["observed"], sides.one()["name"]) == (0, "Desk lamp")


@pytest.mark.parametrize(
    "fault", ["timeout_before", "timeout_after", "reset_after", "bad_gateway_after", "late"]
)
@pytest.mark.parametrize("safety", [CreateSafety.NATIVE_KEY, CreateSafety.PROBE])
def test_a_lost_create_is_recovered(make: Make, safety: CreateSafety, fault: str) -> None:
    """There is one record, bound, whatever became of the call."""
    sides = make(safety)
    sides.server.thing("1", title="Lamp")
    sides.remote.faults.next(fault, method="create")
    with pytest.raises(UnknownOutcomeError):
        sides.imports("1")
    sides.remote.faults.release()
    sides.clock.advance(timedelta(seconds=61))

    sides.imports("1")
    sides.jobs()

    assert sides.binding("1")["record_id"] == str(sides.one()["id"])
    assert (sides.effects("open", "asked"), sides.inbox()) == ([], [])


def test_a_lost_create_without_any_safety_asks_a_person(make: Make) -> None:
    """Once, and tried again it is made."""
    sides = make(CreateSafety.NONE)
    sides.server.thing("1", title="Lamp")
    sides.remote.faults.next("timeout_before", method="create")
    with pytest.raises(UnknownOutcomeError):
        sides.imports("1")
    sides.clock.advance(timedelta(seconds=61))

    sides.imports("1")
    item = sides.item()
    sides.imports("1")
    again = len(sides.inbox())
    sides.resolve("retry")
    sides.jobs()

    assert (item["kind"], again, len(sides.ours())) == ("effect", 1, 1)
    assert (sides.effects("open", "asked"), sides.inbox()) == ([], [])


def test_a_lost_create_that_a_person_ignores_is_frozen(make: Make) -> None:
    """Nothing makes it once more."""
    sides = make(CreateSafety.NONE)
    sides.server.thing("1", title="Lamp")
    sides.remote.faults.next("timeout_after", method="create")
    with pytest.raises(UnknownOutcomeError):
        sides.imports("1")
    sides.clock.advance(timedelta(seconds=61))
    sides.imports("1")
    sides.resolve("ignore")

    report = sides.imports("1")

    assert report.sentence() == "nothing changed: 1 skipped (frozen)"
    assert len(sides.ours()) == 1


def test_what_changed_there_after_a_lost_create_comes_in(make: Make) -> None:
    """The record that was made has the first title; the second is theirs since."""
    sides = make(CreateSafety.PROBE)
    sides.server.thing("1", title="First")
    sides.remote.faults.next("timeout_after", method="create")
    with pytest.raises(UnknownOutcomeError):
        sides.imports("1")
    sides.server.thing("1", title="Second")
    sides.clock.advance(timedelta(seconds=61))

    sides.imports("1")
    sides.jobs()
    sides.imports("1")

    assert (sides.one()["name"], sides.inbox()) == ("Second", [])


def test_what_was_made_before_a_failure_is_not_forgotten(make: Make) -> None:
    """The kind is made, the thing fails before any effect: nobody is asked about the kind."""
    sides = make(CreateSafety.NONE)
    sides.server.kind("k")
    sides.server.thing("1", kind="k")
    sides.remote.faults.next("error_before", method="create", model="unit.thing")
    with pytest.raises(NetworkRetryableError):
        sides.imports("1")
    sides.clock.advance(timedelta(seconds=61))

    sides.imports("1")

    assert (sides.inbox(), len(sides.ours("unit.kind")), len(sides.ours())) == ([], 1, 1)


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "error_before"])
def test_a_lost_write_ends_with_both_sides_equal(sides: RemoteSides, fault: str) -> None:
    """And without a conflict, also when theirs has moved on."""
    sides.linked("1", title="First")
    sides.server.thing("1", title="Second")
    sides.remote.faults.next(fault, method="write")
    with pytest.raises(IsthmusError):
        sides.imports("1")
    sides.server.thing("1", title="Third")

    sides.imports("1")
    sides.jobs()

    assert (sides.one()["name"], sides.inbox(), sides.effects("open")) == ("Third", [], [])


def test_an_edit_just_before_our_write_is_not_lost(sides: RemoteSides) -> None:
    """The value is read again before it is written over; then it is decided anew."""
    ours = sides.linked("1", title="First")
    sides.server.thing("1", text="Theirs")

    def meanwhile(grant: Any) -> None:
        sides.hub.locks.on_take = None

    edited = []

    def on_prolong(*args: Any, **options: Any) -> Any:
        if not edited:
            edited.append(sides.edit("unit.thing", ours["id"], name="Edited here"))
        return prolong(*args, **options)

    prolong = sides.hub.locks.prolong
    sides.hub.locks.prolong = on_prolong  # type: ignore[method-assign]

    report = sides.imports("1")
    sides.jobs()

    assert report.sentence() == "1 delayed"
    assert (sides.one()["name"], sides.one()["note"]) == ("Edited here", "Theirs")


def test_a_bad_record_is_halved_out(sides: RemoteSides) -> None:
    """The store refuses one of five by its unique code; the others are made and bound."""
    with sides.hub.env(connector_no_export=True) as env:
        env["unit.thing"].create({"name": "There", "code": "taken"})
    payloads = [sides.server.thing(str(n), title="" if n == 3 else f"Thing {n}") for n in range(1, 6)]
    payloads[2]["title"] = None

    report = sides.lists(*payloads)

    assert (report.done["created"], report.done["parked"]) == (4, 1)
    assert {b["external_id"] for b in sides.bindings()} == {"1", "2", "4", "5"}
    assert sides.effects("open") == []


@pytest.mark.parametrize(("policy", "left"), [("archive", [False]), ("delete", []), ("forget", [True])])
def test_deleted_there(sides: RemoteSides, policy: str, left: list[bool]) -> None:
    """By the backend's policy."""
    sides.set(on_external_delete=policy)
    sides.linked("1")
    sides.server.remove("1")

    sides.imports("1")

    assert [t["active"] for t in sides.ours()] == left
    assert (sides.binding("1")["state"], sides.effects("open")) == ("tombstone", [])


def observe(sides: RemoteSides) -> int:
    """Look for what another client did; tells how many changes were told."""
    sides.clock.advance(timedelta(seconds=30))
    with sides.work() as work:
        return service.observe_backend(work.env, sides.backend(work.env)).done["observed"]


def test_an_edit_of_another_client_is_observed_and_exported(sides: RemoteSides) -> None:
    """Once, although the lag window tells it again."""
    ours = sides.linked("1", title="First")
    observe(sides)
    sides.edit("unit.thing", ours["id"], name="Edited here")

    told = observe(sides)
    sides.jobs()
    again = observe(sides)

    assert (told, again, sides.server.shown("1")["title"]) == (1, 0, "Edited here")


def test_what_sync_wrote_is_no_change(sides: RemoteSides) -> None:
    """Neither a create nor a write of ours is told."""
    sides.set(export_domain={"unit.thing": []})
    sides.linked("1", title="First")
    sides.server.thing("1", title="Second")
    sides.imports("1")

    assert (observe(sides), sides.pending()) == (0, {})


def test_a_new_record_of_another_client_is_exported(sides: RemoteSides) -> None:
    """Where the export domain takes it."""
    sides.set(export_domain={"unit.thing": [("amount", ">", 1)]})
    with sides.remote.records.env() as env:
        env["unit.thing"].create({"name": "Too little", "amount": 1})
        env["unit.thing"].create({"name": "Lamp", "amount": 2})

    observe(sides)
    sides.jobs()

    assert [t["title"] for t in sides.server.all()] == ["Lamp"]


def test_a_deletion_by_another_client_is_observed(sides: RemoteSides) -> None:
    """And goes out by the backend's policy."""
    sides.set(on_record_delete="delete")
    ours = sides.linked("1")
    with sides.remote.records.env() as env:
        env["unit.thing"].unlink([ours["id"]])

    observe(sides)
    sides.jobs()

    assert (sides.server.all(), sides.binding("1")["state"]) == ([], "tombstone")
