"""Which Odoo answers, and which known versions it descends from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from isthmus.errors import BackendError

KNOWN: Final = ("20.0", "19.0", "18.0", "17.0", "16.0", "15.0", "14.0")
"""The versions that differences are written down for, newest first."""

_OLDEST: Final = 14
_FIRST_JSON2: Final = 19
_PLAIN_SEARCH_READ: Final = 17
_NUMBERS: Final = re.compile(r"(?:saas[~-])?(\d+)[.](\d+)")


@dataclass(frozen=True, slots=True)
class OdooVersion:
    """A version of Odoo.

    >>> OdooVersion(17, 2, "saas~17.2").chain
    ('17.0', '16.0', '15.0', '14.0')

    Attributes:
        major: 18 of "18.0", 17 of "saas~17.2".
        minor: 0 of "18.0", 2 of "saas~17.2".
        name: As the server tells it, without edition and date.
    """

    major: int
    minor: int
    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def chain(self) -> tuple[str, ...]:
        """The known versions this one descends from, nearest first.

        A version that is newer than all known ones descends from them all.
        """
        return tuple(known for known in KNOWN if int(known.partition(".")[0]) <= self.major)

    @property
    def speaks_json2(self) -> bool:
        """Whether it has the JSON-2 protocol."""
        return self.major >= _FIRST_JSON2

    @property
    def search_read_options(self) -> dict[str, str]:
        """What spares the server the names of related records in a ``search_read``; 14.0 refuses it.

        Source:
            Tried on 14.0, 17.0, 18.0 and 19.0; versions between are taken for the older one.
        """
        return {"load": ""} if self.major >= _PLAIN_SEARCH_READ else {}

    @classmethod
    def told(cls, answer: Mapping[str, Any], *, server: str) -> "OdooVersion":
        """Read what ``GET /web/version`` or ``common.version`` tells.

        Args:
            answer: The server's words.
            server: Host and port, for messages.

        Returns:
            The version.

        Raises:
            BackendError: When it is older than Odoo 14, or no version.

        >>> OdooVersion.told({"version": "19.0+e-20261001"}, server="odoo.example.org")
        OdooVersion(major=19, minor=0, name='19.0')
        >>> OdooVersion.told({"server_serie": "saas~17.2"}, server="odoo.example.org").minor
        2
        """
        for key in ("server_serie", "version", "server_version"):
            found = _NUMBERS.match(str(answer.get(key, "")))
            if found is not None:
                break
        else:
            msg = (
                f"{server} answers like an Odoo but tells no version; is it one, and of version 14 or later?"
            )
            raise BackendError(msg)
        version = cls(int(found[1]), int(found[2]), found[0])
        if version.major < _OLDEST:
            msg = f"{server} runs Odoo {version}; version {_OLDEST}.0 or later is needed"
            raise BackendError(msg)
        return version
