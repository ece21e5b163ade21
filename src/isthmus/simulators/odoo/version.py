"""How a version is told, and what came and went with it."""

from dataclasses import dataclass
from typing import Self

from isthmus.simulators.odoo.release import Release


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """A version of Odoo as the server tells it.

    Attributes:
        name: Such as ``18.0``, ``saas~18.2`` or, of the Enterprise edition, ``18.0+e``.
        release: What it is by number.
    """

    name: str
    release: Release

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read a version.

        >>> ServerVersion.parse("saas~18.2").info
        ['saas~18', 2, 0, 'final', 0, '']
        """
        return cls(name, Release.parse(name.removesuffix("+e")))

    @property
    def major(self) -> int:
        """The year's release that it is or descends from."""
        return self.release.major

    @property
    def serie(self) -> str:
        """Without the mark of the edition."""
        return self.release.name

    @property
    def info(self) -> list[object]:
        """The parts, as ``server_version_info``."""
        between = self.release.minor > 0
        major: int | str = f"saas~{self.major}" if between else self.major
        return [major, self.release.minor, 0, "final", 0, "e" if self.name.endswith("+e") else ""]
