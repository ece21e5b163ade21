"""Which Odoo is simulated."""

import re
from dataclasses import dataclass

_NAME = re.compile(r"(?:saas[~-])?(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, order=True)
class Release:
    """A version of Odoo, as `Release.parse` reads it.

    >>> Release.parse("saas~17.2"), Release.parse("18.0").name
    (Release(major=17, minor=2), '18.0')
    """

    major: int
    minor: int = 0

    @classmethod
    def parse(cls, text: str) -> "Release":
        """Read "18.0" or "saas~17.2".

        Raises:
            ValueError: If it is no version of Odoo.
        """
        found = _NAME.fullmatch(text)
        if not found:
            msg = f"{text!r} is no version of Odoo such as '18.0'"
            raise ValueError(msg)
        return cls(int(found[1]), int(found[2] or 0))

    @property
    def name(self) -> str:
        """The version as the server tells it."""
        return f"saas~{self.major}.{self.minor}" if self.minor else f"{self.major}.0"
