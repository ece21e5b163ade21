"""Journal lines of writes that took effect although their answer was lost."""

from collections.abc import Mapping
from typing import Any

from isthmus.binding import Image
from isthmus.env import plain
from isthmus.sync.effect import Intent
from isthmus.sync.item import Item
from isthmus.sync.journal import Entry, changes_of


def found_lines(
    item: Item,
    seen: Image | None,
    now: Mapping[str, Any],
    *,
    target: str,
    direction: str,
    record_id: str | None,
) -> list[Entry]:
    """Tell the journal what was found on the side that was written.

    Args:
        item: The record, with its open effects on that side.
        seen: That side's image as it was before the effects.
        now: That side's record as it was read.
        target: That side: effects on the other one are not told of here.
        direction: ``import`` or ``export``.
        record_id: Key of our record.

    Returns:
        One line for a create that was adopted, one for each write that is seen to be done.
    """
    lines = []
    for intent in (i for i in item.pending if i.target == target):
        if intent is item.adopted:
            kind, changes = "adopt", changes_of(None, intent.written or {})
        elif intent.kind == "write" and _took_effect(intent, seen or {}, now):
            kind, changes = "write", changes_of(dict(seen or {}), intent.written or {})
        else:
            continue
        lines.append(
            Entry(
                model=item.model, direction=direction, operation=kind, record_id=record_id,
                reason="done before its answer was lost", external_id=item.external_id, changes=changes,
            )
        )  # fmt: skip
    return lines


def _took_effect(intent: Intent, seen: Image, now: Mapping[str, Any]) -> bool:
    """Tell whether a side shows all that was written to it, and did not show it before."""
    written = {name: plain(value) for name, value in (intent.written or {}).items()}
    shown = all(name in now and plain(now[name]) == value for name, value in written.items())
    return shown and any(seen.get(name) != value for name, value in written.items())
