"""The adapter components: one vocabulary over whatever protocol the other side speaks."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from isthmus.component import AbstractComponent
from isthmus.env import CreateSafety
from isthmus.errors import IDMissingInBackend, InvalidDataError
from isthmus.http.answer import Payload


class BackendAdapter(AbstractComponent):
    """What every adapter is: the component with usage ``backend.adapter``.

    Attributes:
        create_safety: What the other system offers against a repeated create.
    """

    _name = "base.backend.adapter"
    _usage = "backend.adapter"

    create_safety: ClassVar[CreateSafety] = CreateSafety.NONE
    version_field: ClassVar[str | None] = None
    """Field of a payload that moves with every change of it; None where there is none."""
    external_model: ClassVar[str | None] = None
    """What the other system calls these records in the hints it sends (`isthmus.sync.hint`), if it does."""

    def external_id_of(self, payload: Mapping[str, Any]) -> str:
        """Tell the external ID of a payload.

        Args:
            payload: A record as `read`, `search_read` or `create` gave it.

        Returns:
            The ID as text; ``0`` is an ID.

        Raises:
            InvalidDataError: When there is none.
        """
        external_id = payload.get("id")
        if external_id is None or external_id == "" or isinstance(external_id, bool):
            msg = f"a record without ID came from {self._label()}: it has {sorted(payload)[:12]}"
            raise InvalidDataError(msg)
        return str(external_id)

    def created_at(self, payload: Mapping[str, Any]) -> datetime | None:  # noqa: ARG002 - for overrides
        """Tell when a record was made there.

        Args:
            payload: The record.

        Returns:
            An aware instant; None when the payload does not show it.
        """
        return None

    def creation_key(self, payload: Mapping[str, Any]) -> str | None:  # noqa: ARG002 - for overrides
        """Tell the key of ours that a record was created with.

        Args:
            payload: The record.

        Returns:
            The key, where the payload shows one; None says nothing. A copy that someone made
            there may show the key of the original.
        """
        return None

    def _label(self) -> str:
        return str(self._name or type(self).__qualname__)

    def _lacks(self, method: str) -> str:
        return f"adapter {self._label()} ({type(self).__qualname__}) does not implement {method}()"


class SearchAdapter(BackendAdapter):
    """The half of an adapter that reads."""

    _name = "base.backend.adapter.search"
    _abstract = True

    def search(self, filters: Mapping[str, Any] | None = None) -> Iterator[str]:
        """Find external IDs.

        Args:
            filters: What to select, in the other system's terms; None takes all.

        Returns:
            Each ID once, page by page.

        Raises:
            NotImplementedError: Unless a subclass has it.
        """
        raise NotImplementedError(self._lacks("search"))

    def read(self, external_id: str, fields: Iterable[str] | None = None) -> Payload:
        """Read one record.

        Args:
            external_id: Its ID.
            fields: The fields that are needed; None reads all.

        Returns:
            The record in the other system's shape.

        Raises:
            NotImplementedError: Unless a subclass has it.
        """
        raise NotImplementedError(self._lacks("read"))

    def search_read(self, filters: Mapping[str, Any] | None = None) -> Iterator[Payload]:
        """Find records and read them.

        Args:
            filters: As for `search`.

        Yields:
            Each record once. One that is deleted under the walk is left out.
        """
        for external_id in self.search(filters):
            try:
                payload = self.read(external_id)
            except IDMissingInBackend:
                continue
            yield payload

    def read_many(self, external_ids: Iterable[str]) -> dict[str, Payload | None]:
        """Read several records, in bulk where the API can.

        Args:
            external_ids: Their IDs.

        Returns:
            Each ID once, with None where there is no such record (any more).
        """
        found: dict[str, Payload | None] = {}
        for external_id in dict.fromkeys(external_ids):
            try:
                found[external_id] = self.read(external_id)
            except IDMissingInBackend:
                found[external_id] = None
        return found


class ExportAdapter(BackendAdapter):
    """The half of an adapter that writes."""

    _name = "base.backend.adapter.export"
    _abstract = True

    def create(self, values: Mapping[str, Any], *, key: str | None = None) -> Payload | str:
        """Create a record.

        Args:
            values: The values in the other system's terms.
            key: Our key for this one create; the same when it is repeated. It lets
                `find_created` recognise the record.

        Returns:
            The record as the other system answers it, or only its ID where it tells no more.

        Raises:
            NotImplementedError: Unless a subclass has it.
        """
        raise NotImplementedError(self._lacks("create"))

    def write(self, external_id: str, values: Mapping[str, Any]) -> Payload | None:
        """Change fields of a record.

        Args:
            external_id: Its ID.
            values: The changed values and no others.

        Returns:
            The record after the change; None where the answer does not show it.

        Raises:
            NotImplementedError: Unless a subclass has it.
        """
        raise NotImplementedError(self._lacks("write"))

    def update(self, external_id: str, values: Mapping[str, Any]) -> Payload | None:
        """Change fields of a record: `write` by its other name."""
        return self.write(external_id, values)

    def delete(self, external_id: str) -> None:
        """Delete a record, or archive it where the other system cannot delete.

        Args:
            external_id: Its ID.

        Raises:
            NotImplementedError: Unless a subclass has it.
        """
        raise NotImplementedError(self._lacks("delete"))

    def find_created(self, key: str, values: Mapping[str, Any], since: datetime) -> list[Payload]:
        """Look for what a create of unknown outcome may have made.

        Only for `CreateSafety.PROBE`. A system without a field for our key is searched by what
        it shows (name, parent, author, time), so there may be several and the caller leaves out
        those that are bound already.

        Args:
            key: The key of the create.
            values: Its values.
            since: When it was first sent, by our clock.

        Returns:
            The records that it may have made; none when it had no effect (yet).

        Raises:
            NotImplementedError: Unless a subclass has it.
        """
        raise NotImplementedError(self._lacks("find_created"))


class CRUDAdapter(SearchAdapter, ExportAdapter):
    """An adapter that reads and writes."""

    _name = "base.backend.adapter.crud"
    _abstract = True
