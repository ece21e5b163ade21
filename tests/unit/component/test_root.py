"""What counts as declared."""

import logging

import pytest

from isthmus.component import AbstractComponent, Component, ComponentRegistry, declared_components


def test_a_declared_class_is_listed_under_its_package() -> None:
    """
    Asking for a package gives what is declared in or below it, and nothing of a package with a like name.
    """

    class Mine(Component):
        __module__ = "rootshop.components"

    class Other(Component):
        __module__ = "rootshopping"

    assert declared_components("rootshop") == [Mine]
    assert Other in declared_components()


def test_the_roots_are_not_declared() -> None:
    """
    The classes to derive from are no components themselves.
    """
    found = declared_components()

    assert AbstractComponent not in found
    assert Component not in found


def test_a_class_may_stay_unregistered() -> None:
    """
    A helper class with `_register = False` is no component, but what derives from it is.
    """

    class Helper(Component):
        __module__ = "helpershop"
        _register = False

    class Real(Helper):
        __module__ = "helpershop"

    assert declared_components("helpershop") == [Real]


def test_declaring_again_replaces_the_earlier_declaration() -> None:
    """
    Running a notebook cell twice leaves one component, not two.
    """

    def run_the_cell(usage: str) -> type[Component]:
        class Importer(Component):
            __module__ = "notebook"
            __qualname__ = "Importer"
            _name = "notebook.importer"
            _usage = usage

        return Importer

    run_the_cell("old")
    later = run_the_cell("new")

    assert declared_components("notebook") == [later]
    assert ComponentRegistry.build(declared_components("notebook"))["notebook.importer"]._usage == "new"


def test_declaring_again_under_another_name_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """
    Two classes of one name in a module, for two components: the first is lost, and somebody hears of it.
    """

    def declare(name: str) -> None:
        class Extension(Component):
            __module__ = "copiedshop"
            __qualname__ = "Extension"
            _inherit = name

    declare("first")
    with caplog.at_level(logging.WARNING, logger="isthmus.component"):
        declare("second")

    assert "copiedshop.Extension was declared again with another _name or _inherit" in caplog.text


def test_one_function_may_make_many_components() -> None:
    """
    Components made in a loop do not replace each other: they have names of their own.
    """

    def make(model_name: str) -> type[Component]:
        class Binder(Component):
            __module__ = "factoryshop"
            _name = f"factory.{model_name}.binder"

        return Binder

    made = [make("partner"), make("order")]

    assert declared_components("factoryshop") == made


def test_a_registry_has_only_what_it_is_given() -> None:
    """
    A class declared anywhere else, as in another test, is not in it.
    """

    class Given(Component):
        _name = "given"

    class NotGiven(Component):
        _name = "not.given"

    assert list(ComponentRegistry.build([Given])) == ["base", "given"]
