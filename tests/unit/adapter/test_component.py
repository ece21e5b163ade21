"""The adapter components and what they promise before anybody subclasses them."""

from datetime import UTC, datetime

import pytest

from isthmus.adapter import BackendAdapter, CRUDAdapter, ExportAdapter, SearchAdapter
from isthmus.component import Component, ComponentRegistry, WorkContext
from isthmus.env import CreateSafety
from isthmus.errors import IDMissingInBackend, InvalidDataError

NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Shop:
    """Stands for the env and the backend of a small shop in memory."""

    _name = "shop.backend"

    def __init__(self, registry):
        self.env = self
        self.components = registry
        self.rows = {"0": {"id": 0, "name": "zero"}, "1": {"id": 1, "name": "one"}}


class ShopAdapter(CRUDAdapter):
    """As small as an adapter can be."""

    _name = "shop.test.adapter"
    _collection = "shop.backend"

    def search(self, filters=None):
        yield from [*self.collection.rows, "gone"]

    def read(self, external_id, fields=None):
        if external_id not in self.collection.rows:
            msg = f"no row {external_id}"
            raise IDMissingInBackend(msg)
        return self.collection.rows[external_id]

    def write(self, external_id, values):
        return self.collection.rows[external_id] | values


@pytest.fixture
def adapter():
    """The adapter as a synchroniser finds it."""
    bases = [BackendAdapter, SearchAdapter, ExportAdapter, CRUDAdapter]
    registry = ComponentRegistry.build([*bases, ShopAdapter])
    return WorkContext(model_name=None, collection=Shop(registry)).component(usage="backend.adapter")


def test_an_adapter_is_found_by_its_usage(adapter):
    """
    The bases are abstract: only what a connector declares is found.
    """
    assert isinstance(adapter, ShopAdapter)


@pytest.mark.parametrize("base", [BackendAdapter, SearchAdapter, ExportAdapter, CRUDAdapter])
def test_the_bases_are_abstract(base):
    """
    A lookup never gives an adapter that can do nothing.
    """
    registry = ComponentRegistry.build([BackendAdapter, SearchAdapter, ExportAdapter, CRUDAdapter])

    assert registry[base._name]._abstract is True


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("create", [{}]), ("delete", ["1"]), ("find_created", ["key", {}, NOW])],
)
def test_a_method_without_code_names_itself_and_its_adapter(adapter, method, arguments):
    """
    The connector's author reads what is missing.
    """
    with pytest.raises(
        NotImplementedError, match=rf"^adapter shop\.test\.adapter .* implement {method}\(\)$"
    ):
        getattr(adapter, method)(*arguments)


def test_the_halves_name_what_they_lack_too():
    """
    Reading and writing are refused in the same words.
    """

    class Bare(Component, CRUDAdapter):
        _name = "bare.test.adapter"
        _register = False

    bare = Bare(work=None)
    calls = [bare.search, lambda: bare.read("1"), lambda: bare.write("1", {}), lambda: bare.update("1", {})]
    names = []
    for call in calls:
        with pytest.raises(NotImplementedError) as caught:
            call()
        names.append(str(caught.value).split()[-1])

    assert names == ["search()", "read()", "write()", "write()"]


def test_search_read_leaves_out_what_is_deleted_meanwhile(adapter):
    """
    A record that goes away under the walk is no failure of the walk.
    """
    assert list(adapter.search_read()) == [{"id": 0, "name": "zero"}, {"id": 1, "name": "one"}]


def test_read_many_says_which_are_missing(adapter):
    """
    Each ID once, None for what is not there.
    """
    found = adapter.read_many(["1", "7", "0", "1"])

    assert found == {"1": {"id": 1, "name": "one"}, "7": None, "0": {"id": 0, "name": "zero"}}


def test_update_is_write_by_its_other_name(adapter):
    """
    Both words are in use in the field.
    """
    assert adapter.update("1", {"name": "uno"}) == {"id": 1, "name": "uno"}


@pytest.mark.parametrize(("value", "external_id"), [(0, "0"), ("0", "0"), (17, "17"), (" a", " a")])
def test_an_external_id_is_text_exactly_as_the_other_side_spells_it(adapter, value, external_id):
    """
    Integers become text, and 0 is an ID.
    """
    assert adapter.external_id_of({"id": value}) == external_id


@pytest.mark.parametrize("payload", [{}, {"id": None}, {"id": ""}, {"id": False, "name": "x"}])
def test_a_record_without_an_id_is_a_data_error(adapter, payload):
    """
    The message names the adapter and what the record has.
    """
    with pytest.raises(InvalidDataError, match=r"record without ID came from shop\.test\.adapter"):
        adapter.external_id_of(payload)


def test_nothing_is_promised_about_creates_by_default(adapter):
    """
    An adapter must say that repeated creates are safe; otherwise a person is asked.
    """
    said = [adapter.create_safety, adapter.creation_key({"id": 1}), adapter.created_at({"id": 1})]

    assert said == [CreateSafety.NONE, None, None]
