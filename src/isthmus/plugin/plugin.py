"""Connector plugins: found by entry point, loaded only when enabled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from isthmus.errors import PluginError, near

GROUP: Final = "isthmus.connectors"
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "modules": (tuple, list),
    "migrations": (Path, type(None)),
    "backend": (str, type(None)),
}
"""What the parts of a description are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A connector package.

    The entry point names the package; the package says the rest in its mapping ``CONNECTOR``
    (**shape** ``{"modules": (str, ...), "migrations": Path | None, "backend": str | None}``, each
    may be left out).

    Attributes:
        name: What settings call it, and the label of its migrations branch.
        package: The Python package; components and extensions declared in or below it are its own.
        modules: Modules below the package to import when it is enabled.
        migrations: Folder with the Alembic revisions of its tables; None when it has none.
        backend: Model name of its backend type; None when it brings none.
    """

    name: str
    package: str
    modules: tuple[str, ...] = ()
    migrations: Path | None = None
    backend: str | None = None

    @classmethod
    def of(cls, name: str, package: str) -> "Plugin":
        """Read what a package says of itself; imports the package, not its modules.

        Args:
            name: Name of the plugin.
            package: The Python package.

        Raises:
            PluginError: When it cannot be imported, or describes itself wrongly; names the cause.
        """
        try:
            described = getattr(import_module(package), "CONNECTOR", {})
        except Exception as exc:
            raise PluginError(
                f"plugin {name!r}: {package} cannot be imported: {type(exc).__name__}: {exc}"
            ) from exc
        try:
            found = cls(name=name, package=package, **described)
        except TypeError as exc:
            raise PluginError(f"plugin {name!r}: CONNECTOR of {package} is wrong: {exc}") from exc
        for part, kinds in _KINDS.items():
            value = getattr(found, part)
            if not isinstance(value, kinds):
                told = " or ".join("nothing" if k is type(None) else k.__name__ for k in kinds)
                raise PluginError(
                    f"plugin {name!r}: CONNECTOR of {package} is wrong: {part!r} must be {told}, "
                    f"not {type(value).__name__}"
                )
        return found

    def load(self) -> None:
        """Import its modules.

        Raises:
            PluginError: When one cannot be imported; names it and the cause.
        """
        for module in self.modules:
            full = f"{self.package}.{module}"
            try:
                import_module(full)
            except Exception as exc:
                raise PluginError(
                    f"plugin {self.name!r}: module {full} cannot be imported: {type(exc).__name__}: {exc}"
                ) from exc


def installed() -> Mapping[str, EntryPoint]:
    """List the installed plugins by name, without importing them."""
    return {point.name: point for point in entry_points(group=GROUP)}


def find(names: Iterable[str]) -> list[Plugin]:
    """Describe plugins by name.

    Raises:
        PluginError: When one is not installed.
    """
    known = installed()
    found = []
    for name in names:
        if name not in known:
            raise PluginError(f"plugin {name!r} is not installed{near(name, known)}")
        found.append(Plugin.of(name, known[name].module))
    return found
