"""The Trello connector: boards, lists and cards beside projects, stages and tasks."""

from pathlib import Path

from isthmus.plugin import Plugin

plugin = Plugin(
    name="trello",
    package="isthmus.connectors.trello",
    modules=tuple(
        f"isthmus.connectors.trello.{name}"
        for name in ("models", "backend", "adapter", "mapper", "importer", "exporter", "listener")
    ),
    migrations=Path(__file__).parent / "migrations",
    backend="trello.backend",
)

__all__ = ["plugin"]
