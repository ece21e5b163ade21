"""The work context: what a component works with, and where it finds other components."""

from typing import Any, Protocol, Self, TypeVar, overload

from isthmus.component.registry import ComponentRegistry
from isthmus.component.root import ComponentRoot
from isthmus.errors import ConfigurationError

C = TypeVar("C", bound=ComponentRoot)


class Collection(Protocol):
    """What groups components: a backend record.

    A collection may also have ``version_chain``, its own version followed by those it descends from,
    such as ``("1.7-acme", "1.7")``; without it, or empty, it has no version.
    """

    @property
    def _name(self) -> str: ...

    @property
    def env(self) -> Any:
        """The env of the record."""
        ...


class NamedModel(Protocol):
    """What may stand for a model's name: a model."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...


class WorkContext:
    """The collection, model and env of some work, and any extra keyword.

    Extras are attributes, those assigned later too, and go along to every component found from here,
    for this model or another.

    Attributes:
        env: The collection's env, or the given one.
        model_name: The model worked on. None: none in particular.
        registry: Where components are looked up: the given one, or ``env.components``.

    Raises:
        ConfigurationError: When there is neither collection nor env, when they do not belong together,
            or when an extra has a name of the work context's own.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_answers",
        "_collection",
        "_model",
        "_shelf",
        "env",
        "model_name",
        "registry",
    )

    env: Any
    model_name: str | None
    registry: ComponentRegistry

    def __init__(
        self,
        model_name: str | None = None,
        collection: Collection | None = None,
        env: Any = None,
        registry: ComponentRegistry | None = None,
        **kwargs: Any,
    ) -> None:
        if collection is not None:
            theirs = collection.env
            if env is not None and env is not theirs:
                raise ConfigurationError(
                    f"collection {collection._name!r} belongs to another env than the one given: "
                    f"give only the collection"
                )
            env = theirs
        elif env is None:
            raise ConfigurationError("a work context needs a collection or an env")
        self.env = env
        self.registry = env.components if registry is None else registry
        self._settle(model_name, collection)
        if kwargs:
            taken = _OWN.intersection(kwargs)
            if taken:
                raise ConfigurationError(
                    f"extras of a work context cannot be called {', '.join(sorted(taken))}"
                )
            self.__dict__.update(kwargs)

    def _settle(self, model_name: str | None, collection: Collection | None) -> None:
        self.model_name = model_name
        self._collection = collection
        self._model: Any = None
        if collection is None:
            self._shelf = self.registry.shelf(None, (), model_name)
        else:
            versions = tuple(getattr(collection, "version_chain", ()))
            self._shelf = self.registry.shelf(collection._name, versions, model_name)
        self._answers = self._shelf.answers

    @property
    def collection(self) -> Any:
        """The collection.

        Raises:
            ConfigurationError: When this work is for no collection.
        """
        if self._collection is None:
            raise ConfigurationError(
                f"this work (model {self.model_name!r}) has no collection: it comes from an event or a "
                f"lookup without one; start from one with backend.work_on({self.model_name!r})"
            )
        return self._collection

    @property
    def model(self) -> Any:
        """The model worked on.

        Raises:
            ConfigurationError: When this work is for no model in particular.
        """
        if self._model is None:
            if self.model_name is None:
                raise ConfigurationError("this work has no model; name one: work.work_on(model_name)")
            self._model = self.env[self.model_name]
        return self._model

    def work_on(
        self, model_name: str | NamedModel | None = None, collection: Collection | None = None
    ) -> Self:
        """Make the same work context for another model or collection, with all extras.

        Args:
            model_name: The other model. None: the same.
            collection: The other collection, of the same env. None: the same.

        Raises:
            ConfigurationError: When *collection* belongs to another env.
        """
        if collection is not None and collection.env is not self.env:
            raise ConfigurationError(f"collection {collection._name!r} belongs to another env than this work")
        # Not by the constructor: a subclass may ask for arguments there that only its first maker has.
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.env = self.env
        other.registry = self.registry
        other._settle(
            self.model_name if model_name is None else _name_of(model_name),
            self._collection if collection is None else collection,
        )
        return other

    @overload
    def component(self, usage: type[C], model_name: str | NamedModel | None = None, **kw: Any) -> C: ...

    @overload
    def component(
        self, usage: str | None = None, model_name: str | NamedModel | None = None, **kw: Any
    ) -> Any: ...

    def component(
        self, usage: str | type[C] | None = None, model_name: str | NamedModel | None = None, **kw: Any
    ) -> Any:
        """Find the most specific component and make one.

        Args:
            usage: What it is for; or a declared class: that component, or, when it is abstract, the most
                specific one that inherits it.
            model_name: The model to find it for and to give it. None: this one.
            **kw: Further criteria, given to ``_component_match``.

        Raises:
            NoComponentError: When there is none; says what exists and what excluded it.
            SeveralComponentError: When several are equally specific; names them.
        """  # noqa: DOC502 - raised by the shelf
        if model_name is not None and model_name != self.model_name:
            return self.work_on(model_name).component(usage, **kw)
        found = self._answers.get(usage)
        if found is None:
            found = self._shelf.choose(self, usage, kw)
        return found(self)

    def many_components(
        self, usage: str | None = None, model_name: str | NamedModel | None = None, **kw: Any
    ) -> list[Any]:
        """Make one of each component that fits, generic ones too, in the order of registration.

        Returns:
            An empty list when there is none.
        """
        if model_name is not None and model_name != self.model_name:
            return self.work_on(model_name).many_components(usage, **kw)
        return [cls(self) for cls in self._shelf.choose_all(self, usage, kw)]

    def component_by_name(self, name: str, model_name: str | NamedModel | None = None) -> Any:
        """Make the component of that name.

        Raises:
            NoComponentError: When it does not exist, is abstract, or is not for this collection,
                version or model.
        """  # noqa: DOC502 - raised by the shelf
        if model_name is not None and model_name != self.model_name:
            return self.work_on(model_name).component_by_name(name)
        return self._shelf.by_name(name)(self)

    def __getattr__(self, name: str) -> Any:
        """Explain an extra that is not there.

        Raises:
            AttributeError: Always; this is asked only for what was not found.
        """
        raise AttributeError(
            f"this work context has no {name!r} (extras: {sorted(self.__dict__)}); "
            f"extras are given at its start: backend.work_on(model, {name}=...)",
            name=name,
            obj=self,
        )

    def __repr__(self) -> str:
        return f"<WorkContext {self._shelf.place}>"


_OWN = frozenset(dir(WorkContext))


def _name_of(model: str | NamedModel) -> str:
    return model if isinstance(model, str) else model.name
