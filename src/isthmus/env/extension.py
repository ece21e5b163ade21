"""Methods for models, added from anywhere: a model's class is built from its extensions.

Declared classes are never changed. For each model one `Model` and one `Record` class is built
per hub from the extensions of its name (newest first), then those of its parents.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from isthmus.errors import ComponentDefinitionError

_declared: dict[tuple[str, str], type["ModelExtension"]] = {}


class ModelExtension:
    """Base of classes that add methods to a model, on either store.

    The methods are there on the model (``env["project.task"].method()``) and on its records.

    >>> class Shout(ModelExtension):
    ...     _inherit = "doc.example"
    ...     def shout(self):
    ...         return self._name.upper()
    """

    _inherit: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note the declaration.

        Raises:
            ComponentDefinitionError: When ``_inherit`` names no model.
        """
        super().__init_subclass__(**kwargs)
        if not isinstance(cls._inherit, str) or not cls._inherit:
            raise ComponentDefinitionError(
                f"model extension {cls.__module__}.{cls.__qualname__} must say which model it "
                f"extends: _inherit = 'model.name'"
            )
        _declared.pop((cls.__module__, cls.__qualname__), None)
        _declared[cls.__module__, cls.__qualname__] = cls


def declared_extensions(*packages: str) -> list[type[ModelExtension]]:
    """List declared extensions in order, of the given packages or of all when none is given."""
    return [
        cls
        for (module, _), cls in _declared.items()
        if not packages or any(module == p or module.startswith(p + ".") for p in packages)
    ]


class ModelClasses:
    """Builds and keeps the classes of models: one per model, base and set of extensions."""

    def __init__(
        self,
        extensions: Iterable[type[ModelExtension]],
        *,
        model: type,
        record: type,
        mapped: Mapping[str, type] | None = None,
    ) -> None:
        """Take the extensions in registration order and the base classes.

        Args:
            extensions: What was declared.
            model: Base of every model class.
            record: Base of every record class.
            mapped: Declaring class by model name; its ``_extends`` names further models whose extensions
                count, ``_kind`` says that it is only what such others have in common, its
                ``_model_class`` and ``_record_class`` replace the bases.
        """
        self._model, self._record = model, record
        self._mapped = mapped or {}
        self._extensions: dict[str, list[type[ModelExtension]]] = {}
        for extension in extensions:
            self._extensions.setdefault(extension._inherit, []).insert(0, extension)
        self._built: dict[tuple[str, type], type] = {}

    def model_class(self, name: str) -> type:
        """Give the class of ``env[name]``."""
        return self._build(name, getattr(self._mapped.get(name), "_model_class", self._model))

    def record_class(self, name: str) -> type:
        """Give the class of the records of ``env[name]``."""
        return self._build(name, getattr(self._mapped.get(name), "_record_class", self._record))

    def extended(self) -> Iterable[str]:
        """List the names that extensions speak of."""
        return self._extensions.keys()

    def kinds(self) -> frozenset[str]:
        """List the models that are kinds of models, such as all backends: each record is of another one."""
        return frozenset(name for name, cls in self._mapped.items() if vars(cls).get("_kind", False))

    def _build(self, name: str, base: type) -> type:
        key = (name, base)
        if key not in self._built:
            bases: list[type] = []
            for source in (name, *getattr(self._mapped.get(name), "_extends", ())):
                bases += [e for e in self._extensions.get(source, ()) if e not in bases]
            # A class that another one in the list inherits comes in through that one.
            bases = [b for b in bases if not any(b is not other and issubclass(other, b) for other in bases)]
            try:
                self._built[key] = type(f"{base.__name__}<{name}>", (*bases, base), {"__module__": __name__})
            except TypeError as exc:
                names = ", ".join(f"{b.__module__}.{b.__qualname__}" for b in bases)
                raise ComponentDefinitionError(
                    f"the extensions of model {name!r} cannot be put in one order: {names}"
                ) from exc
        return self._built[key]
