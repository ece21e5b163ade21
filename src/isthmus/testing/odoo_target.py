"""The Odoo that tests run against: a simulated one, or a real one that the environment names."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from isthmus.errors import ConfigurationError
from isthmus.http import Timeout
from isthmus.store.odoo import Login, OdooClient

VARIABLES: Final = (
    "ISTHMUS_TEST_ODOO_URL",
    "ISTHMUS_TEST_ODOO_DATABASE",
    "ISTHMUS_TEST_ODOO_LOGIN",
    "ISTHMUS_TEST_ODOO_KEY",
)
"""Where a real Odoo is, and who we are there: a test database without tasks and projects."""

PROJECT_MODELS: Final = ("project.project", "project.task.type", "project.task")
"""The models of the store contract."""

_PATIENT: Final = Timeout(read=timedelta(minutes=5))
_NO_PRIVATE_STAGES: Final = 14
_EVERYTHING: Final = {"active_test": False}
_DELETED: Final[Sequence[tuple[str, list[Any]]]] = (
    ("project.task", []),
    ("project.project", []),
    ("project.task.type", []),
)


@dataclass(frozen=True, slots=True)
class OdooTarget:
    """An Odoo to test against.

    Attributes:
        url: Where it is.
        login: Who we are there.
        protocol: The protocol to speak; ``auto`` chooses.
        is_real: True when it is no simulator, and must be left as it was found.
    """

    url: str
    login: Login
    protocol: Any = "auto"
    is_real: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "OdooTarget | None":
        """Take the real Odoo that `VARIABLES` name; None when they name none.

        Raises:
            ConfigurationError: When only some of them are set.
        """
        if VARIABLES[0] not in environment:
            return None
        missing = [name for name in VARIABLES if not environment.get(name)]
        if missing:
            raise ConfigurationError(f"to test against a real Odoo, set {', '.join(missing)}, too")
        url, database, login, key = (environment[name] for name in VARIABLES)
        return cls(url, Login(database, login, key), is_real=True)

    @contextmanager
    def client(self) -> Iterator[OdooClient]:
        """Open a connection."""
        # A real server makes thousands of records in one call, and takes its time.
        with OdooClient(self.url, self.login, protocol=self.protocol, timeout=_PATIENT) as client:
            yield client

    def refuse_used(self, client: OdooClient) -> None:
        """Make sure that nothing is there that somebody may miss.

        Raises:
            ConfigurationError: When there is.
        """
        found = {model: _ids(client, model, domain) for model, domain in _DELETED[:2]}
        if any(found.values()):
            counts = ", ".join(f"{len(ids)} {model}" for model, ids in found.items())
            raise ConfigurationError(
                f"database {self.login.database!r} has {counts}: tests need one without, and empty it"
            )

    def clear(self, client: OdooClient) -> None:
        """Delete what tests have made."""
        for model, domain in _DELETED:
            ids = _ids(client, model, domain)
            if ids:
                client.call(model, "unlink", ids=ids, what=f"clear {model}")


def _ids(client: OdooClient, model: str, domain: list[Any]) -> list[int]:
    if model == "project.task.type" and client.version.major > _NO_PRIVATE_STAGES:
        # Each user keeps some stages for private tasks.
        domain = [*domain, ["user_id", "=", False]]
    found: list[int] = client.call(
        model, "search", args={"domain": domain}, context=_EVERYTHING, what=f"list {model}", safe=True
    )
    return found
