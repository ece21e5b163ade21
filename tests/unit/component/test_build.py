"""How declared classes become built ones."""

from typing import Any, ClassVar

import pytest

from isthmus.component import AbstractComponent, Component, ComponentRegistry
from isthmus.errors import ComponentDefinitionError

build = ComponentRegistry.build


class Importer(Component):
    """What most tests here inherit or extend."""

    _name = "importer"

    def steps(self) -> list[str]:
        return ["original"]


class Extension(Component):
    """An extension in place."""

    _inherit = "importer"

    def steps(self) -> list[str]:
        return ["extension", *super().steps()]  # type: ignore[misc]  # the original comes by _inherit


def made(cls: type[Any]) -> Any:
    """Make a component that needs no work."""
    return cls(None)


class TestInheriting:
    def test_an_extension_changes_the_component_in_place(self) -> None:
        """
        `_inherit` alone changes the component of that name.
        """
        registry = build([Importer, Extension])

        assert list(registry) == ["base", "importer"]
        assert made(registry["importer"]).steps() == ["extension", "original"]

    def test_an_extension_may_repeat_the_name(self) -> None:
        """
        `_name` equal to `_inherit` says the same as `_inherit` alone.
        """

        class Same(Component):
            _name = "importer"
            _inherit = "importer"
            extended = True

        assert build([Importer, Same])["importer"].extended  # type: ignore[attr-defined]  # by Same

    def test_declared_classes_are_never_changed(self) -> None:
        """
        Building a registry leaves the declared class and its bases as they were.
        """
        bases, namespace = Importer.__bases__, dict(Importer.__dict__)

        build([Importer, Extension])

        assert Importer.__bases__ == bases
        assert dict(Importer.__dict__) == namespace
        assert Importer(None).steps() == ["original"]  # type: ignore[arg-type]  # needs no work

    def test_two_registries_do_not_see_each_other(self) -> None:
        """
        An extension of one set of plugins does not show in another.
        """
        with_extension, without = build([Importer, Extension]), build([Importer])

        assert made(with_extension["importer"]).steps() == ["extension", "original"]
        assert made(without["importer"]).steps() == ["original"]

    def test_the_newest_extension_comes_first(self) -> None:
        """
        `super()` goes from the last extension through the earlier ones to the original.
        """

        class Later(Component):
            _inherit = "importer"

            def steps(self) -> list[str]:
                return ["later", *super().steps()]  # type: ignore[misc]  # by _inherit

        registry = build([Importer, Extension, Later])

        assert made(registry["importer"]).steps() == ["later", "extension", "original"]

    def test_an_extension_may_be_given_before_its_original(self) -> None:
        """
        The order of plugins decides the order of extensions, not whether they are found.
        """
        registry = build([Extension, Importer])

        assert made(registry["importer"]).steps() == ["extension", "original"]

    def test_a_child_by_name_reaches_extensions_of_its_parent(self) -> None:
        """
        What extends the parent is part of each child, also when it comes after the child.
        """

        class Child(Component):
            _name = "child"
            _inherit = "importer"

            def steps(self) -> list[str]:
                return ["child", *super().steps()]  # type: ignore[misc]  # by _inherit

        registry = build([Importer, Child, Extension])

        assert made(registry["child"]).steps() == ["child", "extension", "original"]
        assert made(registry["importer"]).steps() == ["extension", "original"]

    def test_a_child_by_subclassing_reaches_extensions_of_its_parent(self) -> None:
        """
        Python subclassing counts as inheriting, and zero-argument super() meets the extensions.
        """

        class Child(Importer):
            _name = "child"

            def steps(self) -> list[str]:
                return ["child", *super().steps()]

        registry = build([Importer, Child, Extension])

        assert made(registry["child"]).steps() == ["child", "extension", "original"]
        assert isinstance(made(registry["child"]), Importer)

    def test_subclassing_never_extends_in_place(self) -> None:
        """
        A subclass that says no name is a component of its own, named after module and class.
        """

        class Child(Importer):
            __qualname__ = "Child"
            extended = True

        registry = build([Importer, Child])

        assert list(registry) == ["base", "importer", f"{__name__}.Child"]
        assert not hasattr(registry["importer"], "extended")

    def test_what_a_class_subclasses_belongs_to_it(self) -> None:
        """
        Python ancestors need not be listed.
        """

        class Child(Importer):
            _name = "child"

        assert list(build([Child])) == ["base", "importer", "child"]

    def test_extending_base_reaches_every_component(self) -> None:
        """
        A plugin may give a method to all components.
        """

        class Greeting(AbstractComponent):
            _inherit = "base"

            def greet(self) -> str:
                return f"I am {self._name}"

        registry = build([Importer, Greeting])

        assert made(registry["importer"]).greet() == "I am importer"

    def test_an_extension_may_add_a_parent(self) -> None:
        """
        `_inherit = [itself, mixin]` puts the mixin behind the component.
        """

        class Mixin(AbstractComponent):
            _name = "mixin"
            mixed = True

        class Adds(Component):
            _name = "importer"
            _inherit = ["importer", "mixin"]

        registry = build([Importer, Mixin, Adds])

        assert issubclass(registry["importer"], Mixin)

    def test_a_parent_that_another_parent_inherits_is_no_conflict(self) -> None:
        """
        `_inherit = ["a", "b"]`, where b inherits a, is put in the order that works.
        """

        class Child(Importer):
            _name = "child"

        class Grandchild(Component):
            _name = "grandchild"
            _inherit = ["importer", "child"]

        registry = build([Importer, Child, Grandchild])

        assert issubclass(registry["grandchild"], Child)

    def test_plain_mixins_are_welcome(self) -> None:
        """
        An extension may derive from classes that are no components.
        """

        class Loud:
            def steps(self) -> list[str]:
                return ["LOUD"]

        class Mixed(Loud, Component):
            _inherit = "importer"

        assert made(build([Importer, Mixed])["importer"]).steps() == ["LOUD"]

    def test_an_extension_may_subclass_what_its_component_is_made_of(self) -> None:
        """
        For the editor's sake an extension derives from the original or one of its ancestors.
        """

        class Child(Importer):
            _name = "child"

        class OfOriginal(Child):
            _inherit = "child"

        class OfAncestor(Importer):
            _inherit = "child"

            def steps(self) -> list[str]:
                return ["typed", *super().steps()]

        registry = build([Importer, Extension, Child, OfOriginal, OfAncestor])

        assert made(registry["child"]).steps() == ["typed", "extension", "original"]

    def test_derived_tables_are_complete_in_children_too(self) -> None:
        """
        The build hook runs once per built class, children included, after all extensions are known.
        """

        class Tables(AbstractComponent):
            _name = "tables"
            table: ClassVar[list[str]] = []
            calls: ClassVar[list[str | None]] = []

            @classmethod
            def _complete_component_build(cls) -> None:
                super()._complete_component_build()
                cls.table = [name for name in dir(cls) if name.startswith("map_")]
                cls.calls.append(cls._name)

            def map_name(self) -> None: ...

        class Child(Tables):
            _name = "tables.child"

        class LateExtension(AbstractComponent):
            _inherit = "tables"

            def map_price(self) -> None: ...

        registry = build([Tables, Child, LateExtension])

        assert registry["tables.child"].table == ["map_name", "map_price"]  # type: ignore[attr-defined]  # by Tables
        assert Tables.table == []
        assert sorted(Tables.calls, key=str) == ["tables", "tables.child"]


class TestAbstract:
    def test_an_abstract_extension_leaves_a_component_concrete(self) -> None:
        """
        Extending a component that is used does not make it abstract.
        """

        class Abstract(AbstractComponent):
            _inherit = "importer"

        assert not build([Importer, Abstract])["importer"]._abstract

    def test_a_concrete_extension_of_an_abstract_component_is_refused(self) -> None:
        """
        It would turn up in lookups of everybody.
        """

        class Mapper(AbstractComponent):
            _name = "mapper"

        class Concrete(Component):
            _inherit = "mapper"

        with pytest.raises(
            ComponentDefinitionError, match=r"Concrete would make the abstract component 'mapper'"
        ):
            build([Mapper, Concrete])

    def test_an_abstract_component_cannot_inherit_a_concrete_one(self) -> None:
        """
        What is only there to be inherited does not build on what is used.
        """

        class Wrong(AbstractComponent):
            _name = "wrong"
            _inherit = "importer"

        with pytest.raises(ComponentDefinitionError, match=r"'wrong' .* cannot inherit from 'importer'"):
            build([Importer, Wrong])


class TestModels:
    @pytest.mark.parametrize("spelling", ["_apply_on", "_model_name"])
    @pytest.mark.parametrize("value", ["sale.order", ["sale.order"]])
    def test_models_in_either_spelling(self, spelling: str, value: object) -> None:
        """
        `_apply_on` and the older `_model_name`, one or a list: all the same.
        """
        cls = type("Spelt", (Component,), {"_name": "spelt", spelling: value})

        assert build([cls])["spelt"].apply_on_models == ("sale.order",)

    def test_the_most_derived_class_says_the_models(self) -> None:
        """
        A child in the older spelling overrides a parent in the newer one; None widens to any model.
        """

        class Parent(Component):
            _name = "parent"
            _apply_on = "sale.order"

        class Child(Parent):
            _name = "child"
            _model_name = "sale.line"

        class Anywhere(Parent):
            _name = "anywhere"
            _apply_on = None  # type: ignore[assignment]  # wider than the parent on purpose

        registry = build([Parent, Child, Anywhere])

        assert registry["child"].apply_on_models == ("sale.line",)
        assert registry["anywhere"].apply_on_models is None
