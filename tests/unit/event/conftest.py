"""The smallest env and backend that listeners can work with."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from isthmus.component import ComponentRegistry
from isthmus.component.root import ComponentRoot


class PlainEnv:
    """An env that has components and a place to write what happened."""

    def __init__(self, components: ComponentRegistry) -> None:
        self.components = components
        self.heard: list[Any] = []


class PlainBackend:
    """A backend that is nothing but a name, an env and versions."""

    def __init__(self, name: str, env: Any, version_chain: tuple[str, ...] = ()) -> None:
        self._name = name
        self.env = env
        self.version_chain = version_chain


EnvMaker = Callable[[Iterable[type[ComponentRoot]]], PlainEnv]


@pytest.fixture
def env_with() -> EnvMaker:
    """Makes an env whose registry is built from declared classes."""
    return lambda classes: PlainEnv(ComponentRegistry.build(classes))


@pytest.fixture
def backend() -> type[PlainBackend]:
    """Makes backends: name, env, versions."""
    return PlainBackend
