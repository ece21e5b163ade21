from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from isthmus.simulators.odoo import OdooError, OdooWorld
from isthmus.testing import FrozenClock

ADMIN = 2


class Caller:
    """Calls a world as somebody."""

    def __init__(self, world: OdooWorld, uid: int = ADMIN) -> None:
        self.world = world
        self.uid = uid

    def __call__(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.world.execute(self.uid, model, method, args, kwargs)

    def refused(self, model: str, method: str, *args: Any, **kwargs: Any) -> tuple[str, str]:
        """Call what must fail: the error's name and message."""
        with pytest.raises(OdooError) as caught:
            self(model, method, *args, **kwargs)
        return caught.value.name, caught.value.message


@pytest.fixture
def clock() -> FrozenClock:
    """A clock at a moment with microseconds."""
    return FrozenClock(datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC))


@pytest.fixture
def make_world(clock: FrozenClock) -> Callable[[str], OdooWorld]:
    """Make a world of a version."""
    return lambda version: OdooWorld(version, clock=clock)


@pytest.fixture
def world(clock: FrozenClock) -> OdooWorld:
    """An Odoo 18.0."""
    return OdooWorld("18.0", clock=clock)


@pytest.fixture
def odoo(world: OdooWorld) -> Caller:
    """The administrator's calls."""
    return Caller(world)


@pytest.fixture
def as_user(world: OdooWorld) -> Callable[..., Caller]:
    """Make a person of some groups and give their calls."""
    return lambda login, groups, **values: Caller(world, world.add_user(login, "pw", groups, **values))
