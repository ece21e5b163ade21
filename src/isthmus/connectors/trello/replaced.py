"""Edits that our own writes replaced unseen: Trello tells them, so they are not lost.

Between our read of a card and our write someone may write the same field there. Trello has no
compare-and-set, but the action of our write tells the value it replaced.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from isthmus.component import Component
from isthmus.sync import CheckpointKind, add_checkpoint

_SKEW: Final = timedelta(minutes=10)
"""How far Trello's clock and ours may be apart."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """A value that a write of ours replaced without having seen it.

    Attributes:
        card_id: The card.
        action_id: The action that tells it.
        values: Replaced values by field.
        written: What we wrote instead.
    """

    card_id: str
    action_id: str
    values: Mapping[str, Any]
    written: Mapping[str, Any]


class ReplacedValues(Component):
    """Compares what our writes replaced with what we had read before them."""

    _name = "trello.replaced.values"
    _collection = "trello.backend"
    _usage = "replaced.values"

    def find(self, actions: Iterable[Mapping[str, Any]]) -> list[Replaced]:
        """Find replaced values in a page of a board's actions.

        Our writes are recognised by the journal: same card, same field, same value. Only when one
        replaced something else than was read is our member asked for, by one request.

        Args:
            actions: As Trello gives them.
        """
        told = [a for a in actions if a.get("type") == "updateCard" and (a.get("data") or {}).get("old")]
        if not told:
            return []
        ours = self._our_writes(told)
        found = [r for a in told for r in _compare(a, ours)]
        if not found:
            return []
        member = str(self.work.trello.me()["id"])
        by_us = {str(a.get("id")) for a in told if a.get("idMemberCreator") == member}
        return [r for r in found if r.action_id in by_us]

    def _our_writes(self, told: list[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
        cards = sorted({
            str(a["data"]["card"]["id"]) for a in told if (a["data"].get("card") or {}).get("id")
        })
        since = min(datetime.fromisoformat(str(a["date"])) for a in told) - _SKEW
        journal = self.env["isthmus.journal"]
        entries = journal.search([
            ("backend_id", "=", self.collection.id),
            ("model", "=", "trello.card"),
            ("direction", "=", "export"),
            # A card that is made closed is made and then closed, and nobody else was there before.
            ("operation", "not in", ["create", "adopt"]),
            ("external_id", "in", cards),
            ("at", ">=", since),
        ])
        writes: dict[str, list[Mapping[str, Any]]] = {}
        for row in journal.read([e.id for e in entries], ["external_id", "changes"]):
            writes.setdefault(row["external_id"], []).append(row["changes"] or {})
        return writes

    def tell(self, replaced: Iterable[Replaced]) -> None:
        """Put replaced values into the inbox, where they can be read and written again."""
        for found in replaced:
            fields = ", ".join(found.values)
            add_checkpoint(
                self.env,
                CheckpointKind.REVIEW,
                backend_id=self.collection.id,
                model="trello.card",
                external_id=found.card_id,
                topic=f"replaced/{found.action_id}",
                summary=f"our write of {fields} of trello.card {found.card_id} replaced an edit made there "
                f"at the same moment: the replaced value is kept here",
                detail={"fields": list(found.values)},
                payload={"theirs": dict(found.values), "ours": dict(found.written)},
            )


def _compare(action: Mapping[str, Any], ours: Mapping[str, list[Mapping[str, Any]]]) -> Iterable[Replaced]:
    data = action["data"]
    card = data.get("card") or {}
    lost: dict[str, Any] = {}
    for field, old in data["old"].items():
        same = [
            w[field]
            for w in ours.get(str(card.get("id")), ())
            if field in w and w[field].get("after") == card.get(field)
        ]
        if same and all(w.get("before") != old for w in same):
            lost[field] = old
    if lost:
        yield Replaced(str(card["id"]), str(action.get("id")), lost, {f: card.get(f) for f in lost})
