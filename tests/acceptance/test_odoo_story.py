"""The Trello story where our side is an Odoo, over each protocol, and on a real one where it is named."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from people import people_of
from story import TrelloStory
from world import OdooLogin, World, beside_odoo, on_odoo

from isthmus.testing import SteppingClock
from isthmus.testing.databases import Databases
from isthmus.testing.odoo_target import OdooTarget

REAL = OdooTarget.from_environment()


@contextmanager
def on_real(databases: Databases, folder: Path, target: OdooTarget) -> Iterator[World]:
    """A world beside a server that nobody else works on meanwhile; it is left as it was found."""
    login = OdooLogin(target.url, target.login.database, str(target.login.login), target.login.secret)
    people = people_of(login.url, login.database, login.login, login.secret)
    with target.client() as client:
        target.refuse_used(client)
        try:
            with beside_odoo(databases, folder, SteppingClock(), login, people) as world:
                yield world
        finally:
            target.clear(client)


@pytest.mark.parametrize("server", ["18.0", *([pytest.param(REAL, id="real")] if REAL else [])])
def test_the_story_on_an_odoo(databases: Databases, tmp_path: Path, server: str | OdooTarget) -> None:
    """Three boards and three projects of an Odoo stay in step; nothing is installed in it."""
    place = on_odoo if isinstance(server, str) else on_real
    with place(databases, tmp_path, server) as world:
        TrelloStory(world).tell()


@pytest.mark.chaos
@pytest.mark.parametrize("version", ["14.0", "17.0", "19.0", "20.0"])
def test_the_story_on_other_odoos(databases: Databases, tmp_path: Path, version: str) -> None:
    """The same story on other versions: before 17.0 a deadline is a day, from 19.0 on it is JSON-2."""
    with on_odoo(databases, tmp_path, version) as world:
        TrelloStory(world).tell()
