"""The Odoo connector: an Odoo as a backend, and its partners beside ours."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

CONNECTOR: Final[Mapping[str, Any]] = MappingProxyType({
    "backend": "odoo.backend",
    "modules": ("models", "backend", "rotation", "adapter", "mapper", "importer", "exporter", "listener"),
    "migrations": Path(__file__).parent / "migrations",
})
"""What `isthmus.plugin` reads when the plugin is enabled."""

__all__ = ["CONNECTOR"]
