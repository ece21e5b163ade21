"""Somebody who works in Odoo while a test runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from isthmus.simulators.odoo.world import OdooWorld


class Person:
    """Acts on the world as one user, without the network.

    Args:
        world: Where.
        uid: Who.
    """

    def __init__(self, world: OdooWorld, uid: int) -> None:
        self.uid = uid
        self._world = world

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call any method."""
        return self._world.execute(self.uid, model, method, list(args), kwargs)

    def create(self, model: str, values: Mapping[str, Any]) -> int:
        """Create a record and give its ID."""
        made: int = self.call(model, "create", dict(values))
        return made

    def write(self, model: str, ids: int | Sequence[int], values: Mapping[str, Any]) -> None:
        """Write the same values to records."""
        self.call(model, "write", _list(ids), dict(values))

    def unlink(self, model: str, ids: int | Sequence[int]) -> None:
        """Delete records."""
        self.call(model, "unlink", _list(ids))

    def read(self, model: str, ids: int | Sequence[int], fields: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Read records; all fields when none are named."""
        found: list[dict[str, Any]] = self.call(model, "read", _list(ids), list(fields))
        return found

    def search(self, model: str, domain: Sequence[Any] = (), **options: Any) -> list[int]:
        """Search for IDs."""
        found: list[int] = self.call(model, "search", list(domain), **options)
        return found


def _list(ids: int | Sequence[int]) -> list[int]:
    return [ids] if isinstance(ids, int) else list(ids)
