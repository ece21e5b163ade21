"""What a decision lacks is brought in bulk; what our store refuses to show is a matter of who needs it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from isthmus.errors import HiddenRecordError, InvalidDataError, NotGathered, ParkError
from isthmus.hub import Hub
from isthmus.mapping import ImportMapper, mapping
from isthmus.simulators.odoo import OdooSimulator, errors
from isthmus.simulators.trello import TrelloSimulator
from isthmus.sync import Inbox, service
from isthmus.sync.gathering import Gathering
from isthmus.sync.item import DECIDE
from isthmus.testing import FrozenClock

TASK, PROJECT, STAGE = "project.task", "project.project", "project.task.type"


class Urgent(ImportMapper):
    """Reads the stage of a card, which was not gathered."""

    _inherit = "trello.card.import.mapper"

    @mapping(reads=("idList", "desc"), writes=("priority",))
    def urgency(self, payload: Any) -> dict[str, Any]:
        """Tell by the name of the stage whether it is urgent."""
        stage = self.binder_for("trello.list").to_internal(payload["idList"], unwrap=True)
        return {"priority": "1" if stage["name"] == "Now" else "0"}


@pytest.fixture
def clock() -> FrozenClock:
    """The time of everything."""
    return FrozenClock()


@pytest.fixture
def odoo(clock: FrozenClock) -> Iterator[OdooSimulator]:
    """An Odoo."""
    with OdooSimulator(clock=clock) as running:
        yield running


@pytest.fixture
def hub(isthmus_hub: Any, odoo: OdooSimulator, clock: FrozenClock) -> Hub:
    """A hub whose projects live in that Odoo."""
    stores = {"odoo": {"backend": "company", "models": [PROJECT, STAGE, TASK]}}
    settings = {"plugins": ("odoo", "trello"), "models": (), "stores": stores}
    made: Hub = isthmus_hub(clock=clock, components=[Urgent], settings=settings)
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


@pytest.fixture
def trello(hub: Hub, clock: FrozenClock) -> Iterator[TrelloSimulator]:
    """A Trello with two lists of two cards, which are imported."""
    with TrelloSimulator(clock=clock) as running:
        running.seed_demo(boards=1, lists=2, cards=2)
        with hub.env() as env:
            backend = env["trello.backend"].create({"name": "trello", "url": running.url})
            backend.set_credentials({"key": running.key, "token": running.token})
            backend.set_options({"boards": [board["id"] for board in running.state.boards()]})
        with hub.env() as env:
            service.import_backend(env, service.get_backend(env, "trello"))
        clock.advance(timedelta(minutes=1))
        yield running


@pytest.mark.parametrize(("harm", "why"), [(hide, "our user may not see"), (spoil, "division by zero")])
def test_only_records_that_need_it_are_parked(
    hub: Hub,
    odoo: OdooSimulator,
    trello: TrelloSimulator,
    harm: Callable[[OdooSimulator, int], None],
    why: str,
) -> None:
    """Cards of the other list are imported, though the stages of both are brought together."""
    for card in trello.state.cards():
        trello.state.update_card(card, desc="Changed")
    harm(odoo, odoo.as_user("admin").search(STAGE, [], order="id")[0])

    with hub.env() as env:
        done = service.import_backend(env, service.get_backend(env, "trello")).done
        parked = [item["summary"] for item in Inbox(env).list()]

    assert (done["updated"], done["parked"]) == (2, 2)
    assert all(why in summary for summary in parked)
