"""The pytest plugin: databases, hubs and a Trello simulator for tests.

One embedded PostgreSQL server serves a whole run. pytest loads this module wherever Isthmus is installed,
so it imports nothing heavy before a fixture is used.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isthmus.testing._postgres import EmbeddedPostgres
from isthmus.testing.databases import Databases

_EMBEDDED = pytest.StashKey[EmbeddedPostgres]()
_DIRECTORY = "isthmus_embedded_postgres"


def _embedded(config: pytest.Config) -> EmbeddedPostgres:
    """Tell this run's embedded server; with pytest-xdist, that of the process that started the workers."""
    if _EMBEDDED not in config.stash:
        workerinput: dict[str, str] | None = getattr(config, "workerinput", None)
        config.stash[_EMBEDDED] = (
            EmbeddedPostgres.open()
            if workerinput is None
            else EmbeddedPostgres(Path(workerinput[_DIRECTORY]))
        )
    return config.stash[_EMBEDDED]


@pytest.hookimpl(optionalhook=True)  # it is pytest-xdist's
def pytest_configure_node(node: Any) -> None:
    """Tell a new worker where this run's server is."""
    node.workerinput[_DIRECTORY] = str(_embedded(node.config).directory)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server."""
    if _EMBEDDED in config.stash:
        config.stash[_EMBEDDED].close()


@pytest.fixture(scope="session")
def isthmus_databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Databases]:
    """Databases of both kinds (`Databases`), removed at the end of the session."""
    directory = tmp_path_factory.mktemp("databases")
    with Databases(directory, embedded=_embedded(request.config)) as databases:
        yield databases


@pytest.fixture
def isthmus_hub(isthmus_databases: Databases, tmp_path: Path) -> Iterator[Any]:
    """Makes hubs (`isthmus.testing.hubs.HubMaker`), each on a fresh database; closed after the test."""
    # Here, as in the next fixture: SQLAlchemy and the rest load with the first test that needs them.
    from isthmus.testing.hubs import HubMaker

    maker = HubMaker(isthmus_databases, tmp_path)
    yield maker
    maker.close()


@pytest.fixture
def trello_simulator() -> Iterator[Any]:
    """An empty Trello on loopback (`isthmus.simulators.trello.TrelloSimulator`), stopped after the test."""
    from isthmus.simulators.trello import TrelloSimulator

    with TrelloSimulator() as simulator:
        yield simulator
