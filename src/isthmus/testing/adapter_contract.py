"""What every adapter must do: subclass `AdapterContract`, return your adapter, run pytest."""

# ruff: noqa: S101 - a suite of tests

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from isthmus.adapter import CRUDAdapter
from isthmus.env import CreateSafety
from isthmus.errors import IDMissingInBackend


class AdapterContract:
    """Subclass it in a test module under a name that starts with ``Test``.

    The system behind the adapter is empty when a test begins, apart from what the subclass's own
    fixtures put there and `filters` leaves out.

    Attributes:
        count: How many records the walk makes: more than fit on one page, where that is cheap.
        missing_id: An ID in the system's own form that no record has.
        deletes: Whether ``delete`` removes the record; False where it archives it.
        marks: Whether a record that is read shows the key it was created with.
    """

    count: ClassVar[int] = 25
    missing_id: ClassVar[str] = "0"
    deletes: ClassVar[bool] = True
    marks: ClassVar[bool] = False

    def make_adapter(self) -> CRUDAdapter:
        """Give an adapter of the system under test.

        Raises:
            NotImplementedError: Unless the subclass has it.
        """
        msg = f"{type(self).__name__} must implement make_adapter()"
        raise NotImplementedError(msg)

    def make_values(self, number: int) -> dict[str, Any]:
        """Give values of a record that the system keeps as they are; different for each number."""
        return {"name": f"record {number}"}

    def changed_values(self) -> dict[str, Any]:
        """Give values for a write, fewer than `make_values` gives where a record has more fields."""
        return {"name": "changed"}

    def filters(self) -> Mapping[str, Any] | None:
        """Give the filters that select what the contract makes."""
        return None

    def is_archived(self, payload: Mapping[str, Any]) -> bool:
        """Tell whether a record is archived, where `deletes` is False."""
        return bool(payload.get("closed"))

    def now(self) -> datetime:
        """Tell the time by the system's clock."""
        return datetime.now(UTC)

    def create(self, adapter: CRUDAdapter, number: int, key: str | None = None) -> str:
        """Create a record and give its ID, whatever the adapter's answer is."""
        answer = adapter.create(self.make_values(number), key=key)
        return answer if isinstance(answer, str) else adapter.external_id_of(answer)

    def test_search_yields_each_id_once(self) -> None:
        """Paging neither drops nor repeats a record."""
        adapter = self.make_adapter()
        created = {self.create(adapter, number) for number in range(self.count)}

        found = list(adapter.search(self.filters()))

        assert sorted(found) == sorted(created)

    def test_search_read_gives_the_records_that_search_finds(self) -> None:
        """Both walks see the same records."""
        adapter = self.make_adapter()
        for number in range(3):
            self.create(adapter, number)

        found = [adapter.external_id_of(payload) for payload in adapter.search_read(self.filters())]

        assert sorted(found) == sorted(adapter.search(self.filters()))

    def test_what_was_created_can_be_read(self) -> None:
        """A record comes back with its ID and its values."""
        adapter = self.make_adapter()
        values = self.make_values(1)

        external_id = self.create(adapter, 1)
        payload = adapter.read(external_id)

        assert adapter.external_id_of(payload) == external_id
        assert {name: payload[name] for name in values} == values

    def test_a_write_changes_what_it_names_and_nothing_else(self) -> None:
        """Changed fields only: what people edit beside them stays."""
        adapter = self.make_adapter()
        external_id = self.create(adapter, 1)
        expected = self.make_values(1) | self.changed_values()

        adapter.write(external_id, self.changed_values())
        payload = adapter.read(external_id)

        assert {name: payload[name] for name in expected} == expected

    def test_what_was_deleted_is_gone(self) -> None:
        """After a delete a record is missing, or archived where nothing can be deleted."""
        adapter = self.make_adapter()
        external_id = self.create(adapter, 1)

        adapter.delete(external_id)

        if self.deletes:
            with pytest.raises(IDMissingInBackend):
                adapter.read(external_id)
        else:
            assert self.is_archived(adapter.read(external_id))

    @pytest.mark.parametrize("method", ["read", "write", "delete"])
    def test_a_missing_record_is_told_as_missing(self, method: str) -> None:
        """A record that is not there is no configuration error and is not tried again."""
        adapter = self.make_adapter()
        arguments = [self.missing_id, self.changed_values()] if method == "write" else [self.missing_id]

        with pytest.raises(IDMissingInBackend):
            getattr(adapter, method)(*arguments)

    def test_read_many_says_which_records_are_missing(self) -> None:
        """Each ID is answered once, with None for what is not there."""
        adapter = self.make_adapter()
        first, second = self.create(adapter, 1), self.create(adapter, 2)

        found = adapter.read_many([first, self.missing_id, second, first])

        assert {external_id: payload is not None for external_id, payload in found.items()} == {
            first: True,
            self.missing_id: False,
            second: True,
        }

    def test_the_time_of_making_is_now_or_not_told(self) -> None:
        """Where the system shows when a record was made, it is an aware instant near now."""
        adapter = self.make_adapter()
        payload = adapter.read(self.create(adapter, 1))

        made_at = adapter.created_at(payload)

        assert made_at is None or abs(made_at - self.now()) < timedelta(minutes=1)

    def test_a_record_shows_the_key_it_was_created_with(self) -> None:
        """The key comes back from a read where the adapter says so, and is never another's."""
        adapter = self.make_adapter()
        marked, unmarked = self.create(adapter, 1, key="contract-key-1"), self.create(adapter, 2)

        keys = [adapter.creation_key(adapter.read(external_id)) for external_id in (marked, unmarked)]

        assert keys == ["contract-key-1" if self.marks else None, None]

    def test_a_repeated_create_is_as_safe_as_the_adapter_says(self) -> None:
        """By its own key the second is the first; by a probe exactly the first is found."""
        adapter = self.make_adapter()
        since = self.now()
        self.create(adapter, 1, key="contract-key-1")
        created = self.create(adapter, 2, key="contract-key-2")

        match adapter.create_safety:
            case CreateSafety.NATIVE_KEY:
                again = [self.create(adapter, 2, key="contract-key-2")]
            case CreateSafety.PROBE:
                found = adapter.find_created("contract-key-2", self.make_values(2), since)
                again = [adapter.external_id_of(payload) for payload in found]
            case _:
                again = [created]

        assert again == [created]

    def test_a_probe_does_not_find_what_was_never_made(self) -> None:
        """A create that had no effect leaves nothing to find."""
        adapter = self.make_adapter()
        since = self.now()
        self.create(adapter, 1, key="contract-key-1")

        if adapter.create_safety is CreateSafety.PROBE:
            found = adapter.find_created("contract-key-9", self.make_values(9), since)
        else:
            found = []

        assert found == []
