"""Reading fields of records that live behind calls: those found together are read together."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from isthmus.env import Env, Key, Record
from isthmus.errors import MissingRecordError, NotGathered, PhaseError, TransactionError

_GROUP: Final = 1_000
"""Records that are read together when one of them is looked at."""


class Prefetch:
    """What is known of a remote store's records in an env, and how the rest is read.

    Args:
        store: The store; it reads, and has a name.
        wanted: Tells which fields to read when one of a model is looked at.
        context: Keys of the env's context on which values depend.
    """

    def __init__(
        self, store: Any, wanted: Callable[[str, str], Sequence[str]], context: Sequence[str] = ()
    ) -> None:
        self._store = store
        self._wanted = wanted
        self._context = tuple(context)

    def get(self, record: Record, field: str) -> Any:
        """Read one field of one record, together with the records it was found with.

        Raises:
            MissingRecordError: When the record does not exist.
            NotGathered: When a synchroniser decides now: it has to bring the value first.
        """
        known = self.known(record.env, record._name).get(record.id)
        if known is None or (known and field not in known):
            try:
                self._fetch(record, field)
            except PhaseError as exc:
                raise NotGathered(record._name, record.id, field) from exc
            known = self.known(record.env, record._name)[record.id]
        if not known:
            raise MissingRecordError(f"{record!r} does not exist (any more)")
        return known[field]

    def set(self, record: Record, field: str) -> None:
        """Refuse an assignment: each would be a call of its own.

        Raises:
            TransactionError: Always; says what to do.
        """
        name = self._store.name
        raise TransactionError(
            f"{record!r}.{field} cannot be assigned, the record lives in store {name!r}: use write()"
        )

    def known(self, env: Env, model: str) -> dict[Key, dict[str, Any]]:
        """Give what is known of a model's records; a missing one is empty."""
        place = (self._store, model, *(str(env.ctx.get(key)) for key in self._context))
        known: dict[Key, dict[str, Any]] = env.memo.setdefault(place, {})
        return known

    def forget(self, env: Env) -> None:
        """Trust no value read before a write; relations show on both sides, so of no model."""
        for place in [p for p in env.memo if isinstance(p, tuple) and p[0] is self._store]:
            del env.memo[place]

    def _fetch(self, record: Record, field: str) -> None:
        env, model = record.env, record._name
        known = self.known(env, model)
        wanted = self._wanted(model, field)
        group = [k for k in record._group or () if k not in known or field not in known[k]]
        if record.id in group:
            start = group.index(record.id)
            group = group[start : start + _GROUP]
        else:
            group = [record.id]
        rows = {row["id"]: row for row in self._store.read(env, model, group, wanted)}
        # The call may have ended a transaction, and with it what was known.
        known = self.known(env, model)
        for key in group:
            if key in rows:
                known.setdefault(key, {}).update(rows[key])
            else:
                known[key] = {}
