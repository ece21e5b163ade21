"""The queue when things break: workers killed and stopped, a database that restarts, wires that go dead."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from crew import make_tables, states, texts
from entries import make_hub
from havoc import Havoc
from sqlalchemy import func, select

from isthmus.hub import Hub
from isthmus.job import State
from isthmus.job.table import JOBS
from isthmus.testing.databases import Databases, Kind

Tell = Callable[[str, object], None]
SEED = 742


@pytest.fixture
def url(databases: Databases, database_kind: Kind) -> Iterator[str]:
    """A database with every table, once of each kind."""
    with databases.fresh(database_kind, make_tables) as made:
        yield made


@pytest.fixture
def hub(url: str) -> Iterator[Hub]:
    """The test's own hub."""
    with make_hub(url) as made:
        yield made


@pytest.mark.parametrize("deaths", [5, pytest.param(200, marks=pytest.mark.chaos)])
def test_workers_killed_at_random_lose_and_repeat_nothing(
    hub: Hub, url: str, database_kind: Kind, deaths: int, record_property: Tell
) -> None:
    """
    Three workers, each replaced when it dies: in the end each job is done, and its row is there once.
    """
    havoc = Havoc(url, hub, SEED)
    havoc.run(deaths)
    with hub.engine.connect() as connection:
        rescues, most, charged = connection.execute(
            select(func.sum(JOBS.c.rescues), func.max(JOBS.c.rescues), func.sum(JOBS.c.retry))
        ).one()
    record_property(
        "told",
        f"kill -9 on {database_kind}: {len(havoc.wanted)} jobs, {havoc.kills} workers killed, "
        f"{havoc.suicides} died at a statement; {rescues} rescues, at most {most} of one job",
    )
    rows = texts(hub)

    assert Counter(rows) == dict.fromkeys(havoc.wanted, 1)
    assert states(hub) == {State.DONE: len(havoc.wanted)}
    # A thread runs one job at a time: no other is charged when its process dies.
    assert charged <= 2 * havoc.deaths
    lane = [text for text in rows if text.startswith("row ")]
    assert lane == sorted(lane, key=lambda text: int(text.split()[1]))
