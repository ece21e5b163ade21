"""What makes a listener, and what is refused when one is built."""

from typing import Any

import pytest

from isthmus.component import Component, ComponentRegistry
from isthmus.errors import ComponentDefinitionError
from isthmus.event import EventListener, collect, skip_if

build = ComponentRegistry.build


class TestEvents:
    def test_a_listener_knows_its_events(self) -> None:
        """
        Every method named `on_...` is one, inherited ones included; the declared class stays as it was.
        """

        class Parent(EventListener):
            _name = "parent"

            def on_paid(self) -> None: ...

        class Child(Parent):
            _name = "child"

            def on_sent(self) -> None: ...

            def helper(self) -> None: ...

        registry = build([Parent, Child])

        assert registry["child"].events == ("on_paid", "on_sent")  # type: ignore[attr-defined]  # a listener
        assert Child.events == ()

    def test_an_extension_after_the_child_reaches_the_child(self) -> None:
        """
        Extending the parent gives the event to children that were declared before.
        """

        class Parent(EventListener):
            _name = "parent"

        class Child(Component):
            _name = "child"
            _inherit = "parent"

        class Late(EventListener):
            _inherit = "parent"

            def on_late(self) -> None: ...

        registry = build([Parent, Child, Late])

        assert registry["child"].events == ("on_late",)  # type: ignore[attr-defined]  # a listener

    def test_an_event_that_cannot_be_called_is_refused(self) -> None:
        """
        A plain attribute named like an event is found at the build, not at the first notification.
        """

        class Wrong(EventListener):
            __module__ = "shop"
            __qualname__ = "Wrong"
            _name = "wrong"
            on_hold = True

        with pytest.raises(ComponentDefinitionError) as caught:
            build([Wrong])

        assert str(caught.value) == (
            "listener 'wrong' (shop.Wrong): on_hold is no method, but its name says that it handles an "
            "event; rename it"
        )

    def test_an_async_handler_is_refused(self) -> None:
        """
        Nobody would await it, and so nothing would ever happen.
        """

        class Wrong(EventListener):
            _name = "wrong"

            async def on_paid(self) -> None: ...

        with pytest.raises(ComponentDefinitionError, match="on_paid is async, nobody would await it"):
            build([Wrong])


class TestSkipIf:
    def test_the_condition_gets_the_listener_and_the_exact_arguments(self, env_with: Any) -> None:
        """
        Positional stays positional and keyword stays keyword.
        """
        seen: list[Any] = []

        class Watching(EventListener):
            _name = "watching"

            @skip_if(lambda *args, **kwargs: seen.append((args, kwargs)))
            def on_paid(self, record: str, amount: int) -> None:
                self.env.heard.append((record, amount))

        env = env_with([Watching])
        handlers = collect(env, env.components, "sale.order", "on_paid")

        handlers.notify("order 7", amount=3)

        ((listener, *args), kwargs) = seen[0]
        assert isinstance(listener, Watching)
        assert (args, kwargs) == (["order 7"], {"amount": 3})
        assert env.heard == [("order 7", 3)]

    def test_a_true_condition_skips_only_its_own_handler(self, env_with: Any) -> None:
        """
        One listener skipping leaves the others alone.
        """

        class Skipping(EventListener):
            _name = "skipping"

            @skip_if(lambda self, record: record == "draft")
            def on_paid(self, record: str) -> None:
                self.env.heard.append(("skipping", record))

        class Always(EventListener):
            _name = "always"

            def on_paid(self, record: str) -> None:
                self.env.heard.append(("always", record))

        env = env_with([Skipping, Always])
        handlers = collect(env, env.components, "sale.order", "on_paid")

        for record in ("draft", "order"):
            handlers.notify(record)

        assert env.heard == [("always", "draft"), ("skipping", "order"), ("always", "order")]

    def test_the_condition_is_asked_each_time(self, env_with: Any) -> None:
        """
        A context that changes between two notifications counts, though the listener is kept.
        """

        class Obeying(EventListener):
            _name = "obeying"

            @skip_if(lambda self: self.env.quiet)
            def on_paid(self) -> None:
                self.env.heard.append("paid")

        env = env_with([Obeying])

        for env.quiet in (False, True, False):
            collect(env, env.components, "sale.order", "on_paid").notify()

        assert env.heard == ["paid", "paid"]

    def test_the_handler_keeps_its_name_and_words(self) -> None:
        """
        A decorated handler still says what it does.
        """

        class Documented(EventListener):
            _name = "documented"

            @skip_if(lambda self: False)
            def on_paid(self) -> None:
                """Send the receipt."""

        assert (Documented.on_paid.__name__, Documented.on_paid.__doc__) == ("on_paid", "Send the receipt.")
