"""Everything that a child of `isthmus.testing.crash` is going to need, imported beforehand.

No engine and no thread is made: what is forked from here must start clean.
"""

import sqlalchemy.dialects.sqlite  # noqa: F401 - all of them
from sqlalchemy.orm import configure_mappers

from isthmus.hub import Hub
from isthmus.plugin import find
from isthmus.simulators.trello import TrelloSimulator

__all__ = ["Hub", "TrelloSimulator"]

for plugin in find(["trello", "odoo"]):
    plugin.load()
configure_mappers()
