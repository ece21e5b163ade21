"""The inbox: what waits for a person, and what their choice does."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from isthmus.binding import BindingRow, BindingState
from isthmus.component import WorkContext
from isthmus.env import Env
from isthmus.errors import FailError, MissingRecordError, RecordLockedError
from isthmus.sync.checkpoint import close, open_payload
from isthmus.sync.claims import Claims
from isthmus.sync.effect import EXTERNAL, EffectLog
from isthmus.sync.journal import Entry, write
from isthmus.sync.merge import advance
from isthmus.sync.sibling import delay_export
from isthmus.sync.synchronizer import lease_keys
from isthmus.sync.table import Checkpoint, CheckpointKind, CheckpointState, EffectState

Choice = Literal["ours", "theirs", "retry", "ignore"]

_FITS: Final[Mapping[CheckpointKind, tuple[Choice, ...]]] = {
    CheckpointKind.REVIEW: ("retry", "ignore"),
    CheckpointKind.CONFLICT: ("ours", "theirs", "retry", "ignore"),
    CheckpointKind.DEAD_LETTER: ("retry", "ignore"),
    CheckpointKind.EFFECT: ("retry", "ignore"),
    CheckpointKind.DELETION: ("ours", "theirs", "ignore"),
}
"""Which choices an item of each kind has."""

_COLUMNS: Final = (
    "id", "kind", "state", "backend_id", "model", "record_id", "external_id", "scope", "topic",
    "summary", "detail",
    "times", "created_at", "renewed_at", "resolved_at", "resolution", "run_id",
)  # fmt: skip


class Inbox:
    """The checkpoints, as people handle them.

    Args:
        env: The unit of work; choices take effect with its commit.
    """

    def __init__(self, env: Env) -> None:
        self._env = env

    def list(self, state: str | None = "open", backend_id: int | None = None) -> list[dict[str, Any]]:
        """List items, the oldest first.

        Args:
            state: Only those in this state; None for all.
            backend_id: Only those of this backend; None for all.

        Returns:
            **Shape**: the columns of `Checkpoint` without the payload.
        """
        domain: list[Any] = []
        if state is not None:
            domain.append(("state", "=", state))
        if backend_id is not None:
            domain.append(("backend_id", "=", backend_id))
        found = self._env["isthmus.checkpoint"].search(domain, order="id")
        rows: list[dict[str, Any]] = self._env["isthmus.checkpoint"].read(
            [c.id for c in found], list(_COLUMNS)
        )
        return rows

    def show(self, checkpoint_id: int) -> dict[str, Any]:
        """Give one item with the values it is about, decrypted.

        Raises:
            MissingRecordError: When there is no such item.
        """  # noqa: DOC502 - raised by `_get`
        checkpoint = self._get(checkpoint_id)
        shown = {name: getattr(checkpoint, name) for name in _COLUMNS}
        choices = _FITS[CheckpointKind(checkpoint.kind)] if checkpoint.state == CheckpointState.OPEN else ()
        return {**shown, "payload": open_payload(self._env, checkpoint), "choices": list(choices)}

    def _get(self, checkpoint_id: int) -> Checkpoint:
        found: Checkpoint | None = self._env.session.get(Checkpoint, checkpoint_id)
        if found is None:
            raise MissingRecordError(f"there is no inbox item {checkpoint_id}: see `isthmus inbox list`")
        return found

    def resolve(self, checkpoint_id: int, choice: Choice) -> str:
        """Do what a person chose.

        Args:
            checkpoint_id: The item.
            choice: ``ours`` or ``theirs`` wins; ``retry`` tries again; ``ignore`` leaves things as they are.

        Returns:
            One sentence on what follows. Jobs that do it are delayed in the same transaction.

        Raises:
            MissingRecordError: When there is no such item.
            FailError: When it is closed already, or the choice does not fit its kind.
            RecordLockedError: When the record is being synchronised at this moment.
        """  # noqa: DOC502 - raised by what is called
        checkpoint = self._get(checkpoint_id)
        kind = CheckpointKind(checkpoint.kind)
        if checkpoint.state != CheckpointState.OPEN:
            raise FailError(
                f"inbox item {checkpoint_id} is {checkpoint.state} ({checkpoint.resolution}) already"
            )
        if choice not in _FITS[kind]:
            fitting = ", ".join(f"--{c}" for c in _FITS[kind])
            raise FailError(
                f"--{choice} does not fit a {kind.value.replace('_', ' ')}: choose one of {fitting}"
            )
        done = _Resolution(self._env, checkpoint).carry_out(choice)
        return f"item {checkpoint_id}: {done}"


class _Resolution:
    """One choice on its way."""

    def __init__(self, env: Env, checkpoint: Checkpoint) -> None:
        self._env = env
        self._id = checkpoint.id
        base = env["connector.backend"].browse(checkpoint.backend_id)
        self._backend = env[base["type"]].browse(base.id)
        self._model: str = checkpoint.model
        self._binder = WorkContext(self._model, collection=self._backend).component(usage="binder")
        self._external_id, self._record_id = checkpoint.external_id, checkpoint.record_id
        self._scope: str = checkpoint.scope
        self._payload: Mapping[str, Any] = open_payload(env, checkpoint) or {}
        self._claims = Claims(env, self._backend)

    def carry_out(self, choice: Choice) -> str:
        """Claim the record, do it, close the item and write it into the journal.

        Raises:
            RecordLockedError: When the record is being synchronised at this moment.
        """
        row = self._row() or BindingRow(external_id=self._external_id, record_id=self._record_id)
        keys = lease_keys(self._backend.id, self._model, row.external_id, (row.record_id, row.scope))
        if self._claims.take(keys):
            self._claims.release()
            raise RecordLockedError(
                f"{self._model} {self._external_id or self._record_id} is being synchronised now; try again"
            )
        checkpoint = self._env.session.get(Checkpoint, self._id)
        found = self._row()
        kind = CheckpointKind(checkpoint.kind)
        actions: dict[CheckpointKind, Callable[[Any, BindingRow | None, Choice], str]] = {
            CheckpointKind.CONFLICT: self._conflict,
            CheckpointKind.DEAD_LETTER: self._dead_letter,
            CheckpointKind.EFFECT: self._effect,
            CheckpointKind.DELETION: self._deletion,
            CheckpointKind.REVIEW: self._review,
        }
        done = actions[kind](checkpoint, found, choice)
        close(self._env, checkpoint, choice, ignored=choice == "ignore")
        write(
            self._env,
            self._backend.id,
            [
                Entry(
                    model=self._model, direction="merge", operation="resolve",
                    reason=f"{kind.value}: {choice}",
                    record_id=self._record_id, external_id=self._external_id,
                    changes={"chosen": {"after": choice, "discarded": self._discarded(choice)}},
                )
            ],
        )  # fmt: skip
        self._claims.settle()
        return done

    def _row(self) -> BindingRow | None:
        table = self._binder.table
        if self._external_id is not None:
            found: BindingRow | None = table.by_external(self._env.session, [self._external_id]).get(
                self._external_id
            )
            if found is not None:
                return found
        rows = table.by_record(self._env.session, [self._record_id] if self._record_id is not None else [])
        return next((r for r in rows if r.scope == self._scope), None)

    def _discarded(self, choice: Choice) -> Any:
        return self._payload.get({"ours": "theirs", "theirs": "ours"}.get(choice, ""))

    # -- what follows ------------------------------------------------------------------

    def _import(self) -> str:
        self._env[self._model].with_delay(
            identity_key=f"import/{self._model}/{self._backend.id}/{self._external_id}"
        ).import_record(self._backend, self._external_id, force=True)
        return f"{self._model} {self._external_id} will be imported again"

    def _export(self, row: BindingRow) -> str:
        if row.id is not None:
            delay_export(self._env, self._model, row.id)
        return f"{self._model} {row.external_id or row.record_id} will be exported"

    def _save(self, row: BindingRow) -> None:
        self._binder.table.update(self._env, [row])

    def _conflict(self, _checkpoint: Checkpoint, row: BindingRow | None, choice: Choice) -> str:
        if row is None or not row.is_linked:
            return "the record is not linked any more, nothing is left to do"
        theirs, ours = self._payload.get("theirs", {}), self._payload.get("ours", {})
        if choice in {"ours", "ignore"}:
            row.seen_external = advance(row.seen_external, theirs, theirs)
        if choice in {"theirs", "ignore"}:
            row.seen_internal = advance(row.seen_internal, ours, ours)
        self._save(row)
        if choice == "ignore":
            return "both sides keep their values until one of them changes again"
        return self._export(row) if choice == "ours" else self._import()

    def _dead_letter(self, checkpoint: Checkpoint, row: BindingRow | None, choice: Choice) -> str:
        if choice == "ignore":
            return "left alone"
        if checkpoint.topic != "export" and self._external_id is None:
            return "it has no ID to be read by: the next full import meets it again"
        return self._export(row) if checkpoint.topic == "export" and row is not None else self._import()

    def _effect(self, checkpoint: Checkpoint, row: BindingRow | None, choice: Choice) -> str:
        effects = EffectLog(self._env, self._backend.id)
        intent = effects.get(checkpoint.topic)
        if intent is None or intent.state not in {EffectState.ASKED, EffectState.OPEN}:
            return "the write was settled meanwhile"
        effects.close([intent], EffectState.DROPPED)
        if choice == "retry":
            return self._export(row) if intent.target == EXTERNAL and row is not None else self._import()
        if row is not None:
            row.state = BindingState.FROZEN.value
            self._save(row)
        elif self._external_id is not None:
            # Without a binding the next import would make the record once more.
            row = BindingRow(external_id=self._external_id, record_id=None, state=BindingState.FROZEN.value)
            self._binder.table.insert(self._env, [row])
        else:
            return "left alone: there is no binding any more"
        return "left alone and frozen: it is not synchronised any more"

    def _deletion(self, checkpoint: Checkpoint, row: BindingRow | None, choice: Choice) -> str:
        if row is None:
            return "the record is not bound any more, nothing is left to do"
        deleted_here = (checkpoint.detail or {}).get("deleted") == "ours"
        row.state = BindingState.TOMBSTONE.value
        if choice == "ignore":
            self._save(row)
            return "left alone without a link"
        if deleted_here and choice == "ours":
            row.seen_external = None
            self._save(row)
            self._env[self._model].browse(row.id).with_delay().delete_record()
            return f"{self._model} {row.external_id} will be deleted there"
        if deleted_here:
            self._env[self._model].unlink([row.id])
            self._env.flush()
            return self._import()
        self._save(row)
        if choice == "theirs":
            record = self._env[self._model].browse(row.id).record
            with self._env.context(connector_no_export=True):
                if record is not None and record.exists():
                    record.unlink()
            return f"{record!r} is deleted here"
        return "our record stays, without a link"

    def _review(self, _checkpoint: Checkpoint, row: BindingRow | None, choice: Choice) -> str:
        if choice == "ignore" or self._external_id is None:
            return "reviewed"
        return self._import() if row is None or row.is_linked else "reviewed"
