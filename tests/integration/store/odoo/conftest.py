"""Hubs whose records live in simulated Odoos."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from isthmus.hub import Hub
from isthmus.simulators.odoo import OdooSimulator
from isthmus.simulators.trello import TrelloSimulator
from isthmus.testing import SteppingClock
from isthmus.testing.databases import Kind

# pytest's importlib mode puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("odoo_company")

from odoo_company import MODELS, Company  # noqa: E402


@pytest.fixture
def make_company(isthmus_hub: Any) -> Iterator[Callable[..., Company]]:
    """Make a hub beside an Odoo of a version and a Trello; nothing is imported yet."""
    with ExitStack() as stack:

        def make(
            version: str = "18.0",
            *,
            components: tuple[type, ...] = (),
            cards: int = 3,
            key: bool = False,
            kind: Kind = "sqlite",
            **settings: Any,
        ) -> Company:
            clock = SteppingClock()
            odoo = stack.enter_context(OdooSimulator(version, clock=clock))
            trello = stack.enter_context(TrelloSimulator(clock=clock))
            made = isthmus_hub(
                kind=kind,
                clock=clock,
                components=components,
                settings={
                    "plugins": ("trello", "odoo"),
                    "models": (),
                    "stores": {"odoo": {"backend": "company", "models": MODELS, "lag": 10}},
                    **settings,
                },
            )

            def start() -> Hub:
                return stack.enter_context(Hub(made.settings, clock=clock, components=components))

            secret = odoo.api_key(days=365) if key else None
            return Company(start, odoo, trello, clock, cards=cards, secret=secret)

        yield make


@pytest.fixture
def company(make_company: Callable[..., Company]) -> Company:
    """An Odoo 18 and a Trello, nothing imported yet."""
    return make_company()


@pytest.fixture
def synced(company: Company) -> Company:
    """Everything imported, and quiet."""
    assert company.sync().code == 0
    company.observe()
    return company
