"""What a component has from its work."""

from typing import Any

from isthmus.component import Component


class Importer(Component):
    """A component that finds others."""

    _name = "importer"
    _usage = "importer"


class Mapper(Component):
    """A component that is found."""

    _name = "mapper"
    _usage = "mapper"
    _apply_on = ["sale.order", "sale.line"]


def test_a_component_has_the_place_of_its_work(work_with: Any) -> None:
    """
    Env, model and collection are those of the work.
    """
    component = work_with([Importer]).component("importer")

    assert component.env is component.work.env
    assert component.model == "<sale.order>"
    assert component.collection._name == "shop.backend"


def test_a_component_finds_others(work_with: Any) -> None:
    """
    By usage, by class, by name and all at once, for its own model or another.
    """
    component = work_with([Importer, Mapper]).component("importer")

    assert component.component(usage="mapper").model == "<sale.order>"
    assert component.component(Mapper, model_name="sale.line").model == "<sale.line>"
    assert component.component_by_name("mapper", "sale.line").model == "<sale.line>"
    assert [found._name for found in component.many_components("mapper")] == ["mapper"]


def test_a_component_says_what_it_is(work_with: Any) -> None:
    """
    In a log by name, in a debugger with its place.
    """
    component = work_with([Importer], version_chain=("1.7",)).component("importer")

    assert str(component) == "Component(importer)"
    assert repr(component) == "<importer for model 'sale.order', collection 'shop.backend', version '1.7'>"
