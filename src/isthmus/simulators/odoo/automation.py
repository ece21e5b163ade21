"""Automation rules that send webhooks, as Odoo has them from 17 on: one second, once, unsigned."""

import contextlib
import http.client
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.simulators.loopback import Deliveries, send_out
from isthmus.simulators.odoo.environment import SUPERUSER
from isthmus.simulators.odoo.errors import OdooError
from isthmus.simulators.odoo.tables import Change
from isthmus.simulators.odoo.world import OdooWorld

TIMEOUT_S = 1.0
"""How long Odoo waits for the receiver; it never tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An automation rule with the action "Send Webhook Notification".

    Attributes:
        id: The number in the action's name.
        name: The action's name.
        model: The records it watches.
        url: Where it posts to.
        on: Any of ``create``, ``write``, ``unlink``.
        fields: What it tells of the record beside its ID.
    """

    id: int
    name: str
    model: str
    url: str
    on: tuple[str, ...]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Delivery:
    rule: Rule
    body: bytes


class Automations(Deliveries[_Delivery]):
    """Watches what is committed and posts it.

    Attributes:
        rules: The rules, removed by whoever likes.
        delivered: The status of each answer so far, 0 for none.
    """

    def __init__(self, world: OdooWorld) -> None:
        super().__init__(self._post, name="odoo-webhooks")
        self.rules: list[Rule] = []
        self.delivered: list[int] = []
        self._world = world
        world.watchers.append(self._notice)

    def add(self, model: str, url: str, on: Sequence[str], fields: Sequence[str]) -> Rule:
        """Add a rule.

        Raises:
            ValueError: When it watches something that does not happen.
        """
        if unknown := set(on) - {"create", "write", "unlink"}:
            raise ValueError(f"a rule cannot watch {', '.join(sorted(unknown))}")
        number = len(self.rules) + 1
        rule = Rule(
            id=number,
            name=f"Send Webhook Notification {number}",
            model=model,
            url=url,
            on=tuple(on),
            fields=tuple(fields),
        )
        self.rules.append(rule)
        return rule

    def _notice(self, changes: Iterable[Change]) -> None:
        for change in changes:
            for rule in [r for r in self.rules if r.model == change.model and change.action in r.on]:
                self.put(_Delivery(rule, self._body(rule, change)))

    def _body(self, rule: Rule, change: Change) -> bytes:
        told: dict[str, Any] = {
            "_model": rule.model,
            "_id": change.record_id,
            "_action": f"{rule.name}(#{rule.id})",
        }
        if rule.fields:
            told |= self._read(rule, change)
        return json.dumps(told, sort_keys=True, default=str).encode()

    def _read(self, rule: Rule, change: Change) -> dict[str, Any]:
        if change.action == "unlink":
            kept = {name: change.row.get(name) for name in rule.fields}
            return {"id": change.record_id} | {n: False if v is None else v for n, v in kept.items()}
        with contextlib.suppress(OdooError):
            asked = [[change.record_id], list(rule.fields)]
            found = self._world.execute(SUPERUSER, rule.model, "read", asked, {"load": None})
            if found:
                row: dict[str, Any] = found[0]
                return row
        return {}

    def _post(self, delivery: _Delivery) -> None:
        try:
            status = send_out(
                "POST",
                delivery.rule.url,
                delivery.body,
                {"Content-Type": "application/json"},
                timeout_s=TIMEOUT_S,
            )
        except (OSError, ValueError, http.client.HTTPException):
            status = 0
        self.delivered.append(status)
