"""From an event's name to the handlers that are called, in a defined order and at little cost."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, cast

from isthmus.component import Collection, ComponentRegistry, WorkContext
from isthmus.component.root import where
from isthmus.component.selection import may_veto
from isthmus.errors import ComponentDefinitionError, ConfigurationError, ListenerError
from isthmus.event.listener import EVENT_PREFIX, LISTENER_USAGE, EventListener

Handler = Callable[..., object]

_MOST_KEPT = 512
"""How many answers are kept per env; a long-lived env of many collections starts anew then."""


class CollectedEvents:
    """The handlers of one event for one model and collection, ready to be called.

    Collect once and notify for each record of a bulk.

    Attributes:
        handlers: Bound methods, in the order in which they are called.

    >>> CollectedEvents([print]).notify("order 7", "paid")
    order 7 paid
    >>> bool(CollectedEvents())
    False
    """

    __slots__ = ("handlers",)

    def __init__(self, handlers: Iterable[Handler] = ()) -> None:
        self.handlers = tuple(handlers)

    def notify(self, *args: Any, **kwargs: Any) -> None:
        """Call each handler with these arguments.

        An exception of one is the caller's: the handlers after it are not called.
        """
        for handler in self.handlers:
            handler(*args, **kwargs)

    def __bool__(self) -> bool:
        return bool(self.handlers)

    def __len__(self) -> int:
        return len(self.handlers)

    def __iter__(self) -> Iterator[Handler]:
        return iter(self.handlers)


NOBODY = CollectedEvents()
"""The answer when nothing listens: one object for all, so that it costs nothing."""


def collect(
    env: Any,
    registry: ComponentRegistry,
    model_name: str,
    event_name: str,
    collection: Collection | None = None,
) -> CollectedEvents:
    """Collect the handlers of an event, in the order of registration.

    Args:
        env: The env of the event. Listeners are kept in its attribute ``collected_events`` (a dict it
            may start with; set here if it can be), so that they die with it.
        registry: Where the listeners are.
        model_name: The model of the record.
        event_name: Starts with "on_".
        collection: With one, listeners bound to it, for one of its versions, and listeners bound to
            none; without one, all that listen to the model. The latter work without a collection.

    Raises:
        ConfigurationError: When the name does not start with "on_", or *collection* belongs to
            another env.
        ComponentDefinitionError: When a component with a listener's usage is none.
    """  # noqa: DOC502 - raised by the steps below
    if collection is None:
        place: tuple[Any, ...] = (None, (), model_name, event_name)
    else:
        place = (collection._name, tuple(getattr(collection, "version_chain", ())), model_name, event_name)
    known = registry.memo.setdefault("isthmus.event", {})
    classes = known.get(place)
    if classes is None:
        classes = known[place] = _find(registry, *place)
    if not classes:
        return NOBODY
    kept = _kept(env)
    key = (registry, collection, place)
    found = kept.get(key)
    if found is None:
        work = WorkContext(model_name, collection, env, registry)
        found = CollectedEvents(
            getattr(cls(work), event_name)
            for cls in classes
            if not may_veto(cls) or cls._component_match(work, usage=LISTENER_USAGE, model_name=model_name)
        )
        if not any(map(may_veto, classes)):
            if len(kept) >= _MOST_KEPT:
                kept.clear()
            kept[key] = found
    return found


def refuse_observed(registry: ComponentRegistry, observed: Iterable[str]) -> None:
    """Refuse listeners that need to run within the change on models whose events come after it.

    Args:
        registry: Where the listeners are.
        observed: Names of the models whose store only observes changes.

    Raises:
        ListenerError: For the first such listener; names it, its module and the model.
    """
    for model_name in observed:
        for cls in _listeners(registry, None, (), model_name):
            if cls._needs_synchronous and cls.events:
                raise ListenerError(
                    f"listener {cls._name!r} ({where(cls)}) needs to run within the change, but the store of "
                    f"{model_name!r} tells changes only afterwards; restrict it by _apply_on to other "
                    f"models, or let it do without (_needs_synchronous = False)"
                )


def _listeners(
    registry: ComponentRegistry, collection_name: str | None, versions: tuple[str, ...], model_name: str
) -> list[type[EventListener]]:
    found = registry.lookup(collection_name, LISTENER_USAGE, model_name, versions)
    for cls in found:
        if not issubclass(cls, EventListener):
            raise ComponentDefinitionError(
                f"{cls._name!r} ({where(cls)}) has usage {LISTENER_USAGE!r} but is no listener; "
                f"let it inherit {EventListener._name!r}"
            )
    return cast("list[type[EventListener]]", found)


def _find(
    registry: ComponentRegistry,
    collection_name: str | None,
    versions: tuple[str, ...],
    model_name: str,
    event_name: str,
) -> tuple[type[EventListener], ...]:
    if not event_name.startswith(EVENT_PREFIX):
        raise ConfigurationError(f"the name of an event starts with {EVENT_PREFIX!r}, unlike {event_name!r}")
    listeners = _listeners(registry, collection_name, versions, model_name)
    return tuple(cls for cls in listeners if event_name in cls.events)


def _kept(env: Any) -> dict[Any, CollectedEvents]:
    try:
        kept: dict[Any, CollectedEvents] = env.collected_events
    except AttributeError:
        kept = {}
        # An env that takes no attributes gets new listeners each time.
        with suppress(AttributeError):
            env.collected_events = kept
    return kept
