"""Events: records say what happened, listeners react."""

from isthmus.event.collect import CollectedEvents, collect, refuse_observed
from isthmus.event.listener import EventListener, skip_if

__all__ = ["CollectedEvents", "EventListener", "collect", "refuse_observed", "skip_if"]
