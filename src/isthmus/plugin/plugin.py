"""Connector plugins: found by entry point, loaded only when enabled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from isthmus.errors import PluginError, near

GROUP: Final = "isthmus.connectors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """What a connector package says of itself; the value of its entry point.

    Attributes:
        name: What settings call it, and the label of its migrations branch.
        package: The Python package; components and extensions declared in or below it are its own.
        modules: Modules to import when it is enabled.
        migrations: Folder with the Alembic revisions of its tables; None when it has none.
        backend: Model name of its backend type; None when it brings none.
    """

    name: str
    package: str
    modules: tuple[str, ...] = ()
    migrations: Path | None = None
    backend: str | None = None

    def load(self) -> None:
        """Import its modules.

        Raises:
            PluginError: When one cannot be imported; names it and the cause.
        """
        for module in self.modules or (self.package,):
            try:
                import_module(module)
            except Exception as exc:
                raise PluginError(
                    f"plugin {self.name!r}: module {module} cannot be imported: {type(exc).__name__}: {exc}"
                ) from exc


def installed() -> Mapping[str, EntryPoint]:
    """List the installed plugins by name, without importing them."""
    return {point.name: point for point in entry_points(group=GROUP)}


def find(names: Iterable[str]) -> list[Plugin]:
    """Load the descriptions of plugins by name.

    Raises:
        PluginError: When one is not installed, cannot be imported, or is no `Plugin`.
    """
    known = installed()
    found = []
    for name in names:
        if name not in known:
            raise PluginError(f"plugin {name!r} is not installed{near(name, known)}")
        try:
            plugin = known[name].load()
        except Exception as exc:
            raise PluginError(
                f"plugin {name!r} ({known[name].value}) cannot be imported: {type(exc).__name__}: {exc}"
            ) from exc
        if not isinstance(plugin, Plugin):
            raise PluginError(f"plugin {name!r} ({known[name].value}) is no isthmus.plugin.Plugin")
        found.append(plugin)
    return found
