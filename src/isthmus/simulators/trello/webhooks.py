"""Webhook deliveries: signed, from a thread of their own, to loopback addresses only."""

import base64
import hashlib
import hmac
import http.client
import json
from dataclasses import dataclass

from isthmus.simulators.loopback import Deliveries, send_out
from isthmus.simulators.trello.entities import Action, Json
from isthmus.simulators.trello.refusals import RefusedError
from isthmus.simulators.trello.views import (
    BOARD,
    BOARD_DEFAULT,
    CARD,
    LIST,
    MEMBER,
    WEBHOOK,
    show,
    show_action,
)
from isthmus.simulators.trello.world import World

RETRY_AFTER_S = (0.05, 0.1, 0.2)
"""Pauses before a delivery is tried again; the real server waits 30, 60 and 120 s."""


def signature(secret: str, body: bytes, callback_url: str) -> str:
    """Sign a delivery: base64 of HMAC-SHA1 over the body and the URL as registered.

    >>> signature("secret", b"{}", "http://127.0.0.1/hook")
    'jqEKz/v5VXFD6MvYjfDVJQ96AUU='
    """
    digest = hmac.new(secret.encode(), body + callback_url.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def check_callback(url: str) -> None:
    """Ask a callback address, by HEAD, whether it is willing; only 200 will do.

    Raises:
        RefusedError: When it is not on loopback or does not answer 200.
    """
    try:
        status = send_out("HEAD", url, b"", {})
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise RefusedError(400, f"URL ({url}) did not return 200 status code, got {error}") from None
    if status != 200:
        raise RefusedError(400, f"URL ({url}) did not return 200 status code, got {status}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delivery:
    webhook_id: str
    url: str
    body: bytes


class WebhookSender(Deliveries[_Delivery]):
    """Watches the world's actions and posts them to whoever subscribed."""

    def __init__(self, world: World) -> None:
        super().__init__(self._post, name="trello-webhooks")
        self._world = world
        world.watchers.append(self._notice)

    def _notice(self, action: Action) -> None:
        concerned = {action.board_id, action.card_id, action.member_id, *action.list_ids}
        for hook in self._world.webhooks.values():
            if hook.active and hook.model_id in concerned:
                body = {
                    "action": show_action(self._world, action),
                    "model": self._model(hook.model_id),
                    "webhook": show(WEBHOOK, self._world, hook),
                }
                self.put(_Delivery(webhook_id=hook.id, url=hook.callback_url, body=json.dumps(body).encode()))

    def _model(self, model_id: str) -> Json:
        world = self._world
        if model_id in world.boards:
            return show(BOARD, world, world.boards[model_id], BOARD_DEFAULT)
        if model_id in world.lists:
            return show(LIST, world, world.lists[model_id])
        if model_id in world.cards:
            return show(CARD, world, world.cards[model_id])
        return show(MEMBER, world, world.members[model_id])

    def _post(self, delivery: _Delivery) -> None:
        headers = {
            "Content-Type": "application/json",
            "X-Trello-Webhook": signature(self._world.secret, delivery.body, delivery.url),
        }
        for pause_s in (0.0, *RETRY_AFTER_S):
            if self.stopping.wait(pause_s) or delivery.webhook_id not in self._world.webhooks:
                return
            try:
                status = send_out("POST", delivery.url, delivery.body, headers)
            except (OSError, ValueError, http.client.HTTPException):
                status = 0
            with self._world.lock:
                hook = self._world.webhooks.get(delivery.webhook_id)
                if hook is None:
                    return
                if status == 410:
                    del self._world.webhooks[hook.id]
                    return
                hook.failures = 0 if status == 200 else hook.failures + 1
            if status == 200:
                return
