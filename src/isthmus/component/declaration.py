"""What each declared class says of its component, and which declared classes count."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from isthmus.component.root import ComponentRoot, in_or_below, is_built, is_declared, logger, where
from isthmus.errors import ComponentDefinitionError

ComponentClass = type[ComponentRoot]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What one declared class says of its component.

    Attributes:
        cls: The declared class.
        name: The component's name.
        extends: True when the class extends the component of that name in place.
        inherits: Names of the other components it inherits, by ``_inherit``.
        abstract: Whether it declares an abstract component.
    """

    cls: ComponentClass
    name: str
    extends: bool
    inherits: tuple[str, ...]
    abstract: bool


def read_declaration(cls: ComponentClass) -> Declaration:
    """Read what *cls* declares.

    Raises:
        ComponentDefinitionError: When ``_name`` or ``_inherit`` is of a wrong type, or ``_inherit`` has
            several names and there is no ``_name``.
    """
    name = cls.__dict__.get("_name")
    if name is not None and not (isinstance(name, str) and name):
        raise ComponentDefinitionError(f"{where(cls)}: _name must be a text, not {name!r}")
    inherit = as_names(cls, "_inherit", cls.__dict__.get("_inherit")) or ()
    if name is None:
        if len(inherit) > 1:
            raise ComponentDefinitionError(
                f"{where(cls)} has several _inherit ({', '.join(inherit)}) and no _name: give it a _name of "
                f"its own for a new component, or that of one of them to extend that one"
            )
        name = inherit[0] if inherit else where(cls)
    others = tuple(parent for parent in inherit if parent != name)
    return Declaration(cls, name, name in inherit, others, _says_abstract(cls))


def as_names(cls: type, attribute: str, value: object) -> tuple[str, ...] | None:
    """Read an attribute that holds one name or several; None when it holds none.

    Raises:
        ComponentDefinitionError: When it holds anything else; names class and attribute.

    >>> as_names(int, "_apply_on", ["sale.order", "sale.line"])
    ('sale.order', 'sale.line')
    """
    if value is None:
        return None
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, Iterable):
        raise ComponentDefinitionError(f"{where(cls)}: {attribute} must be a name or several, not {value!r}")
    found = tuple(names)
    if not all(isinstance(name, str) and name for name in found):
        raise ComponentDefinitionError(f"{where(cls)}: {attribute} must be a name or several, not {value!r}")
    return found


def python_bases(cls: type) -> Iterator[ComponentClass]:
    """Yield the component classes that *cls* subclasses directly, looking through unregistered ones."""
    for base in cls.__bases__:
        if is_declared(base):
            yield base
        elif issubclass(base, ComponentRoot):
            yield from python_bases(base)


def _says_abstract(cls: type) -> bool:
    said = cls.__dict__.get("_abstract")
    return bool(base_abstract(cls)) if said is None else bool(said)


def base_abstract(cls: type) -> bool | None:
    """Tell what the first unregistered direct base (AbstractComponent, Component) says; None without one."""
    for base in cls.__bases__:
        if issubclass(base, ComponentRoot) and not is_declared(base):
            return _says_abstract(base)
    return None


def with_ancestors(classes: Iterable[ComponentClass]) -> list[ComponentClass]:
    """Put the component classes that a class subclasses before it, each class once.

    Raises:
        ComponentDefinitionError: When a class is not a declared one, or subclasses a built one.
    """
    found: dict[ComponentClass, None] = {}
    for cls in classes:
        if is_built(cls) or not is_declared(cls):
            raise ComponentDefinitionError(f"{where(cls)} is no declared component class")
        for ancestor in reversed(cls.__mro__):
            if is_declared(ancestor):
                found.setdefault(ancestor)
            elif is_built(ancestor):
                raise ComponentDefinitionError(
                    f"{where(cls)} subclasses a class that a registry has built ({where(ancestor)}); "
                    f"subclass the declared class or use _inherit"
                )
    return list(found)


def without_disabled(
    classes: list[ComponentClass], disabled: Sequence[str]
) -> tuple[list[ComponentClass], list[ComponentClass]]:
    """Part the classes into those that stay and those that go with a disabled plugin.

    What only subclasses a component of one goes, too, and is told in one warning.
    """
    kept, dropped, taken = [], [], []
    for cls in classes:
        causes = [c for c in cls.__mro__ if is_declared(c) and in_or_below(c.__module__, disabled)]
        if not causes:
            kept.append(cls)
            continue
        dropped.append(cls)
        if not in_or_below(cls.__module__, disabled):
            taken.append(f"{where(cls)} (subclass of {where(causes[0])})")
    if taken:
        logger.warning("left out because they subclass components of disabled plugins: %s", ", ".join(taken))
    return kept, dropped
