"""What goes between a source field and a target field."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.component import ComponentRegistry, WorkContext, declared_components
from isthmus.errors import ComponentDefinitionError, MappingError
from isthmus.mapping import (
    ExportMapper,
    ImportMapper,
    convert,
    external_to_m2o,
    follow_m2o_relations,
    m2o_to_external,
    none,
    translate,
)
from isthmus.mapping.modifiers import source_field

PARTNER = "shop.partner"


def upper(field):
    """A modifier as the field's own are written: it closes over `field`."""

    def modifier(self, record, to_attr):
        return record[field].upper()

    return modifier


def shout(name):
    """One that closes over another name, and does not say its source."""

    def modifier(self, record, to_attr):
        return f"{record.get(name)}!"

    return modifier


class NoneImport(ImportMapper):
    _name = "test.modifier.none"
    direct = [(none("value"), "value")]


class TextImport(ImportMapper):
    _name = "test.modifier.text.import"
    direct = [(convert("theirs", int), "ours"), (none("kept"), "kept")]


class TextExport(ExportMapper):
    _name = "test.modifier.text.export"
    direct = [(convert("ours", str), "theirs"), ("kept", "kept")]


class PartnerImport(ImportMapper):
    _name = "test.modifier.partner.import"
    direct = [(external_to_m2o("customer", binding=PARTNER), "partner_id")]


class PartnerExport(ExportMapper):
    _name = "test.modifier.partner.export"
    direct = [(m2o_to_external("partner_id", binding=PARTNER), "customer")]


class ImplicitImport(ImportMapper):
    _name = "test.modifier.implicit.import"
    direct = [("customer", "partner_id"), ("name", "name")]


class ImplicitExport(ExportMapper):
    _name = "test.modifier.implicit.export"
    direct = [("partner_id", "customer"), ("name", "name")]


@pytest.fixture
def partner(house):
    """A partner of ours that the shop calls "0"."""
    ours = house.record("res.partner", 5, name="Ada")
    house.binding(PARTNER, "res.partner")
    house.bind(PARTNER, "0", ours)
    return ours


class TestNone:
    @pytest.mark.parametrize(("value", "mapped"), [("", None), (False, None), ([], None), (None, None)])
    def test_what_stands_for_nothing_becomes_none(self, house, value, mapped):
        """
        Empty text, False and empty lists.
        """
        assert house.mapper(NoneImport).map_record({"value": value}).values() == {"value": mapped}

    @pytest.mark.parametrize("value", [0, 0.0, Decimal(0), True, "0", " "])
    def test_everything_else_stays(self, house, value):
        """
        A number is no nothing, zero neither.
        """
        assert house.mapper(NoneImport).map_record({"value": value}).values() == {"value": value}


class TestConvert:
    def test_none_is_not_converted_and_zero_is(self, house):
        """
        None means nothing on every side.
        """
        mapper = house.mapper(TextImport)

        assert mapper.map_record({"theirs": None}).values() == {"ours": None}
        assert mapper.map_record({"theirs": "0"}).values() == {"ours": 0}

    def test_an_empty_text_has_its_remedy_in_the_message(self, house):
        """
        Whether it means nothing is for the connector to say.
        """
        with pytest.raises(MappingError, match=r"put none\(\) inside"):
            house.mapper(TextImport).map_record({"theirs": ""}).values()

    @given(ours=st.integers() | st.none(), kept=st.text(min_size=1) | st.integers() | st.none())
    def test_a_round_trip_gives_back_what_went_out(self, ours, kept):
        """
        Exported and imported again, values are what they were.
        """
        registry = ComponentRegistry.build([*declared_components("isthmus.mapping"), TextImport, TextExport])
        work = WorkContext(env=type("Env", (), {"components": registry})())

        out = work.component(TextExport).map_record({"ours": ours, "kept": kept}).values()
        back = work.component(TextImport).map_record(out).values()

        assert back == {"ours": ours, "kept": kept}


class TestManyToOne:
    def test_an_external_id_becomes_our_key(self, house, partner):
        """
        Zero is an ID, as a number and as text.
        """
        mapper = house.mapper(PartnerImport)

        assert mapper.map_record({"customer": 0}).values() == {"partner_id": 5}
        assert mapper.map_record({"customer": "0"}).values() == {"partner_id": 5}

    @pytest.mark.parametrize("empty", [None, "", False])
    def test_no_external_id_is_no_record(self, house, partner, empty):
        """
        An empty reference empties ours.
        """
        assert house.mapper(PartnerImport).map_record({"customer": empty}).values() == {"partner_id": None}

    def test_an_unknown_external_id_is_named_with_its_binding_model(self, house, partner):
        """
        The message says what to import first.
        """
        with pytest.raises(MappingError) as caught:
            house.mapper(PartnerImport).map_record({"id": "o1", "customer": "c9"}).values()

        assert str(caught.value) == (
            "mapper 'test.modifier.partner.import', field 'customer', record (external ID 'o1'): "
            "'shop.partner' knows no external ID 'c9'; import it first: "
            "let the importer's _import_dependencies yield it"
        )

    @pytest.mark.parametrize("value", [["c1"], {"id": "c1"}, True, 1.5])
    def test_what_cannot_be_an_external_id_is_refused(self, house, partner, value):
        """
        The type is named.
        """
        with pytest.raises(MappingError, match=f"this is a {type(value).__name__}"):
            house.mapper(PartnerImport).map_record({"customer": value}).values()

    def test_our_record_becomes_its_external_id(self, house, partner):
        """
        And none becomes none.
        """
        mapper = house.mapper(PartnerExport)

        assert mapper.map_record(house.record("sale.order", 1, partner_id=partner)).values() == {
            "customer": "0"
        }
        assert mapper.map_record(house.record("sale.order", 1, partner_id=None)).values() == {
            "customer": None
        }

    def test_a_record_that_was_never_exported_is_named(self, house, partner):
        """
        The message says what to export first.
        """
        order = house.record("sale.order", 1, partner_id=house.record("res.partner", 6))

        with pytest.raises(MappingError) as caught:
            house.mapper(PartnerExport).map_record(order).values()

        assert str(caught.value) == (
            "mapper 'test.modifier.partner.export', field 'partner_id', sale.order 1: res.partner 6 has no "
            "external ID in 'shop.partner'; export it first: let the exporter's _export_dependencies yield it"
        )

    def test_a_field_that_is_no_many2one_is_refused(self, house, partner):
        """
        The field and what it gives are named.
        """
        order = house.record("sale.order", 1, partner_id="Ada")

        with pytest.raises(MappingError, match=r"field 'partner_id'.*it gives a str"):
            house.mapper(PartnerExport).map_record(order).values()

    def test_many2one_fields_need_no_modifier(self, house):
        """
        Where the related model has the external ID itself, both directions translate it.
        """
        house.field("sale.order", "partner_id", "many2one", "res.partner")
        house.field("sale.order", "name")
        ours = house.record("res.partner", 5)
        house.binding("res.partner", "res.partner", c1=ours)

        payload = {"customer": "c1", "name": "S1"}
        order = house.record("sale.order", 1, partner_id=ours, name="S1")

        assert house.mapper(ImplicitImport).map_record(payload).values() == {"partner_id": 5, "name": "S1"}
        assert house.mapper(ImplicitExport).map_record(order).values() == payload

    def test_the_same_mapper_on_another_model_follows_that_model(self, house):
        """
        A field that is a many2one here and text there is treated so.
        """
        house.field("sale.order", "partner_id", "many2one", "res.partner")
        house.field("sale.quote", "partner_id", "char")
        house.binding("res.partner", "res.partner", c1=house.record("res.partner", 5))
        work = house.work(ImplicitImport)

        values = [
            work.work_on(model).component(ImplicitImport).map_record({"customer": "c1"}).values()
            for model in ("sale.order", "sale.quote", "sale.order")
        ]

        assert values == [{"partner_id": 5}, {"partner_id": "c1"}, {"partner_id": 5}]


class TestFollow:
    def test_relations_are_walked_until_one_is_empty(self, house):
        """
        An empty relation on the way gives None.
        """

        class Country(ExportMapper):
            _name = "test.modifier.country"
            direct = [(follow_m2o_relations("partner_id.country_id.code"), "country")]

        country = house.record("res.country", 1, code="IT")
        mapper = house.mapper(Country)
        there = house.record("x", 1, partner_id=house.record("y", 1, country_id=country))
        nowhere = house.record("x", 1, partner_id=house.record("y", 1, country_id=None))

        assert mapper.map_record(there).values() == {"country": "IT"}
        assert mapper.map_record(nowhere).values() == {"country": None}
        assert mapper.plan.reads == ("partner_id",)

    def test_nested_objects_of_a_payload_are_walked_too(self, house):
        """
        What is not there is None.
        """

        class City(ImportMapper):
            _name = "test.modifier.city"
            direct = [(follow_m2o_relations("address.city"), "city")]

        mapper = house.mapper(City)

        assert mapper.map_record({"address": {"city": "Turin"}}).values() == {"city": "Turin"}
        assert mapper.map_record({"address": {}}).values() == {"city": None}
        assert mapper.map_record({}).values() == {}


class TestComposition:
    def test_modifiers_take_modifiers(self, house, partner):
        """
        In any order, and the source stays known.
        """

        class Composed(ExportMapper):
            _name = "test.modifier.composed"
            direct = [
                (
                    convert(m2o_to_external(follow_m2o_relations("order_id.partner_id"), PARTNER), int),
                    "customer",
                ),
                (none(convert("qty", str)), "qty"),
                (convert(none("price"), Decimal), "price"),
            ]

        order = house.record("sale.order", 1, partner_id=partner)
        line = house.record("sale.line", 1, order_id=order, qty=0, price="")
        mapper = house.mapper(Composed)

        assert mapper.map_record(line).values() == {"customer": 0, "qty": "0", "price": None}
        assert mapper.plan.reads == ("order_id", "qty", "price")

    def test_modifiers_written_as_before_keep_working(self, house):
        """
        A function of a field that gives a function of mapper, record and target.
        """

        class Custom(ImportMapper):
            _name = "test.modifier.custom"
            direct = [(upper("name"), "name"), (none(upper("code")), "code")]

        mapper = house.mapper(Custom)

        assert mapper.map_record({"name": "a", "code": ""}).values() == {"name": "A", "code": None}
        assert mapper.map_record({}).values() == {}
        assert mapper.plan.reads == ("name", "code")

    def test_a_modifier_that_does_not_say_its_source_always_runs_one_way(self, house):
        """
        Unless the source is said for it.
        """

        class Unsaid(ImportMapper):
            _name = "test.modifier.unsaid"
            direct = [(shout("a"), "a"), (none(shout("b"), source="b"), "b")]

        mapper = house.mapper(Unsaid)

        assert [(e.name, e.reads, e.two_way) for e in mapper.plan.entries] == [
            ("a", (), False),
            ("b", ("b",), True),
        ]
        assert mapper.map_record({}).values() == {"a": "None!"}
        assert mapper.map_record({"b": 1}).values(fields=["b"]) == {"a": "None!", "b": "1!"}

    def test_a_source_may_be_said_by_an_attribute(self):
        """
        Any callable can say it.
        """
        modifier = shout("a")
        modifier.source = "a"

        assert source_field(modifier) == "a"
        assert source_field(lambda mapper, record, to_attr: 1) is None

    def test_a_modifier_that_fails_is_located(self, house):
        """
        Mapper, field and record are named.
        """

        class Failing(ImportMapper):
            _name = "test.modifier.failing"
            direct = [(upper("name"), "name")]

        with pytest.raises(MappingError) as caught:
            house.mapper(Failing).map_record({"id": 3, "name": 5}).values()

        assert str(caught.value) == (
            "mapper 'test.modifier.failing', field 'name', record (external ID '3'): "
            "AttributeError: 'int' object has no attribute 'upper'"
        )


def test_translate_without_a_known_table_is_refused():
    """
    Neither a table nor a source is known.
    """
    with pytest.raises(ComponentDefinitionError, match="name of a table"):
        translate(shout("a"))
