"""What schedules promise, on both databases."""

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.env import ModelExtension
from isthmus.errors import JobDefinitionError, JobStateError, SettingsError
from isthmus.hub import Hub
from isthmus.job import ScheduleState, cron, job
from isthmus.job.schedule.table import SCHEDULES
from isthmus.job.table import JOBS
from isthmus.settings import Settings
from isthmus.store.sql import SqlModel
from isthmus.testing import FrozenClock
from isthmus.testing.databases import Kind

NAME = "contract.schedule.thing"
START = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)


class Thing(SqlModel):
    """What is looked after by the clock."""

    __tablename__ = "contract_schedule_thing"
    _name = NAME

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)


class Quarterly(ModelExtension):
    """One schedule on the model."""

    _inherit = NAME

    @cron("*/15 * * * *")
    @job(default_channel="quarters")
    def quarter(self) -> None:
        """Do it each quarter of an hour."""


class Queued(ModelExtension):
    """One that does not leave out a tick."""

    _inherit = NAME

    @cron("*/15 * * * *", overlap="queue")
    def pile(self) -> None:
        """Do it each quarter of an hour, whatever became of the last time."""


class Each(ModelExtension):
    """One on records."""

    _inherit = NAME

    @cron("every 10m", each=[("active", "=", True)], replace_failed=True)
    def look(self) -> None:
        """Look after one thing."""


class Places:
    """Hubs over one database, each with the schedules that its code marks."""

    def __init__(self, url: str, clock: FrozenClock | None) -> None:
        self.url = url
        self.clock = clock
        self.hubs: list[Hub] = []

    def __call__(self, *extensions: type[ModelExtension], **schedules: str) -> Hub:
        """Make a hub; ``quarter="off"`` overrides a schedule in the settings."""
        overrides = {f"{NAME}.{method}": spec for method, spec in schedules.items()}
        settings = Settings(database_url=self.url, plugins=(), models=(), job={"schedules": overrides})
        hub = Hub(settings, plugins=[], models={NAME: Thing}, extensions=extensions, clock=self.clock)
        self.hubs.append(hub)
        return hub

    def close(self) -> None:
        """Close them all."""
        for hub in self.hubs:
            hub.close()


@pytest.fixture
def clock() -> FrozenClock:
    """Stands at five past twelve until a test moves it."""
    return FrozenClock(START)


@pytest.fixture
def places(queue_url: str, clock: FrozenClock) -> Iterator[Places]:
    """Makes hubs whose clock stands."""
    with closing(Places(queue_url, clock)) as made:
        yield made


def jobs(hub: Hub) -> list[tuple[str, str | None, str]]:
    """Tell method, record and state of each job, oldest first."""
    with hub.engine.connect() as connection:
        rows = connection.execute(select(JOBS.c.method, JOBS.c.record_id, JOBS.c.state).order_by(JOBS.c.id))
        return [(row.method, row.record_id, row.state) for row in rows]


def end_all(hub: Hub, state: str = "done") -> None:
    """Let every job that waits have come to an end."""
    with hub.engine.begin() as connection:
        connection.execute(update(JOBS).where(JOBS.c.state == "pending").values(state=state))


def create(hub: Hub, *names: str) -> None:
    """Create things."""
    with hub.env() as env:
        for name in names:
            env[NAME].create({"name": name})


def minutes(count: float) -> timedelta:
    """Give a number of minutes as a time."""
    return timedelta(minutes=count)


# -- ticks -----------------------------------------------------------------------------


def test_a_schedule_makes_a_job_when_it_is_due_and_not_before(places: Places, clock: FrozenClock) -> None:
    """
    At a quarter past, one job in the lane of its method; the next one a quarter later.
    """
    hub = places(Quarterly)
    counts = [hub.queue.schedules.tick()]
    clock.advance(minutes(10))
    counts += [hub.queue.schedules.tick(), hub.queue.schedules.tick()]
    end_all(hub)
    clock.advance(minutes(14))
    counts.append(hub.queue.schedules.tick())
    clock.advance(minutes(1))
    counts.append(hub.queue.schedules.tick())

    assert counts == [0, 1, 0, 0, 1]
    assert jobs(hub) == [("quarter", None, "done"), ("quarter", None, "pending")]
    with hub.env(readonly=True) as env:
        job = env["isthmus.job"].search([], limit=1)[0]
        assert (job["channel"], job["user"], job["model"]) == ("root.quarters", "schedule", NAME)


def test_many_workers_make_one_job(places: Places, clock: FrozenClock) -> None:
    """
    Eight that tick at the same instant, three ticks long: three jobs.
    """
    hubs = [places(Queued) for _ in range(8)]
    hubs[0].queue.schedules.tick()
    made = []
    for _ in range(3):
        clock.advance(minutes(15))
        start = threading.Barrier(len(hubs))

        def tick(hub: Hub, start: threading.Barrier = start) -> None:
            start.wait(10)
            made.append(hub.queue.schedules.tick())

        threads = [threading.Thread(target=tick, args=(hub,)) for hub in hubs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert sorted(made) == [0] * 21 + [1] * 3
    assert len(jobs(hubs[0])) == 3


def test_many_workers_that_start_together_take_over_once(places: Places) -> None:
    """
    Each brings the table to what the code says; that is one row.
    """
    hubs = [places(Quarterly, Each) for _ in range(8)]
    start = threading.Barrier(len(hubs))
    errors = []

    def take_over(hub: Hub) -> None:
        start.wait(10)
        try:
            hub.queue.schedules.take_over()
        except Exception as exc:  # noqa: BLE001 - told below
            errors.append(exc)

    threads = [threading.Thread(target=take_over, args=(hub,)) for hub in hubs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert errors == []
    with hubs[0].engine.connect() as connection:
        assert len(connection.execute(select(SCHEDULES)).all()) == 2


def test_processes_make_one_job(queue_url: str) -> None:
    """
    Four processes that tick again and again until the database's clock says that it is time: one job.
    """
    context = multiprocessing.get_context("spawn")
    ready, go = context.Semaphore(0), context.Event()
    processes = [context.Process(target=tick_for_a_second, args=(queue_url, ready, go)) for _ in range(4)]
    for process in processes:
        process.start()
    for _ in processes:
        assert ready.acquire(timeout=60)
    go.set()
    for process in processes:
        process.join(60)
    with closing(Places(queue_url, None)) as places:
        found = jobs(places(Each, look="every 1h"))

    assert [process.exitcode for process in processes] == [0] * 4
    assert found == [("look", "1", "pending")]


def tick_for_a_second(url: str, ready: Any, go: Any) -> None:
    """Be one of the processes."""
    with closing(Places(url, None)) as places:
        hub = places(Each, look="every 1h")
        with hub.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("LOCK TABLE contract_schedule_thing")
            if not connection.execute(select(Thing.id)).all():
                connection.execute(insert(Thing).values(id=1, name="a", active=True))
        ready.release()
        go.wait(60)
        for _ in range(20):
            hub.queue.schedules.tick()


def test_a_day_without_workers_is_made_up_for_by_one_job(places: Places, clock: FrozenClock) -> None:
    """
    Also where jobs queue; the next tick is in the future.
    """
    hub = places(Queued)
    hub.queue.schedules.tick()
    clock.advance(timedelta(days=1))
    counts = [places(Queued).queue.schedules.tick() for _ in range(3)]

    assert counts == [1, 0, 0]
    assert hub.queue.schedules.list()[0].next_at == START + timedelta(days=1, minutes=10)


def test_a_tick_is_left_out_while_the_job_of_before_has_not_ended(places: Places, clock: FrozenClock) -> None:
    """
    Waiting, running or coming back later: not ended. Failed is ended.
    """
    hub = places(Quarterly)
    hub.queue.schedules.tick()
    counts = []
    for state, eta in (("pending", None), ("started", None), ("pending", START), ("failed", None)):
        clock.advance(minutes(15))
        counts.append(hub.queue.schedules.tick())
        with hub.engine.begin() as connection:
            connection.execute(update(JOBS).values(state=state, eta=eta))
    clock.advance(minutes(15))
    counts.append(hub.queue.schedules.tick())

    assert counts == [1, 0, 0, 0, 1]


def test_a_queue_of_jobs_grows_where_the_mark_says_so(places: Places, clock: FrozenClock) -> None:
    """
    With overlap="queue" every tick has its job.
    """
    hub = places(Queued)
    hub.queue.schedules.tick()
    for _ in range(3):
        clock.advance(minutes(15))
        hub.queue.schedules.tick()

    assert jobs(hub) == [("pile", None, "pending")] * 3


def test_a_job_that_was_cleaned_away_stands_in_no_way(places: Places, clock: FrozenClock) -> None:
    """
    A schedule whose last job is not there any more goes on.
    """
    hub = places(Quarterly)
    hub.queue.schedules.tick()
    clock.advance(minutes(15))
    hub.queue.schedules.tick()
    with hub.engine.begin() as connection:
        connection.execute(JOBS.delete())
    clock.advance(minutes(15))

    assert hub.queue.schedules.tick() == 1


def test_a_tick_that_is_rolled_back_is_made_up_for(
    places: Places, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Jobs and the next instant are written together or not at all; other schedules go on.
    """
    hub = places(Quarterly, Queued)
    schedules = hub.queue.schedules
    schedules.tick()
    clock.advance(minutes(10))

    def refuse(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("UPDATE isthmus_schedule") and "pile" in str(parameters):
            raise RuntimeError("the power is cut")

    event.listen(hub.engine, "before_cursor_execute", refuse)
    first = schedules.tick()
    event.remove(hub.engine, "before_cursor_execute", refuse)
    before = jobs(hub)
    resting = schedules.tick()
    later = places(Quarterly, Queued).queue.schedules.tick()

    assert (first, before) == (1, [("quarter", None, "pending")])
    assert resting == 0
    assert later == 1
    assert jobs(hub) == [("quarter", None, "pending"), ("pile", None, "pending")]


def test_a_worker_may_leave_out_a_lane(places: Places, clock: FrozenClock) -> None:
    """
    What it leaves out stays due, for another one.
    """
    hub = places(Quarterly, Queued)
    hub.queue.schedules.tick()
    clock.advance(minutes(10))
    first = hub.queue.schedules.tick(without=("root.quarters",))
    second = places(Quarterly, Queued).queue.schedules.tick()

    assert (first, second) == (1, 1)
    assert [method for method, *_ in jobs(hub)] == ["pile", "quarter"]


def test_nothing_due_costs_one_statement_that_reads_an_index(places: Places, database_kind: Kind) -> None:
    """
    Every worker asks each second, so it is one look into the index, and takes no lock.
    """
    hub = places(Quarterly, Queued, Each, look="off")
    hub.queue.schedules.tick()
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(hub.engine, "before_cursor_execute", note)
    hub.queue.schedules.tick()
    event.remove(hub.engine, "before_cursor_execute", note)
    asked = [(statement, given) for statement, given in seen if not statement.startswith("BEGIN")]
    with hub.engine.connect() as connection:
        if database_kind == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN " if database_kind == "sqlite" else "EXPLAIN "
        plan = str(connection.exec_driver_sql(explain + asked[0][0], asked[0][1]).all())

    assert len(asked) == 1
    assert "ix_isthmus_schedule_next_at" in plan
    assert [statement for statement, _ in seen if "IMMEDIATE" in statement] == []


# -- records ---------------------------------------------------------------------------


def test_each_record_has_a_job_of_its_own(places: Places, clock: FrozenClock) -> None:
    """
    A record whose job has not ended is left out, new ones come in by themselves, others go.
    """
    hub = places(Each)
    create(hub, "slow", "quick", "leaving")
    hub.queue.schedules.tick()
    first = jobs(hub)
    with hub.engine.begin() as connection:
        connection.execute(update(JOBS).where(JOBS.c.record_id != "1").values(state="done"))
    with hub.env() as env:
        env[NAME].browse(3).write({"active": False})
    create(hub, "new")
    clock.advance(minutes(10))
    hub.queue.schedules.tick()

    assert first == [("look", number, "pending") for number in ("1", "2", "3")]
    assert jobs(hub)[3:] == [("look", number, "pending") for number in ("2", "4")]
    with hub.engine.connect() as connection:
        noted = connection.scalars(select(SCHEDULES.c.record_id).order_by(SCHEDULES.c.record_id)).all()
    assert noted == ["", "1", "2", "4"]


def test_each_job_is_a_run_of_its_own(places: Places) -> None:
    """
    So log and journal tell the jobs of one tick apart.
    """
    hub = places(Each)
    create(hub, "a", "b")
    hub.queue.schedules.tick()
    with hub.engine.connect() as connection:
        runs = connection.scalars(select(JOBS.c.run_id)).all()

    assert len(set(runs)) == 2


def test_a_failed_job_gives_way_to_the_next_one_where_the_mark_says_so(
    places: Places, clock: FrozenClock
) -> None:
    """
    At most one failed job of a record stands there, however long the other side is broken.
    """
    hub = places(Each)
    create(hub, "a")
    hub.queue.schedules.tick()
    end_all(hub, "failed")
    clock.advance(minutes(10))
    hub.queue.schedules.tick()
    with hub.engine.connect() as connection:
        rows = connection.execute(select(JOBS.c.id, JOBS.c.state, JOBS.c.superseded_by).order_by(JOBS.c.id))
        old, new = rows.all()

    assert (old.state, old.superseded_by) == ("cancelled", new.id)
    assert (new.state, new.superseded_by) == ("pending", None)


# -- code and settings -----------------------------------------------------------------


def test_changed_and_removed_marks_are_taken_over_at_the_start(places: Places) -> None:
    """
    A row whose method is gone goes, with those of its records; a new time counts from now on.
    """
    before = places(Quarterly, Each)
    create(before, "a")
    before.queue.schedules.tick()
    after = places(Quarterly, quarter="0 * * * *")
    after.queue.schedules.tick()
    with after.engine.connect() as connection:
        rows = connection.execute(
            select(SCHEDULES.c.method, SCHEDULES.c.spec, SCHEDULES.c.override, SCHEDULES.c.next_at)
        ).all()

    assert rows == [("quarter", "*/15 * * * *", "0 * * * *", START + minutes(55))]


def test_a_start_leaves_what_has_not_changed_alone(places: Places, clock: FrozenClock) -> None:
    """
    A worker that starts again and again does not push the next instant away.
    """
    places(Each).queue.schedules.tick()
    clock.advance(minutes(4))
    places(Each).queue.schedules.tick()

    assert places(Each).queue.schedules.list()[0].next_at == START + minutes(10)


def test_a_schedule_is_switched_off_by_a_setting(places: Places, clock: FrozenClock) -> None:
    """
    It is listed as off, and no job is made.
    """
    hub = places(Quarterly, quarter="off")
    hub.queue.schedules.tick()
    clock.advance(minutes(60))

    assert hub.queue.schedules.tick() == 0
    assert [(s.spec, s.overridden, s.next_at) for s in hub.queue.schedules.list()] == [("off", True, None)]


@pytest.mark.parametrize(
    ("schedules", "message"),
    [
        ({"quarter": "* *"}, rf"^setting 'job.schedules' for {NAME}.quarter: '\* \*' is no cron expression"),
        ({"quarters": "off"}, rf"^setting 'job.schedules' names '{NAME}.quarters'; did you mean"),
    ],
)
def test_a_malformed_setting_is_refused_at_the_start(
    places: Places, schedules: dict[str, str], message: str
) -> None:
    """
    No hub is made; the message names the place.
    """
    with pytest.raises(SettingsError, match=message):
        places(Quarterly, **schedules)


def test_a_schedule_of_a_newer_program_is_left_alone(places: Places, clock: FrozenClock) -> None:
    """
    A worker that does not know the method makes no job of it and does not move it on.
    """
    older = places(Quarterly)
    older.queue.schedules.tick()
    newer = places(Quarterly, Queued)
    newer.queue.schedules.tick()
    clock.advance(minutes(15))

    assert older.queue.schedules.tick() == 1
    assert newer.queue.schedules.tick() == 1


# -- people ----------------------------------------------------------------------------


def test_a_paused_schedule_makes_no_jobs_and_makes_up_for_nothing(places: Places, clock: FrozenClock) -> None:
    """
    All workers hear of it at once; also one that starts meanwhile.
    """
    hub = places(Quarterly)
    hub.queue.schedules.tick()
    places(Quarterly).queue.schedules.pause(f"{NAME}.quarter")
    clock.advance(timedelta(hours=3))
    counts = [hub.queue.schedules.tick(), places(Quarterly, quarter="0 * * * *").queue.schedules.tick()]
    paused = places(Quarterly).queue.schedules.list()[0]
    hub.queue.schedules.resume(f"{NAME}.quarter")
    counts.append(hub.queue.schedules.tick())

    assert counts == [0, 0, 0]
    assert (paused.paused, paused.next_at) == (True, None)
    assert hub.queue.schedules.list()[0].next_at == START + timedelta(hours=3, minutes=10)


def test_a_schedule_is_run_by_hand(places: Places) -> None:
    """
    Before the first worker, too; its own times stay, and it does not overlap with itself.
    """
    hub = places(Quarterly)
    made = hub.queue.schedules.run(f"{NAME}.quarter")
    with pytest.raises(JobStateError, match=rf"is not begun again: its job {made[0]} has not ended"):
        hub.queue.schedules.run(f"{NAME}.quarter")
    [state] = hub.queue.schedules.list()

    assert state == ScheduleState(
        name=f"{NAME}.quarter",
        spec="*/15 * * * *",
        tz="UTC",
        overlap="skip",
        channel="root.quarters",
        overridden=False,
        next_at=START + minutes(10),
        last_at=START,
        last_job_id=made[0],
        last_state="pending",
    )


def test_an_unknown_schedule_names_near_ones(places: Places) -> None:
    """
    Whatever a person wants of it.
    """
    schedules = places(Quarterly).queue.schedules
    for action in (schedules.run, schedules.pause, schedules.resume):
        with pytest.raises(JobDefinitionError, match=rf"no schedule .*; did you mean '{NAME}.quarter'"):
            action(f"{NAME}.quarters")
