"""Records of one side become values of the other."""

from collections import defaultdict
from types import MappingProxyType
from typing import Any

import pytest

from isthmus.errors import ComponentDefinitionError, MappingError
from isthmus.mapping import ExportMapper, ImportMapper, MapOptions, changed_by, convert, mapping, only_create


class Order(ImportMapper):
    _name = "test.order"
    direct = [("ref", "name"), ("note", "comment"), (convert("total", float), "amount")]

    @mapping(reads=("first", "last"), writes=("contact",))
    def contact(self, record: Any) -> dict[str, Any]:
        return {"contact": f"{record.get('first')} {record.get('last')}"}

    @mapping
    def always(self, record: Any) -> dict[str, Any]:
        return {"always": True}

    @mapping
    @changed_by("status")
    def state(self, record: Any) -> dict[str, Any]:
        return {"state": "new"}

    @only_create
    @mapping
    def number(self, record: Any) -> dict[str, Any]:
        return {"number": 7}


class TestDirect:
    def test_absent_fields_are_not_mapped(self, house):
        """
        A partial payload empties nothing, neither by direct, nor by modifiers, nor by methods.
        """
        values = house.mapper(Order).map_record({"note": "x"}).values()

        assert values == {"comment": "x", "always": True, "state": "new"}

    @pytest.mark.parametrize("value", [None, 0, "", False, [], 0.0])
    def test_empty_values_survive_as_they_are(self, house, value):
        """
        Zero, empty text and False are values, None is the empty value.
        """
        values = house.mapper(Order).map_record({"ref": value}).values()

        assert values["name"] is value

    @pytest.mark.parametrize("kind", [MappingProxyType, lambda d: defaultdict(str, d)])
    def test_any_mapping_is_a_payload_and_defaults_do_not_count(self, house, kind):
        """
        A mapping that invents values has only the fields it really has.
        """
        values = house.mapper(Order).map_record(kind({"note": "x"})).values()

        assert values == {"comment": "x", "always": True, "state": "new"}

    def test_later_entries_win(self, house):
        """
        The order is that of declaration: direct, then methods.
        """

        class Twice(ImportMapper):
            _name = "test.twice"
            direct = [("a", "x"), ("b", "x"), ("c", "y")]

            @mapping
            def y(self, record):
                return {"y": "method"}

        values = house.mapper(Twice).map_record({"b": 2, "a": 1, "c": 3}).values()

        assert values == {"x": 2, "y": "method"}

    def test_direct_may_be_a_property(self, house):
        """
        A mapper may decide by itself what it maps.
        """

        class Chosen(ImportMapper):
            _name = "test.chosen"

            @property
            def direct(self):
                return [(self.work.source_field, "name")]

        work = house.work(Chosen)
        work.source_field = "title"
        first = work.component(Chosen).map_record({"title": "a", "ref": "b"}).values()
        work.source_field = "ref"
        second = work.component(Chosen).map_record({"title": "a", "ref": "b"}).values()

        assert (first, second) == ({"name": "a"}, {"name": "b"})

    def test_field_names_of_any_kind_are_safe(self, house):
        """
        Quotes, braces, line ends and code in a field's name are only a name.
        """
        odd = ["a'b", 'a"b', "{n}", "a\nb", "\\", "'] = 1; import os #", "é 𝔘"]

        class Odd(ImportMapper):
            _name = "test.odd"
            direct = [(name, name) for name in odd] + [(convert(name, str), "s" + name) for name in odd]

        values = house.mapper(Odd).map_record(dict.fromkeys(odd, 1)).values()

        assert values == dict.fromkeys(odd, 1) | {"s" + name: "1" for name in odd}

    @pytest.mark.parametrize("entry", [("a",), ("a", "b", "c"), "ab", (1, "a"), ("a", None)])
    def test_an_entry_of_a_wrong_shape_is_named(self, house, entry):
        """
        The mapper and the entry are in the message.
        """

        class Wrong(ImportMapper):
            _name = "test.wrong"
            direct = [entry]

        with pytest.raises(ComponentDefinitionError, match=r"'test.wrong'.*direct"):
            house.mapper(Wrong).map_record({}).values()

    def test_an_export_reads_records_by_item(self, house):
        """
        Empty values of ours stay empty.
        """

        class Out(ExportMapper):
            _name = "test.out"
            direct = [("name", "ref"), ("comment", "note")]

        record = house.record("sale.order", 1, name="S1", comment=None)

        assert house.mapper(Out).map_record(record).values() == {"ref": "S1", "note": None}


class TestFilters:
    def test_for_create_adds_what_is_for_new_records_only(self, house):
        """
        Else such a method is not even called.
        """
        mapper = house.mapper(Order)

        assert "number" in mapper.map_record({}).values(for_create=True)
        assert "number" not in mapper.map_record({}).values(for_create=False)
        assert "number" not in mapper.map_record({}).values()

    @pytest.mark.parametrize(
        ("fields", "mapped"),
        [
            ({"ref"}, {"name", "always"}),
            (["last"], {"contact", "always"}),
            (("status", "total"), {"state", "amount", "always"}),
            (["unknown"], {"always"}),
            ("note", {"comment", "always"}),
            ([], {"name", "comment", "amount", "contact", "always", "state"}),
            (None, {"name", "comment", "amount", "contact", "always", "state"}),
        ],
    )
    def test_changed_fields_choose_what_is_mapped(self, house, fields, mapped):
        """
        Direct by source, two-way methods by what they read, others by changed_by or always.
        """
        payload = {"ref": "S1", "note": "n", "total": "3", "first": "A", "last": "B", "status": "new"}

        values = house.mapper(Order).map_record(payload).values(fields=fields)

        assert set(values) == mapped

    def test_many_different_selections_do_not_fill_the_memory(self, house):
        """
        Compiled selections are kept up to a bound, and are right beyond it.
        """
        mapper = house.mapper(Order)

        results = [
            mapper.map_record({"ref": n}).values(fields=["ref", f"other{n}"])["name"] for n in range(200)
        ]

        assert results == list(range(200))
        assert len(mapper._own_program._functions) <= 64


class TestOptions:
    def test_options_are_readable_and_unknown_ones_are_none(self, house):
        """
        By item and by attribute, with the known keywords among them.
        """
        seen = []

        class Watching(ImportMapper):
            _name = "test.watching"

            @mapping
            def watch(self, record):
                seen.append((
                    self.options.lang,
                    self.options["lang"],
                    self.options.other,
                    self.options["other"],
                ))
                seen.append((self.options.for_create, self.options.fields))

        house.mapper(Watching).map_record({}).values(for_create=True, lang="fr")

        assert seen == [("fr", "fr", None, None), (True, None)]

    def test_options_are_restored_also_after_an_exception(self, house):
        """
        A failed record leaves nothing behind for the next.
        """

        class Failing(ImportMapper):
            _name = "test.failing"

            @mapping
            def fail(self, record):
                raise ZeroDivisionError

        mapper = house.mapper(Failing)
        record = mapper.map_record({})
        with pytest.raises(MappingError):
            record.values(lang="fr")

        assert mapper.options == MapOptions()
        assert record.options == MapOptions()

    def test_a_mapping_inside_a_mapping_has_its_own_options(self, house):
        """
        And the outer one finds its own again.
        """
        seen = []

        class Nested(ImportMapper):
            _name = "test.nested"

            @mapping
            def inner(self, record):
                if record.get("inside"):
                    self.map_record(record["inside"]).values(lang="de")
                seen.append(self.options.lang)

        house.mapper(Nested).map_record({"inside": {"x": 1}}).values(lang="fr")

        assert seen == ["de", "fr"]


class TestValues:
    def test_finalize_comes_last_but_for_forced_values(self, house):
        """
        What `update` forces always wins.
        """

        class Final(ImportMapper):
            _name = "test.final"
            direct = [("a", "a")]

            def finalize(self, map_record, values):
                return {**values, "a": values["a"] + 1, "b": map_record.source["a"], "c": "final"}

        record = house.mapper(Final).map_record({"a": 1})
        record.update({"b": "forced"}, c="forced, too")

        assert record.values() == {"a": 2, "b": "forced", "c": "forced, too"}

    def test_a_method_that_gives_nothing_is_skipped(self, house):
        """
        None and an empty dict add nothing.
        """

        class Empty(ImportMapper):
            _name = "test.empty"

            @mapping
            def nothing(self, record):
                return None

            @mapping(reads=(), writes=("a",))
            def empty(self, record):
                return {}

        assert house.mapper(Empty).map_record({}).values() == {}

    @pytest.mark.parametrize(
        "mark", [mapping, mapping(reads=(), writes="a"), mapping(reads=(), writes=("a", "b"))]
    )
    def test_any_mapping_is_an_answer(self, house, mark):
        """
        Not only a dict.
        """

        class Other(ImportMapper):
            _name = "test.other"

            @mark
            def a(self, record):
                return MappingProxyType(dict.fromkeys(self.work.writes, 1))

        work = house.work(Other)
        work.writes = ("a",)

        assert work.component(Other).map_record({}).values() == {"a": 1}


class TestErrors:
    def error_of(self, house: Any, cls: type, payload: Any, **options: Any) -> str:
        with pytest.raises(MappingError) as caught:
            house.mapper(cls).map_record(payload).values(**options)
        return str(caught.value)

    @pytest.mark.parametrize("payload", [None, [], "text", 3])
    def test_a_payload_that_is_no_object(self, house, payload):
        """
        The mapper and what came instead are named.
        """
        message = self.error_of(house, Order, payload)

        kind = type(payload).__name__
        assert message == f"mapper 'test.order': the payload must be an object, not a {kind}"

    def test_a_value_that_cannot_be_converted(self, house):
        """
        Mapper, field, record and type are named, the value is not.
        """
        message = self.error_of(house, Order, {"id": "o1", "total": "secret"})

        assert message == (
            "mapper 'test.order', field 'total', record (external ID 'o1'): "
            "cannot convert a value of type str with float"
        )

    def test_the_external_id_may_be_an_option(self, house):
        """
        It goes before what the payload says.
        """
        message = self.error_of(house, Order, {"id": "o1", "total": "x"}, external_id="given")

        assert "record (external ID 'given')" in message

    @pytest.mark.parametrize("writes", ["a", ("a", "b")])
    def test_a_key_that_is_not_among_the_writes(self, house, writes):
        """
        Mapper, method and key are named.
        """

        class Beyond(ImportMapper):
            _name = "test.beyond"

            @mapping(reads="x", writes=writes)
            def method(self, record):
                return {"a": 1, "other": 2}

        message = self.error_of(house, Beyond, {"x": 1})

        named = [writes] if isinstance(writes, str) else list(writes)
        assert message == (
            f"mapper 'test.beyond', method 'method': returned 'other', which is not among its writes "
            f"{named}; add it there"
        )

    @pytest.mark.parametrize("mark", [mapping, mapping(reads="x", writes="a")])
    def test_an_answer_that_is_no_dict(self, house, mark):
        """
        Mapper, method and what came instead are named.
        """

        class Wrong(ImportMapper):
            _name = "test.wrong.answer"

            @mark
            def method(self, record):
                return ["a"]

        message = self.error_of(house, Wrong, {"x": 1})

        assert message == (
            "mapper 'test.wrong.answer', method 'method': must return a dict of target fields, or None; "
            "it returned a list"
        )

    def test_a_method_that_meets_what_it_did_not_expect(self, house):
        """
        The error parks this one record, names the missing field, and keeps its cause.
        """

        class Careless(ImportMapper):
            _name = "test.careless"

            @mapping
            def method(self, record):
                return {"name": record["name"].strip()}

        missing = self.error_of(house, Careless, {"id": 0})
        empty = self.error_of(house, Careless, {"id": 0, "name": None})

        assert (
            missing == "mapper 'test.careless', method 'method', record (external ID '0'): KeyError: 'name'"
        )
        assert empty.endswith("AttributeError: 'NoneType' object has no attribute 'strip'")

    def test_a_value_in_a_foreign_error_is_not_repeated(self, house):
        """
        Values may be personal; the cause has them, the message has not.
        """

        class Table(ImportMapper):
            _name = "test.table"

            @mapping
            def method(self, record):
                return {"a": {}[record["email"]]}

        with pytest.raises(MappingError) as caught:
            house.mapper(Table).map_record({"email": "ada@example.com"}).values()

        assert str(caught.value) == "mapper 'test.table', method 'method': KeyError"
        assert isinstance(caught.value.__cause__, KeyError)

    def test_an_error_of_the_connectors_own_is_located(self, house):
        """
        A plain MappingError gets the mapper, the method and the record.
        """

        class Own(ImportMapper):
            _name = "test.own"

            @mapping
            def method(self, record):
                raise MappingError("no such list")

        message = self.error_of(house, Own, {"id": "c1"})

        assert message == "mapper 'test.own', method 'method', record (external ID 'c1'): no such list"

    def test_an_export_names_our_record(self, house):
        """
        Model and key are named.
        """

        class Out(ExportMapper):
            _name = "test.out.error"
            direct = [(convert("qty", int), "qty")]

        message = self.error_of(house, Out, house.record("sale.order", 7, qty="x"))

        assert message.startswith("mapper 'test.out.error', field 'qty', sale.order 7: ")

    def test_an_export_of_a_field_that_is_not_there(self, house):
        """
        The field is named.
        """

        class Out(ExportMapper):
            _name = "test.out.absent"
            direct = [("name", "ref"), ("nmae", "title")]

        message = self.error_of(house, Out, house.record("sale.order", 7, name="x"))

        assert message == "mapper 'test.out.absent', field 'nmae', sale.order 7: is not in the source"

    def test_a_finalize_that_forgets_its_answer(self, house):
        """
        It is told so.
        """

        class Forgets(ImportMapper):
            _name = "test.forgets"

            def finalize(self, map_record, values):
                values["a"] = 1

        message = self.error_of(house, Forgets, {})

        assert message == "mapper 'test.forgets', method 'finalize': must return the values"


class TestPlan:
    def test_the_plan_says_what_a_mapper_does_in_order(self, house):
        """
        Kind, name, ends, and whether both ways.
        """
        plan = house.mapper(Order).plan

        assert [(e.kind, e.name, e.two_way) for e in plan.entries] == [
            ("direct", "name", True),
            ("direct", "comment", True),
            ("direct", "amount", True),
            ("method", "contact", True),
            ("method", "always", False),
            ("method", "state", False),
            ("method", "number", False),
        ]
        assert plan.reads == ("ref", "note", "total", "first", "last", "status")
        assert plan.writes == ("name", "comment", "amount", "contact")

    def test_a_mapper_is_compiled_once(self, house):
        """
        Two mappers of one registry share their program.
        """
        work = house.work(Order)

        first, second = work.component(Order), work.component(Order)

        assert first.plan is second.plan
