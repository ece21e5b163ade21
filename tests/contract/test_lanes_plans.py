"""Entering a lane reads by index, however full the tables are."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, text

from isthmus.job.lane.lanes import Entry, Lanes
from isthmus.job.moves import Times
from isthmus.job.table import JOBS, SLOTS
from isthmus.settings import JobSettings
from isthmus.store.sql import make_engine
from isthmus.testing import Databases, FrozenClock
from isthmus.testing.databases import Kind
from isthmus.testing.tables import make_tables

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MANY = 3_000


@pytest.fixture
def engine(databases: Databases, database_kind: Kind) -> Iterator[Engine]:
    """An engine of a database with full tables, once of each kind."""
    with databases.fresh(database_kind, make_tables) as url:
        made = make_engine(url)
        fill(made)
        yield made
        made.dispose()


def fill(engine: Engine) -> None:
    """Write jobs in every state, in several lanes, and slots of other lanes."""
    row = {
        "model": "m", "method": "f", "payload": "{}", "ctx": "{}", "user_name": "", "run_id": "r",
        "description": "d", "created_at": START, "attempt": 0, "eta": None,
    }  # fmt: skip
    states: list[dict[str, Any]] = [
        {"state": "pending"},
        {"state": "pending", "eta": START + timedelta(days=1)},
        {"state": "pending", "eta": START + timedelta(days=1), "attempt": 1},
        {"state": "failed"},
        {"state": "done"},
    ]
    jobs = [{**row, **state, "channel": f"root.other.l{n % 9}"} for state in states for n in range(MANY)]
    slots = [{"channel": f"root.l{n % 50}", "n": n // 50, "worker_id": 100 + n % 70} for n in range(MANY)]
    with engine.begin() as connection:
        connection.execute(insert(JOBS), jobs)
        connection.execute(insert(SLOTS), slots)
    with engine.connect() as connection, connection.begin():
        connection.execute(text("ANALYZE"))


def explain(engine: Engine, statement: str, values: Any) -> str:
    """Ask the database how it would execute a statement."""
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection, connection.begin():
        word = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        rows = connection.exec_driver_sql(f"{word} {statement}", values)
        return "\n".join(str(row[3 if sqlite else 0]) for row in rows)


def test_entering_reads_jobs_and_slots_by_index(engine: Engine) -> None:
    """
    A lane with every kind of rule; no statement of entering and leaving it walks a table or sorts one.
    """
    channels = {"root.trello": {"sequential": True}, "root": {"capacity": 3, "throttle": 1}}
    clock = FrozenClock(START)
    lanes = Lanes(engine, Times(engine, clock), JobSettings(channels=channels))
    seen: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        seen[statement] = values

    for hear in (None, note):
        if hear is not None:
            event.listen(engine, "before_cursor_execute", hear)
        clock.sleep(10)
        with engine.begin() as connection:
            entry = lanes.enter(connection, "root.trello.cards", 1, timedelta(seconds=60))
            assert isinstance(entry, Entry)
            lanes.leave(connection, entry)
            lanes.prolong(connection, 1, timedelta(seconds=60))
            lanes.free(connection, 1)
            lanes.enter(connection, "root.trello", 1, timedelta(seconds=60))
    event.remove(engine, "before_cursor_execute", note)

    plans = [
        explain(engine, sql, values)
        for sql, values in list(seen.items())
        if "isthmus_job" in sql or "isthmus_slot" in sql
    ]
    walked = r"Seq Scan on isthmus_(job|slot)|SCAN isthmus_(job|slot)$|Sort  |TEMP B-TREE"
    assert len(plans) >= 5
    assert [plan for plan in plans if re.search(walked, plan, re.MULTILINE)] == []
