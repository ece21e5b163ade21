"""Parking: a record that cannot be synchronised goes into the inbox, the rest goes on."""

from typing import Any

from isthmus.env import Env, plain
from isthmus.sync.checkpoint import add_checkpoint
from isthmus.sync.item import Item
from isthmus.sync.journal import Entry, write
from isthmus.sync.table import CheckpointKind

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
