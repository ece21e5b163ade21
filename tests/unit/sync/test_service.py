"""Whole runs on a backend, its jobs, and helpers that take locks."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from memory_connector import TwoSides

from isthmus.env import Grant
from isthmus.errors import BackendError, LeaseLostError, RecordLockedError
from isthmus.hub import Hub
from isthmus.sync import BatchImporter, Report, service

Make = Callable[..., TwoSides]


class ThingBatchImporter(BatchImporter):
    """Walks all things."""

    _name = "memory.thing.batch.importer"
    _inherit = "base.batch.importer"
    _collection = "memory.backend"
    _apply_on = "memory.thing"

    def run(self, filters: object = None) -> Report:
        read_at = self.env.locks.now()
        return self.component(usage="record.importer").run_page(self.work.server.all(), read_at=read_at)


def test_an_unknown_backend_is_named(sides: TwoSides) -> None:
    """With the near ones."""
    with (
        sides.hub.env() as env,
        pytest.raises(BackendError, match=r"^there is no backend 'mian'; did you mean 'main'"),
    ):
        service.get_backend(env, "mian")


def test_a_backend_of_a_disabled_plugin_is_named(sides: TwoSides) -> None:
    """Its row is there, its type is not."""
    with (
        Hub(sides.settings, plugins=[]) as without,
        without.env() as env,
        pytest.raises(
            BackendError, match=r"^backend 'main' is of type 'memory\.backend', whose plugin is not enabled: "
        ),
    ):
        service.get_backend(env, "main")


@pytest.mark.parametrize("run", [service.import_backend, service.export_backend, service.observe_backend])
def test_a_disabled_backend_is_left_alone(sides: TwoSides, run: Callable[..., Report]) -> None:
    """The message has the command."""
    sides.set(active=False)

    with (
        sides.hub.env() as env,
        pytest.raises(BackendError, match="is disabled: `isthmus backend enable main`"),
    ):
        run(env, sides.backend(env))


def test_a_poll_brings_what_is_there(make_sides: Make) -> None:
    """Under the run that it is given."""
    sides = make_sides(ThingBatchImporter)
    sides.server.thing("1")

    first = service.poll(sides.hub, "main", run_id="run-1")
    second = service.poll(sides.hub, "main")

    assert (first.sentence(), second.sentence()) == ("1 created", "nothing changed: 1 unchanged")
    assert [e.run_id for e in sides.journal()] == ["run-1"]


def test_an_export_of_everything_finds_what_differs(sides: TwoSides) -> None:
    """Bound records whose values are not as last seen, and those never exported."""
    ours = sides.linked("1", title="Lamp")
    sides.linked("2")
    with sides.hub.env(connector_no_export=True) as env:
        env["unit.thing"].write([ours["id"]], {"name": "Desk lamp"})
    sides.bind(sides.create(name="New"))
    told: list[tuple[str, int, int | None]] = []

    with sides.hub.env() as env:
        first = service.export_backend(env, sides.backend(env), progress=lambda *args: told.append(args))
        second = service.export_backend(env, sides.backend(env))

    assert (first.done["updated"], first.done["created"]) == (1, 1)
    assert second.sentence() == "nothing changed: no bound record of ours has changed"
    assert told == [("memory.thing", 1, 2), ("memory.thing", 2, 2)]


def test_the_jobs_of_a_binding(make_sides: Make) -> None:
    """Import one, import many, export; each says what it did."""
    sides = make_sides(ThingBatchImporter)
    sides.server.thing("1")
    sides.server.thing("2")
    with sides.hub.env() as env:
        backend = sides.backend(env)
        things = env["memory.thing"]
        things.with_delay().import_record(backend, "1")
        things.with_delay().import_batch(backend)
    sides.jobs()
    sides.write(1, name="Other")
    with sides.hub.env() as env:
        env["memory.thing"].browse(sides.binding("1")["id"]).with_delay().export_record()
    sides.jobs()

    results = [job.result for job in reversed(sides.hub.queue.list(state="done"))]
    assert [str(result).strip('"') for result in results][:2] == ["1 created", "1 unchanged, 1 created"]
    assert sides.server.shown("1")["title"] == "Other"


def test_a_job_of_a_disabled_backend_fails_with_the_command(sides: TwoSides) -> None:
    """It was delayed before."""
    sides.server.thing("1")
    with sides.hub.env() as env:
        env["memory.thing"].with_delay().import_record(sides.backend(env), "1")
    sides.set(active=False)

    sides.jobs()

    (job,) = sides.hub.queue.list(state="failed")
    assert "backend 'main' is disabled: `isthmus backend enable main`" in str(job.error)


def test_a_lock_by_name_is_held_by_one(sides: TwoSides) -> None:
    """The second comes back at no cost; after the lease time the name is free."""

    def lock(hub: Hub) -> None:
        with sides.work(hub=hub) as work:
            work.component(usage="record.importer").advisory_lock_or_retry("shelf", retry_seconds=3)

    with sides.another_hub() as other:
        lock(sides.hub)
        with pytest.raises(RecordLockedError, match="another process holds the lock 'shelf'") as held:
            lock(other)
        sides.clock.advance(timedelta(seconds=31))
        lock(other)

    assert (held.value.retry_in, held.value.ignore_retry) == (timedelta(seconds=3), True)


def test_records_are_locked_together_or_not_at_all(sides: TwoSides) -> None:
    """The locker names what is held, and keeps nothing of what it could have had."""
    one, two = [sides.create(name=n) for n in "ab"]

    def lock(hub: Hub, *ids: int) -> Grant:
        with sides.work(hub=hub) as work:
            return work.component(usage="record.locker").lock(work.env["unit.thing"].browse(list(ids)))

    with sides.another_hub() as other:
        lock(sides.hub, one)
        with pytest.raises(RecordLockedError, match=rf"another process holds .*unit\.thing/{one}"):
            lock(other, one, two)
        free = lock(sides.hub, two)

    assert len(free.keys) == 1


def test_a_lock_that_was_taken_over_is_noticed(sides: TwoSides) -> None:
    """In the last transaction, before it commits."""
    thing = sides.create(name="a")
    with sides.work() as work:
        records = work.env["unit.thing"].browse([thing])
        grant = work.component(usage="record.locker").lock(records)
        sides.clock.advance(timedelta(seconds=31))
        work.component(usage="record.locker").lock(records)
        with pytest.raises(LeaseLostError):
            work.env.locks.settle(work.env, grant)
