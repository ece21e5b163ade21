"""Parking: a record that cannot be synchronised goes into the inbox, the rest goes on."""

from typing import Any

from isthmus.binding import BindingRow
from isthmus.env import Env, plain
from isthmus.sync.checkpoint import add_checkpoint
from isthmus.sync.effect import EffectLog, Intent
from isthmus.sync.item import Conflict, Item
from isthmus.sync.journal import Entry, write
from isthmus.sync.table import CheckpointKind, EffectState

_SHOWN = 300


def sentence(error: BaseException) -> str:
    """Say what is wrong in one sentence: the first line of the message, without values of a statement."""
    text = str(getattr(error, "orig", None) or error).strip()
    first = text.splitlines()[0] if text else type(error).__name__
    return first if len(first) <= _SHOWN else first[: _SHOWN - 1] + "…"


def park(env: Env, backend_id: int, item: Item, error: BaseException, *, direction: str) -> None:
    """Put a record into the inbox with its payload.

    Args:
        env: The env whose transaction it becomes part of.
        backend_id: The backend.
        item: The record.
        error: Why it cannot be synchronised.
        direction: ``import`` or ``export``.
    """
    record_id = item.binding.record_id if item.binding is not None else None
    why = sentence(error)
    what = f"{item.model} {item.external_id or record_id}"
    add_checkpoint(
        env,
        CheckpointKind.DEAD_LETTER,
        backend_id=backend_id,
        model=item.model,
        record_id=record_id,
        external_id=item.external_id,
        scope=item.scope if item.binding is None else item.binding.scope,
        topic=direction,
        summary=f"{direction} of {what} failed: {why}",
        detail={"error": type(error).__name__, "direction": direction},
        payload=payload_of(item),
    )
    write(
        env,
        backend_id,
        [
            Entry(
                model=item.model, direction=direction, operation="park", reason=why,
                record_id=record_id, external_id=item.external_id,
            )
        ],
    )  # fmt: skip


def payload_of(item: Item) -> dict[str, Any]:
    """Give what is known of both sides, in plain form."""
    return {"theirs": plain(item.payload), "ours": plain(item.ours)}


def ask_deletion(env: Env, backend_id: int, item: Item) -> None:
    """Ask a person about a record that was deleted there but changed here."""
    add_checkpoint(
        env,
        CheckpointKind.DELETION,
        backend_id=backend_id,
        model=item.model,
        record_id=None if item.binding is None else item.binding.record_id,
        external_id=item.external_id,
        scope=item.scope if item.binding is None else item.binding.scope,
        summary=f"{item.model} {item.external_id} was deleted there, but changed here since: "
        f"--theirs deletes it here too, --ours keeps it without a link",
        detail={"deleted": "theirs"},
        payload=payload_of(item),
    )


def raise_conflict(env: Env, backend_id: int, item: Item, conflict: Conflict) -> None:
    """Put a field group that both sides changed into the inbox; the same one is renewed."""
    row = item.binding or BindingRow()
    fields = ", ".join(conflict.group.ours or conflict.group.theirs)
    add_checkpoint(
        env,
        CheckpointKind.CONFLICT,
        backend_id=backend_id,
        model=item.model,
        record_id=row.record_id,
        external_id=item.external_id,
        scope=row.scope,
        topic=conflict.topic,
        summary=f"both sides changed {fields} of {item.model} {item.external_id}: choose --ours or --theirs",
        detail={"ours": list(conflict.group.ours), "theirs": list(conflict.group.theirs)},
        payload={
            "ours": conflict.ours,
            "theirs": conflict.theirs,
            "base": {
                "ours": {f: (row.seen_internal or {}).get(f) for f in conflict.group.ours},
                "theirs": {f: (row.seen_external or {}).get(f) for f in conflict.group.theirs},
            },
        },
    )


def ask(env: Env, backend_id: int, intent: Intent, error: Exception) -> None:
    """Ask a person what a write of unknown outcome has done; its effect stays until they say."""
    EffectLog(env, backend_id).close([intent], EffectState.ASKED)
    add_checkpoint(
        env,
        CheckpointKind.EFFECT,
        backend_id=backend_id,
        model=intent.model,
        record_id=intent.record_id,
        external_id=intent.external_id,
        scope=intent.scope,
        topic=intent.key,
        summary=f"{error}: look on both sides, then --retry to send it again or --ignore if it is there",
        detail={"kind": intent.kind, "target": intent.target},
        payload={"written": intent.written},
    )
