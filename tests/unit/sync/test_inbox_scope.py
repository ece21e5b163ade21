"""Items about bindings that only their scope tells apart."""

from memory_connector import TwoSides

from isthmus.binding import BindingRow
from isthmus.errors import InvalidDataError
from isthmus.sync import Inbox
from isthmus.sync.item import Item
from isthmus.sync.park import park


def test_two_bindings_of_one_record_have_an_item_each(sides: TwoSides) -> None:
    """
    A record that stands twice there, and was exported to neither place, is in the inbox twice.
    """
    with sides.hub.env() as env:
        for scope in ("here", "there", "here"):
            item = Item(model="memory.thing", binding=BindingRow(record_id="7", scope=scope))
            park(env, sides.backend_id, item, InvalidDataError("refused"), direction="export")

    with sides.hub.env() as env:
        found = [(i["scope"], i["times"]) for i in Inbox(env).list()]

    assert found == [("here", 2), ("there", 1)]
