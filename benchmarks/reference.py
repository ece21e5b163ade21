"""The field's reference implementation, imported from a checkout beside stand-ins for what it imports itself.

The checkout is OCA/connector, branch 18.0, in the folder that ``ISTHMUS_BENCH_REFERENCE`` names. Its
packages run inside Odoo; what they take from there to find components, to map and to notify is little, and
is made here when it is needed. The stand-ins do less than the originals, so they never make the reference
slower than it is.
"""

import importlib
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

MODEL = "model.3"
BACKEND = "bench.backend"


class _Model:
    """Stands for every base class of a model."""


class _Anything:
    """Stands for a module whose names are called in class bodies and never used again."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_args, **_kwargs: None


class _Ordered(dict[Any, None]):
    """Stands for Odoo's ordered sets: a later addition of the same counts as the last one, or as none."""

    _moves = False

    def __init__(self, items: Iterable[Any] = ()) -> None:
        for item in items:
            self.add(item)

    def add(self, item: Any) -> None:
        if self._moves:
            self.pop(item, None)
        self[item] = None


class _LastOrdered(_Ordered):
    _moves = True


def _cachedmethod(cache: Callable[[Any], Any]) -> Callable[..., Any]:
    """Stand for the decorator of cachetools, without its bound on the size."""

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def cached(self: Any, *args: Any, **kwargs: Any) -> Any:
            kept, key = cache(self), (args, tuple(kwargs.items()))
            if key not in kept:
                kept[key] = method(self, *args, **kwargs)
            return kept[key]

        return cached

    return decorate


def _module(name: str, **names: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(names)
    sys.modules[name] = made
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, made)
    return made


def _stand_ins(checkout: Path) -> None:
    _module("odoo", _=str, __path__=[])
    _module("odoo.models", AbstractModel=_Model, BaseModel=_Model, Model=_Model)
    _module("odoo.api", model_create_multi=lambda method: method, model=lambda method: method)
    _module("odoo.fields", **{name: _Anything().anything for name in ("Char", "Datetime", "Many2one")})
    _module("odoo.tools", config={"test_enable": True}, __path__=[])
    _module("odoo.tools.misc", OrderedSet=_Ordered, LastOrderedSet=_LastOrdered)
    _module("odoo.addons", __path__=[str(checkout)])
    _module("odoo.addons.queue_job", __path__=[])
    job_error = type("JobError", (Exception,), {})
    retryable = type("RetryableJobError", (job_error,), {})
    _module("odoo.addons.queue_job.exception", JobError=job_error, RetryableJobError=retryable)
    _module("psycopg2", OperationalError=Exception, IntegrityError=Exception)
    try:
        importlib.import_module("cachetools")
    except ImportError:
        _module("cachetools", LRUCache=lambda **_: {}, cachedmethod=_cachedmethod)


class _Env(dict[str, Any]):
    """Stands for an Odoo environment: models by name, a context, a database's name."""

    def __init__(self) -> None:
        self.context: dict[str, Any] = {}
        self.cr = SimpleNamespace(dbname="bench")

    def __missing__(self, name: str) -> Any:
        self[name] = SimpleNamespace(_name=name, _fields=_Fields())
        return self[name]


class _Fields(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        self[name] = SimpleNamespace(type="char")
        return self[name]


class Reference:
    """The reference implementation with a registry of the benchmark's components.

    Args:
        checkout: Folder of the checkout.

    Raises:
        ImportError: When the folder is no checkout.
    """

    def __init__(self, checkout: Path) -> None:
        if not (checkout / "component" / "core.py").is_file():
            raise ImportError(f"ISTHMUS_BENCH_REFERENCE={checkout} is no checkout of OCA/connector")
        _stand_ins(checkout)
        self._core = importlib.import_module("odoo.addons.component.core")
        base = importlib.import_module("odoo.addons.component.components.base")
        event = importlib.import_module("odoo.addons.component_event.components.event")
        self._mapper = importlib.import_module("odoo.addons.connector.components.mapper")
        connector = importlib.import_module("odoo.addons.connector.components.core")
        self._record = importlib.import_module("odoo.addons.component_event.models.base").Base
        self.mapping = self._mapper.mapping
        self._registry = self._core.ComponentRegistry()
        self._core._component_databases["bench"] = self._registry
        first = [base.BaseComponent, event.EventCollecter, event.EventListener]
        mappers = [connector.BaseConnectorComponent, self._mapper.Mapper, self._mapper.ImportMapper]
        for cls in (*first, *mappers):
            cls._build_component(self._registry)
        self._registry.ready = True
        self._env = _Env()

    def declare(self, inherit: str, names: dict[str, Any]) -> None:
        """Declare and build a component."""
        made = type("Bench", (self._core.Component,), {"_inherit": inherit, "__module__": "bench", **names})
        made._build_component(self._registry)

    def work(self) -> Any:
        """Make a work context on the benchmark's model and backend."""
        backend = SimpleNamespace(_name=BACKEND, env=self._env)
        return self._core.WorkContext(model_name=MODEL, collection=backend)

    def record(self) -> Any:
        """Make a record of the benchmark's model, which notifies as Odoo's do."""
        made = type("Record", (self._record,), {"_name": MODEL, "env": self._env})
        return made()
