"""A simulator, a client and the three adapters as a synchroniser finds them."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest

from isthmus.adapter import CRUDAdapter, Timeout
from isthmus.component import ComponentRegistry, WorkContext
from isthmus.connectors.trello.adapter import TrelloBoardAdapter, TrelloCardAdapter, TrelloListAdapter
from isthmus.connectors.trello.client import TrelloClient
from isthmus.simulators.trello import TrelloSimulator
from isthmus.testing import FrozenClock


@pytest.fixture
def simulator() -> Iterator[TrelloSimulator]:
    """An empty Trello."""
    with TrelloSimulator() as running:
        yield running


@pytest.fixture
def client(simulator: TrelloSimulator) -> Iterator[TrelloClient]:
    """A client that gives up soon and does not really pause."""
    timeout = Timeout(read=timedelta(seconds=0.25))
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
