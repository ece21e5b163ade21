"""Which methods are mappings, in which order, and what is said of them."""

from typing import Any

import pytest

from isthmus.component import AbstractComponent, Component
from isthmus.errors import ComponentDefinitionError
from isthmus.mapping import ImportMapper, changed_by, mapping, only_create


class Parent(ImportMapper):
    _name = "test.marks.parent"

    @mapping
    def zebra(self, record: Any) -> dict[str, Any]:
        return {"zebra": "parent"}

    @changed_by("a")
    @mapping
    def apple(self, record: Any) -> dict[str, Any]:
        return {"apple": "parent"}

    @only_create
    @mapping(reads="code", writes="code")
    def code(self, record: Any) -> dict[str, Any]:
        return {"code": "parent"}


class Child(Parent):
    _name = "test.marks.child"

    @mapping
    def own(self, record: Any) -> dict[str, Any]:
        return {"own": "child"}

    @mapping
    @changed_by("b")
    def apple(self, record: Any) -> dict[str, Any]:
        return {"apple": "child"}

    def code(self, record: Any) -> dict[str, Any]:
        return {"code": "child"}


class Sibling(Component):
    _name = "test.marks.sibling"
    _inherit = ["test.marks.child", "test.marks.parent"]

    @changed_by("c")
    @mapping
    def apple(self, record: Any) -> dict[str, Any]:
        return {"apple": "sibling"}


class LateExtension(AbstractComponent):
    _inherit = "test.marks.base"

    @mapping
    def late(self, record: Any) -> dict[str, Any]:
        return {"late": True}


class Base(ImportMapper):
    _name = "test.marks.base"
    _abstract = True


class Below(Base):
    _name = "test.marks.below"


def entry(mapper: Any, name: str) -> Any:
    """Find an entry of a mapper's plan."""
    return next(e for e in mapper.plan.entries if e.name == name)


def test_methods_run_in_the_order_they_are_declared_inherited_ones_first(house):
    """
    The alphabet has no say, and an override keeps its place.
    """
    mapper = house.mapper(Child)

    values = mapper.map_record({"code": 1}).values(for_create=True)

    assert list(values.items()) == [
        ("zebra", "parent"),
        ("apple", "child"),
        ("code", "child"),
        ("own", "child"),
    ]


def test_changed_by_adds_up_along_the_inheritance_and_changes_no_parent(house):
    """
    A class that inherits two others leaves both as they are.
    """
    work = house.work(Parent, Child, Sibling)

    said = [entry(work.component_by_name(f"test.marks.{name}"), "apple").changed_by
            for name in ("sibling", "child", "parent")]  # fmt: skip

    assert said == [{"a", "b", "c"}, {"a", "b"}, {"a"}]


def test_an_override_without_decorators_keeps_what_is_said(house):
    """
    It still maps, still both ways, still for new records only.
    """
    mapper = house.mapper(Child)

    code = entry(mapper, "code")

    assert (code.reads, code.writes, code.only_create, code.two_way) == (("code",), ("code",), True, True)


def test_an_override_with_mapping_decides_anew_for_whom_it_runs(house):
    """
    Decorated by @mapping alone, it runs for every record, and keeps the ends it inherits.
    """

    class Always(Parent):
        _name = "test.marks.always"

        @mapping
        def code(self, record):
            return {"code": "always"}

    code = entry(house.mapper(Always), "code")

    assert (code.only_create, code.two_way) == (False, True)


def test_an_attribute_that_is_no_method_removes_a_mapping(house):
    """
    Setting the name to None switches an inherited mapping off.
    """

    class Without(Parent):
        _name = "test.marks.without"
        zebra = None

    names = [e.name for e in house.mapper(Without).plan.entries]

    assert names == ["apple", "code"]


def test_a_parent_extended_after_its_child_gives_the_child_the_new_mapping(house):
    """
    Tables are made when all extensions are known.
    """
    mapper = house.mapper(Below, Base, LateExtension)

    assert mapper.map_record({}).values() == {"late": True}


def test_naming_one_end_only_is_refused():
    """
    A method works both ways with both ends named, or one way with none.
    """
    with pytest.raises(ComponentDefinitionError, match="one end only"):
        mapping(reads="a")
