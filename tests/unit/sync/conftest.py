"""Both sides of an in-memory connector, on a database of each kind."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from isthmus.testing.databases import Databases, Kind

# pytest's importlib mode puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("memory_connector")
# Collected for doctests it would be imported under a second name, and map its tables twice.
collect_ignore = ["memory_connector.py"]

from memory_connector import TwoSides, make_tables  # noqa: E402


@pytest.fixture
def url(databases: Databases, database_kind: Kind) -> Iterator[str]:
    """A database with the schema and the connector's tables, once of each kind."""
    with databases.fresh(database_kind, make_tables) as made:
        yield made


@pytest.fixture
def make_sides(url: str, tmp_path: Path) -> Iterator[Callable[..., TwoSides]]:
    """Make both sides, with further components and extensions."""
    made: list[TwoSides] = []

    def make(*components: type, **options: Any) -> TwoSides:
        made.append(TwoSides(url, tmp_path, *components, **options))
        return made[-1]

    yield make
    for sides in made:
        sides.hub.close()


@pytest.fixture
def sides(make_sides: Callable[..., TwoSides]) -> TwoSides:
    """Both sides, empty."""
    return make_sides()
