"""Bundled record models with Odoo's names for what they cover, chosen by settings."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

GROUPS: Final[Mapping[str, tuple[str, Path]]] = MappingProxyType({
    "partner": ("isthmus.models.partner", Path(__file__).parent / "migrations" / "partner"),
    "project": ("isthmus.models.project", Path(__file__).parent / "migrations" / "project"),
})
"""Module and revisions folder of each group of models, by the name that settings use."""

__all__ = ["GROUPS"]
