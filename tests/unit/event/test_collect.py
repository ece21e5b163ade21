"""Which listeners hear an event, in which order, and for how long they are kept."""

import gc
import weakref
from typing import Any

import pytest

from isthmus.component import Component, ComponentRegistry
from isthmus.errors import ComponentDefinitionError, ConfigurationError, ListenerError
from isthmus.event import EventListener, collect, refuse_observed


def listener(name: str, **attributes: Any) -> type[EventListener]:
    """Declare a listener that writes down its name and the record when it is paid."""

    def on_paid(self: EventListener, record: str) -> None:
        self.env.heard.append((name, record))

    said = {"__module__": "shop", "_name": name, "on_paid": on_paid, **attributes}
    return type(name.title(), (EventListener,), said)


def names(handlers: Any) -> list[str]:
    """Tell whose handlers these are, in their order."""
    return [handler.__self__._name for handler in handlers]


class TestWho:
    def test_listeners_are_called_in_the_order_of_registration(self, env_with: Any) -> None:
        """
        The order is that of the declarations, each time.
        """
        env = env_with([listener(name) for name in "cabed"])

        collect(env, env.components, "sale.order", "on_paid").notify("order 7")

        assert env.heard == [(name, "order 7") for name in "cabed"]

    def test_only_listeners_of_the_event_and_model_hear_it(self, env_with: Any) -> None:
        """
        Another model's listeners, and those of other events, are left alone.
        """

        class OtherEvent(EventListener):
            _name = "other.event"

            def on_sent(self) -> None: ...

        env = env_with([
            listener("any"),
            listener("orders", _apply_on="sale.order"),
            listener("partners", _apply_on="res.partner"),
            OtherEvent,
        ])

        assert names(collect(env, env.components, "sale.order", "on_paid")) == ["any", "orders"]

    def test_with_a_collection_its_own_and_the_unbound_hear_it(self, env_with: Any, backend: Any) -> None:
        """
        A notification for one backend does not reach the listeners of another.
        """
        env = env_with([
            listener("unbound"),
            listener("shop", _collection="shop.backend"),
            listener("other", _collection="other.backend"),
        ])

        handlers = collect(env, env.components, "sale.order", "on_paid", backend("shop.backend", env))

        assert names(handlers) == ["unbound", "shop"]

    def test_versions_of_the_collection_count(self, env_with: Any, backend: Any) -> None:
        """
        A backend of version 1.7 is heard by what is for 1.7 and by what is for any version.
        """
        env = env_with([listener("any"), listener("new", _version="1.7"), listener("old", _version="1.6")])
        versions = ("1.7-acme", "1.7")

        handlers = collect(env, env.components, "sale.order", "on_paid", backend("b", env, versions))

        assert names(handlers) == ["any", "new"]

    def test_without_a_collection_all_listeners_of_the_model_hear_it(self, env_with: Any) -> None:
        """
        They work in the env alone: one that asks for its backend reads how to get one.
        """

        class Asking(EventListener):
            _name = "asking"
            _collection = "shop.backend"
            _version = "1.7"

            def on_paid(self, record: str) -> None:
                self.env.heard.append(self.collection)

        env = env_with([listener("unbound"), listener("bound", _collection="shop.backend"), Asking])
        handlers = collect(env, env.components, "sale.order", "on_paid")

        with pytest.raises(ConfigurationError, match=r"start from one with backend.work_on\('sale.order'\)"):
            handlers.notify("order 7")

        assert env.heard == [("unbound", "order 7"), ("bound", "order 7")]

    def test_a_listener_without_collection_finds_components(self, env_with: Any) -> None:
        """
        Many components at once, too: its work is a work context like any other.
        """

        class Helper(Component):
            _name = "helper"
            _usage = "helper"

        class Second(Component):
            _name = "second"
            _usage = "helper"

        class Finding(EventListener):
            _name = "finding"

            def on_paid(self, record: str) -> None:
                self.env.heard += [found._name for found in self.many_components("helper")]

        env = env_with([Helper, Second, Finding])

        collect(env, env.components, "sale.order", "on_paid").notify("order 7")

        assert env.heard == ["helper", "second"]

    def test_an_abstract_listener_hears_nothing(self, env_with: Any) -> None:
        """
        What is only there to be inherited is not called.
        """
        env = env_with([listener("abstract", _abstract=True)])

        assert not collect(env, env.components, "sale.order", "on_paid")

    def test_a_listener_may_refuse_by_match(self, env_with: Any) -> None:
        """
        `_component_match` is asked at each collection, as in every other lookup.
        """
        asked: list[str] = []

        def match(cls: Any, /, work: Any, usage: Any = None, model_name: Any = None, **kw: Any) -> bool:
            asked.append(f"{usage} {model_name}")
            return bool(work.env.willing)

        env = env_with([listener("choosy", _component_match=classmethod(match))])

        for env.willing in (True, False, True):
            collect(env, env.components, "sale.order", "on_paid").notify("order 7")

        assert env.heard == [("choosy", "order 7")] * 2
        assert asked == ["event.listener sale.order"] * 3


class TestNotify:
    def test_an_exception_reaches_the_caller_at_once(self, env_with: Any) -> None:
        """
        The change that caused the event fails with its listener; later listeners are not called.
        """

        class Failing(EventListener):
            _name = "failing"

            def on_paid(self, record: str) -> None:
                msg = f"cannot book {record}"
                raise ValueError(msg)

        env = env_with([listener("first"), Failing, listener("last")])
        handlers = collect(env, env.components, "sale.order", "on_paid")

        with pytest.raises(ValueError, match="cannot book order 7"):
            handlers.notify("order 7")

        assert env.heard == [("first", "order 7")]

    def test_collecting_once_serves_a_bulk(self, env_with: Any) -> None:
        """
        One collection notifies of each of many records.
        """
        env = env_with([listener("one"), listener("two")])
        handlers = collect(env, env.components, "sale.order", "on_paid")

        for record in ("a", "b"):
            handlers.notify(record)

        assert len(handlers) == 2
        assert env.heard == [("one", "a"), ("two", "a"), ("one", "b"), ("two", "b")]

    def test_nobody_listening_is_one_object_for_all(self, env_with: Any) -> None:
        """
        Without listeners nothing is made, neither per env nor per event.
        """
        env = env_with([listener("one", _apply_on="res.partner")])

        handlers = collect(env, env.components, "sale.order", "on_paid")

        assert not handlers
        assert handlers is collect(env, env.components, "sale.order", "on_sent")
        assert not hasattr(env, "collected_events")
        handlers.notify("order 7")


class TestKeeping:
    def test_listeners_are_kept_for_their_env(self, env_with: Any, backend: Any) -> None:
        """
        The same event on the same model and collection is answered by the same objects.
        """
        env = env_with([listener("one")])
        shop = backend("shop.backend", env)

        kept = collect(env, env.components, "sale.order", "on_paid", shop)

        assert collect(env, env.components, "sale.order", "on_paid", shop) is kept
        assert collect(env, env.components, "sale.order", "on_paid") is not kept
        assert collect(env, env.components, "sale.order", "on_paid", backend("shop.backend", env)) is not kept

    def test_another_registry_is_another_answer(self, env_with: Any) -> None:
        """
        A plugin enabled meanwhile is heard at once, in the same env.
        """
        env, later = env_with([listener("one")]), env_with([listener("one"), listener("two")])

        before = collect(env, env.components, "sale.order", "on_paid")
        after = collect(env, later.components, "sale.order", "on_paid")

        assert (names(before), names(after)) == (["one"], ["one", "two"])

    def test_listeners_die_with_their_env(self, env_with: Any) -> None:
        """
        What is kept keeps no env alive.
        """
        env = env_with([listener("one")])
        registry = env.components
        collect(env, registry, "sale.order", "on_paid").notify("order 7")
        remembered = weakref.ref(env)

        del env
        gc.collect()

        assert remembered() is None

    def test_many_collections_do_not_pile_up(self, env_with: Any, backend: Any) -> None:
        """
        A long-lived env that sees thousands of collections keeps a bounded number of answers.
        """
        env = env_with([listener("one")])

        for number in range(2_000):
            collect(env, env.components, "sale.order", "on_paid", backend(f"b{number}", env))

        assert len(env.collected_events) <= 512

    def test_an_env_that_takes_no_attributes_still_notifies(self) -> None:
        """
        Without a place to keep them listeners are made each time.
        """

        class Closed:
            __slots__ = ("components", "heard")
            components: ComponentRegistry
            heard: list[Any]

        env = Closed()
        env.components = ComponentRegistry.build([listener("one")])
        env.heard = []

        for _ in range(2):
            collect(env, env.components, "sale.order", "on_paid").notify("order 7")

        assert env.heard == [("one", "order 7")] * 2


class TestRefusals:
    def test_an_event_is_named_on_something(self, env_with: Any) -> None:
        """
        A misnamed event is an error, also when nobody listens.
        """
        env = env_with([])

        with pytest.raises(
            ConfigurationError, match=r"the name of an event starts with 'on_', unlike 'paid'$"
        ):
            collect(env, env.components, "sale.order", "paid")

    def test_a_collection_of_another_env(self, env_with: Any, backend: Any) -> None:
        """
        Two envs are never mixed in one notification.
        """
        env, other = env_with([listener("one")]), env_with([])

        with pytest.raises(ConfigurationError, match=r"'shop.backend' belongs to another env"):
            collect(env, env.components, "sale.order", "on_paid", backend("shop.backend", other))

    def test_a_component_that_only_looks_like_a_listener(self, env_with: Any) -> None:
        """
        The usage alone makes no listener: it would silently never be called.
        """

        class Lookalike(Component):
            _name = "lookalike"
            _usage = "event.listener"

        env = env_with([Lookalike])

        with pytest.raises(
            ComponentDefinitionError, match=r"but is no listener; let it inherit 'base.event.list"
        ):
            collect(env, env.components, "sale.order", "on_paid")


class TestObserved:
    def test_a_listener_that_needs_the_change_itself_is_refused(self, env_with: Any) -> None:
        """
        On a model whose store tells changes afterwards, it could not do what it promises.
        """
        env = env_with([listener("strict", _apply_on="sale.order", _needs_synchronous=True)])

        with pytest.raises(
            ListenerError, match=r"'strict' \(shop.Strict\) needs to run within the change, but"
        ):
            refuse_observed(env.components, ["res.partner", "sale.order"])

    def test_other_listeners_and_other_models_are_fine(self, env_with: Any) -> None:
        """
        Nothing is refused where it does not matter.
        """
        env = env_with([
            listener("strict", _apply_on="sale.order", _needs_synchronous=True),
            listener("easy"),
        ])

        refuse_observed(env.components, ["res.partner"])
