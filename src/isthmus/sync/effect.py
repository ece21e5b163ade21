"""Effects: writes on systems without our transaction, recorded before they are made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import Dialect, Table, func, select, update

from isthmus.binding import Image
from isthmus.env import Env
from isthmus.errors import RecordLockedError
from isthmus.store.sql import among, given, insert_rows, new_token
from isthmus.sync.table import UNSETTLED, Effect, EffectState

_TABLE: Final = cast(Table, Effect.__table__)
_OWN: Final = (
    "id", "target", "model", "kind", "record_id", "external_id", "scope", "sealed_values",
)  # fmt: skip
"""Columns of what an effect has by itself, not with the others of a page."""
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
        same = {
            "backend_id": self._backend_id,
            "state": EffectState.OPEN.value,
            "sent_at": now,
            "run_id": self._env.run_id,
        }
        again = [self._row(intent) for intent in intents if intent.key]
        fresh = [intent for intent in intents if not intent.key]
        for intent in intents:
            intent.key = intent.key or new_token()
            intent.sent_at = now
        if again:
            new = given(self._dialect, _TABLE, _OWN, again).c
            self._change(new.id, {name: new[name] for name in _OWN[1:]} | same)
        if fresh:
            self._env.transaction.mark("effects")
            rows = [self._row(intent) for intent in fresh]
            insert_rows(self._env.session.connection(), _TABLE, _OWN, rows, same | {"created_at": now})

    def _row(self, intent: Intent) -> tuple[str | None, ...]:
        body = {"written": intent.written, "source": intent.source}
        sealed = self._env.services.secrets.seal(body, context=f"effect/{intent.key}")
        return (
            intent.key, intent.target, intent.model, intent.kind,
            intent.record_id, intent.external_id, intent.scope, sealed,
        )  # fmt: skip

    @property
    def _dialect(self) -> Dialect:
        found: Dialect = self._env.session.get_bind().dialect
        return found

    def _change(self, keys: Any, values: Mapping[str, Any]) -> None:
        """Write to a page of effects by one statement: the ORM would make each ready by itself."""
        self._env.transaction.mark("effects")
        statement = update(_TABLE).where(_TABLE.c.id == keys).values(values)
        self._env.session.connection().execute(statement)
        for loaded in [row for row in self._env.session.identity_map.values() if isinstance(row, Effect)]:
            self._env.session.expire(loaded)

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
            UNSETTLED,
        )
        if kind is not None:
            statement = statement.where(Effect.kind == kind)
        if record_ids is not None:
            statement = statement.where(self._among(Effect.record_id, record_ids))
        if external_ids is not None:
            statement = statement.where(self._among(Effect.external_id, external_ids))
        return [self._intent(row) for row in self._env.session.scalars(statement.order_by(Effect.created_at))]

    def _among(self, column: Any, keys: Iterable[str]) -> Any:
        return among(self._dialect, column, list(keys))

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
            UNSETTLED,
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
        rows = []
        for intent in intents:
            intent.state = state.value
            rows.append((intent.key, intent.external_id, intent.record_id))
        if not rows:
            return
        new = given(self._dialect, _TABLE, ("id", "external_id", "record_id"), rows).c
        values: dict[str, Any] = {
            "state": state.value,
            "external_id": func.coalesce(new.external_id, _TABLE.c.external_id),
            "record_id": func.coalesce(new.record_id, _TABLE.c.record_id),
        }
        if state is not EffectState.ASKED:
            values |= {"closed_at": self._env.now(), "sealed_values": None}
        self._change(new.id, values)


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
