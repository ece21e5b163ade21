"""Which declarations are refused, in whose terms, and what a disabled plugin takes with it."""

import logging

import pytest

from isthmus.component import Component, ComponentRegistry
from isthmus.errors import ComponentDefinitionError

build = ComponentRegistry.build


class Importer(Component):
    """What most tests here inherit or extend."""

    _name = "importer"


class TestRefusals:
    @pytest.mark.parametrize(
        ("attributes", "says"),
        [
            ({"_apply_on": []}, r"_apply_on is empty; None says that it is for any model"),
            ({"_apply_on": ""}, r"_apply_on must be a name or several, not ''"),
            ({"_apply_on": 7}, r"_apply_on must be a name or several, not 7"),
            ({"_apply_on": "a", "_model_name": "b"}, r"has both _apply_on and _model_name"),
            ({"_inherit": 7}, r"_inherit must be a name or several, not 7"),
            ({"_name": 7}, r"_name must be a text, not 7"),
        ],
    )
    def test_wrong_values_are_refused(self, attributes: dict[str, object], says: str) -> None:
        """
        A value of a wrong type is an error that names the class and the attribute.
        """
        cls = type("Wrong", (Component,), {"__module__": "wrongshop", **attributes})

        with pytest.raises(ComponentDefinitionError, match=rf"wrongshop\.Wrong.* {says}"):
            build([cls])

    def test_a_name_used_twice(self) -> None:
        """
        Two declarations of one new name: the message names both places and the two ways out.
        """

        class Other(Component):
            __module__ = "othershop"
            __qualname__ = "Other"
            _name = "importer"

        with pytest.raises(ComponentDefinitionError) as caught:
            build([Importer, Other])

        assert str(caught.value) == (
            f"component 'importer' is declared twice: by {__name__}.Importer and by othershop.Other; to "
            f"extend the first, the second needs _inherit = 'importer', else another _name"
        )

    def test_an_existing_name_with_another_parent_replaces_nothing(self) -> None:
        """
        `_name` of an existing component with `_inherit` of another one is a name used twice.
        """

        class Parent(Component):
            _name = "parent"

        class Replacing(Component):
            _name = "importer"
            _inherit = "parent"

        with pytest.raises(ComponentDefinitionError, match="'importer' is declared twice"):
            build([Importer, Parent, Replacing])

    def test_a_subclass_of_an_earlier_declaration(self) -> None:
        """
        A parent declared again (a notebook cell) asks for its child to be declared again.
        """

        def declare() -> type[Component]:
            class Parent(Component):
                __module__ = "cell"
                __qualname__ = "Parent"
                _name = "cell.parent"

            return Parent

        child = type("Child", (declare(),), {"_name": "cell.child"})

        with pytest.raises(
            ComponentDefinitionError, match=r"^cell\.Parent was declared again, but another class"
        ):
            build([child, declare()])

    def test_several_inherit_without_a_name(self) -> None:
        """
        It could be a new component or an extension of either: one has to say.
        """

        class Unclear(Component):
            _inherit = ["importer", "base"]

        with pytest.raises(
            ComponentDefinitionError, match=r"Unclear has several _inherit \(importer, base\) and no"
        ):
            build([Importer, Unclear])

    def test_an_extension_of_an_unknown_component(self) -> None:
        """
        The message names the extension and what it may have meant.
        """

        class Misspelt(Component):
            _inherit = "imporer"

        with pytest.raises(
            ComponentDefinitionError,
            match=r"Misspelt extends unknown component 'imporer'; did you mean 'importer'\?",
        ):
            build([Importer, Misspelt])

    def test_inheriting_an_unknown_component(self) -> None:
        """
        A parent that does not exist is named, too.
        """

        class Orphan(Component):
            _name = "orphan"
            _inherit = "nobody"

        with pytest.raises(ComponentDefinitionError, match="Orphan inherits unknown component 'nobody'"):
            build([Orphan])

    def test_components_that_inherit_each_other(self) -> None:
        """
        A circle is shown step by step.
        """

        class Hen(Component):
            _name = "hen"
            _inherit = "egg"

        class Egg(Component):
            _name = "egg"
            _inherit = "hen"

        with pytest.raises(
            ComponentDefinitionError,
            match=r"in a circle: 'hen' \(.*Hen\) inherits 'egg' \(.*Egg\) inherits 'hen'",
        ):
            build([Hen, Egg])

    def test_an_extension_that_subclasses_a_child(self) -> None:
        """
        A component cannot be made of what is made of it.
        """

        class Child(Importer):
            _name = "child"

        class Backwards(Child):
            _inherit = "importer"

        with pytest.raises(
            ComponentDefinitionError,
            match=r"Backwards extends 'importer' .* inherits 'importer': that is a cycle",
        ):
            build([Importer, Child, Backwards])

    def test_an_extension_that_subclasses_another_component(self) -> None:
        """
        The message shows how to add that other one to the component.
        """

        class Other(Component):
            _name = "other"

        class Crossed(Other):
            _inherit = "importer"

        with pytest.raises(
            ComponentDefinitionError, match=r"write _name = 'importer' and _inherit = \['importer', 'other'\]"
        ):
            build([Importer, Other, Crossed])

    def test_contradicting_orders_of_parents(self) -> None:
        """
        What Python calls an MRO conflict is told with the names of the components' classes.
        """

        class A(Component):
            _name = "a"

        class B(Component):
            _name = "b"

        class Forward(Component):
            _name = "forward"
            _inherit = ["a", "b"]

        class Backward(Component):
            _name = "backward"
            _inherit = ["b", "a"]

        class Both(Component):
            _name = "both"
            _inherit = ["forward", "backward"]

        with pytest.raises(
            ComponentDefinitionError, match=r"'both' cannot be put together from .*Forward, .*Backward"
        ):
            build([A, B, Forward, Backward, Both])

    def test_an_extension_for_one_version_only(self) -> None:
        """
        It would take the component from all other versions.
        """

        class ForOneVersion(Component):
            _inherit = "importer"
            _version = "1.7"

        with pytest.raises(
            ComponentDefinitionError, match="would take that component from all other versions"
        ):
            build([Importer, ForOneVersion])

    def test_a_class_that_is_no_component(self) -> None:
        """
        Only declared classes make a registry.
        """
        with pytest.raises(ComponentDefinitionError, match=r"builtins\.int is no declared component class"):
            build([int])  # type: ignore[list-item]  # that is the point

    def test_a_subclass_of_a_built_class(self) -> None:
        """
        Built classes belong to one registry; one derives from the declared ones.
        """
        built_class = build([Importer])["importer"]
        child = type("Child", (built_class,), {"_name": "child"})

        with pytest.raises(ComponentDefinitionError, match="subclasses a class that a registry has built"):
            build([child])


class TestDisabledPlugins:
    def test_its_components_do_not_exist(self) -> None:
        """
        What is declared in or below a disabled module is left out; a like name is not.
        """

        class Gone(Component):
            __module__ = "gone.components"
            _name = "gone"

        class Stays(Component):
            __module__ = "gonewith"
            _name = "stays"

        assert list(build([Gone, Stays], disabled=["gone"])) == ["base", "stays"]

    def test_its_extensions_do_not_apply(self) -> None:
        """
        A component of another plugin is as if the disabled one were not installed.
        """

        class Extends(Component):
            __module__ = "gone"
            _inherit = "importer"

            extended = True

        registry = build([Importer, Extends], disabled=["gone"])

        assert not hasattr(registry["importer"], "extended")

    def test_it_takes_subclasses_with_it_and_says_so_once(self, caplog: pytest.LogCaptureFixture) -> None:
        """
        Children and extensions by Python subclassing go with it; one warning names them all.
        """

        class Gone(Component):
            __module__ = "gone"
            _name = "gone"

        class Child(Gone):
            _name = "child"

        class Grandchild(Child):
            _name = "grandchild"

        class Extends(Gone):
            _inherit = "gone"

        with caplog.at_level(logging.WARNING, logger="isthmus.component"):
            registry = build([Gone, Child, Grandchild, Extends, Importer], disabled=["gone"])

        assert list(registry) == ["base", "importer"]
        assert len(caplog.records) == 1
        assert all(f".{cls} (subclass of gone." in caplog.text for cls in ["Child", "Grandchild", "Extends"])

    @pytest.mark.parametrize("attributes", [{"_inherit": "gone"}, {"_name": "child", "_inherit": "gone"}])
    def test_extending_it_by_name_is_an_error(self, attributes: dict[str, str]) -> None:
        """
        A component that counts on a disabled plugin by name is told which class it misses.
        """

        class Gone(Component):
            __module__ = "gone"
            __qualname__ = "Gone"
            _name = "gone"

        needs = type("Needs", (Component,), {"__module__": "needing", **attributes})

        with pytest.raises(
            ComponentDefinitionError,
            match=r"needing\.Needs (extends|inherits) 'gone', which is gone with a disabled plugin \(gone",
        ):
            build([Gone, needs], disabled=["gone"])
