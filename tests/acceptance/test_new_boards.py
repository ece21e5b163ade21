"""New projects become boards, one at a time, and every one of them is selected."""

from datetime import timedelta
from pathlib import Path

import pytest
from world import on_sql

from isthmus.testing.databases import KINDS, Databases, Kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_board_waits_while_another_process_selects_one(
    databases: Databases, tmp_path: Path, kind: Kind
) -> None:
    """The selection is one value: who writes it must have read the latest."""
    with on_sql(databases, kind, tmp_path) as world:
        world.connect(world.trello)
        world.options(export_domain={"project.project": []})
        with world.ours() as env:
            env["project.project"].create([{"name": "First"}, {"name": "Second"}])
        held = world.hub.locks.take(["1/boards"], lasting=timedelta(hours=1))
        world.hub.queue.run_pending()
        meanwhile = world.people.boards()

        world.hub.locks.release(held)
        world.run_jobs()
        with world.hub.env(readonly=True) as env:
            selected = world.backend(env).option("boards")

        assert meanwhile == []
        assert selected == [board["id"] for board in world.people.boards()]
        assert len(selected) == 2
