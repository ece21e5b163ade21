"""Listeners: components whose methods named ``on_...`` react to events."""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import ClassVar, Concatenate, ParamSpec, TypeVar

from isthmus.component import AbstractComponent
from isthmus.component.root import where
from isthmus.errors import ComponentDefinitionError

P = ParamSpec("P")
S = TypeVar("S")
R = TypeVar("R")

EVENT_PREFIX = "on_"
LISTENER_USAGE = "event.listener"


class EventListener(AbstractComponent):
    """Derive listeners from this; restrict them by ``_collection`` and ``_apply_on``.

    A listener may be kept between notifications of one env: what it needs to remember belongs into
    the record, not into the listener.

    Attributes:
        events: On a built class, the events it listens to, sorted.

    >>> class ExportPartner(EventListener):
    ...     _name = "shop.partner.export.listener"
    ...     _collection = "shop.backend"
    ...     _apply_on = "res.partner"
    ...
    ...     @skip_if(lambda self, record, **kw: self.env.ctx.get("connector_no_export"))
    ...     def on_record_write(self, record, fields=None):
    ...         record.with_delay().export_record()
    """

    _name = "base.event.listener"
    _usage = LISTENER_USAGE
    _needs_synchronous: ClassVar[bool] = False
    """True refuses the listener for models whose events come after the fact (a remote store's)."""

    events: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def _complete_component_build(cls) -> None:
        """Collect the events.

        Raises:
            ComponentDefinitionError: When an attribute named like an event cannot be called.
        """
        super()._complete_component_build()
        names = sorted(name for name in dir(cls) if name.startswith(EVENT_PREFIX))
        for name in names:
            handler = getattr(cls, name)
            if not callable(handler):
                raise ComponentDefinitionError(
                    f"listener {cls._name!r} ({where(cls)}): {name} is no method, but its name says that it "
                    f"handles an event; rename it"
                )
            if iscoroutinefunction(handler):
                raise ComponentDefinitionError(
                    f"listener {cls._name!r} ({where(cls)}): {name} is async, nobody would await it; "
                    f"make it a plain method"
                )
        cls.events = tuple(names)


def skip_if(
    condition: Callable[..., object],
) -> Callable[[Callable[Concatenate[S, P], R]], Callable[Concatenate[S, P], R | None]]:
    """Skip a handler when *condition*, called with the very same arguments, is true.

    Args:
        condition: Called with the listener and all arguments of the event, exactly as they were given.

    >>> class Listener:
    ...     @skip_if(lambda self, record: record is None)
    ...     def on_paid(self, record):
    ...         return f"{record} paid"
    >>> Listener().on_paid(None), Listener().on_paid("order 7")
    (None, 'order 7 paid')
    """

    def decorate(handler: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R | None]:
        @wraps(handler)
        def guarded(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R | None:
            if condition(self, *args, **kwargs):
                return None
            return handler(self, *args, **kwargs)

        return guarded

    return decorate
