"""Which declarations do not fit together, and in whose terms that is said."""

import pytest

from isthmus.component import Component, ComponentRegistry
from isthmus.errors import ComponentDefinitionError

build = ComponentRegistry.build


class Importer(Component):
    """What most tests here inherit or extend."""

    _name = "importer"


class TestRefusals:
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

    @pytest.mark.parametrize("hook", ["_component_match", "_complete_component_build"])
    def test_a_hook_that_is_no_classmethod(self, hook: str) -> None:
        """
        A forgotten decorator is found at the build, not as a missing argument at some lookup.
        """
        cls = type("Wrong", (Component,), {"__module__": "shop", "_name": "wrong", hook: lambda *args: True})

        with pytest.raises(
            ComponentDefinitionError, match=rf"'wrong' \(shop.Wrong\): {hook} must be a classmethod"
        ):
            build([cls])
