"""What a Trello backend can do: open a client for the work on it, and test the connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from isthmus.component import WorkContext
from isthmus.connectors.trello.client import TRELLO_URL, TrelloClient
from isthmus.env import ModelExtension
from isthmus.errors import BackendError, CredentialsError, RetryableJobError


class TrelloBackendMethods(ModelExtension):
    """Methods of ``trello.backend`` records."""

    _inherit = "trello.backend"

    env: Any

    @property
    def link_base(self) -> str | None:
        """Address by which people reach this hub, for the link on cards; None when there is none."""
        found: str | None = self.option("link_base")  # type: ignore[attr-defined]  # of BackendRecord
        return found

    def open_client(self) -> TrelloClient:
        """Make a client with the backend's credentials and the shared limits."""
        credentials = self.credentials  # type: ignore[attr-defined]  # of BackendRecord
        return TrelloClient(
            credentials["key"],
            credentials["token"],
            url=self["url"] or TRELLO_URL,  # type: ignore[index]  # of Record
            limiter=self.env.limiter,
            clock=self.env.clock,
        )

    @contextmanager
    def work_on(self, model_name: str, **extra: Any) -> Iterator[WorkContext]:
        """Open the work on a model, with the client as ``work.trello``."""
        with self.open_client() as client:
            client.on_call = self.env.external_call
            with super().work_on(model_name, trello=client, **extra) as work:  # type: ignore[misc]
                yield work

    def boards(self) -> list[dict[str, Any]]:
        """List the member's open boards: ``[{"id": str, "name": str}, ...]``."""
        with self.open_client() as client:
            client.on_call = self.env.external_call
            return [{"id": b["id"], "name": b["name"]} for b in client.my_boards("open")]

    def connect(self) -> str:
        """Try the connection and say who we are there.

        Raises:
            CredentialsError: When Trello refuses key or token.
            BackendError: When Trello cannot be reached.
        """
        name, url = self["name"], self["url"] or TRELLO_URL  # type: ignore[index]
        try:
            with self.open_client() as client:
                client.on_call = self.env.external_call
                me = client.me()
        except CredentialsError:
            raise
        except RetryableJobError as exc:
            raise BackendError(f"backend {name!r} cannot be reached at {url}: {exc}") from exc
        return f"backend {name!r} is connected to {url} as @{me.get('username')}"
