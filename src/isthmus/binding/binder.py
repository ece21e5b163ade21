"""The binder: finds the record of an external ID and the external ID of a record."""

from collections.abc import Iterable
from typing import Any, Final

from isthmus.binding.model import Binding, BindingRecord, BindingState
from isthmus.binding.table import BindingRow, BindingTable
from isthmus.component import Component
from isthmus.env import Env, Record
from isthmus.errors import ConfigurationError, ManyIDSInBackend, NoExternalId

PLANNED: Final = "planned records"
"""Key of ``env.memo`` for what a synchroniser is about to create, by (model, external ID)."""


_MEMO: Final = ("bindings by external ID", "bindings by record")


def external_key(value: Any) -> str | None:
    """Bring an external ID into the form in which it is stored.

    >>> external_key(0), external_key("abc"), external_key("")
    ('0', 'abc', None)
    """
    return None if value is None or value == "" or value is False else str(value)


def forget_bindings(env: Env) -> None:
    """Drop what binders have looked up in this transaction: bindings were written."""
    for key in [k for k in env.memo if isinstance(k, tuple) and k[0] in _MEMO]:
        del env.memo[key]


class Binder(Component):
    """Translates between our records and external IDs, for the binding model it works on."""

    _name = "base.binder"
    _usage = "binder"

    @property
    def _mapped(self) -> type[Binding]:
        mapped = self.model.store.mapped(self.model.name)
        if not issubclass(mapped, Binding):
            raise ConfigurationError(
                f"{self.model.name!r} is no binding model, so it has no binder: work on one, or name it "
                f"as in binder_for('<backend>.<thing>')"
            )
        found: type[Binding] = mapped
        return found

    @property
    def table(self) -> BindingTable:
        """The bindings of this backend and model, in bulk."""
        return BindingTable(self._mapped, self.collection.id)

    def _known(self) -> dict[str, BindingRow]:
        """Bindings prefetched in this transaction, by external ID."""
        known: dict[str, BindingRow] = self.env.memo.setdefault(
            (_MEMO[0], self.collection.id, self.model.name), {}
        )
        return known

    def prefetch(self, external_ids: Iterable[Any]) -> None:
        """Look up many external IDs by one query; later lookups of them cost none."""
        known = self._known()
        keys = {k for k in map(external_key, external_ids) if k is not None and k not in known}
        if keys:
            known.update(self.table.by_external(self.env.session, keys))

    def find(self, external_id: Any) -> BindingRow | None:
        """Give the binding of an external ID; None when it was never bound."""
        key = external_key(external_id)
        if key is None:
            return None
        known = self._known()
        if key not in known:
            self.prefetch([key])
        return known.get(key)

    def to_internal(self, external_id: Any, unwrap: bool = False) -> Any:
        """Give the binding (or with *unwrap* the record) of an external ID.

        Args:
            external_id: As the other side spells it; integers become text first, so 0 is an ID.
            unwrap: True gives the record of ours instead of the binding.

        Returns:
            None when the ID was never bound, or its record is gone. An answer, not a failure.

        Source:
            ``Binder.to_internal`` of OCA/connector 18.0; there an empty recordset stands for None.
        """
        planned = self.env.memo.get(PLANNED, {}).get((self.model.name, external_key(external_id)))
        if planned is not None and unwrap:
            return planned
        row = self.find(external_id)
        if row is None or (unwrap and (row.record_id is None or row.state == BindingState.TOMBSTONE)):
            return None
        if not unwrap:
            return self.model.browse(row.id)
        model = self.env[self.unwrap_model()]
        return model.browse(model.store.key(model.name, row.record_id))

    def to_external(self, binding: Any, wrap: bool = False, *, scope: str | None = None) -> str | None:
        """Give the external ID of a binding (or with *wrap* of a record).

        Args:
            binding: A binding, or with *wrap* a record of ours; also their keys.
            wrap: True when *binding* is the record itself.
            scope: Which of several bindings of the record; None when it has one.

        Returns:
            None when it was never exported.

        Raises:
            ManyIDSInBackend: When the record has bindings in several scopes and none is named.
        """
        if not wrap:
            record = binding if isinstance(binding, Record) else self.model.browse(binding)
            return external_key(record["external_id"])
        rows = [r for r in self.bindings_of(binding) if scope is None or r.scope == scope]
        if len(rows) > 1:
            scopes = ", ".join(sorted(r.scope for r in rows))
            raise ManyIDSInBackend(
                f"{binding!r} has {len(rows)} bindings {self.model.name} on backend "
                f"{self.collection['name']!r} (scopes {scopes}): name one by to_external(..., scope=...)"
            )
        return rows[0].external_id if rows else None

    def bindings_of(self, record: Any) -> list[BindingRow]:
        """Give the live bindings of a record (or its key) on this backend."""
        key = str(getattr(record, "id", record))
        memo = self.env.memo.setdefault((_MEMO[1], self.collection.id, self.model.name), {})
        if key not in memo:
            rows = self.table.by_record(self.env.session, [key])
            memo[key] = [r for r in rows if r.state != BindingState.TOMBSTONE]
        found: list[BindingRow] = memo[key]
        return found

    def bind(self, external_id: Any, binding: Any) -> None:
        """Note that a binding stands for an external ID, synchronised just now.

        Raises:
            NoExternalId: When *external_id* is None or empty.
        """
        key = external_key(external_id)
        if key is None:
            raise NoExternalId(f"cannot bind {binding!r}: the external ID is empty")
        record = binding if isinstance(binding, BindingRecord) else self.model.browse(binding)
        with self.env.context(connector_no_export=True):
            record.write({"external_id": key, "sync_date": self.env.now()})
            self.env.flush()
        forget_bindings(self.env)

    def unwrap_binding(self, binding: Any) -> Record | None:
        """Give the record behind a binding (or its key)."""
        record = binding if isinstance(binding, BindingRecord) else self.model.browse(binding)
        found: Record | None = record.record
        return found

    def unwrap_model(self) -> str:
        """Give the name of the model that the bindings bind."""
        return self._mapped._binds
