"""How a request gets into the world: the version told, the database asked for, who is let in."""

from typing import Any

from isthmus.simulators.odoo.errors import OdooError
from isthmus.simulators.odoo.faults import Faults
from isthmus.simulators.odoo.version import ServerVersion
from isthmus.simulators.odoo.world import OdooWorld


class Door:
    """Checks what every protocol checks before the world is asked.

    Args:
        world: What is asked.
        version: What the server is.
        faults: May say that it claims another version.
    """

    def __init__(self, world: OdooWorld, version: ServerVersion, faults: Faults) -> None:
        self.world = world
        self._version = version
        self._faults = faults

    @property
    def version(self) -> ServerVersion:
        """The version that the server claims."""
        told = self._faults.version
        return ServerVersion.parse(told) if told else self._version

    @property
    def database(self) -> str:
        """The only database."""
        return self.world.database

    def version_info(self) -> dict[str, Any]:
        """Tell the version as JSON-RPC does."""
        version = self.version
        return {
            "server_version": version.name,
            "server_version_info": version.info,
            "server_serie": version.serie,
            "protocol_version": 1,
        }

    def check_database(self, name: Any) -> None:
        """Let nobody into a database that is not there.

        Raises:
            OdooError: As PostgreSQL says it.
        """
        if name != self.database:
            raise OdooError(
                "psycopg2.OperationalError",
                'connection to server at "127.0.0.1", port 5432 failed: '
                f'FATAL:  database "{name}" does not exist\n',
            )

    def log_in(self, database: Any, login: Any, secret: Any) -> int | None:
        """Find who has this login and secret; None for nobody."""
        self.check_database(database)
        return self.world.authenticate(str(login), str(secret))

    def check(self, database: Any, uid: int, secret: Any) -> None:
        """Let in who proves to be this user."""
        self.check_database(database)
        self.world.check(uid, str(secret))

    def call(self, uid: int, model: Any, method: Any, args: Any, kwargs: Any) -> Any:
        """Call a method of a model.

        Raises:
            OdooError: What the world refuses, or an argument that is none.
        """
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise OdooError("builtins.TypeError", "arguments are a list, named ones a mapping")
        return self.world.execute(uid, str(model), str(method), args, kwargs)
