"""The smallest house that mappers can work in: records in memory, and a binder for them."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from isthmus.component import Component, ComponentRegistry, WorkContext, declared_components
from isthmus.errors import ConfigurationError


class MemoryRecord:
    """A record that is nothing but its model, its key and its values."""

    def __init__(self, name: str, key: Any, values: dict[str, Any]) -> None:
        self._name = name
        self.id = key
        self._values = values

    def __getitem__(self, field: str) -> Any:
        return self._values[field]


class MemoryEnv:
    """An env whose models know their fields and nothing else."""

    def __init__(self, components: ComponentRegistry, models: dict[str, dict[str, Any]]) -> None:
        self.components = components
        self.models = models
        self.bindings: dict[str, dict[str, MemoryRecord]] = {}
        self.binds: dict[str, str] = {}

    def __getitem__(self, name: str) -> Any:
        return SimpleNamespace(name=name, fields=self.models.get(name, {}), env=self)


class MemoryBackend:
    """A backend that has only a name."""

    def __init__(self, env: MemoryEnv) -> None:
        self._name = "shop.backend"
        self.env = env


class MemoryBinder(Component):
    """Keeps the records of external IDs in the env, for models that were told to bind."""

    _name = "memory.binder"
    _usage = "binder"

    def unwrap_model(self) -> str:
        if self.work.model_name not in self.env.binds:
            raise ConfigurationError(f"{self.work.model_name} is no binding model")
        return self.env.binds[self.work.model_name]

    def to_internal(self, external_id: Any, unwrap: bool = False) -> Any:
        assert unwrap == (self.unwrap_model() != self.work.model_name)
        return self.env.bindings[self.work.model_name].get(str(external_id))

    def to_external(self, binding: Any, wrap: bool = False) -> str | None:
        assert wrap == (self.unwrap_model() != self.work.model_name)
        known = self.env.bindings[self.work.model_name].items()
        return next((external for external, record in known if record.id == binding.id), None)


class House:
    """Makes mappers of declared classes."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.env = MemoryEnv(ComponentRegistry.build([]), self.models)

    def field(self, model: str, name: str, kind: str = "char", relation: str | None = None) -> None:
        """Give a model a field."""
        self.models.setdefault(model, {})[name] = SimpleNamespace(name=name, type=kind, relation=relation)

    def record(self, model: str, key: Any, **values: Any) -> MemoryRecord:
        """Make a record of ours."""
        return MemoryRecord(model, key, values)

    def binding(self, model: str, binds: str, **external_ids: MemoryRecord) -> None:
        """Let a model bind another (or itself), with these external IDs."""
        self.env.binds[model] = binds
        self.env.bindings.setdefault(model, {}).update(external_ids)

    def bind(self, model: str, external_id: str, record: MemoryRecord) -> None:
        """Bind one record."""
        self.env.bindings[model][external_id] = record

    def work(self, *classes: type, model_name: str | None = "sale.order") -> WorkContext:
        """Make a work context in which the classes, and a binder, are registered."""
        declared = [*declared_components("isthmus.mapping"), MemoryBinder, *classes]
        self.env.components = ComponentRegistry.build(declared)
        return WorkContext(model_name, MemoryBackend(self.env))

    def mapper(self, cls: type, *others: type, model_name: str | None = "sale.order") -> Any:
        """Make the mapper of one class."""
        return self.work(cls, *others, model_name=model_name).component(cls)

    def apply(
        self, commands: Iterable[tuple[int, Any, Any]], lines: list[MemoryRecord]
    ) -> list[MemoryRecord]:
        """Do to lines what commands say, as a store does."""
        after = {line.id: line for line in lines}
        fresh = max([0, *after]) + 1
        for verb, key, values in commands:
            if verb == 0:
                after[fresh] = MemoryRecord("sale.line", fresh, dict(values))
                fresh += 1
            elif verb == 1:
                after[key] = MemoryRecord("sale.line", key, {**after[key]._values, **values})
            elif verb == 2:
                del after[key]
            else:
                raise AssertionError(verb)
        return list(after.values())


@pytest.fixture
def house() -> House:
    """A place where mappers can work."""
    return House()


@pytest.fixture(scope="session")
def new_house() -> type[House]:
    """Makes houses, for tests that need a fresh one per example."""
    return House
