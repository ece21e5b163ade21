"""The Trello story on each store, with each create safety."""

from pathlib import Path

import pytest
from story import TrelloStory
from world import on_remote, on_sql

from isthmus.testing.databases import KINDS, Databases, Kind


@pytest.mark.parametrize("kind", KINDS)
def test_the_story_on_the_sql_store(databases: Databases, tmp_path: Path, kind: Kind) -> None:
    """Three boards and three projects stay in step through changes, conflicts, bad data and deletions."""
    with on_sql(databases, kind, tmp_path) as world:
        TrelloStory(world).tell()


# An Odoo is another one with a native key (`test_odoo_story.py`).
@pytest.mark.parametrize("safety", [pytest.param("native_key", marks=pytest.mark.chaos), "probe", "none"])
def test_the_story_on_a_remote_store(databases: Databases, tmp_path: Path, safety: str) -> None:
    """The same story where our records live behind an API and another client edits them."""
    with on_remote(databases, safety, tmp_path) as world:
        TrelloStory(world).tell()
