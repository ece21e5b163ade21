"""The contract of adapters passes a right adapter and catches wrong ones."""

from datetime import UTC, datetime
from itertools import count

import pytest

from isthmus.adapter import CRUDAdapter
from isthmus.env import CreateSafety
from isthmus.errors import IDMissingInBackend
from isthmus.testing.adapter_contract import AdapterContract


class MemoryAdapter(CRUDAdapter):
    """An adapter of a system that is a dictionary and takes our keys."""

    _name = "memory.test.adapter"
    _register = False
    create_safety = CreateSafety.NATIVE_KEY

    def __init__(self):
        self.rows, self.numbers = {}, count()

    def search(self, filters=None):
        yield from self.rows

    def read(self, external_id, fields=None):
        if external_id not in self.rows:
            msg = f"no row {external_id}"
            raise IDMissingInBackend(msg)
        return self.rows[external_id]

    def create(self, values, *, key=None):
        for external_id, row in self.rows.items():
            if key is not None and row["key"] == key:
                return external_id
        external_id = str(next(self.numbers))
        self.rows[external_id] = {**values, "id": external_id, "key": key}
        return external_id

    def write(self, external_id, values):
        self.rows[external_id] = self.read(external_id) | values
        return self.rows[external_id]

    def delete(self, external_id):
        self.read(external_id)
        del self.rows[external_id]

    def creation_key(self, payload):
        return payload["key"]


class TestNativeKey(AdapterContract):
    missing_id = "999"
    marks = True

    @pytest.fixture(autouse=True)
    def adapter(self):
        adapter = MemoryAdapter()
        self.make_adapter = lambda: adapter


class Probed(MemoryAdapter):
    """The same without keys: found by name and time."""

    _register = False
    create_safety = CreateSafety.PROBE

    def create(self, values, *, key=None):
        return super().create(values) if key is None else super().create({**values, "key": None})

    def find_created(self, key, values, since):
        return [row for row in self.rows.values() if row["name"] == values["name"]]


class TestProbe(AdapterContract):
    missing_id = "999"

    @pytest.fixture(autouse=True)
    def adapter(self):
        adapter = Probed()
        self.make_adapter = lambda: adapter


class Careless(MemoryAdapter):
    """Drops a page, forgets what was not named, promises more than it keeps, and finds too much."""

    _register = False
    create_safety = CreateSafety.PROBE

    def search(self, filters=None):
        yield from list(self.rows)[:20]

    def write(self, external_id, values):
        self.rows[external_id] = {"id": external_id, "key": None, **values}

    def created_at(self, payload):
        return datetime(1970, 1, 1, tzinfo=UTC)

    def delete(self, external_id):
        self.rows.pop(external_id, None)

    def find_created(self, key, values, since):
        return list(self.rows.values())


@pytest.mark.parametrize(
    ("test", "arguments"),
    [
        ("test_search_yields_each_id_once", []),
        ("test_a_write_changes_what_it_names_and_nothing_else", []),
        ("test_a_missing_record_is_told_as_missing", ["write"]),
        ("test_a_missing_record_is_told_as_missing", ["delete"]),
        ("test_the_time_of_making_is_now_or_not_told", []),
        ("test_a_repeated_create_is_as_safe_as_the_adapter_says", []),
        ("test_a_probe_does_not_find_what_was_never_made", []),
    ],
)
def test_a_careless_adapter_does_not_pass(test, arguments):
    """
    Each promise that it breaks fails the test of that promise.
    """
    contract = AdapterContract()
    contract.missing_id = "999"
    contract.make_values = lambda number: {"name": f"record {number}", "colour": "red"}
    adapter = Careless()
    contract.make_adapter = lambda: adapter

    with pytest.raises((AssertionError, pytest.fail.Exception, KeyError)):
        getattr(contract, test)(*arguments)


def test_a_contract_without_an_adapter_says_what_is_missing():
    """
    The subclass must say where its adapter comes from.
    """
    with pytest.raises(NotImplementedError, match="AdapterContract must implement make_adapter"):
        AdapterContract().make_adapter()
