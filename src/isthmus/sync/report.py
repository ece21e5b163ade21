"""What a run did, and why it did nothing."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Report:
    """Counts of one run.

    Attributes:
        done: Operations by what they did: ``created``, ``updated``, ``unchanged``, ``archived``, ``deleted``,
            ``conflict``, ``parked``, ``delayed``, ``adopted``.
        skipped: Records left alone, by reason.
        notes: Sentences for people, such as why nothing happened.
    """

    done: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Take another run's counts in."""
        self.done.update(other.done)
        self.skipped.update(other.skipped)
        self.notes += [n for n in other.notes if n not in self.notes]

    @property
    def changed(self) -> int:
        """How many records were written on either side."""
        return sum(self.done[k] for k in ("created", "updated", "archived", "deleted", "adopted"))

    def sentence(self) -> str:
        """Say it in one sentence.

        >>> Report(Counter(created=2, unchanged=1)).sentence()
        '2 created, 1 unchanged'
        >>> Report(notes=["no changes since the cursor"]).sentence()
        'nothing changed: no changes since the cursor'
        """
        parts = [f"{n} {what}" for what, n in self.done.items() if n]
        parts += [f"{n} skipped ({why})" for why, n in self.skipped.items()]
        if self.changed or any(
            self.done[k] for k in ("conflict", "parked", "delayed", "observed", "forgotten")
        ):
            return ", ".join(parts)
        reasons = self.notes or parts or ["there is nothing to look at"]
        return "nothing changed: " + "; ".join(reasons)

    def as_json(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {"done": dict(self.done), "skipped": dict(self.skipped), "notes": self.notes}
