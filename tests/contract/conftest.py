"""Databases with tables, envs over them, and remote servers."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from isthmus.component import ComponentRegistry, declared_components
from isthmus.simulators.odoo import OdooSimulator
from isthmus.store.odoo import Login, OdooClient, OdooStore, dialects_of
from isthmus.store.sql import make_engine
from isthmus.testing.databases import Databases, Kind
from isthmus.testing.envs import Envs
from isthmus.testing.odoo_target import PROJECT_MODELS, OdooTarget
from isthmus.testing.remote_server import RemoteServer
from isthmus.testing.tables import bundled_models, make_tables


@pytest.fixture
def envs(databases: Databases, database_kind: Kind) -> Iterator[Envs]:
    """Envs over a database with the bundled models, once of each kind."""
    bundled = bundled_models()
    with databases.fresh(database_kind, make_tables) as url:
        engine = make_engine(url)
        yield Envs(engine, bundled)
        engine.dispose()


@pytest.fixture
def hub_envs(databases: Databases) -> Iterator[type[Envs]]:
    """Make envs over an own database without records, given stores."""
    with databases.fresh("sqlite", make_tables) as url:
        engine = make_engine(url)
        yield lambda *stores, **options: Envs(engine, stores=stores, **options)
        engine.dispose()


@pytest.fixture(params=["none", "probe", "native_key"])
def create_safety(request: pytest.FixtureRequest) -> str:
    """Runs the test once with each create safety."""
    return request.param


@pytest.fixture
def server(databases: Databases, database_kind: Kind, create_safety: str) -> Iterator[RemoteServer]:
    """A remote server over a second database of each kind."""
    with databases.fresh(database_kind) as url, RemoteServer(url, create_safety=create_safety) as running:
        running.faults.hold_s = 0.5
        yield running


SERVERS = ["18.0", "19.0", *(["real"] if OdooTarget.from_environment() is not None else [])]
"""Simulated versions, for both protocols, and the real Odoo that the environment names."""


@pytest.fixture(scope="module", params=SERVERS)
def odoo(request: pytest.FixtureRequest) -> Iterator[OdooTarget]:
    """An Odoo without projects and tasks."""
    real = OdooTarget.from_environment()
    if request.param == "real":
        assert real is not None
        with real.client() as client:
            real.refuse_used(client)
        yield real
        return
    with OdooSimulator(version=request.param) as simulator:
        secret = simulator.api_key(days=1) if request.param == "19.0" else simulator.password
        yield OdooTarget(simulator.url, Login(simulator.database, simulator.login, secret))


@pytest.fixture(scope="module")
def odoo_client(odoo: OdooTarget) -> Iterator[OdooClient]:
    """A connection to it."""
    with odoo.client() as client:
        odoo.clear(client)
        yield client


@pytest.fixture
def odoo_store(odoo: OdooTarget, odoo_client: OdooClient) -> Iterator[OdooStore]:
    """A store of projects, stages and tasks over it; what a test makes is removed."""
    registry = ComponentRegistry.build(declared_components("isthmus.store.odoo"))
    yield OdooStore("odoo", PROJECT_MODELS, lambda: odoo_client, dialects=dialects_of(registry))
    odoo.clear(odoo_client)


@pytest.fixture(scope="session")
def program() -> ModuleType:
    """The worker program of the queue's tests, with their model."""
    path = Path(__file__).with_name("queue_program.py")
    if path.stem not in sys.modules:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[path.stem] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[path.stem])
    return sys.modules[path.stem]


@pytest.fixture(scope="session")
def queue_tables(program: ModuleType) -> Callable[[str], None]:
    """Makes every table, that of the queue's tests included."""

    def make(url: str) -> None:
        make_tables(url)

    return make


@pytest.fixture
def queue_url(
    databases: Databases, database_kind: Kind, queue_tables: Callable[[str], None]
) -> Iterator[str]:
    """A database for the queue's tests, once of each kind."""
    with databases.fresh(database_kind, queue_tables) as url:
        yield url
