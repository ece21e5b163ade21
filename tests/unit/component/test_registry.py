"""The registry as a mapping, and its plain lookup."""

import pytest

from isthmus.component import AbstractComponent, Component, ComponentRegistry


class Root(AbstractComponent):
    """An abstract component."""

    _name = "root"
    _usage = "importer"


class Generic(Component):
    """A component for any collection and model."""

    _name = "generic"
    _usage = "importer"


class Orders(Component):
    """A component for one model of one collection."""

    _name = "orders"
    _usage = "importer"
    _collection = "shop.backend"
    _apply_on = ["sale.order", "sale.line"]


class OrdersOfOneVersion(Component):
    """A component for one version."""

    _name = "orders.17"
    _usage = "importer"
    _collection = "shop.backend"
    _apply_on = "sale.order"
    _version = "1.7"


class Exporter(Component):
    """A component of another usage."""

    _name = "exporter"
    _usage = "exporter"


@pytest.fixture
def registry() -> ComponentRegistry:
    """A registry of the classes above."""
    return ComponentRegistry.build([Root, Generic, Orders, OrdersOfOneVersion, Exporter])


class TestMapping:
    def test_names_come_in_the_order_of_registration(self, registry: ComponentRegistry) -> None:
        """
        Base first, then as the classes were given.
        """
        assert list(registry) == ["base", "root", "generic", "orders", "orders.17", "exporter"]
        assert len(registry) == 6

    def test_a_component_is_found_by_its_name(self, registry: ComponentRegistry) -> None:
        """
        By item, by get with a default, and by asking whether it is there.
        """
        assert issubclass(registry["orders"], Orders)
        assert registry.get("orders") is registry["orders"]
        assert registry.get("nothing") is None
        assert registry.get("nothing", 7) == 7
        assert "orders" in registry
        assert "nothing" not in registry

    def test_a_built_class_looks_like_its_original(self, registry: ComponentRegistry) -> None:
        """
        In tracebacks and logs it has the name and module that a reader finds in the code.
        """
        built = registry["orders"]

        assert (built.__module__, built.__qualname__, built.__doc__) == (
            Orders.__module__,
            Orders.__qualname__,
            Orders.__doc__,
        )


class TestLookup:
    @pytest.mark.parametrize(
        ("criteria", "found"),
        [
            ({}, ["generic", "orders", "orders.17", "exporter"]),
            ({"usage": "importer"}, ["generic", "orders", "orders.17"]),
            ({"usage": "importer", "collection_name": "shop.backend"}, ["generic", "orders"]),
            (
                {"usage": "importer", "collection_name": "shop.backend", "version_chain": ("1.7",)},
                ["generic", "orders", "orders.17"],
            ),
            ({"usage": "importer", "collection_name": "other.backend"}, ["generic"]),
            ({"usage": "importer", "model_name": "sale.line"}, ["generic", "orders"]),
            ({"usage": "importer", "model_name": "res.partner"}, ["generic"]),
            ({"usage": "nothing"}, []),
        ],
    )
    def test_a_criterion_left_out_does_not_filter(
        self, registry: ComponentRegistry, criteria: dict[str, object], found: list[str]
    ) -> None:
        """
        Each criterion narrows; abstract components are never found.
        """
        assert [cls._name for cls in registry.lookup(**criteria)] == found  # type: ignore[arg-type]  # as given above

    def test_the_answer_is_the_callers_own(self, registry: ComponentRegistry) -> None:
        """
        Changing the list does not change the next answer.
        """
        registry.lookup(usage="importer").clear()

        assert len(registry.lookup(usage="importer")) == 3
