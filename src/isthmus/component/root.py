"""The root class of every component and the record of which components were declared.

Importing a module that declares components changes nothing but this record: what a component
becomes is decided when a registry is built from declared classes (``build.py``).
"""

import logging
from collections.abc import Sequence
from typing import Any, ClassVar

logger = logging.getLogger("isthmus.component")

_declared: dict[tuple[object, ...], type["ComponentRoot"]] = {}


class ComponentRoot:
    """What a registry knows of a component; derive from ``Component``, never from this.

    Attributes:
        _register: False, in a class of its own, keeps that class out of the declarations.
        _abstract: Whether the component is only there to be inherited. Never inherited itself:
            without it a class is abstract exactly when ``AbstractComponent`` is one of its direct bases.
        _name: The component's name, dotted and lower. None: extends ``_inherit``, or, without one,
            is a new component named after module and class.
        _inherit: Names of components to inherit.
        _usage: What the component is for, such as "binder" or "record.importer".
        _collection: The collection it is bound to. None: any.
        _apply_on: The model or models it is for. None: any.
        _model_name: The older spelling of ``_apply_on``.
        _version: The version of the collection it is for. None: any.
        apply_on_models: On a built class, the models it is for; None: any.
    """

    _register: ClassVar[bool] = False
    _abstract: ClassVar[bool] = True
    _name: ClassVar[str | None] = None
    _inherit: ClassVar[str | Sequence[str] | None] = None
    _usage: ClassVar[str | None] = None
    _collection: ClassVar[str | None] = None
    _apply_on: ClassVar[str | Sequence[str] | None] = None
    _model_name: ClassVar[str | Sequence[str] | None] = None
    _version: ClassVar[str | None] = None
    apply_on_models: ClassVar[tuple[str, ...] | None] = None

    def __init__(self, work: Any) -> None:
        self.work = work

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Record the declaration, unless a registry builds the class or it says ``_register = False``."""
        super().__init_subclass__(**kwargs)
        if cls.__dict__.get("_register", True) and not is_built(cls):
            _declare(cls)

    @classmethod
    def _component_match(
        cls,
        work: Any,  # noqa: ARG003 - for those who override it
        usage: str | None = None,  # noqa: ARG003
        model_name: str | None = None,  # noqa: ARG003
        **kw: Any,  # noqa: ARG003
    ) -> bool:
        """Say whether this component answers one lookup; the last word after all declared criteria.

        Asked at every lookup and never cached, and only of classes that override it.

        Args:
            work: The work context of the lookup.
            usage: The usage that was asked for.
            model_name: The model the lookup is for.
            **kw: What the caller of ``component()`` gave beyond these.

        Returns:
            False to be left out of this lookup.
        """
        return True

    @classmethod
    def _complete_component_build(cls) -> None:
        """Derive tables from the class; called once on every built class, when all bases are final."""


def is_built(cls: type) -> bool:
    """Tell whether a registry made *cls*.

    >>> is_built(ComponentRoot)
    False
    """
    return "_built" in cls.__dict__


def is_declared(cls: type) -> bool:
    """Tell whether *cls* declares a component, that is: is neither a root, nor a mixin, nor built."""
    return issubclass(cls, ComponentRoot) and cls.__dict__.get("_register", True) and not is_built(cls)


def where(cls: type) -> str:
    """Say where *cls* is defined, for messages.

    >>> where(ComponentRoot)
    'isthmus.component.root.ComponentRoot'
    """
    return f"{cls.__module__}.{cls.__qualname__}"


def in_or_below(module: str, packages: Sequence[str]) -> bool:
    """Tell whether *module* is one of the *packages* or lies in one.

    >>> in_or_below("shop.components.order", ["shop"]), in_or_below("shopping", ["shop"])
    (True, False)
    """
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def declared_components(*packages: str) -> list[type[ComponentRoot]]:
    """List the declared classes, in the order of their definition.

    Args:
        *packages: Only classes whose module is in or below one of these; all if none is given.

    >>> [cls.__name__ for cls in declared_components("isthmus.component") if cls._name == "base"]
    ['Base']
    """
    return [cls for cls in _declared.values() if not packages or in_or_below(cls.__module__, packages)]


def _declare(cls: type[ComponentRoot]) -> None:
    key: tuple[object, ...] = (cls.__module__, cls.__qualname__)
    said = (cls.__dict__.get("_name"), repr(cls.__dict__.get("_inherit")))
    if "<locals>" in cls.__qualname__:
        # A function may make many components from one class statement: those are not each other's reload.
        key += said
    earlier = _declared.pop(key, None)
    if earlier is not None:
        earlier_said = (earlier.__dict__.get("_name"), repr(earlier.__dict__.get("_inherit")))
        if earlier_said != said:
            logger.warning(
                "%s was declared again with another _name or _inherit: %s before, %s now, which counts",
                where(cls),
                earlier_said,
                said,
            )
    _declared[key] = cls
