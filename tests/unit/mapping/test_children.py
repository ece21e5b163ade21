"""Lines: the records that belong to the record being mapped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import ComponentDefinitionError, MappingError, NoComponentError
from isthmus.mapping import (
    ExportMapper,
    ImportMapChild,
    ImportMapper,
    Mapper,
    changed_by,
    mapping,
    only_create,
)

LINE = "shop.line"


class OrderImport(ImportMapper):
    _name = "test.child.order.import"
    _apply_on = "sale.order"
    direct = [("ref", "name")]
    children = [("items", "line_ids", LINE)]


class AnyLineImport(ImportMapper):
    _name = "test.child.line.any"
    _abstract = True
    _apply_on = LINE
    direct = [("sku", "sku"), ("qty", "qty")]

    @only_create
    @mapping
    def origin(self, record):
        return {"origin": "shop"}


class LineImport(AnyLineImport):
    _name = "test.child.line.import"


class KeyedLineImport(AnyLineImport):
    _name = "test.child.line.keyed"
    _map_child_key = ("sku",)


class OrderExport(ExportMapper):
    _name = "test.child.order.export"
    _apply_on = "sale.order"
    children = [("line_ids", "items", LINE)]


class LineExport(ExportMapper):
    _name = "test.child.line.export"
    _apply_on = LINE
    direct = [("sku", "sku"), ("qty", "qty")]

    @only_create
    @mapping
    def origin(self, record):
        return {"origin": "ours"}


@pytest.fixture
def shop(house):
    """A house with orders, lines, and bindings of lines."""
    house.field("sale.order", "line_ids", "one2many", "sale.line")
    house.binding(LINE, "sale.line")
    return house


def line(house, key, sku, qty, external_id=None):
    """A line of ours, bound if it has an external ID."""
    made = house.record("sale.line", key, sku=sku, qty=qty)
    if external_id is not None:
        house.bind(LINE, external_id, made)
    return made


class TestImport:
    def test_lines_of_a_new_parent_are_created(self, shop):
        """
        Each as for a new record.
        """
        mapper = shop.mapper(OrderImport, LineImport)

        values = mapper.map_record({"ref": "S1", "items": [{"id": 1, "sku": "a", "qty": 0}]}).values(
            for_create=True
        )

        assert values == {"name": "S1", "line_ids": [(0, 0, {"sku": "a", "qty": 0, "origin": "shop"})]}

    def test_importing_twice_updates_adds_and_removes(self, shop):
        """
        By the bindings of the lines.
        """
        kept, gone = line(shop, 1, "a", 1, "10"), line(shop, 2, "b", 1, "11")
        order = shop.record("sale.order", 1, line_ids=[kept, gone])
        payload = {"items": [{"id": 12, "sku": "c", "qty": 1}, {"id": 10, "sku": "a", "qty": 5}]}

        values = shop.mapper(OrderImport, LineImport).map_record(payload).values(existing=order)

        assert values["line_ids"] == [
            (2, 2, 0),
            (0, 0, {"sku": "c", "qty": 1, "origin": "shop"}),
            (1, 1, {"sku": "a", "qty": 5}),
        ]

    def test_a_line_of_ours_that_was_never_exported_stays(self, shop):
        """
        It waits for its export, their payload cannot know it.
        """
        order = shop.record("sale.order", 1, line_ids=[line(shop, 1, "a", 1, "10"), line(shop, 2, "new", 1)])

        values = shop.mapper(OrderImport, LineImport).map_record({"items": []}).values(existing=order)

        assert values["line_ids"] == [(2, 1, 0)]

    def test_a_line_moved_from_another_parent_is_moved_here(self, shop):
        """
        It is neither doubled nor left where it was.
        """
        line(shop, 7, "a", 1, "10")
        order = shop.record("sale.order", 1, line_ids=[])

        payload = {"items": [{"id": 10, "sku": "a", "qty": 2}]}
        values = shop.mapper(OrderImport, LineImport).map_record(payload).values(existing=order)

        assert values["line_ids"] == [(4, 7, 0), (1, 7, {"sku": "a", "qty": 2})]

    def test_a_natural_key_tells_lines_apart(self, shop):
        """
        Equal keys are taken in their order.
        """
        order = shop.record(
            "sale.order", 1, line_ids=[line(shop, 1, "a", 1), line(shop, 2, "a", 2), line(shop, 3, "b", 3)]
        )
        payload = {"items": [{"sku": "a", "qty": 9}, {"sku": "c", "qty": 8}]}

        values = shop.mapper(OrderImport, KeyedLineImport).map_record(payload).values(existing=order)

        assert values["line_ids"] == [
            (2, 2, 0),
            (2, 3, 0),
            (1, 1, {"sku": "a", "qty": 9}),
            (0, 0, {"sku": "c", "qty": 8, "origin": "shop"}),
        ]

    def test_a_key_that_is_a_relation_is_compared_by_its_key(self, shop):
        """
        Our line gives a record, the mapped values its key.
        """

        class ByProduct(ImportMapper):
            _name = "test.child.line.product"
            _apply_on = LINE
            _map_child_key = ("product_id",)
            direct = [("product", "product_id")]

        ours = shop.record("sale.line", 1, product_id=shop.record("product", 5))
        order = shop.record("sale.order", 1, line_ids=[ours])

        values = (
            shop.mapper(OrderImport, ByProduct).map_record({"items": [{"product": 5}]}).values(existing=order)
        )

        assert values["line_ids"] == [(1, 1, {"product_id": 5})]

    @pytest.mark.parametrize(("items", "commands"), [(None, [(2, 1, 0)]), ([], [(2, 1, 0)])])
    def test_no_lines_remove_ours(self, shop, items, commands):
        """
        None is the empty value here, too.
        """
        order = shop.record("sale.order", 1, line_ids=[line(shop, 1, "a", 1, "10")])

        values = shop.mapper(OrderImport, LineImport).map_record({"items": items}).values(existing=order)

        assert values == {"line_ids": commands}

    def test_an_absent_field_of_lines_changes_none(self, shop):
        """
        A partial payload removes nothing.
        """
        order = shop.record("sale.order", 1, line_ids=[line(shop, 1, "a", 1, "10")])

        assert shop.mapper(OrderImport, LineImport).map_record({}).values(existing=order) == {}

    def test_changed_fields_and_for_create_of_the_parent_stay_with_the_parent(self, shop):
        """
        A line is mapped whole, and as new only if it is; other options reach it.
        """
        seen = []

        class Watching(AnyLineImport):
            _name = "test.child.line.watching"

            @mapping
            @changed_by("nothing")
            def watch(self, record):
                seen.append((
                    self.options.fields,
                    self.options.for_create,
                    self.options.lang,
                    self.options.external_id,
                ))

        order = shop.record("sale.order", 1, line_ids=[line(shop, 1, "a", 1, "10")])
        payload = {"ref": "S1", "items": [{"id": 10, "sku": "a", "qty": 1}, {"id": 11, "sku": "b", "qty": 1}]}

        values = (
            shop
            .mapper(OrderImport, Watching)
            .map_record(payload)
            .values(for_create=True, fields=["items"], existing=order, lang="fr", external_id="o1")
        )

        assert values == {
            "line_ids": [
                (1, 1, {"sku": "a", "qty": 1}),
                (0, 0, {"sku": "b", "qty": 1, "origin": "shop"}),
            ]
        }
        assert seen == [(None, False, "fr", None), (None, True, "fr", None)]

    def test_lines_of_lines_are_compared_with_their_own(self, shop):
        """
        At any depth.
        """

        class Parent(AnyLineImport):
            _name = "test.child.line.parent"
            _map_child_key = ("sku",)
            children = [("taxes", "tax_ids", "sale.tax")]

        class Tax(ImportMapper):
            _name = "test.child.tax"
            _apply_on = "sale.tax"
            _map_child_key = ("code",)
            direct = [("code", "code")]

        taxes = [shop.record("sale.tax", 1, code="v"), shop.record("sale.tax", 2, code="w")]
        order = shop.record("sale.order", 1, line_ids=[shop.record("sale.line", 1, sku="a", tax_ids=taxes)])
        payload = {"items": [{"sku": "a", "taxes": [{"code": "w"}, {"code": "x"}]}]}

        values = shop.mapper(OrderImport, Parent, Tax).map_record(payload).values(existing=order)

        assert values["line_ids"] == [
            (1, 1, {"sku": "a", "tax_ids": [(2, 1, 0), (1, 2, {"code": "w"}), (0, 0, {"code": "x"})]})
        ]

    def test_hooks_of_a_connector_are_asked(self, shop):
        """
        A line left out is no line; values and format can be changed.
        """

        class Own(ImportMapChild):
            _name = "test.child.own"
            _apply_on = LINE

            def skip_item(self, map_record):
                return map_record.source["qty"] == 0

            def get_item_values(self, map_record, to_attr, options):
                return {
                    **super().get_item_values(map_record, to_attr, options),
                    "parent": map_record.parent.source["ref"],
                }

            def format_items(self, items_values):
                return [*super().format_items(items_values), "end"]

        order = shop.record("sale.order", 1, line_ids=[line(shop, 1, "a", 1)])
        payload = {"ref": "S1", "items": [{"sku": "a", "qty": 0}, {"sku": "b", "qty": 1}]}

        values = shop.mapper(OrderImport, KeyedLineImport, Own).map_record(payload).values(existing=order)

        assert values["line_ids"] == [
            (2, 1, 0),
            (0, 0, {"sku": "b", "qty": 1, "origin": "shop", "parent": "S1"}),
            "end",
        ]

    def test_drawing_a_number_for_a_new_line_happens_once(self, shop):
        """
        What is for new records is not called for a line that exists, and once for one that does not.
        """
        drawn = []

        class Drawing(AnyLineImport):
            _name = "test.child.line.drawing"
            _map_child_key = ("sku",)

            @only_create
            @mapping
            def number(self, record):
                drawn.append(record["sku"])
                return {"number": len(drawn)}

        order = shop.record("sale.order", 1, line_ids=[line(shop, 1, "a", 1)])
        payload = {"items": [{"sku": "a", "qty": 1}, {"sku": "b", "qty": 1}]}

        shop.mapper(OrderImport, Drawing).map_record(payload).values(existing=order)

        assert drawn == ["b"]

    @given(
        ours=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3)), max_size=6),
        theirs=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3)), max_size=6),
    )
    def test_commands_make_our_lines_those_of_the_payload(self, new_house, ours, theirs):
        """
        Whatever was there before, and doing it twice changes nothing more.
        """
        house = new_house()
        house.field("sale.order", "line_ids", "one2many", "sale.line")
        mapper = house.mapper(OrderImport, KeyedLineImport)
        lines = [line(house, key, *values) for key, values in enumerate(ours, 1)]
        payload = {"items": [{"sku": sku, "qty": qty} for sku, qty in theirs]}

        commands = mapper.map_record(payload).values(existing=house.record("o", 1, line_ids=lines))[
            "line_ids"
        ]
        after = house.apply(commands, lines)
        again = mapper.map_record(payload).values(existing=house.record("o", 1, line_ids=after))["line_ids"]

        assert sorted((x["sku"], x["qty"]) for x in after) == sorted(theirs)
        assert {verb for verb, _, _ in again} <= {1}
        assert len(again) == len(theirs)

    @given(
        ours=st.dictionaries(st.integers(0, 5), st.integers(0, 3)),
        local=st.lists(st.integers(0, 3), max_size=2),
        theirs=st.dictionaries(st.integers(0, 5), st.integers(0, 3)),
    )
    def test_commands_by_binding_keep_only_our_own_additions(self, new_house, ours, local, theirs):
        """
        Bound lines become those of the payload, unbound ones stay.
        """
        house = new_house()
        house.field("sale.order", "line_ids", "one2many", "sale.line")
        house.binding(LINE, "sale.line")
        mapper = house.mapper(OrderImport, LineImport)
        lines = [line(house, 100 + key, f"s{key}", qty, str(key)) for key, qty in ours.items()]
        lines += [line(house, 200 + n, f"local{n}", qty) for n, qty in enumerate(local)]
        payload = {"items": [{"id": key, "sku": f"s{key}", "qty": qty} for key, qty in theirs.items()]}

        commands = mapper.map_record(payload).values(existing=house.record("o", 1, line_ids=lines))[
            "line_ids"
        ]
        after = house.apply(commands, lines)

        expected = [(f"s{key}", qty) for key, qty in theirs.items()]
        expected += [(f"local{n}", qty) for n, qty in enumerate(local)]
        assert sorted((x["sku"], x["qty"]) for x in after) == sorted(expected)


class TestErrors:
    def error_of(self, house, payload, *classes, **options):
        """The message of a mapping that fails."""
        with pytest.raises(MappingError) as caught:
            house.mapper(OrderImport, *classes).map_record(payload).values(**options)
        return str(caught.value)

    @pytest.mark.parametrize("items", [{"a": 1}, "text", 3])
    def test_lines_that_are_no_list(self, shop, items):
        """
        The field and what came instead are named.
        """
        message = self.error_of(shop, {"id": "o1", "items": items}, LineImport)

        assert message == (
            f"mapper 'test.child.order.import', field 'items', record (external ID 'o1'): "
            f"must be a list of lines, not a {type(items).__name__}"
        )

    def test_a_line_that_is_no_object(self, shop):
        """
        The line's mapper and the parent are named.
        """
        message = self.error_of(shop, {"id": "o1", "items": ["x"]}, LineImport)

        assert message == (
            "mapper 'test.child.line.import', a line of record (external ID 'o1'): "
            "the payload must be an object, not a str"
        )

    def test_an_error_in_a_line_names_line_and_parent(self, shop):
        """
        Also when the parent's ID is only an option.
        """

        class Failing(AnyLineImport):
            _name = "test.child.line.failing"

            @mapping
            def fail(self, record):
                return record["absent"]

        message = self.error_of(shop, {"items": [{"id": 3}]}, Failing, external_id="o1")

        assert message == (
            "mapper 'test.child.line.failing', method 'fail', record (external ID '3') of record "
            "(external ID 'o1'): KeyError: 'absent'"
        )

    def test_lines_that_nothing_tells_apart_are_not_doubled(self, house):
        """
        The first import creates them; a later one says what the mapper lacks.
        """
        mapper = house.mapper(OrderImport, LineImport)
        payload = {"items": [{"sku": "a", "qty": 1}]}
        order = house.record("sale.order", 1, line_ids=[line(house, 1, "a", 1)])

        first = mapper.map_record(payload).values()["line_ids"]
        message = self.error_of(house, payload, LineImport, existing=order)

        assert [verb for verb, _, _ in first] == [0]
        assert "give the mapper _map_child_key = (field, ...)" in message

    def test_the_same_line_twice(self, shop):
        """
        Which of the two counts, nobody knows.
        """
        items = [{"id": 1, "sku": "a"}, {"id": "1", "sku": "b"}]

        message = self.error_of(shop, {"id": "o1", "items": items}, LineImport)

        assert message == (
            "mapper 'test.child.line.import', record (external ID '1') of record (external ID 'o1'): "
            "the payload has this line twice"
        )

    def test_a_natural_key_that_is_not_mapped(self, shop):
        """
        The field of the key is named.
        """
        message = self.error_of(shop, {"items": [{"qty": 1}]}, KeyedLineImport)

        assert message.endswith("_map_child_key names 'sku', which was not mapped")


class TestExport:
    def test_lines_are_plain_values_in_order(self, shop):
        """
        New is a line that has no external ID there.
        """
        order = shop.record("sale.order", 1, line_ids=[line(shop, 2, "b", 0, "10"), line(shop, 1, "a", 1)])

        values = shop.mapper(OrderExport, LineExport).map_record(order).values(fields=["line_ids"])

        assert values == {"items": [{"sku": "b", "qty": 0}, {"sku": "a", "qty": 1, "origin": "ours"}]}

    @pytest.mark.parametrize("for_create", [True, False])
    def test_lines_without_ids_are_as_new_as_their_parent(self, house, for_create):
        """
        They are written together with it.
        """
        order = house.record("sale.order", 1, line_ids=[line(house, 1, "a", 1)])

        values = house.mapper(OrderExport, LineExport).map_record(order).values(for_create=for_create)

        assert ("origin" in values["items"][0]) == for_create

    def test_changed_fields_without_the_lines_leave_them_out(self, shop):
        """
        Children are chosen by their source field.
        """
        order = shop.record("sale.order", 1, line_ids=[line(shop, 1, "a", 1)])

        assert shop.mapper(OrderExport, LineExport).map_record(order).values(fields=["name"]) == {}


class TestComponents:
    def test_a_mapper_may_name_the_component_for_its_lines(self, shop):
        """
        By its name, where none has the usage.
        """

        class Named(OrderExport):
            _name = "test.child.order.named"
            _map_child_usage = None

        values = shop.mapper(Named, LineExport).map_record(shop.record("o", 1, line_ids=[])).values()

        assert values == {"items": []}

    def test_a_mapper_without_direction_has_nothing_for_lines(self, shop):
        """
        It is told which mappers have.
        """

        class Neither(Mapper):
            _name = "test.child.order.neither"
            children = [("line_ids", "items", LINE)]

        with pytest.raises(ComponentDefinitionError, match=r"derive it from base\.import\.mapper"):
            shop.mapper(Neither).map_record(shop.record("o", 1, line_ids=[])).values()

    def test_a_usage_that_nothing_has_is_an_error_without_a_fallback(self, shop):
        """
        The lookup says what exists.
        """

        class Lost(OrderExport):
            _name = "test.child.order.lost"
            _map_child_usage = "nothing.has.this"
            _map_child_fallback = None

        with pytest.raises(NoComponentError, match=r"nothing\.has\.this"):
            shop.mapper(Lost).map_record(shop.record("o", 1, line_ids=[])).values()

    def test_lines_without_ids_are_new_where_ours_has_none(self, shop):
        """
        And refused where it has some, for they would be doubled.
        """
        mapper = shop.mapper(OrderImport, LineImport)
        payload = {"items": [{"sku": "a", "qty": 1}]}
        order = shop.record("sale.order", 1, line_ids=[line(shop, 1, "a", 1, "10")])

        assert len(mapper.map_record(payload).values()["line_ids"]) == 1
        with pytest.raises(MappingError, match="nothing tells which existing line this is"):
            mapper.map_record(payload).values(existing=order)

    def test_a_line_that_maps_to_nothing_is_left_as_it_is(self, shop):
        """
        Neither created nor updated nor removed.
        """

        class Silent(ImportMapper):
            _name = "test.child.line.silent"
            _apply_on = LINE

        order = shop.record("sale.order", 1, line_ids=[line(shop, 1, "a", 1, "10")])
        payload = {"items": [{"id": 10}, {"id": 11}]}

        values = shop.mapper(OrderImport, Silent).map_record(payload).values(existing=order)

        assert values == {"line_ids": []}
