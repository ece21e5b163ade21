"""The webhook behind its protocol: who may give a hint, and what becomes of one."""

import json
import logging
import secrets
from enum import Enum
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final

from sqlalchemy import select

from isthmus.backend import Backend
from isthmus.errors import DatabaseBusyError, IsthmusError, SecretError
from isthmus.sync.hint import SECRET, Follower, delay
from isthmus.sync.service import get_backend

logger = logging.getLogger("isthmus.hook")

_USER: Final = "webhook"
_NOBODY: Final = "backend/0"
"""Where the secret is kept that stands for one which is not there."""


class Heard(Enum):
    """What became of a hint."""

    TAKEN = "taken"
    """Jobs will look at the record, if anybody follows it."""
    REFUSED = "refused"
    """There is no such backend, it is disabled, or the secret is another one: which is not told."""
    GARBAGE = "garbage"
    """It names no record in the form of this backend."""


class HookDesk:
    """Takes hints: asks for the secret, and delays jobs.

    Args:
        hub: The hub.
        run_id: The run that the jobs belong to; None gives each hint one of its own.
    """

    def __init__(self, hub: Any, run_id: str | None = None) -> None:
        self._hub = hub
        self._run_id = run_id
        self._stand_in: str | None = None

    def receive(self, name: str, secret: str, body: bytes) -> Heard:
        """Take a hint.

        Args:
            name: The backend, as the path has it.
            secret: The secret, as the path has it.
            body: What was sent; not looked at before the secret fits.

        Raises:
            DatabaseBusyError: When nothing can be looked up or written now.
        """
        with self._hub.env(user=_USER, run_id=self._run_id, readonly=True) as env:
            if not self._may(env, name, secret):
                return Heard.REFUSED
            try:
                backend = get_backend(env, name)
                hints = backend.hint(json.loads(body))
                wanted = [(follower, key) for model, key in hints for follower in backend.followers(model)]
            except DatabaseBusyError:
                raise
            except (ValueError, RecursionError, IsthmusError) as exc:
                # Not the message: it may quote what was sent.
                logger.info("a webhook was not understood: %s", type(exc).__name__, extra=_keys(name))
                return Heard.GARBAGE
        self._delay(name, wanted)
        return Heard.TAKEN

    def _delay(self, name: str, wanted: list[tuple[Follower, Any]]) -> None:
        if not wanted:
            logger.debug("a webhook told of a record that nobody follows", extra=_keys(name))
            return
        with self._hub.env(user=_USER, run_id=self._run_id) as env:
            for follower, key in wanted:
                delay(env, follower, key)
        logger.debug("a webhook was taken", extra=_keys(name))

    def _may(self, env: Any, name: str, secret: str) -> bool:
        """Tell whether the secret fits: by the same steps, whatever is wrong."""
        table = Backend.__table__.c
        # No database has such a name, and one of them refuses the question.
        asked = name if name.isprintable() else ""
        columns = select(table.id, table.active, table.sealed_credentials)
        row = env.session.execute(columns.where(table.name == asked)).one_or_none()
        sealed, context, active = self._nobody(), _NOBODY, False
        if row is not None and row.sealed_credentials:
            sealed, context, active = row.sealed_credentials, f"backend/{row.id}", row.active
        try:
            kept = self._hub.secrets.open(sealed, context=context)
        except SecretError as exc:
            logger.warning("%s", exc, extra=_keys(asked))
            kept, active = {}, False
        fits = compare_digest(_digest(kept.get(SECRET) or secrets.token_urlsafe()), _digest(secret))
        return fits and active

    def _nobody(self) -> str:
        if self._stand_in is None:
            self._stand_in = self._hub.secrets.seal({SECRET: secrets.token_urlsafe()}, context=_NOBODY)
        return self._stand_in


def _digest(text: str) -> bytes:
    return sha256(text.encode(errors="surrogatepass")).digest()


def _keys(name: str) -> dict[str, str]:
    return {"isthmus_backend": name}
