"""The hub's connection to an Odoo, as one piece of work uses it."""

from typing import Any

from isthmus.env import Env
from isthmus.store.odoo import OdooClient, OdooVersion


class Connection:
    """Calls an Odoo over the connection that all threads share, and says so to the env first.

    It is opened by the first call, so that work which needs none can be done while the server is away.

    Args:
        env: The unit of work.
        name: The backend.
    """

    def __init__(self, env: Env, name: str) -> None:
        self._env = env
        self._name = name

    def call(self, model: str, method: str, *, what: str, **how: Any) -> Any:
        """Call a method of a model.

        Args:
            model: Odoo's name of the model.
            method: A public method of it.
            what: What the call is for, as a verb and its object.
            **how: As for `OdooClient.call`.
        """
        return self._client(what).call(model, method, what=what, **how)

    @property
    def version(self) -> OdooVersion:
        """The server's version; asked for when it is not known yet."""
        return self._client("ask for the version").version

    def _client(self, what: str) -> OdooClient:
        # First: a hub that looks the backend up again takes another connection to the database.
        self._env.external_call(what)
        client: OdooClient = self._env.services.hub.odoo_client(self._name)
        return client
