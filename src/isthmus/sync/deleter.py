"""The deleter: our record is gone; what happens to theirs is the backend's policy."""

from typing import Any, ClassVar

from isthmus.binding import BindingRow, BindingState
from isthmus.env import Env
from isthmus.errors import (
    IDMissingInBackend,
    NetworkRetryableError,
    ParkError,
    RateLimitedError,
    RecordLockedError,
    UnknownOutcomeError,
)
from isthmus.sync.checkpoint import add_checkpoint
from isthmus.sync.claims import Claims
from isthmus.sync.effect import EXTERNAL, EffectLog, Intent
from isthmus.sync.item import CALL, GATHER
from isthmus.sync.journal import Entry, write
from isthmus.sync.report import Report
from isthmus.sync.synchronizer import Synchronizer, lease_keys
from isthmus.sync.table import CheckpointKind, EffectState


class Deleter(Synchronizer):
    """Deletes or archives their record after ours was deleted.

    The backend's option ``on_record_delete`` is ``archive``, ``delete`` or ``forget``.

    Attributes:
        _archived: Values that archive a record there; None when it cannot be archived.
    """

    _name = "base.deleter"
    _inherit = "base.synchronizer"
    _usage = "deleter"
    _abstract = False

    _archived: ClassVar[dict[str, Any] | None] = None

    def delay(self, model: str, row: BindingRow) -> None:
        """Make the binding a tombstone and delay the deletion there."""
        row.state = BindingState.TOMBSTONE.value
        self.binder.table.update(self.env, [row])
        if row.external_id is not None and row.id is not None:
            self.env[model].browse(row.id).with_delay(identity_key=f"delete/{model}/{row.id}").delete_record()

    def run(self, binding: Any) -> Report:
        """Apply the policy to the record there.

        Args:
            binding: The binding, a tombstone.

        Raises:
            RecordLockedError: When another process synchronises the record now.
            UnknownOutcomeError: When no answer came; repeating it does no harm.
        """  # noqa: DOC502 - the latter by the call
        env: Env = self.env
        report = Report()
        row = self.binder.table.by_id(env.session, [binding.id]).get(binding.id)
        if row is None or row.external_id is None or row.is_linked:
            report.skipped["nothing to delete there"] += 1
            return report
        keys = lease_keys(self.collection.id, self.model.name, row.external_id, (row.record_id, row.scope))
        claims = Claims(env, self.collection)
        if claims.take(keys):
            claims.release()
            raise RecordLockedError(
                f"{self.model.name} {row.external_id} is being synchronised by another process"
            )
        try:
            return self._carry_out(row, claims)
        except BaseException:
            claims.release()
            raise

    def _carry_out(self, row: BindingRow, claims: Claims) -> Report:
        """Decide, send, and write what became of it."""
        env: Env = self.env
        effects = EffectLog(env, self.collection.id)
        policy, reason = self._policy(row)
        pending = effects.pending(self.model.name, target=EXTERNAL, external_ids=[str(row.external_id)])
        found = policy == "forget" and any(intent.kind == "delete" for intent in pending)
        if found:
            policy, reason = "delete", "deleted there before the answer was lost"
        try:
            if policy in {"archive", "delete"} and not found:
                pending.append(self._apply(policy, row, effects, claims))
        except ParkError as error:
            policy, reason = "ask", str(error)
        effects.close(pending)
        if policy == "ask":
            self._ask(row, reason)
        write(
            env,
            self.collection.id,
            [
                Entry(
                    model=self.model.name, direction="export", operation=policy, reason=reason,
                    record_id=row.record_id, external_id=row.external_id,
                )
            ],
        )  # fmt: skip
        # Not committed here: the job is marked done in the same transaction, so this is told once.
        claims.settle()
        report = Report()
        report.done[
            {"archive": "archived", "delete": "deleted", "ask": "conflict"}.get(policy, "forgotten")
        ] += 1
        return report

    def _policy(self, row: BindingRow) -> tuple[str, str]:
        """Decide with their record as it is now."""
        policy = str(self.collection.option("on_record_delete"))
        if policy == "forget":
            return policy, "deleted here"
        try:
            with self.env.in_phase(GATHER):
                payload = self.backend_adapter.read(row.external_id)
        except IDMissingInBackend:
            return "forget", "both sides are gone"
        if policy == "archive" and self._archived is None:
            policy = "forget"  # to delete would be more than was asked for
        if policy == "delete" and row.seen_external is not None:
            now = self.scheme.their_image(payload)
            if any(row.seen_external.get(f) != v for f, v in now.items()):
                return "ask", "deleted here, but changed there since"
        return policy, "deleted here"

    def _apply(self, policy: str, row: BindingRow, effects: EffectLog, claims: Claims) -> Intent:
        kind = "delete" if policy == "delete" else "write"
        written = None if policy == "delete" else self._archived
        intent = Intent(
            model=self.model.name, target=EXTERNAL, kind=kind, record_id=row.record_id,
            external_id=row.external_id, scope=row.scope, written=written,
        )  # fmt: skip
        effects.record([intent])
        quiet = self.collection.quiet_time
        try:
            with self.env.outside(), self.env.in_phase(CALL):
                claims.prolong()
                if policy == "delete":
                    self.backend_adapter.delete(row.external_id)
                else:
                    self.backend_adapter.write(row.external_id, written)
        except IDMissingInBackend:
            pass  # it is gone, which is what was asked
        except UnknownOutcomeError as error:
            error.retry_in = error.retry_in or quiet
            raise
        except (ParkError, NetworkRetryableError, RateLimitedError):
            effects.close([intent], EffectState.DROPPED)
            with self.env.outside():
                raise
        return intent

    def _ask(self, row: BindingRow, reason: str) -> None:
        add_checkpoint(
            self.env,
            CheckpointKind.DELETION,
            backend_id=self.collection.id,
            model=self.model.name,
            record_id=row.record_id,
            external_id=row.external_id,
            scope=row.scope,
            summary=f"{self.model.name} {row.external_id}: {reason}: --ours deletes it there too, --theirs "
            f"imports it again as a new record",
            detail={"deleted": "ours"},
        )
