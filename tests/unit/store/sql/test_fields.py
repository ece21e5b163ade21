"""What fields a mapped class is told to have."""

from itertools import permutations

import pytest

from isthmus.backend import Backend
from isthmus.connectors.odoo.models import OdooBackend
from isthmus.connectors.trello.models import TrelloBackend, TrelloCard
from isthmus.store.sql.fields import fields_of

CLASSES: list[type] = [Backend, OdooBackend, TrelloBackend, TrelloCard]


@pytest.mark.parametrize("order", list(permutations(CLASSES))[::5])
def test_a_key_of_a_shared_table_points_to_the_class_of_all_its_rows(order: tuple[type, ...]) -> None:
    """A binding names some backend, of whatever type, also when several types are enabled."""
    names = {cls: cls._name for cls in order}  # type: ignore[attr-defined]  # models

    fields = fields_of(TrelloCard.__mapper__, names)

    assert fields["backend_id"].relation == "connector.backend"
