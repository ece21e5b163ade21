"""Components: small classes found by usage, model and collection, extensible by name."""

from isthmus.component.component import AbstractComponent, Base, Component
from isthmus.component.registry import ComponentRegistry
from isthmus.component.root import declared_components
from isthmus.component.work import Collection, NamedModel, WorkContext

__all__ = [
    "AbstractComponent",
    "Base",
    "Collection",
    "Component",
    "ComponentRegistry",
    "NamedModel",
    "WorkContext",
    "declared_components",
]
