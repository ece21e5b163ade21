"""Effects: writes on systems without our transaction, recorded before they are made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Text, bindparam, func, insert, select, update

from isthmus.binding import Image
from isthmus.env import Env
from isthmus.errors import RecordLockedError
from isthmus.store.sql import new_token
from isthmus.sync.table import Effect, EffectState

EXTERNAL: Final = "external"
"""Target of effects that write to the backend; other targets are names of remote stores."""


@dataclass(slots=True, kw_only=True, eq=False)
class Intent:
    """One effect as synchronizers handle it; the fields are those of `Effect`.

    Attributes:
        key: The effect's key; sent along with a create where the other system takes one.
        written: Values in the space of the side that is written.
        source: Image of the other side that `written` was mapped from.
    """

    model: str
    target: str
    kind: str
    key: str = ""
    record_id: str | None = None
    external_id: str | None = None
    scope: str = ""
    written: dict[str, Any] | None = None
    source: Image | None = None
    state: str = EffectState.OPEN.value
    sent_at: datetime | None = None


class EffectLog:
    """The effects of one backend.

    Args:
        env: The unit of work; everything happens in its transaction.
        backend_id: The backend.
    """

    def __init__(self, env: Env, backend_id: int) -> None:
        self._env = env
        self._backend_id = backend_id

    def record(self, intents: Sequence[Intent]) -> None:
        """Add intents, or note that open ones are about to be sent again; the caller commits."""
        now = self._env.now()
        fresh = []
        for intent in intents:
            intent.sent_at = now
            if intent.key:
                row = self._row(intent, now)
                row.pop("created_at")
                self._env.session.execute(update(Effect).where(Effect.id == row.pop("id")).values(**row))
            else:
                intent.key = new_token()
                fresh.append(self._row(intent, now))
        if fresh:
            self._env.session.execute(insert(Effect), fresh)

    def _row(self, intent: Intent, now: datetime) -> dict[str, Any]:
        body = {"written": intent.written, "source": intent.source}
        sealed = self._env.services.secrets.seal(body, context=f"effect/{intent.key}")
        return {
            "id": intent.key,
            "backend_id": self._backend_id,
            "target": intent.target,
            "model": intent.model,
            "kind": intent.kind,
            "record_id": intent.record_id,
            "external_id": intent.external_id,
            "scope": intent.scope,
            "sealed_values": sealed,
            "state": EffectState.OPEN.value,
            "created_at": now,
            "sent_at": now,
            "run_id": self._env.run_id,
        }

    def pending(
        self,
        model: str,
        *,
        target: str,
        kind: str | None = None,
        record_ids: Iterable[str] | None = None,
        external_ids: Iterable[str] | None = None,
    ) -> list[Intent]:
        """List the effects whose outcome is not settled (open, or a person is asked)."""
        statement = select(Effect).where(
            Effect.backend_id == self._backend_id,
            Effect.model == model,
            Effect.target == target,
            Effect.state.in_([EffectState.OPEN.value, EffectState.ASKED.value]),
        )
        if kind is not None:
            statement = statement.where(Effect.kind == kind)
        if record_ids is not None:
            statement = statement.where(Effect.record_id.in_(list(record_ids)))
        if external_ids is not None:
            statement = statement.where(Effect.external_id.in_(list(external_ids)))
        return [self._intent(row) for row in self._env.session.scalars(statement.order_by(Effect.created_at))]

    def creates(self, models: Iterable[str], *, target: str) -> list[Intent]:
        """List creates on a side whose outcome is not settled, of whatever backend.

        Args:
            models: Binding models.
            target: The side that is written.
        """
        statement = select(Effect).where(
            Effect.model.in_(list(models)),
            Effect.target == target,
            Effect.kind == "create",
            Effect.state.in_([EffectState.OPEN.value, EffectState.ASKED.value]),
        )
        return [self._intent(row) for row in self._env.session.scalars(statement)]

    def get(self, key: str) -> Intent | None:
        """Find an effect by its key."""
        row = self._env.session.get(Effect, key)
        return None if row is None else self._intent(row)

    def _intent(self, row: Effect) -> Intent:
        body: Mapping[str, Any] = {}
        if row.sealed_values is not None:
            body = self._env.services.secrets.open(row.sealed_values, context=f"effect/{row.id}")
        return Intent(
            key=row.id, model=row.model, target=row.target, kind=row.kind, record_id=row.record_id,
            external_id=row.external_id, scope=row.scope, written=body.get("written"),
            source=body.get("source"), state=row.state, sent_at=row.sent_at,
        )  # fmt: skip

    def close(self, intents: Iterable[Intent], state: EffectState = EffectState.DONE) -> None:
        """Settle effects: done, dropped, or a person is asked. Values of settled ones are erased."""
        keys = []
        for intent in intents:
            intent.state = state.value
            known = {"known_external_id": intent.external_id, "known_record_id": intent.record_id}
            keys.append({"key": intent.key, **known})
        if not keys:
            return
        table = Effect.__table__
        values: dict[str, Any] = {
            "state": state.value,
            "external_id": func.coalesce(bindparam("known_external_id", type_=Text), table.c.external_id),
            "record_id": func.coalesce(bindparam("known_record_id", type_=Text), table.c.record_id),
        }
        if state is not EffectState.ASKED:
            values |= {"closed_at": self._env.now(), "sealed_values": None}
        # A page of effects is one statement: through the ORM each would be made ready by itself.
        statement = update(table).where(table.c.id == bindparam("key")).values(values)  # type: ignore[arg-type]  # a mapped class's table
        self._env.session.connection().execute(statement, keys)
        for loaded in [row for row in self._env.session.identity_map.values() if isinstance(row, Effect)]:
            self._env.session.expire(loaded)


def wait_quiet(env: Env, backend: Any, intent: Intent) -> None:
    """Wait until a write whose answer was lost can no longer take effect, by trying again later.

    Raises:
        RecordLockedError: While the quiet time runs.
    """
    if intent.sent_at is None:
        return
    left = intent.sent_at + backend.quiet_time - env.now()
    if left > timedelta():
        raise RecordLockedError(
            f"a create of {intent.model} may still take effect: looked for after the quiet time",
            retry_in=left,
        )
