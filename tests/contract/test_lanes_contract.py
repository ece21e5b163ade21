"""What lanes promise, on both databases."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Barrier, Lock, Thread
from typing import Any

import pytest
from sqlalchemy import Engine, insert, update

from isthmus.clock import SystemClock
from isthmus.job.lane.lanes import Closed, Entry, Lanes
from isthmus.job.moves import Times
from isthmus.job.table import CHANNELS, JOBS, WORKERS
from isthmus.settings import JobSettings
from isthmus.store.sql import make_engine
from isthmus.testing import Databases, FrozenClock
from isthmus.testing.databases import Kind
from isthmus.testing.tables import make_tables

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEASE = timedelta(seconds=60)
CARDS = "root.trello.cards"


@pytest.fixture
def engine(databases: Databases, database_kind: Kind) -> Iterator[Engine]:
    """An engine of a database with tables, once of each kind."""
    with databases.fresh(database_kind, make_tables) as url:
        made = make_engine(url)
        yield made
        made.dispose()


@pytest.fixture
def clock() -> FrozenClock:
    """Stands until a test moves it."""
    return FrozenClock(START)


MakeLanes = Callable[..., Lanes]


@pytest.fixture
def make(engine: Engine, clock: FrozenClock) -> MakeLanes:
    """Makes lanes of a process, given the rules in its settings."""

    def make_lanes(**channels: dict[str, Any]) -> Lanes:
        named = {name.replace("_", "."): rule for name, rule in channels.items()}
        return Lanes(engine, Times(engine, clock), JobSettings(channels=named))

    return make_lanes


def enter(engine: Engine, lanes: Lanes, lane: str = CARDS, worker_id: int = 1) -> Entry | Closed:
    """Enter in a transaction of its own."""
    with engine.begin() as connection:
        return lanes.enter(connection, lane, worker_id, LEASE)


def entries(engine: Engine, lanes: Lanes, count: int, lane: str = CARDS, worker_id: int = 1) -> list[Entry]:
    """Enter so often, and keep those that came in."""
    found = [enter(engine, lanes, lane, worker_id) for _ in range(count)]
    return [entered for entered in found if isinstance(entered, Entry)]


def leave(engine: Engine, lanes: Lanes, entry: Entry | Closed) -> None:
    """Leave in a transaction of its own."""
    assert isinstance(entry, Entry)
    with engine.begin() as connection:
        lanes.leave(connection, entry)


def set_channel(engine: Engine, name: str, *lanes: Lanes, **values: Any) -> None:
    """Set a rule at run time, and let processes hear of it."""
    with engine.begin() as connection:
        done = connection.execute(update(CHANNELS).where(CHANNELS.c.name == name).values(**values))
        if not done.rowcount:
            connection.execute(insert(CHANNELS).values(name=name, **values))
        for one in lanes:
            one.refresh(connection)


def add_job(engine: Engine, channel: str, state: str = "pending", **values: Any) -> int:
    """Write a job's row."""
    row = {
        "model": "m", "method": "f", "payload": "{}", "ctx": "{}", "user_name": "", "run_id": "r",
        "description": "d", "created_at": START, "channel": channel, "state": state,
    }  # fmt: skip
    with engine.begin() as connection:
        key = connection.execute(insert(JOBS).values(**row | values)).inserted_primary_key
        assert key is not None
        return int(key[0])


def told(entered: Entry | Closed) -> tuple[str, str]:
    """Give reason and explanation of a closed lane."""
    assert isinstance(entered, Closed)
    return entered.reason, entered.because


class TestCapacity:
    def test_a_lane_takes_as_many_as_it_has_slots(self, engine: Engine, make: MakeLanes) -> None:
        """
        The third waits until one of two leaves.
        """
        lanes = make(root_trello_cards={"capacity": 2})

        first, second, third = (enter(engine, lanes) for _ in range(3))

        assert isinstance(first, Entry)
        assert isinstance(second, Entry)
        assert third == Closed(CARDS, "full", None, f"{CARDS} runs 2 at a time")
        leave(engine, lanes, first)
        assert isinstance(enter(engine, lanes), Entry)
        assert isinstance(enter(engine, lanes), Closed)

    def test_a_lane_without_rules_is_plain(self, make: MakeLanes) -> None:
        """
        It is known without asking the database; a rule above it makes it one that must be entered.
        """
        lanes = make(root_trello={"capacity": 2}, root_shop={"keep_done": 5})

        assert not lanes.is_plain("root.trello")
        assert not lanes.is_plain(CARDS)
        assert lanes.is_plain("root.shop")
        assert lanes.is_plain("root.trello2")

    def test_a_job_needs_a_slot_in_each_bounded_lane_above(self, engine: Engine, make: MakeLanes) -> None:
        """
        Where one is missing, none of the others is kept.
        """
        lanes = make(root={"capacity": 2}, root_trello_cards={"capacity": 2})
        kept = entries(engine, lanes, 1, "root.shop")

        taken = entries(engine, lanes, 3)

        assert [entry.slots for entry in taken] == [((CARDS, 1), ("root", 2))]
        leave(engine, lanes, kept[0])
        assert len(entries(engine, lanes, 2)) == 1

    def test_a_rolled_back_entry_was_none(self, engine: Engine, make: MakeLanes) -> None:
        """
        A claim that finds no job takes its slot and its throttle back.
        """
        lanes = make(root_trello_cards={"capacity": 1, "throttle": 60})
        with engine.connect() as connection, connection.begin() as transaction:
            assert isinstance(lanes.enter(connection, CARDS, 1, LEASE), Entry)
            transaction.rollback()

        assert isinstance(enter(engine, lanes), Entry)

    def test_a_raised_capacity_is_there_at_once(self, engine: Engine, make: MakeLanes) -> None:
        """
        What is set at run time wins over the settings.
        """
        lanes = make(root_trello_cards={"capacity": 1})
        assert len(entries(engine, lanes, 2)) == 1

        set_channel(engine, CARDS, lanes, capacity=3)

        assert len(entries(engine, lanes, 4)) == 2

    @pytest.mark.parametrize("staying", [1, 2, 3, 4])
    def test_a_lowered_capacity_counts_those_that_run(
        self, engine: Engine, make: MakeLanes, staying: int
    ) -> None:
        """
        Whichever slots the jobs have that are left: never more than the new capacity beside them.
        """
        lanes = make(root_trello_cards={"capacity": 4})
        running = entries(engine, lanes, 4)
        set_channel(engine, CARDS, lanes, capacity=2)
        assert entries(engine, lanes, 1) == []

        for entry in running:
            if entry.slots != ((CARDS, staying),):
                leave(engine, lanes, entry)

        assert len(entries(engine, lanes, 3)) == 1

    def test_racing_processes_never_hold_more_than_the_capacity(
        self, engine: Engine, make: MakeLanes
    ) -> None:
        """
        Eight threads enter and leave a lane of capacity 2 while a third slot is held above it.
        """
        every = [make(root_trello_cards={"capacity": 3}) for _ in range(8)]
        above = next(e for e in entries(engine, every[0], 3, worker_id=99) if e.slots == ((CARDS, 3),))
        with engine.begin() as connection:
            every[0].leave(connection, Entry(CARDS, ((CARDS, 1), (CARDS, 2)), None, 99))
        set_channel(engine, CARDS, *every, capacity=2)
        seen = Racing(engine, every, others=1).run(rounds=15)

        assert seen.most == 2
        assert seen.count > 0
        leave(engine, every[0], above)
        assert Racing(engine, every).run(rounds=15).most == 2

    def test_free_running_processes_never_hold_more_than_the_capacity(
        self, engine: Engine, make: MakeLanes
    ) -> None:
        """
        Eight threads enter two lanes below a bounded one as fast as they can, some to take it back.
        """
        every = [make(root_trello={"capacity": 2}, root_trello_cards={"capacity": 2}) for _ in range(8)]
        seen = Racing(engine, every)

        def rush(number: int) -> None:
            for turn in range(20):
                lane = CARDS if (number + turn) % 2 else "root.trello.lists"
                entered = enter(engine, every[number], lane, number + 1)
                if isinstance(entered, Entry):
                    seen.note(entered, 1)
                    seen.note(entered, -1)
                    leave(engine, every[number], entered)

        threads = [Thread(target=rush, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 1 <= seen.most <= 2
        assert len(entries(engine, every[0], 3)) == 2


class Racing:
    """Threads that enter a lane, note how many are in it, and leave."""

    def __init__(self, engine: Engine, every: list[Lanes], others: int = 0) -> None:
        self._engine = engine
        self._every = every
        self._inside = self.most = others
        self.count = 0
        self._lock = Lock()
        self._together = Barrier(len(every))

    def run(self, rounds: int) -> "Racing":
        """Race to the end."""
        threads = [Thread(target=self._race, args=(n, rounds)) for n in range(len(self._every))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self

    def _race(self, number: int, rounds: int) -> None:
        lanes = self._every[number]
        for _ in range(rounds):
            self._together.wait()
            entered = enter(self._engine, lanes, worker_id=number + 1)
            self.note(entered, 1)
            self._together.wait()
            self.note(entered, -1)
            if isinstance(entered, Entry):
                leave(self._engine, lanes, entered)

    def note(self, entered: Entry | Closed, change: int) -> None:
        """Count who is in."""
        if isinstance(entered, Entry):
            with self._lock:
                self._inside += change
                self.most = max(self.most, self._inside)
                self.count += change > 0


class TestLeases:
    def test_a_dead_worker_s_slot_is_free_after_its_lease(
        self, engine: Engine, make: MakeLanes, clock: FrozenClock
    ) -> None:
        """
        Not before, and a sign of life makes it longer.
        """
        lanes = make(root_trello_cards={"capacity": 1})
        enter(engine, lanes, worker_id=7)
        clock.sleep(40)
        with engine.begin() as connection:
            lanes.prolong(connection, 7, LEASE)
        clock.sleep(40)
        assert isinstance(enter(engine, lanes, worker_id=8), Closed)

        clock.sleep(40)

        assert isinstance(enter(engine, lanes, worker_id=8), Entry)

    def test_who_comes_back_late_takes_nothing_from_another(
        self, engine: Engine, make: MakeLanes, clock: FrozenClock
    ) -> None:
        """
        Leaving and prolonging concern only what one still holds.
        """
        lanes = make(root_trello_cards={"capacity": 1})
        late = enter(engine, lanes, worker_id=7)
        clock.sleep(61)
        enter(engine, lanes, worker_id=8)

        leave(engine, lanes, late)

        assert isinstance(enter(engine, lanes, worker_id=9), Closed)
        clock.sleep(50)
        with engine.begin() as connection:
            lanes.prolong(connection, 7, LEASE)
        clock.sleep(50)
        assert isinstance(enter(engine, lanes, worker_id=9), Entry)

    def test_one_s_own_slot_is_held_until_it_is_left(
        self, engine: Engine, make: MakeLanes, clock: FrozenClock
    ) -> None:
        """
        Another thread of a worker that was late does not take the place of the first.
        """
        lanes = make(root_trello_cards={"capacity": 1})
        enter(engine, lanes, worker_id=7)

        clock.sleep(61)

        assert isinstance(enter(engine, lanes, worker_id=7), Closed)

    def test_a_worker_that_is_gone_is_freed_at_once(self, engine: Engine, make: MakeLanes) -> None:
        """
        All that it held, in every lane, and nothing of others.
        """
        lanes = make(root={"capacity": 2}, root_trello_cards={"capacity": 1})
        enter(engine, lanes, worker_id=7)
        enter(engine, lanes, "root.shop", worker_id=8)

        with engine.begin() as connection:
            lanes.free(connection, 7)

        assert len(entries(engine, lanes, 2)) == 1

    def test_on_sqlite_a_registered_worker_keeps_its_slot(
        self, engine: Engine, make: MakeLanes, clock: FrozenClock
    ) -> None:
        """
        SQLite has one writer: who lives may be kept from prolonging, so its row must be gone as well.
        """
        lanes = make(root_trello_cards={"capacity": 1})
        row = {
            "owner": "o",
            "host": "h",
            "pid": 1,
            "started_at": START,
            "seen_at": START,
            "lease_until": START,
        }
        with engine.begin() as connection:
            connection.execute(insert(WORKERS).values(id=7, **row))
        enter(engine, lanes, worker_id=7)

        clock.sleep(61)

        free = engine.dialect.name == "postgresql"
        assert isinstance(enter(engine, lanes, worker_id=8), Entry) is free


class TestThrottle:
    def test_beginnings_are_so_far_apart(self, engine: Engine, make: MakeLanes, clock: FrozenClock) -> None:
        """
        Whichever process begins; the lane tells when the next one may.
        """
        one, other = make(root_trello={"throttle": "30s"}), make(root_trello={"throttle": "30s"})

        first = enter(engine, one)
        clock.sleep(10)
        second = enter(engine, other)

        assert first == Entry(CARDS, (), 1, 1)
        because = "root.trello begins one job in 30 s"
        assert second == Closed(CARDS, "throttled", timedelta(seconds=20), because)
        clock.sleep(20)
        assert isinstance(enter(engine, other, "root.trello"), Entry)

    def test_a_shortened_throttle_forgets_the_longer_one(self, engine: Engine, make: MakeLanes) -> None:
        """
        A lane that was to begin one a day is not asleep until tomorrow; neither is one whose clock was wrong.
        """
        lanes = make(root_trello={"throttle": "1d"})
        enter(engine, lanes)

        set_channel(engine, "root.trello", lanes, throttle_s=1.0)

        assert isinstance(enter(engine, lanes), Entry)

    def test_without_a_slot_the_throttle_is_not_used(
        self, engine: Engine, make: MakeLanes, clock: FrozenClock
    ) -> None:
        """
        A full lane above leaves the lane's next beginning where it was.
        """
        lanes = make(root={"capacity": 1}, root_trello={"throttle": 30})
        kept = enter(engine, lanes, "root.shop")
        assert told(enter(engine, lanes))[0] == "full"

        leave(engine, lanes, kept)

        assert isinstance(enter(engine, lanes), Entry)


class TestSequential:
    def test_one_after_the_other(self, engine: Engine, make: MakeLanes) -> None:
        """
        Its capacity is 1, for lanes below it too.
        """
        lanes = make(root_trello={"sequential": True})

        entered = enter(engine, lanes)

        assert entered == Entry(CARDS, (("root.trello", 1),), 1, 1)
        assert told(enter(engine, lanes, "root.trello")) == ("full", "root.trello runs 1 at a time")

    @pytest.mark.parametrize("channel", ["root.trello", CARDS])
    def test_a_failed_job_blocks_it(self, engine: Engine, make: MakeLanes, channel: str) -> None:
        """
        Of the lane or of one below, until a person decides; the reason names it.
        """
        lanes = make(root_trello={"sequential": True})
        number = add_job(engine, channel, "failed")

        reason, because = told(enter(engine, lanes))

        assert (reason, because) == (
            "blocked",
            f"root.trello is sequential and job {number} has failed: retry, cancel or set it to done",
        )
        with engine.begin() as connection:
            connection.execute(update(JOBS).values(state="cancelled"))
        assert isinstance(enter(engine, lanes), Entry)

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ({"attempt": 1, "eta": START + timedelta(minutes=5)}, "blocked"),
            ({"attempt": 1, "state": "started", "worker_id": 5}, "full"),
            ({"attempt": 0, "eta": START + timedelta(minutes=5)}, None),
            ({"attempt": 1, "eta": None}, None),
            ({"state": "done"}, None),
        ],
    )
    def test_none_passes_a_job_that_has_begun(
        self, engine: Engine, make: MakeLanes, values: dict[str, Any], reason: str | None
    ) -> None:
        """
        One that will be tried again or runs is waited for; one that was never begun is not.
        """
        lanes = make(root_trello={"sequential": True})
        add_job(engine, CARDS, **values)

        entered = enter(engine, lanes, CARDS)

        assert (entered.reason if isinstance(entered, Closed) else None) == reason

    def test_lanes_below_it_keep_the_order_of_all_its_jobs(self, engine: Engine, make: MakeLanes) -> None:
        """
        By priority, then age, whichever lane asks first.
        """
        lanes = make(root_trello={"sequential": True})
        first = add_job(engine, "root.trello.lists")
        add_job(engine, CARDS)
        add_job(engine, "root.shop", priority=0)

        entered = enter(engine, lanes)

        because = f"root.trello is sequential and job {first} is first"
        assert isinstance(entered, Closed)
        assert (entered.reason, entered.because) == ("blocked", because)
        assert isinstance(enter(engine, lanes, "root.trello.lists"), Entry)
        with engine.begin() as connection:
            lanes.free(connection, 1)
        add_job(engine, CARDS, priority=1)
        assert isinstance(enter(engine, lanes), Entry)

    def test_other_lanes_failures_are_their_own(self, engine: Engine, make: MakeLanes) -> None:
        """
        Also of lanes whose names begin alike, or that lie above.
        """
        lanes = make(root_trello={"sequential": True})
        for channel in ("root", "root.trello2", "root.trello-x", "root.a", "root.z"):
            add_job(engine, channel, "failed")

        assert isinstance(enter(engine, lanes), Entry)


class TestRunTime:
    def test_a_paused_lane_begins_nothing_below_it(self, engine: Engine, make: MakeLanes) -> None:
        """
        Set at run time and taken back there.
        """
        lanes = make(root_trello={"paused": True})
        assert enter(engine, lanes) == Closed(CARDS, "paused", None, "root.trello is paused")

        set_channel(engine, "root.trello", lanes, paused=False)

        assert lanes.is_plain(CARDS)

    def test_a_process_hears_of_it_by_refreshing(self, engine: Engine, make: MakeLanes) -> None:
        """
        Before, it goes by what it knows.
        """
        lanes, other = make(), make()

        set_channel(engine, "root", other, paused=True)

        assert lanes.is_plain(CARDS)
        with engine.begin() as connection:
            assert lanes.refresh(connection) is True
            assert lanes.refresh(connection) is False
        assert not lanes.is_plain(CARDS)


def test_the_database_s_clock_counts_on_postgresql(engine: Engine) -> None:
    """
    With the machine's clock in use, a worker whose clock is wrong throttles as all others.
    """
    lanes = Lanes(engine, Times(engine, SystemClock()), JobSettings(channels={"root": {"throttle": "1h"}}))

    enter(engine, lanes, "root")
    second = enter(engine, lanes, "root")

    assert isinstance(second, Closed)
    assert second.retry_in is not None
    assert timedelta(minutes=59) < second.retry_in <= timedelta(hours=1)
