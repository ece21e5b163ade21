"""The work context: what it carries, and what it says when something is missing."""

from types import SimpleNamespace
from typing import Any, assert_type

import pytest

from isthmus.component import Component, ComponentRegistry, WorkContext
from isthmus.errors import ConfigurationError, NoComponentError


class Bound(Component):
    """A component of a backend."""

    _name = "bound"
    _usage = "importer"
    _collection = "shop.backend"


class Free(Component):
    """A component of no backend."""

    _name = "free"
    _usage = "exporter"

    def sent(self) -> int:
        return 7


class ForOrders(Component):
    """A component for one model."""

    _name = "orders"
    _usage = "orders"
    _apply_on = "sale.order"


class TestCarrying:
    def test_extras_are_attributes(self, work_with: Any) -> None:
        """
        An extra keyword is an attribute of the work.
        """
        work = work_with([Free], client="the client")

        assert work.client == "the client"

    def test_extras_go_along_to_another_model(self, work_with: Any) -> None:
        """
        A component found for another model has them, too, and so has what that one finds.
        """
        first = work_with([Free], client="the client").component("exporter", "res.partner")
        second = first.component("exporter", model_name="res.user")

        assert (first.work.client, second.work.client) == ("the client", "the client")
        assert second.model == "<res.user>"

    def test_attributes_set_later_go_along_too(self, work_with: Any) -> None:
        """
        What was assigned after the start is carried like what was given at it.
        """
        work = work_with([Free])
        work.api_session = "late"

        assert work.work_on("res.partner").api_session == "late"

    def test_other_work_is_of_the_same_class(self, work_with: Any) -> None:
        """
        A subclass that demands arguments is carried on without being asked for them again.
        """

        class ClientWork(WorkContext):
            def __init__(self, client: str, **kw: Any) -> None:
                super().__init__(**kw)
                self.client = client

        plain = work_with([Free])
        work = ClientWork("c", model_name="sale.order", collection=plain.collection)

        other = work.work_on("res.partner")

        assert type(other) is ClientWork
        assert (other.client, other.model_name) == ("c", "res.partner")

    def test_a_missing_extra_says_how_to_give_it(self, work_with: Any) -> None:
        """
        The message names what there is and how extras come in; hasattr and getattr work as ever.
        """
        work = work_with([Free], client=1)

        with pytest.raises(AttributeError) as caught:
            work.cleint  # noqa: B018 - reading it is the point

        assert str(caught.value) == (
            "this work context has no 'cleint' (extras: ['client']); extras are given at its start: "
            "backend.work_on(model, cleint=...)"
        )
        assert not hasattr(work, "other")

    def test_an_extra_cannot_hide_what_a_work_has(self, work_with: Any) -> None:
        """
        An extra called like a method or property is refused at once.
        """
        with pytest.raises(
            ConfigurationError, match=r"extras of a work context cannot be called component, model$"
        ):
            work_with([Free], component=1, model=2)


class TestPlace:
    def test_collection_env_and_model(self, work_with: Any) -> None:
        """
        The env is the collection's, the model is asked of it by name, and only when needed.
        """
        work = work_with([Free])

        assert work.collection._name == "shop.backend"
        assert work.env is work.collection.env
        assert work.model == "<sale.order>"

    def test_an_unknown_model_is_found_out_when_it_is_used(self, work_with: Any) -> None:
        """
        Making a work context asks the env for nothing.
        """
        env = SimpleNamespace(components=ComponentRegistry.build([]))

        assert WorkContext("no.model", env=env).model_name == "no.model"

    def test_a_model_may_stand_for_its_name(self, work_with: Any) -> None:
        """
        `component("x", env["res.partner"])` is as good as the name.
        """
        found = work_with([Free]).component("exporter", SimpleNamespace(name="res.partner"))

        assert found.work.model_name == "res.partner"

    def test_a_registry_may_be_given(self, work_with: Any) -> None:
        """
        The given registry counts, not the env's.
        """
        plain = work_with([Free])

        work = WorkContext("sale.order", plain.collection, registry=ComponentRegistry.build([Bound]))

        assert work.component("importer")._name == "bound"

    def test_neither_collection_nor_env(self) -> None:
        """
        A work context needs a world.
        """
        with pytest.raises(ConfigurationError, match="a work context needs a collection or an env"):
            WorkContext("sale.order")

    def test_a_collection_of_another_env(self, work_with: Any) -> None:
        """
        Two envs are two transactions: they are never mixed.
        """
        one, other = work_with([Free]), work_with([Free])

        with pytest.raises(
            ConfigurationError, match=r"'shop.backend' belongs to another env than the one given"
        ):
            WorkContext("sale.order", one.collection, env=other.env)
        with pytest.raises(ConfigurationError, match=r"'shop.backend' belongs to another env than this work"):
            one.work_on(collection=other.collection)


class TestWithoutCollection:
    def test_the_collection_is_missed_clearly(self, work_with: Any) -> None:
        """
        A listener that needs a backend reads where to get one.
        """
        work = work_with([Free], collection=None)

        with pytest.raises(ConfigurationError) as caught:
            work.collection  # noqa: B018 - reading it is the point

        assert str(caught.value) == (
            "this work (model 'sale.order') has no collection: it comes from an event or a lookup "
            "without one; start from one with backend.work_on('sale.order')"
        )

    def test_components_of_no_collection_are_found(self, work_with: Any) -> None:
        """
        One and many alike; those bound to a collection say that they are.
        """
        work = work_with([Free, Bound], collection=None)

        assert work.component("exporter")._name == "free"
        assert [found._name for found in work.many_components()] == ["free"]
        with pytest.raises(NoComponentError, match=r"no collection: 'bound' .* is bound to"):
            work.component("importer")

    def test_a_collection_may_come_later(self, work_with: Any) -> None:
        """
        The same work, with its extras, on a collection of the same env.
        """
        free = work_with([Free, Bound], collection=None, client="c")
        backend = SimpleNamespace(_name="shop.backend", env=free.env)

        work = free.work_on(collection=backend)

        assert work.component("importer").work.client == "c"
        assert work.model_name == "sale.order"


class TestWithoutModel:
    def test_the_model_is_missed_clearly(self, work_with: Any) -> None:
        """
        A work of no model names the way to one.
        """
        work = work_with([Free], model_name=None)

        with pytest.raises(
            ConfigurationError, match=r"this work has no model; name one: work.work_on\(model_name\)"
        ):
            work.model  # noqa: B018 - reading it is the point

    def test_only_components_for_any_model_are_found(self, work_with: Any) -> None:
        """
        What is for one model would miss it.
        """
        work = work_with([Free, ForOrders], model_name=None)

        assert work.component("exporter")._name == "free"
        with pytest.raises(NoComponentError, match=r"for no model, .* is for model 'sale.order'"):
            work.component("orders")


def test_a_component_found_by_class_keeps_its_type(work_with: Any) -> None:
    """
    Editors and type checkers know what `component(Free)` gives.
    """
    work: WorkContext = work_with([Free])

    found = work.component(Free)

    assert_type(found, Free)
    assert_type(found.component(Free, "res.partner"), Free)
    assert found.sent() == 7


def test_each_lookup_makes_a_new_component(work_with: Any) -> None:
    """
    What one importer remembers of its record is not the next one's.
    """
    work = work_with([Free])

    assert work.component("exporter") is not work.component("exporter")
    assert repr(work) == "<WorkContext model 'sale.order', collection 'shop.backend'>"
