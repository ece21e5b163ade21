"""Code tables: declared once, used in both directions."""

import pytest

from isthmus.component import Component
from isthmus.errors import MappingError
from isthmus.mapping import ExportMapper, ImportMapper, RecordMapper, translate


class Codes(RecordMapper, Component):
    _name = "test.codes"
    _apply_on = "sale.order"
    codes = {
        "priority": [("low", 0), ("normal", 1), ("medium", 1)],
        "kind": [(None, "standard"), ("x", "extra")],
    }


class In(ImportMapper):
    _name = "test.codes.import"
    direct = [(translate("priority"), "priority"), (translate("type", "kind"), "kind")]


class Out(ExportMapper):
    _name = "test.codes.export"
    direct = [(translate("priority"), "priority"), (translate("kind"), "type")]


def test_both_directions_use_one_table(house):
    """
    What goes out comes back.
    """
    payload = {"priority": "low", "type": "x"}
    ours = house.mapper(In, Codes).map_record(payload).values()
    back = house.mapper(Out, Codes).map_record(house.record("sale.order", 1, **ours)).values()

    assert ours == {"priority": 0, "kind": "extra"}
    assert back == payload


def test_where_a_code_stands_twice_the_first_pair_counts(house):
    """
    Several codes of theirs may be one of ours.
    """
    codes = house.work(Codes).component(Codes)

    assert [codes.to_internal("priority", code) for code in ("normal", "medium")] == [1, 1]
    assert codes.to_external("priority", 1) == "normal"


def test_none_stays_none_unless_the_table_has_it(house):
    """
    No code is no code on the other side.
    """
    codes = house.work(Codes).component(Codes)

    assert codes.to_internal("priority", None) is None
    assert codes.to_internal("kind", None) == "standard"
    assert codes.to_external("kind", "standard") is None


@pytest.mark.parametrize("value", ["urgent", ["low"]])
def test_an_unknown_code_is_named_with_its_table_and_place(house, value):
    """
    The codes that exist are listed.
    """
    with pytest.raises(MappingError) as caught:
        house.mapper(In, Codes).map_record({"id": "o1", "priority": value}).values()

    assert str(caught.value) == (
        f"mapper 'test.codes.import', field 'priority', record (external ID 'o1'): "
        f"record mapper 'test.codes': table 'priority' has no code {value!r} ({type(value).__name__}); "
        f"it has ['low', 'normal', 'medium']"
    )


def test_an_unknown_table_is_named(house):
    """
    The tables that exist are listed.
    """
    codes = house.work(Codes).component(Codes)

    with pytest.raises(MappingError, match=r"no table 'colour'; it has \['kind', 'priority'\]"):
        codes.to_internal("colour", "red")
