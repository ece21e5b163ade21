"""However many jobs there are in whatever state, no statement of the queue walks over them or sorts them."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, insert, text, update

from isthmus.clock import SystemClock
from isthmus.hub import Hub
from isthmus.job.table import JOBS, WORKERS
from isthmus.store.sql import make_engine
from isthmus.testing import Databases, FrozenClock
from isthmus.testing.databases import Kind
from isthmus.testing.tables import make_tables

MANY = 5_000
WALKED = re.compile(
    r"Seq Scan on isthmus_job\b|SCAN isthmus_job(?! USING)|TEMP B-TREE|\bSort\b", re.MULTILINE
)


def fill(url: str) -> None:
    """Write many jobs that are done, failed, cancelled, to be run later, that wait, and that others run."""
    make_tables(url)
    engine = make_engine(url)
    now = datetime.now(UTC)
    row = {
        "model": "m", "method": "f", "payload": "{}", "ctx": "{}", "user_name": "", "run_id": "r",
        "description": "d", "created_at": now, "channel": "root",
    }  # fmt: skip
    states: list[dict[str, Any]] = [
        {"state": "done", "finished_at": now},
        {"state": "failed", "finished_at": now},
        {"state": "cancelled", "finished_at": now},
        {"state": "wait_dependencies", "waits": 1},
        {"state": "started", "worker_id": 1, "claim_no": 1, "attempt": 1},
        {"state": "pending", "eta": now + timedelta(days=1)},
    ]
    worker = {
        "owner": "elsewhere:1:x", "host": "elsewhere", "pid": 1, "started_at": now, "seen_at": now,
        "lease_until": now + timedelta(days=1),
    }  # fmt: skip
    columns = ", ".join(column.name for column in JOBS.columns if column.name != "id")
    copy = text(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < :many) "
        f"INSERT INTO isthmus_job ({columns}) SELECT {columns} FROM isthmus_job, n WHERE id = :first"
    )
    with engine.begin() as connection:
        connection.execute(insert(WORKERS).values(worker))
        for state in states:
            made = insert(JOBS).values(row | state).returning(JOBS.c.id)
            first = connection.execute(made).scalar_one()
            connection.execute(copy, {"many": MANY, "first": first})
    engine.dispose()


def analyze(url: str) -> None:
    """Let the database count."""
    engine = make_engine(url)
    with engine.connect() as connection, connection.begin():
        connection.execute(text("ANALYZE"))
    engine.dispose()


def counted(url: str) -> None:
    """Fill a database that knows how many jobs there are."""
    fill(url)
    analyze(url)


def counted_when_empty(url: str) -> None:
    """Fill a database that has counted before there were jobs."""
    make_tables(url)
    analyze(url)
    fill(url)


def start_of(state: int) -> int:
    """Give the number of the first job of those in a state, in the order of `fill`."""
    return state * MANY + 1


@pytest.fixture(params=[(counted, True), (fill, True), (counted_when_empty, True), (counted, False)])
def full(
    databases: Databases, database_kind: Kind, program: Any, request: pytest.FixtureRequest
) -> Iterator[Hub]:
    """A hub of many jobs, whatever the database knows of how many; by its clock, and by one that stands."""
    make, own = request.param
    clock = SystemClock() if own else FrozenClock(datetime.now(UTC))
    with databases.fresh(database_kind, make) as url, program.make_hub(url, clock=clock) as hub:
        yield hub


@pytest.fixture
def plans(full: Hub) -> Callable[[Callable[[], Any]], list[str]]:
    """Tells the plans of the statements about jobs that something executes."""

    def tell(action: Callable[[], Any]) -> list[str]:
        seen: dict[str, Any] = {}

        def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
            if re.search(r"\bisthmus_job\b", statement) and not statement.startswith("INSERT"):
                seen[statement] = values

        event.listen(full.engine, "before_cursor_execute", note)
        action()
        event.remove(full.engine, "before_cursor_execute", note)
        return [explain(full, statement, values) for statement, values in seen.items()]

    return tell


def explain(hub: Hub, statement: str, values: Any) -> str:
    """Ask the database how it would execute a statement."""
    sqlite = hub.engine.dialect.name == "sqlite"
    with hub.engine.connect() as connection, connection.begin():
        word = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        rows = connection.exec_driver_sql(f"{word} {statement}", values)
        return f"{statement}\n" + "\n".join(str(row[3 if sqlite else 0]) for row in rows)


def walking(plans: list[str]) -> list[str]:
    """Give those that walk over jobs or sort them."""
    return [plan for plan in plans if WALKED.search(plan)]


def delay(hub: Hub, program: Any, **options: Any) -> None:
    """Delay a job."""
    with hub.env() as env:
        env[program.NAME].with_delay(**options).nothing()


class TestPlans:
    def test_of_claiming_and_ending(self, full: Hub, program: Any, plans: Any) -> None:
        """
        The first claim, those that are larger, and the one that finds nothing.
        """
        for _ in range(20):
            delay(full, program)

        found = plans(full.queue.run_pending)

        assert len(found) >= 3
        assert walking(found) == []
        assert full.queue.run_pending() == 0

    def test_of_the_statements_that_go_to_the_driver(self, full: Hub) -> None:
        """
        Those that each job costs.
        """
        statements = full.queue._outcomes._statements
        found = []
        for prepared in (statements.hold, statements.done, statements.done_single):
            if prepared._text is None:
                continue
            values = {**prepared._fixed, "id_": 1, "attempt_": 1, "result_": None, "now": "2026-01-01"}
            found.append(explain(full, prepared._text, values))

        assert walking(found) == []

    def test_of_lining_up_what_is_due(self, full: Hub, program: Any, plans: Any) -> None:
        """
        Of many jobs that wait for their time those are found whose time has come.
        """
        with full.engine.begin() as connection:
            first = JOBS.c.id.in_([start_of(5), start_of(5) + 6])
            connection.execute(update(JOBS).where(first).values(eta=full.clock.now() - timedelta(seconds=9)))

        found = plans(full.queue.claimer.tend)

        with full.engine.begin() as connection:
            lined_up = connection.execute(
                text("SELECT count(*) FROM isthmus_job WHERE state = 'pending' AND eta IS NULL")
            ).scalar()
        assert lined_up == 2
        assert len(found) >= 2
        # PostgreSQL, not knowing how many jobs wait, may sort those that are due; never the others.
        assert [plan for plan in walking(found) if "Sort Key" not in plan] == []
        assert not [plan for plan in found if "Seq Scan on isthmus_job" in plan]
        assert not [plan for plan in walking(found) if "(eta <= " not in plan]

    def test_of_looking_for_dead_workers(self, full: Hub, program: Any, plans: Any) -> None:
        """
        The jobs of one are found among those of the others, and its row goes; and our own that are lost.
        """
        gone = f"{str(full.owner).partition(':')[0]}:1:0123456789abcdef"
        with full.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO isthmus_worker "
                    "(owner, host, pid, channels, started_at, seen_at, lease_until) "
                    "SELECT :gone, 'h', 1, '', started_at, seen_at, lease_until FROM isthmus_worker"
                ),
                {"gone": gone},
            )
            connection.execute(update(JOBS).where(JOBS.c.id == start_of(4) + 8).values(worker_id=2))
        mine = full.queue.members.id
        with full.engine.begin() as connection:
            connection.execute(update(JOBS).where(JOBS.c.id == start_of(4) + 9).values(worker_id=mine))
        taken: list[int] = []

        found = plans(lambda: taken.append(full.queue.members.look(full.queue.claimer.held())))

        assert taken == [2]
        assert len(found) >= 4
        assert walking(found) == []

    def test_of_equal_jobs(self, full: Hub, program: Any, plans: Any) -> None:
        """
        The one that has the key is found by it.
        """
        delay(full, program, identity_key="k")

        found = plans(lambda: delay(full, program, identity_key="k"))

        assert walking(found) == []


class TestRowsRead:
    @pytest.fixture
    def database_kind(self) -> str:
        """PostgreSQL, which tells how many rows it has read."""
        return "postgresql"

    def read(self, hub: Hub, action: Callable[[], Any]) -> dict[str, int]:
        """Count the rows of jobs that each statement reads; the statement is undone and then executed."""
        counts: dict[str, int] = {}
        url = hub.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url) as other:

            def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
                if not re.search(r"\bisthmus_job\b", statement) or statement.startswith("INSERT"):
                    return
                answer = other.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values).fetchone()
                other.rollback()
                assert answer is not None
                plan = answer[0] if isinstance(answer[0], list) else json.loads(answer[0])
                counts[statement] = max(counts.get(statement, 0), rows_of(plan[0]["Plan"]))

            event.listen(hub.engine, "before_cursor_execute", note)
            action()
            event.remove(hub.engine, "before_cursor_execute", note)
        return counts

    def test_a_claim_reads_what_it_takes(self, full: Hub, program: Any) -> None:
        """
        And a few more, whatever else there is: jobs that are due are a thousand, in two lanes.
        """
        with full.env() as env:
            for lane in ("a", "b"):
                notes = env[program.NAME].delayable(channel=lane)
                notes.add([f"{n}" for n in range(500)]).split(1).delay()
        full.queue.claim(one=True)

        counts = self.read(full, lambda: full.queue.claim(one=True))

        assert counts
        assert max(counts.values()) <= 1 + 10

    def test_a_claim_of_ten_reads_some_ten(self, full: Hub, program: Any) -> None:
        """
        Each of them once to find it and once to write it.
        """
        with full.env() as env:
            env[program.NAME].delayable().add([f"{n}" for n in range(500)]).split(1).delay()
        full.queue.claimer._size = 1

        counts = self.read(full, full.queue.claim)

        assert len(full.queue.claimer.running) == 10
        assert max(counts.values()) <= 2 * 10 + 10

    def test_a_look_that_finds_nothing_reads_nothing(self, full: Hub, program: Any) -> None:
        """
        An idle worker costs nothing however many jobs are there.
        """
        counts = self.read(full, full.queue.claim)

        assert counts
        assert max(counts.values()) <= 10


def rows_of(node: dict[str, Any]) -> int:
    """Count the rows of jobs that a plan has read, those that were left out included."""
    found = sum(rows_of(child) for child in node.get("Plans", ()))
    if node.get("Relation Name") == "isthmus_job" and node["Node Type"] != "ModifyTable":
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        found += (node["Actual Rows"] + removed) * node["Actual Loops"]
    return int(found)
