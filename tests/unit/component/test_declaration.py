"""What a class may declare, and what a disabled plugin takes with it."""

import logging
from abc import ABC, abstractmethod

import pytest

from isthmus.component import AbstractComponent, Component, ComponentRegistry
from isthmus.errors import ComponentDefinitionError

build = ComponentRegistry.build


class Importer(Component):
    """What some tests here inherit or extend."""

    _name = "importer"


class TestReading:
    def test_a_class_is_abstract_when_it_derives_from_abstract_component(self) -> None:
        """
        Being abstract is said, not inherited: what subclasses an abstract component can be used.
        """

        class Mapper(AbstractComponent):
            _name = "mapper"

        class Special(Mapper, AbstractComponent):
            _name = "mapper.special"

        class Said(Mapper):
            _name = "mapper.said"
            _abstract = True

        class Used(Mapper):
            _name = "mapper.used"

        registry = build([Mapper, Special, Said, Used])

        assert [name for name in registry if registry[name]._abstract] == [
            "base",
            "mapper",
            "mapper.special",
            "mapper.said",
        ]

    def test_a_helper_in_between_passes_on_what_it_derives_from(self) -> None:
        """
        A class that is kept out of the declarations is looked through: its bases count.
        """

        class Mapper(AbstractComponent):
            _name = "mapper"

        class Helper(Mapper, Component):
            _register = False

        class Used(Helper):
            _name = "used"

        registry = build([Used])

        assert list(registry) == ["base", "mapper", "used"]
        assert not registry["used"]._abstract

    def test_abstract_base_classes_of_python_may_be_mixed_in(self) -> None:
        """
        A mixin with a metaclass of its own is no obstacle.
        """

        class Sized(ABC):
            @abstractmethod
            def size(self) -> int: ...

        class Measuring(Sized, Component):
            _name = "measuring"

            def size(self) -> int:
                return 1

        assert issubclass(build([Measuring])["measuring"], Sized)

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
