"""Hints: who may give one, and what is done about it."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from memory_connector import MODELS, MemoryAdapter, ThingImporter, TwoSides, make_tables
from sqlalchemy import event, text

from isthmus.backend import KeyRing
from isthmus.env import ModelExtension
from isthmus.errors import DatabaseBusyError, InvalidDataError, NetworkRetryableError
from isthmus.job import Job, State
from isthmus.sync import Deleter, Report
from isthmus.sync import hook as module
from isthmus.sync.hint import LANE
from isthmus.sync.hook import Heard, HookDesk
from isthmus.testing import FrozenClock
from isthmus.testing.databases import Databases
from isthmus.testing.remote_server import RemoteServer
from isthmus.testing.remote_store import RemoteStore

NAMES = ("unit.kind", "unit.thing")
Make = Callable[..., TwoSides]
COMPANY = "company"
"""Name of the backend whose account opens the store of ours."""


class CompanysStore(ModelExtension):
    """As the settings say it: the records of ours live where the backend ``company`` is."""

    _inherit = "memory.backend"

    def models_of_ours(self) -> frozenset[str]:
        """List the models of ours that live there."""
        return frozenset(NAMES) if self["name"] == COMPANY else frozenset()  # type: ignore[index]


class NamingAdapter(MemoryAdapter):
    """The other side calls its things ``x.thing``."""

    _name = "memory.adapter"
    _inherit = "memory.adapter"

    external_model = "x.thing"


class ArchivingDeleter(Deleter):
    """Things can be archived there."""

    _name = "memory.deleter"
    _inherit = "base.deleter"
    _collection = "memory.backend"
    _archived = {"closed": True}


class Hints:
    """A desk for the backends of two sides, with their paths."""

    def __init__(self, sides: TwoSides) -> None:
        self.sides = sides
        self.desk = HookDesk(sides.hub)

    def path(self, name: str = "main", *, renew: bool = False) -> tuple[str, str]:
        """Give name and secret of a backend's path."""
        with self.sides.hub.env() as env:
            backend = env["memory.backend"].search([("name", "=", name), ("active", "in", [True, False])])[0]
            _, hook, *place = backend.webhook_path(renew=renew).split("/")
        assert hook == "hook"
        return place[0], place[1]

    def give(self, model: str, key: Any, backend: str = "main", **more: Any) -> Heard:
        """Give a hint as Odoo does."""
        told = {"_model": model, "_id": key, "_action": "Tell(#1)", **more}
        return self.desk.receive(*self.path(backend), json.dumps(told).encode())

    def jobs(self) -> list[Job]:
        """List what hints have caused, oldest first."""
        return list(reversed(self.sides.hub.queue.list(channel=LANE)))

    def run(self) -> list[str | None]:
        """Run the jobs when their time has come; give what those in the lane of hints told."""
        self.sides.clock.advance(timedelta(seconds=2))
        self.sides.hub.queue.run_pending()
        return [job.result for job in self.jobs()]


@pytest.fixture
def make_hints(make_sides: Make) -> Callable[..., Hints]:
    """Make both sides in one database, with further components and extensions."""
    return lambda *components, **options: Hints(
        make_sides(NamingAdapter, *components, clock=FrozenClock(), **options)
    )


@pytest.fixture
def hints(make_hints: Callable[..., Hints]) -> Hints:
    """Both sides in one database."""
    return make_hints()


@pytest.fixture
def remote(databases: Databases, tmp_path: Path) -> Iterator[Hints]:
    """Both sides, ours behind an API that the backend ``company`` opens; everything on SQLite."""
    clock = FrozenClock()
    with databases.fresh("sqlite", make_tables) as url, databases.fresh("sqlite") as remote_url:
        server = RemoteServer(remote_url, {name: MODELS[name] for name in NAMES}, clock=clock)
        with server, RemoteStore(server.url, NAMES) as store:
            sides = TwoSides(
                url, tmp_path, ArchivingDeleter, clock=clock, stores=[store], extensions=[CompanysStore]
            )
            with sides.hub, sides.hub.env() as env:
                env["memory.backend"].create({"name": COMPANY, "url": "memory://nowhere"})
            with sides.hub:
                hints = Hints(sides)
                hints.server = server  # type: ignore[attr-defined]
                yield hints


def edit(hints: Any, key: Any, **values: Any) -> None:
    """Change a record of ours as people there do."""
    with hints.server.records.env() as env:
        env["unit.thing"].write([key], values)


def remove(hints: Any, key: Any) -> None:
    """Delete a record of ours as people there do."""
    with hints.server.records.env() as env:
        env["unit.thing"].unlink([key])


# --- a store of ours -------------------------------------------------------------------


def test_a_change_in_a_store_of_ours_goes_out_at_once(remote: Hints) -> None:
    """
    The record is read again and exported; what the hint says of its values is not believed.
    """
    ours = remote.sides.linked("7", title="Lamp")
    edit(remote, ours["id"], name="Desk lamp")
    heard = remote.give("unit.thing", ours["id"], COMPANY, name="Anything")
    results = remote.run()

    assert heard is Heard.TAKEN
    assert results == ['"1 observed"']
    assert remote.sides.server.shown("7")["title"] == "Desk lamp"


def test_a_deletion_in_a_store_of_ours_is_seen(remote: Hints) -> None:
    """
    A record that is not there any more was deleted: the backend's policy is applied there.
    """
    ours = remote.sides.linked("7")
    remove(remote, ours["id"])
    remote.give("unit.thing", ours["id"], COMPANY)
    remote.run()
    remote.sides.jobs()

    assert remote.sides.server.shown("7")["closed"] is True


def test_what_sync_wrote_itself_is_no_change(remote: Hints) -> None:
    """
    The automation there is set off by us, too: nothing is told to anybody.
    """
    ours = remote.sides.linked("7", title="Lamp")
    remote.give("unit.thing", ours["id"], COMPANY)

    assert remote.run() == ['"nothing changed: there is nothing to look at"']
    assert remote.sides.server.count("write") == 0


def test_taking_a_hint_calls_nobody(remote: Any) -> None:
    """
    A server that waits for our answer may be unable to give one: not even its fields are asked for.
    """
    path = remote.path(COMPANY)
    before = sum(remote.server.accesses.values())
    heard = remote.desk.receive(*path, b'{"_model": "unit.thing", "_id": 1}')

    assert heard is Heard.TAKEN
    assert sum(remote.server.accesses.values()) == before == 0


def test_each_backend_that_binds_the_model_has_a_job(remote: Hints) -> None:
    """
    One that is slow or away leaves the others alone; a disabled one has none.
    """
    with remote.sides.hub.env() as env:
        for name, active in (("second", True), ("third", False)):
            env["memory.backend"].create({"name": name, "url": "memory://0", "active": active})
    remote.give("unit.thing", 1, COMPANY)
    jobs = remote.jobs()

    assert [(job.method, job.record_id) for job in jobs] == [
        ("observe_hinted", "1"), ("observe_hinted", "3"),
    ]  # fmt: skip


def test_a_job_is_late_enough_for_the_commit_there(remote: Hints) -> None:
    """
    Odoo before 19 sends inside its transaction: a look at once would find the record as it was.
    """
    ours = remote.sides.linked("7", title="Lamp")
    remote.give("unit.thing", ours["id"], COMPANY)
    remote.sides.clock.advance(timedelta(seconds=1.9))
    early = remote.sides.hub.queue.run_pending()
    edit(remote, ours["id"], name="Committed now")
    remote.run()

    assert early == 0
    assert remote.sides.server.shown("7")["title"] == "Committed now"


# --- the other side --------------------------------------------------------------------


def test_a_change_on_the_other_side_comes_in_at_once(hints: Hints) -> None:
    """
    A hint by the name that the adapter gives the model, or by the binding model's.
    """
    hints.sides.server.thing("7", title="Lamp")
    hints.sides.server.thing("8", title="Desk")
    heard = [hints.give("x.thing", 7), hints.give("memory.thing", 8)]
    results = hints.run()

    assert heard == [Heard.TAKEN, Heard.TAKEN]
    assert '"1 created"' in results
    assert {ours["name"] for ours in hints.sides.ours()} == {"Lamp", "Desk"}


def test_a_deletion_on_the_other_side_is_seen(hints: Hints) -> None:
    """
    The import of a record that is gone applies the policy.
    """
    hints.sides.linked("7")
    hints.sides.server.remove("7")
    hints.give("memory.thing", 7)
    hints.run()

    assert hints.sides.binding("7")["state"] == "tombstone"


def test_what_does_not_take_part_stays_there(make_hints: Callable[..., Hints]) -> None:
    """
    A hint brings nothing that the selection leaves out.
    """

    class Choosing(ThingImporter):
        _name = "memory.thing.importer"
        _inherit = "memory.thing.importer"

        def look(self, external_ids: Iterable[str]) -> Report:
            return super().look(key for key in external_ids if key == "7")

    hints = make_hints(Choosing)
    for key in (7, 8):
        hints.sides.server.thing(str(key))
        hints.give("memory.thing", key)
    hints.run()

    assert [binding["external_id"] for binding in hints.sides.bindings()] == ["7"]


def test_a_burst_is_one_job(hints: Hints) -> None:
    """
    Equal hints that wait together are one; another record, and one after the look, are others.
    """
    hints.sides.server.thing("7")
    for _ in range(20):
        hints.give("memory.thing", 7)
    hints.give("memory.thing", 8)
    burst = len(hints.jobs())
    hints.run()
    hints.give("memory.thing", 7)

    assert burst == 2
    assert len(hints.jobs()) == 3


def test_a_hint_during_a_look_is_another_look(hints: Hints) -> None:
    """
    The job that runs may have read the record before this change.
    """
    hints.give("memory.thing", 7)
    hints.sides.clock.advance(timedelta(seconds=2))
    running = hints.sides.hub.queue.claim()
    hints.give("memory.thing", 7)

    assert running is not None
    assert sorted(str(job.state) for job in hints.jobs()) == ["pending", "started"]


def test_a_model_that_nobody_follows_makes_no_job(hints: Hints) -> None:
    """
    The hint is taken all the same: what is synchronised is our affair.
    """
    heard = [hints.give(model, 7) for model in ("res.partner", "unit.thing", "unit.kind", "memory.backend")]

    assert heard == [Heard.TAKEN] * 4
    assert hints.jobs() == []


def test_a_backend_that_was_disabled_meanwhile_is_left_alone(hints: Hints, remote: Hints) -> None:
    """
    The job says so and ends.
    """
    for place, model, name in ((hints, "memory.thing", "main"), (remote, "unit.thing", COMPANY)):
        place.give(model, 7, name)
        with place.sides.hub.env() as env:
            for backend in env["memory.backend"].search([]):
                backend.write({"active": False})
        results = place.run()

        assert set(results) == {'"the backend was disabled meanwhile"'}


def test_a_server_that_is_away_is_asked_some_times(hints: Hints) -> None:
    """
    Then the job has failed: the next poll finds the change.
    """
    for _ in range(10):
        hints.sides.server.fail("read", NetworkRetryableError("away"))
    hints.give("memory.thing", 7)
    hints.sides.jobs()
    (job,) = hints.jobs()

    assert (job.state, job.attempt) == (State.FAILED, 5)


# --- who may ---------------------------------------------------------------------------


@contextmanager
def counted(hints: Hints, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count the steps by which a hint is judged."""
    steps: Counter[str] = Counter()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        steps[statement] += 1

    really_open, really_compare = KeyRing.open, module.compare_digest

    def counting_open(self: KeyRing, sealed: str, *, context: str) -> Any:
        steps["open"] += 1
        return really_open(self, sealed, context=context)

    def counting_compare(one: bytes, other: bytes) -> bool:
        steps["compare"] += 1
        assert len(one) == len(other)
        return really_compare(one, other)

    event.listen(hints.sides.hub.engine, "before_cursor_execute", note)
    with monkeypatch.context() as patch:
        patch.setattr(KeyRing, "open", counting_open)
        patch.setattr(module, "compare_digest", counting_compare)
        yield steps
    event.remove(hints.sides.hub.engine, "before_cursor_execute", note)


def test_who_may_not_learns_nothing(hints: Hints, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Wrong, unknown, disabled or without a secret: the same answer, by exactly the same steps.
    """
    name, secret = hints.path()
    with hints.sides.hub.env() as env:
        env["memory.backend"].create({"name": "bare", "url": "memory://0"})
        env["memory.backend"].create({"name": "off", "url": "memory://0"})
    off = hints.path("off")
    with hints.sides.hub.env() as env:
        env["memory.backend"].search([("name", "=", "off")])[0].write({"active": False})
    hints.desk.receive("nobody", "x", b"")
    body = b'{"_model": "memory.thing", "_id": 7}'
    tries = {
        "wrong": (name, "guessed"),
        "cut": (name, secret[:-1]),
        "empty": (name, ""),
        "another's": (name, off[1]),
        "odd": (name, "sécret\x00"),
        "unknown": ("nobody", secret),
        "unknown, odd": ("no\x00body\n", secret),
        "disabled": off,
        "bare": ("bare", secret),
    }
    steps = {}
    heard = set()
    for what, place in tries.items():
        with counted(hints, monkeypatch) as steps[what]:
            heard.add(hints.desk.receive(*place, body))

    assert heard == {Heard.REFUSED}
    assert all(found == steps["wrong"] for found in steps.values())
    assert (steps["wrong"]["open"], steps["wrong"]["compare"]) == (1, 1)
    assert hints.jobs() == []


def test_the_body_is_not_looked_at_before_the_secret(hints: Hints) -> None:
    """
    Garbage from who may not is refused like a hint.
    """
    assert hints.desk.receive(hints.path()[0], "guessed", b"\xff{") is Heard.REFUSED


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff", b"{", b"[]", b"null", b"7", b'"_model"', b"{}", b"[" * 100_000, b"1" * 10_000,
        b'{"_model": "memory.thing"}', b'{"_id": 7}', b'{"_model": 7, "_id": 7}',
        b'{"_model": "memory.thing", "_id": true}', b'{"_model": "memory.thing", "_id": "7"}',
        b'{"_model": "memory.thing", "_id": 0}', b'{"_model": "memory.thing", "_id": -7}',
        b'{"_model": "memory.thing", "_id": 7.0}', b'{"_model": "memory.thing", "_id": NaN}',
        b'{"_model": "memory.thing", "_id": 9223372036854775808}',
        b'{"action": {"id": "5f3c"}, "model": {"id": "5f3d"}}',
    ],
)  # fmt: skip
def test_garbage_is_garbage(hints: Hints, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """
    Whatever is no record's model and key; its content is not logged.
    """
    with caplog.at_level(logging.DEBUG, "isthmus"):
        heard = hints.desk.receive(*hints.path(), body)

    assert heard is Heard.GARBAGE
    assert hints.jobs() == []
    assert "memory.thing" not in caplog.text


def test_another_system_tells_in_another_form(make_hints: Callable[..., Hints]) -> None:
    """
    Its backend type says how a payload is read; several records may be in one.
    """

    class Cards(ModelExtension):
        _inherit = "memory.backend"

        def hint(self, payload: Any) -> list[tuple[str, Any]]:
            if "changed" not in payload:
                raise InvalidDataError("no hint")
            return [("memory.thing", key) for key in payload["changed"]]

    hints = make_hints(extensions=[Cards])
    hints.sides.server.thing("5f3c")
    heard = [hints.desk.receive(*hints.path(), body) for body in (b'{"changed": ["5f3c", "5f3d"]}', b"{}")]
    hints.run()

    assert heard == [Heard.TAKEN, Heard.GARBAGE]
    assert [binding["external_id"] for binding in hints.sides.bindings()] == ["5f3c"]
    assert len(hints.jobs()) == 2


def test_a_busy_database_is_told(hints: Hints, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It is not taken for garbage.
    """
    place = hints.path()

    def busy(*_: Any, **__: Any) -> None:
        raise DatabaseBusyError("locked")

    event.listen(hints.sides.hub.engine, "before_cursor_execute", busy)
    with pytest.raises(DatabaseBusyError):
        hints.desk.receive(*place, b'{"_model": "memory.thing", "_id": 7}')
    event.remove(hints.sides.hub.engine, "before_cursor_execute", busy)


# --- the secret ------------------------------------------------------------------------


def test_the_secret_stays_until_it_is_renewed(hints: Hints) -> None:
    """
    Asking twice gives the same path; a new secret refuses the old one, and keeps the credentials.
    """
    with hints.sides.hub.env() as env:
        hints.sides.backend(env).set_credentials({"token": "abc"})
    first, again, new = hints.path(), hints.path(), hints.path(renew=True)
    heard = [hints.desk.receive(*place, b'{"_model": "x", "_id": 1}') for place in (first, new)]
    with hints.sides.hub.env() as env:
        hints.sides.backend(env).set_credentials({"token": "def"})
        token = hints.sides.backend(env).credentials["token"]

    assert first == again
    assert len({first[1], new[1]}) == 2
    assert min(len(first[1]), len(new[1])) >= 43
    assert heard == [Heard.REFUSED, Heard.TAKEN]
    assert token == "def"
    assert hints.path() == new


def test_the_secret_is_readable_nowhere(hints: Hints, caplog: pytest.LogCaptureFixture) -> None:
    """
    Not in the database, the log or what a backend shows of itself.
    """
    with caplog.at_level(logging.DEBUG):
        name, secret = hints.path()
        hints.desk.receive(name, secret, b'{"_model": "memory.thing", "_id": 7}')
        hints.desk.receive(name, secret, b"garbage")
        hints.desk.receive("nobody", secret, b"{}")
        hints.run()
    with hints.sides.hub.engine.connect() as connection:
        tables = ("isthmus_backend", "isthmus_job", "isthmus_journal", "isthmus_checkpoint")
        rows = [str(connection.execute(text(f"select * from {table}")).all()) for table in tables]
    with hints.sides.hub.env() as env:
        backend = hints.sides.backend(env)
        shown = f"{backend!r} {backend.credentials!r}"

    assert secret not in caplog.text + shown + "".join(rows)


def test_a_secret_that_cannot_be_opened_fits_nothing(hints: Hints, caplog: pytest.LogCaptureFixture) -> None:
    """
    After a lost key it is as if there were none; the log says why.
    """
    place = hints.path()
    with hints.sides.hub.engine.begin() as connection:
        connection.execute(text("update isthmus_backend set sealed_credentials = 'gAAAA'"))
    heard = hints.desk.receive(*place, b"{}")

    assert heard is Heard.REFUSED
    assert "what is stored for backend/1 was encrypted with another key" in caplog.text


def test_a_name_is_quoted_in_the_path(hints: Hints) -> None:
    """
    A slash in it is no end of it.
    """
    hints.sides.set(name="our odoo/1")
    with hints.sides.hub.env() as env:
        path = hints.sides.backend(env).webhook_path()

    assert path.startswith("/hook/our%20odoo%2F1/")


def test_what_hints_are_of_use_for_is_told(hints: Hints, remote: Hints) -> None:
    """
    By the names that the sender uses.
    """
    with hints.sides.hub.env() as env:
        theirs = hints.sides.backend(env).hinted_models()
    with remote.sides.hub.env() as env:
        company = env["memory.backend"].search([("name", "=", COMPANY)])[0]
        ours = company.hinted_models()

    assert theirs == ["x.thing"]
    assert ours == ["unit.kind", "unit.thing"]
