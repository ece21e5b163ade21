"""The pytest plugin: databases for tests, one embedded PostgreSQL server for a whole run.

pytest loads it wherever Isthmus is installed, so it imports nothing heavy before a fixture is used.
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
