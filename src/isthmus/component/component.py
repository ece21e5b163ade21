"""The classes to derive components from."""

from typing import Any, ClassVar, TypeVar, overload

from isthmus.component.root import ComponentRoot
from isthmus.component.work import NamedModel, WorkContext

C = TypeVar("C", bound=ComponentRoot)


class AbstractComponent(ComponentRoot):
    """Derive from this what is only there to be inherited.

    Attributes:
        work: The work context the component was made for.
    """

    _register: ClassVar[bool] = False
    _abstract: ClassVar[bool] = True

    work: WorkContext

    def __init__(self, work: WorkContext) -> None:
        self.work = work

    @property
    def env(self) -> Any:
        """The env of the work."""
        return self.work.env

    @property
    def model(self) -> Any:
        """The model of the work."""
        return self.work.model

    @property
    def collection(self) -> Any:
        """The collection of the work, a backend."""
        return self.work.collection

    @overload
    def component(self, usage: type[C], model_name: str | NamedModel | None = None, **kw: Any) -> C: ...

    @overload
    def component(
        self, usage: str | None = None, model_name: str | NamedModel | None = None, **kw: Any
    ) -> Any: ...

    def component(
        self, usage: str | type[C] | None = None, model_name: str | NamedModel | None = None, **kw: Any
    ) -> Any:
        """Find the most specific component and make one; see ``WorkContext.component``."""
        return self.work.component(usage, model_name, **kw)

    def many_components(
        self, usage: str | None = None, model_name: str | NamedModel | None = None, **kw: Any
    ) -> list[Any]:
        """Make one of each component that fits; see ``WorkContext.many_components``."""
        return self.work.many_components(usage, model_name, **kw)

    def component_by_name(self, name: str, model_name: str | NamedModel | None = None) -> Any:
        """Make the component of that name; see ``WorkContext.component_by_name``."""
        return self.work.component_by_name(name, model_name)

    def __repr__(self) -> str:
        return f"<{self._name} for {self.work._shelf.place}>"

    def __str__(self) -> str:
        return f"Component({self._name})"


class Component(AbstractComponent):
    """Derive from this what is used.

    >>> class OrderImporter(Component):
    ...     _name = "shop.order.importer"
    ...     _collection = "shop.backend"
    ...     _apply_on = "sale.order"
    ...     _usage = "record.importer"
    """

    _register: ClassVar[bool] = False
    _abstract: ClassVar[bool] = False


class Base(AbstractComponent):
    """The root component: all others inherit it, and extending it in place reaches them all."""

    _name = "base"
