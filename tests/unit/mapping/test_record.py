"""What a map record and its options are to those who hold them."""

import pytest

from isthmus.errors import MappingError
from isthmus.mapping import ImportMapper, MapOptions


class Plain(ImportMapper):
    _name = "test.record.plain"
    direct = [("name", "name")]


def test_a_map_record_shows_no_values(house):
    """
    Values may be personal, and a repr goes into logs.
    """
    record = house.mapper(Plain).map_record({"name": "Ada"})

    assert repr(record) == "<map record of dict for test.record.plain>"


def test_forced_values_stay_for_every_run(house):
    """
    Several updates add up.
    """
    record = house.mapper(Plain).map_record({"name": "Ada"})
    record.update(a=1)
    record.update([("b", 2)], a=3)

    assert [record.values(), record.values()] == [{"name": "Ada", "a": 3, "b": 2}] * 2


def test_python_finds_no_protocols_in_options():
    """
    Copying options does not take None for a method.
    """
    with pytest.raises(AttributeError):
        MapOptions().__deepcopy__  # noqa: B018


def test_a_failing_finalize_is_located(house):
    """
    Mapper, method and record are named.
    """

    class Final(Plain):
        _name = "test.record.final"

        def finalize(self, map_record, values):
            return {"name": values["name"], "other": values["other"]}

    with pytest.raises(MappingError) as caught:
        house.mapper(Final).map_record({"id": 1, "name": "x"}).values()

    assert str(caught.value) == (
        "mapper 'test.record.final', method 'finalize', record (external ID '1'): KeyError: 'other'"
    )
