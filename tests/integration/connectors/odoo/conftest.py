"""A simulated Odoo, its adapter as a synchroniser finds it, and hubs beside Odoos."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from isthmus.component import ComponentRegistry, WorkContext
from isthmus.connectors.odoo.adapter import OdooAdapter, OdooPartnerAdapter
from isthmus.http import Timeout
from isthmus.simulators.odoo.simulator import OdooSimulator
from isthmus.store.odoo import Login, OdooClient
from isthmus.testing import FrozenClock

# pytest's importlib mode puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("odoo_site")

from odoo_site import OdooSite  # noqa: E402


@pytest.fixture(params=["14.0", "18.0", "19.0"])
def odoo(request: pytest.FixtureRequest) -> Iterator[OdooSimulator]:
    """The oldest Odoo, and one that is spoken to over each protocol."""
    with OdooSimulator(request.param) as running:
        yield running


@pytest.fixture
def client(odoo: OdooSimulator) -> Iterator[OdooClient]:
    """A client that gives up soon and does not really pause."""
    secret = odoo.api_key() if odoo.version.major >= 19 else odoo.password
    login = Login(odoo.database, odoo.login, secret)
    timeout = Timeout(read=timedelta(seconds=2))
    with OdooClient(odoo.url, login, timeout=timeout, clock=FrozenClock()) as opened:
        yield opened


@pytest.fixture
def partners(client: OdooClient) -> OdooPartnerAdapter:
    """The adapter of partners."""
    registry = ComponentRegistry.build([OdooAdapter, OdooPartnerAdapter])
    backend = SimpleNamespace(_name="odoo.backend", env=SimpleNamespace(components=registry))
    work = WorkContext("odoo.partner", collection=backend, odoo=client, odoo_countries={}, odoo_context={})
    found: OdooPartnerAdapter = work.component(usage="backend.adapter")
    return found


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[OdooSite]:
    """A hub without any backend yet, on a database of each kind; partners of ours are in it."""
    made = OdooSite(database_url, tmp_path)
    yield made
    made.close()
