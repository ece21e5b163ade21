"""Backends are looked at by the clock, each by a job of its own."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from memory_connector import TwoSides

from isthmus.errors import InvalidDataError, NetworkRetryableError
from isthmus.job import Job, State
from isthmus.sync import BatchImporter, Report
from isthmus.testing import FrozenClock

Make = Callable[..., TwoSides]

EVENING = datetime(2026, 3, 1, 20, tzinfo=UTC)
ASKED: list[bool] = []
"""Whether each look was at everything."""


class LookingBatchImporter(BatchImporter):
    """Imports all things, and fails when the server does."""

    _name = "memory.thing.batch.importer"
    _inherit = "base.batch.importer"
    _collection = "memory.backend"
    _apply_on = "memory.thing"

    def run(self, filters: object = None) -> Report:
        ASKED.append(filters == {"full": True})
        read_at = self.env.locks.now()
        with self.env.outside():
            things = self.work.server.call("list", "memory.thing", None, self.work.server.all)
        return self.component(usage="record.importer").run_page(things, read_at=read_at)


def evening(make_sides: Make) -> TwoSides:
    """Make both sides on an evening, nothing looked at yet."""
    ASKED.clear()
    return make_sides(LookingBatchImporter, clock=FrozenClock(EVENING))


def look(sides: TwoSides, after: timedelta = timedelta(0)) -> int:
    """Let the clock go on, tick, and run what is due."""
    sides.clock.advance(after)
    made = sides.hub.queue.schedules.tick()
    sides.hub.queue.run_pending()
    return made


def polls(sides: TwoSides) -> list[Job]:
    """List the jobs, oldest first."""
    return list(reversed(sides.hub.queue.list(channel="root.poll")))


def test_a_backend_is_polled_again_and_again(make_sides: Make) -> None:
    """
    At the first tick, and then each minute; what it brings is told as the job's result.
    """
    sides = evening(make_sides)
    sides.server.thing("1")
    made = [look(sides), look(sides, timedelta(seconds=59)), look(sides, timedelta(seconds=1))]
    first, second = polls(sides)

    assert made == [1, 0, 1]
    assert (first.state, first.result) == (State.DONE, '"1 created"')
    assert (second.state, second.result) == (State.DONE, '"nothing changed: 1 unchanged"')
    assert [entry.run_id for entry in sides.journal()] == [first.run_id]


def test_everything_is_walked_through_at_night(make_sides: Make) -> None:
    """
    At half past two, once, beside the polls.
    """
    sides = evening(make_sides)
    look(sides)
    look(sides, timedelta(hours=6, minutes=29, seconds=30))
    looks = len(ASKED)
    look(sides, timedelta(seconds=30))

    assert True not in ASKED[:looks]
    assert sorted(ASKED[looks:]) == [False, True]
    assert {job.method for job in polls(sides)} == {"poll", "walk"}


def test_a_disabled_backend_is_not_looked_at(make_sides: Make) -> None:
    """
    No job is made; one that was made before says so and ends.
    """
    sides = evening(make_sides)
    sides.hub.queue.schedules.tick()
    sides.set(active=False)
    sides.hub.queue.run_pending()
    made = look(sides, timedelta(minutes=1))
    (job,) = polls(sides)

    assert made == 0
    assert (job.state, job.result) == (State.DONE, '"the backend was disabled meanwhile"')
    assert ASKED == []


def test_two_backends_have_a_job_each(make_sides: Make) -> None:
    """
    One that has not ended leaves the other alone.
    """
    sides = evening(make_sides)
    with sides.hub.env() as env:
        env["memory.backend"].create({"name": "second", "url": sides.address})
    sides.hub.queue.schedules.tick()
    slow = sides.hub.queue.claim()
    sides.hub.queue.run_pending()
    made = look(sides, timedelta(minutes=1))

    assert slow is not None
    assert made == 1
    assert [(job.record_id, str(job.state)) for job in polls(sides)] == [
        ("1", "started"),
        ("2", "done"),
        ("2", "done"),
    ]


def test_a_backend_that_is_away_is_looked_for_by_one_job(make_sides: Make) -> None:
    """
    It comes back and back, without a limit, at last each minute.
    """
    sides = evening(make_sides)
    for _ in range(8):
        sides.server.fail("list", NetworkRetryableError("the server does not answer"))
    for _ in range(8):
        look(sides, timedelta(minutes=1))
    (away,) = polls(sides)
    look(sides, timedelta(minutes=1))

    assert (away.state, away.retry) == (State.PENDING, 8)
    assert [str(job.state) for job in polls(sides)][:1] == ["done"]


def test_a_backend_that_refuses_has_one_failed_job(make_sides: Make) -> None:
    """
    Each poll replaces the failed one of before, so what stands there is how things are.
    """
    sides = evening(make_sides)
    for _ in range(3):
        sides.server.fail("list", InvalidDataError("the token is wrong"))
    for _ in range(3):
        look(sides, timedelta(minutes=1))
    failed = [str(job.state) for job in polls(sides)]
    look(sides, timedelta(minutes=1))

    assert failed == ["cancelled", "cancelled", "failed"]
    assert [str(job.state) for job in polls(sides)] == ["cancelled", "cancelled", "cancelled", "done"]
