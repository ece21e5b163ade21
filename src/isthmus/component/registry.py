"""The built components of one database.

A registry never changes: another set of plugins means another registry, so that nothing it keeps is stale.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator
from typing import Any, TypeVar, overload

from isthmus.component.build import BASE, build_classes
from isthmus.component.declaration import ComponentClass
from isthmus.component.root import ComponentRoot, declared_components
from isthmus.component.selection import Place, Shelf

T = TypeVar("T")


class ComponentRegistry:
    """Components by name, in the order of their declaration; make one by ``build()``.

    Attributes:
        memo: For other packages to keep what they derive from these components; it lives as long
            as the registry, and since that never changes, nothing in it becomes stale. Keys start
            with the package's name.
    """

    def __init__(self, components: dict[str, ComponentClass], names: dict[ComponentClass, str]) -> None:
        self.memo: dict[Hashable, Any] = {}
        self._components = components
        self._built = {declared: components[name] for declared, name in names.items()}
        self._built.update((cls, cls) for cls in components.values())
        self._shelves: dict[tuple[str | None, tuple[str, ...], str | None], Shelf] = {}
        self._lookups: dict[Hashable, tuple[ComponentClass, ...]] = {}

    @classmethod
    def build(
        cls, classes: Iterable[type[ComponentRoot]], *, disabled: Collection[str] = ()
    ) -> "ComponentRegistry":
        """Build a registry from declared classes.

        The root component "base" and the components that the classes subclass are always part of it.

        Args:
            classes: Declared classes (see ``declared_components``), in the order of registration.
            disabled: Modules or packages of disabled plugins. What is declared in or below them does
                not exist, nor what subclasses it; the latter is logged as a warning.

        Raises:
            ComponentDefinitionError: When declarations do not fit together; names the classes.

        >>> registry = ComponentRegistry.build([])
        >>> list(registry)
        ['base']
        """  # noqa: DOC502 - raised by build_classes, and the door users meet it at is this one
        root = [c for c in declared_components("isthmus.component") if c.__dict__.get("_name") == BASE]
        return cls(*build_classes([*root, *classes], disabled=tuple(disabled)))

    def __getitem__(self, name: str) -> ComponentClass:
        return self._components[name]

    def __contains__(self, name: object) -> bool:
        return name in self._components

    def __iter__(self) -> Iterator[str]:
        return iter(self._components)

    def __len__(self) -> int:
        return len(self._components)

    @overload
    def get(self, name: str) -> ComponentClass | None: ...

    @overload
    def get(self, name: str, default: T) -> ComponentClass | T: ...

    def get(self, name: str, default: object = None) -> object:
        """Give the built class of that name, or *default*."""
        return self._components.get(name, default)

    def lookup(
        self,
        collection_name: str | None = None,
        usage: str | None = None,
        model_name: str | None = None,
        version_chain: tuple[str, ...] = (),
    ) -> list[ComponentClass]:
        """List the concrete components that fit, in the order of registration.

        Args:
            collection_name: Only those of this collection or of none. None: all.
            usage: Only those with this usage. None: all.
            model_name: Only those for this model or for any. None: all.
            version_chain: With a collection, its versions: only components for one of them or for any
                version. Without a collection versions do not count.
        """
        key = (collection_name, usage, model_name, version_chain)
        found = self._lookups.get(key)
        if found is None:
            found = tuple(
                cls
                for cls in self._components.values()
                if not cls._abstract
                and (usage is None or cls._usage == usage)
                and Place(
                    cls._collection if collection_name is None else collection_name,
                    (cls._version or "",) if collection_name is None else version_chain,
                    (cls.apply_on_models or (None,))[0] if model_name is None else model_name,
                ).exclusion(cls)
                is None
            )
            self._lookups[key] = found
        return list(found)

    def shelf(
        self, collection_name: str | None, version_chain: tuple[str, ...], model_name: str | None
    ) -> Shelf:
        """Give what is offered to a work context with that collection and model (None: it has none)."""
        key = (collection_name, version_chain, model_name)
        found = self._shelves.get(key)
        if found is None:
            found = Shelf(Place(*key), self._components, self._built)
            self._shelves[key] = found
        return found
