"""The Trello connector: boards, lists and cards beside projects, stages and tasks."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

CONNECTOR: Final[Mapping[str, Any]] = MappingProxyType({
    "backend": "trello.backend",
    "modules": ("models", "backend", "adapter", "mapper", "replaced", "importer", "exporter", "listener"),
    "migrations": Path(__file__).parent / "migrations",
})
"""What `isthmus.plugin` reads when the plugin is enabled."""

__all__ = ["CONNECTOR"]
