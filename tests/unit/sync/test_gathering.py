"""What a decision lacks is brought in bulk; what our store refuses to show is a matter of who needs it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from isthmus.errors import HiddenRecordError, InvalidDataError, NotGathered, ParkError
from isthmus.hub import Hub
from isthmus.simulators.odoo import OdooSimulator, errors
from isthmus.sync.gathering import Gathering
from isthmus.sync.item import DECIDE

STAGE = "project.task.type"


@pytest.fixture
def odoo() -> Iterator[OdooSimulator]:
    """An Odoo."""
    with OdooSimulator() as running:
        yield running


@pytest.fixture
def hub(isthmus_hub: Any, odoo: OdooSimulator) -> Hub:
    """A hub whose stages live in that Odoo."""
    stores = {"odoo": {"backend": "company", "models": [STAGE]}}
    made: Hub = isthmus_hub(settings={"plugins": ("odoo",), "models": (), "stores": stores})
    with made.env() as env:
        company = env["odoo.backend"].create({"name": "company", "url": odoo.url})
        company.set_credentials({"key": odoo.password})
        company.set_options({"database": odoo.database, "login": odoo.login})
    return made


def hide(odoo: OdooSimulator, stage: int) -> None:
    """Let a record rule keep a stage from everybody."""
    known = odoo.world.registry[STAGE]
    known.rule = lambda _env, _operation: lambda row: row["id"] != stage  # type: ignore[method-assign]


def spoil(odoo: OdooSimulator, stage: int) -> None:
    """Let a stage be one that cannot be read."""
    usual = odoo.world.execute

    def execute(uid: int, model: str, method: str, *arguments: Any) -> Any:
        told = usual(uid, model, method, *arguments)
        if (model, method) == (STAGE, "read") and any(row["id"] == stage for row in told):
            raise errors.user_error("division by zero")
        return told

    odoo.world.execute = execute  # type: ignore[method-assign]


@pytest.mark.parametrize(("harm", "error"), [(hide, HiddenRecordError), (spoil, InvalidDataError)])
def test_what_cannot_be_shown_is_refused_alone(
    hub: Hub, odoo: OdooSimulator, harm: Callable[[OdooSimulator, int], None], error: type[ParkError]
) -> None:
    """And what is brought with it can be decided upon."""
    stages = [odoo.as_user("admin").create(STAGE, {"name": name}) for name in "abc"]
    harm(odoo, stages[1])

    with hub.env() as env:
        gathering = Gathering(env)
        needs = [NotGathered(STAGE, stage, "name") for stage in stages]
        for need in needs:
            gathering.note(need)
        gathering.bring()

        with env.in_phase(DECIDE):
            assert [env[STAGE].browse(stages[n])["name"] for n in (0, 2)] == ["a", "c"]
        with pytest.raises(error):
            gathering.note(needs[1])
