"""One record that is odd does not hold up the others; what a person must do about it is told."""

from odoo_company import TASK, Company


class TestDates:
    def test_a_mistyped_year_is_no_obstacle(self, synced: Company) -> None:
        """The others are exported and imported as ever, and the record is quiet."""
        first, second, *_ = synced.names_there()
        synced.robin.write(TASK, synced.task(first), {"date_deadline": "0024-05-01 12:00:00"})
        synced.robin.write(TASK, synced.task(second), {"name": "Changed here"})
        synced.trello.state.create_card(synced.lists[0], name="New there")

        told = synced.sync()

        assert (told.code, told.err) == (0, "")
        assert "Changed here" in synced.names_there()
        assert "New there" in synced.names_here()
        assert (synced.inbox(), synced.effects(), synced.nothing_moves(1)) == ([], 0, True)
