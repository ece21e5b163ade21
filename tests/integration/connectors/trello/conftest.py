"""A simulator, a client and the three adapters as a synchroniser finds them."""

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from isthmus.adapter import CRUDAdapter
from isthmus.component import ComponentRegistry, WorkContext
from isthmus.connectors.trello.adapter import TrelloBoardAdapter, TrelloCardAdapter, TrelloListAdapter
from isthmus.connectors.trello.client import TrelloClient
from isthmus.http import Timeout
from isthmus.simulators.trello import TrelloSimulator
from isthmus.testing import FrozenClock

# pytest's importlib mode puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("installation")

from installation import Installation  # noqa: E402


@pytest.fixture
def simulator() -> Iterator[TrelloSimulator]:
    """An empty Trello."""
    with TrelloSimulator() as running:
        yield running


@pytest.fixture
def patience_s() -> float:
    """How long an answer may take: long, but where it is the fault that none comes."""
    return 60.0


@pytest.fixture
def client(simulator: TrelloSimulator, patience_s: float) -> Iterator[TrelloClient]:
    """A client that does not really pause."""
    timeout = Timeout(read=timedelta(seconds=patience_s))
    with TrelloClient(
        simulator.key, simulator.token, url=simulator.url, timeout=timeout, clock=FrozenClock()
    ) as opened:
        yield opened


@pytest.fixture
def adapter_for(client: TrelloClient) -> Callable[..., CRUDAdapter]:
    """Find the adapter of a model by its usage; keywords become attributes of the backend."""
    registry = ComponentRegistry.build([TrelloBoardAdapter, TrelloListAdapter, TrelloCardAdapter])

    def find(model: str, **settings: object) -> CRUDAdapter:
        backend = SimpleNamespace(
            _name="trello.backend", env=SimpleNamespace(components=registry), **settings
        )
        return WorkContext(model_name=model, collection=backend, trello=client).component(
            usage="backend.adapter"
        )

    return find


@pytest.fixture
def site(migrated_database_url: str, tmp_path: Path) -> Iterator[Installation]:
    """A hub and a Trello, not connected yet, on a database of each kind."""
    made = Installation(migrated_database_url, tmp_path)
    yield made
    made.close()
