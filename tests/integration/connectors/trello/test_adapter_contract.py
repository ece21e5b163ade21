"""Boards, lists and cards keep the contract of all adapters."""

import pytest

from isthmus.testing.adapter_contract import AdapterContract

NO_SUCH_ID = "5f00000000000000000000ff"


class TestBoards(AdapterContract):
    missing_id = NO_SUCH_ID
    deletes = False

    @pytest.fixture(autouse=True)
    def connected(self, adapter_for):
        self.make_adapter = lambda: adapter_for("trello.board")

    def make_values(self, number):
        return {"name": f"board {number}", "desc": f"about {number}"}


class TestLists(AdapterContract):
    missing_id = NO_SUCH_ID
    deletes = False

    @pytest.fixture(autouse=True)
    def connected(self, adapter_for, simulator):
        self.board = simulator.state.create_board("Website")["id"]
        self.make_adapter = lambda: adapter_for("trello.list")

    def make_values(self, number):
        return {"name": f"list {number}", "idBoard": self.board}

    def filters(self):
        return {"idBoard": self.board}


class TestCards(AdapterContract):
    missing_id = NO_SUCH_ID
    marks = True
    # More than one page of the probe, fewer than one of the walk: that has its own test.
    count = 120

    @pytest.fixture(autouse=True)
    def connected(self, adapter_for, simulator):
        self.board = simulator.state.create_board("Website")
        self.list = simulator.state.create_list(self.board, "To do")["id"]
        self.make_adapter = lambda: adapter_for("trello.card")

    def make_values(self, number):
        return {
            "name": f"card {number} é漢\U0001f600",
            "desc": f"*{number}*",
            "idList": self.list,
            "closed": number == 2,
        }

    def filters(self):
        return {"idBoard": self.board["id"]}
