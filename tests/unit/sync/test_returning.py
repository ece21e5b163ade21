"""A job that keeps coming back at no cost comes before a person."""

from collections.abc import Callable
from typing import Any

import pytest
from memory_connector import TwoSides

from isthmus.errors import RecordLockedError
from isthmus.job.run import MANY_DEFERRALS
from isthmus.sync import BatchImporter

Make = Callable[..., TwoSides]


class LockedBatchImporter(BatchImporter):
    """Finds what it needs held by somebody, each time."""

    _name = "memory.thing.batch.importer"
    _inherit = "base.batch.importer"
    _collection = "memory.backend"
    _apply_on = "memory.thing"

    def run(self, filters: object = None) -> Any:
        raise RecordLockedError("thing 1 is being synchronised by another job")


@pytest.mark.parametrize(
    "returns", [MANY_DEFERRALS - 1, MANY_DEFERRALS, pytest.param(2 * MANY_DEFERRALS, marks=pytest.mark.chaos)]
)
def test_after_a_hundred_returns_the_inbox_has_one_item(make_sides: Make, returns: int) -> None:
    """
    The item names the job and why it came back; a hundred returns later it is renewed and not doubled.
    """
    sides = make_sides(LockedBatchImporter)
    with sides.hub.env() as env:
        backend = env["memory.backend"].search([])[0]
        ref = env["memory.thing"].with_delay().import_batch(backend)

    for _ in range(returns):
        sides.hub.queue.run_pending()
        sides.hub.queue.retry([ref.id])
    with sides.hub.env(readonly=True) as env:
        found = [
            (item["kind"], item["times"], item["summary"]) for item in env["isthmus.checkpoint"].search([])
        ]

    told = returns // MANY_DEFERRALS
    summary = (
        f"job {ref.id} (memory.thing.import_batch) has come back {told * MANY_DEFERRALS} times: "
        f"thing 1 is being synchronised by another job"
    )
    assert found == ([("review", told, summary)] if told else [])
