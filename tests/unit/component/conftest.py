"""The smallest env and backend that components can work with."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from isthmus.component import Component, ComponentRegistry, WorkContext


class PlainEnv:
    """An env whose models are their names, in brackets."""

    def __init__(self, components: ComponentRegistry) -> None:
        self.components = components

    def __getitem__(self, model_name: str) -> str:
        return f"<{model_name}>"


class PlainBackend:
    """A backend that is nothing but a name, an env and versions."""

    def __init__(self, name: str, env: Any, version_chain: tuple[str, ...] = ()) -> None:
        self._name = name
        self.env = env
        self.version_chain = version_chain


WorkMaker = Callable[..., WorkContext]


@pytest.fixture
def work_with() -> WorkMaker:
    """Makes a work context for declared classes: on model "sale.order" of a "shop.backend"."""

    def make(
        classes: Iterable[type[Component]],
        model_name: str | None = "sale.order",
        collection: str | None = "shop.backend",
        version_chain: tuple[str, ...] = (),
        **extras: Any,
    ) -> WorkContext:
        env = PlainEnv(ComponentRegistry.build(classes))
        if collection is None:
            return WorkContext(model_name, env=env, **extras)
        return WorkContext(model_name, PlainBackend(collection, env, version_chain), **extras)

    return make
