"""Key rotation: a new API key is made, tried and stored before the old one is revoked."""

from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from isthmus.connectors.odoo.moment import moment
from isthmus.env import Grant, ModelExtension
from isthmus.errors import (
    BackendError,
    CredentialsError,
    FailError,
    LoginRefusedError,
    ParkError,
    RecordLockedError,
    RetryableJobError,
    UsageError,
)
from isthmus.job import job
from isthmus.store.odoo import Login, OdooClient

_SINCE: Final = 19
"""The first major version that makes and revokes API keys over its API."""
_SCOPE: Final = "rpc"
"""What the keys are good for that people make for programs; JSON-2 takes no other."""
_HOLD: Final = timedelta(minutes=10)
"""How long a rotation may take before another may begin."""
_KEYS: Final = "res.users.apikeys"
_SWITCH: Final = ": set its system parameter base.enable_programmatic_api_keys to True"
_REMOVE: Final = "; remove it there by hand (Preferences, Account Security), it still opens"
_ANSWERED: Final = (ParkError, FailError, CredentialsError)
"""Odoo has answered and refused: nothing was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What a rotation did.

    Attributes:
        key_name: How the new key is called in the user's list of keys there.
        expires: When it ends.
        old_until: When the old one is revoked; None: it is.
        leftovers: Names of keys that a broken-off run has made and nobody can use; they could not be
            removed over the API.
    """

    key_name: str
    expires: datetime
    old_until: datetime | None
    leftovers: tuple[str, ...] = ()


class OdooKeyRotation(ModelExtension):
    """Rotation of the key of ``odoo.backend`` records.

    Each step leaves something that the next run can go on from: the new key's name is stored before
    it is made; the key itself in one transaction with the job that revokes the old one.
    """

    _inherit = "odoo.backend"

    env: Any

    def rotate_key(self, *, days: int = 90, overlap: timedelta = timedelta(days=1)) -> Rotation:
        """Replace the API key by a new one.

        Args:
            days: How long the new one is good for, at least 1; Odoo allows most users 90.
            overlap: How long the old one stays good, for programs that use it elsewhere.

        Raises:
            UsageError: When days or overlap have no sense.
            BackendError: When this server or secret cannot be rotated, says what to do by hand; or when the
                overlap of the last rotation is not over, unless there shall be none now.
            CredentialsError: When the server refuses it.
            RecordLockedError: When another process is at it.
        """  # noqa: DOC502 - partly raised by what is called
        if days < 1 or not timedelta() <= overlap < timedelta(days=days):
            raise UsageError("days is at least 1, and the overlap is shorter than the new key is good for")
        me: Any = self
        grant = self._claim()
        try:
            old = self._rotatable()
            if overlap:
                self._refuse_overlapping()
            with closing(me.open_client()) as client:
                client.on_call = self.env.external_call
                self._refuse_older(client)
                self._drop_previous(client)
                leftovers = self._left_over(client)
                name = f"isthmus {me['name']} {uuid4().hex[:8]}"
                me.set_options({"key_pending": name})
                self._commit()
                expires = self.env.now() + timedelta(days=days)
                new = self._generate(client, old, name, expires)
                self._try(client, new)
            until = self.env.now() + overlap
            me.keep_secrets({"key": new, "previous_key": old})
            me.set_options({
                "key_name": name,
                "key_expires": expires.isoformat(),
                "key_pending": None,
                "key_overlap_until": until.isoformat(),
                "secret_is": "key",
            })
            # Stored with the new key: whatever happens now, the old one is revoked.
            me.with_delay(eta=until, description=f"revoke the old key of {me['name']}").revoke_previous_key()
            self.env.locks.settle(self.env, grant)
            self._commit()
        except BaseException:
            self._give_up(grant)
            raise
        if not overlap:
            self.revoke_previous_key()
            self._commit()
        return Rotation(
            key_name=name, expires=expires, old_until=until if overlap else None, leftovers=leftovers
        )

    @job(retry_pattern={1: 60, 3: 600, 10: 3600}, max_retries=100)
    def revoke_previous_key(self) -> str:
        """Revoke the key that the last rotation replaced, when its overlap is over."""
        me: Any = self
        until = self._overlap_until()
        if until is not None and self.env.now() < until:
            return "a later rotation has made it not yet due"
        if not self._previous():
            return "there is no older key"
        with closing(me.open_client()) as client:
            client.on_call = self.env.external_call
            self._drop_previous(client)
        return "the older key is revoked"

    # -- before ------------------------------------------------------------------------

    def _rotatable(self) -> str:
        """Give the key that is to be replaced.

        Raises:
            BackendError: When it is a password, or not stored here.
        """
        me: Any = self
        name = me["name"]
        place = me.credentials.reference("key")
        if place is not None:
            raise BackendError(
                f"the key of backend {name!r} is kept elsewhere ({place}), where it cannot be replaced from "
                f"here: make a new one by hand and put it there, or store it here by "
                f"`isthmus backend set {name} key`"
            )
        if not me.login_is_key(me.login()):
            raise BackendError(
                f"backend {name!r} uses a password, and only API keys can be rotated{_by_hand(name)}"
            )
        return str(me.credentials["key"])

    def _refuse_overlapping(self) -> None:
        """Refuse a further rotation while a key is good that was promised to be.

        Raises:
            BackendError: Says until when.
        """
        me: Any = self
        until = self._overlap_until()
        if self._previous() and until is not None and self.env.now() < until:
            raise BackendError(
                f"the key of backend {me['name']!r} was replaced already, and the one before it is good "
                f"until {until:%Y-%m-%d %H:%M} UTC: rotate again after that, or with --overlap 0, which "
                f"revokes both"
            )

    def _overlap_until(self) -> datetime | None:
        """Tell until when the key before the present one is good."""
        told = self.option("key_overlap_until")  # type: ignore[attr-defined]  # of BackendRecord
        return None if told is None else moment(told)

    def _previous(self) -> str:
        """Give the key that the last rotation has replaced; empty when it is revoked, or used again."""
        kept = self.credentials  # type: ignore[attr-defined]  # of BackendRecord
        previous: str = kept.stored.get("previous_key", "")
        return previous if previous and previous != kept["key"] else ""

    def _claim(self) -> Grant:
        me: Any = self
        name, key = me["name"], f"{me.id}/key rotation"
        self.env.external_call("take a lease")
        grant: Grant = self.env.locks.take([key], lasting=_HOLD)
        if grant.refused:
            raise RecordLockedError(
                f"another process is rotating the key of backend {name!r}", retry_in=_HOLD
            )
        return grant

    def _give_up(self, grant: Grant) -> None:
        if not self.env.transaction.written:
            self.env.external_call("release a lease")
            self.env.locks.release(grant)

    def _commit(self) -> None:
        with self.env.outside():
            pass

    def _refuse_older(self, client: OdooClient) -> None:
        me: Any = self
        if client.version.major < _SINCE:
            raise BackendError(
                f"Odoo {client.version.name} makes no keys over its API, {_SINCE}.0 is the first that does"
                f"{_by_hand(me['name'])}"
            )

    def _left_over(self, client: OdooClient) -> tuple[str, ...]:
        """Remove what a run has made that died before it could store it; give what stays."""
        me: Any = self
        pending = me.option("key_pending")
        if pending is None:
            return ()
        find = {"domain": [["name", "=", pending], ["user_id", "=", client.uid]]}
        found = client.call(_KEYS, "search", args=find, what="look for an unused API key", safe=True)
        if not found:
            return ()
        try:
            client.call(_KEYS, "unlink", ids=found, what="remove an unused API key")
        except _ANSWERED:
            # Nobody has the key itself, by which alone most users may revoke it; it ends by itself.
            return (str(pending),)
        return ()

    # -- calls -------------------------------------------------------------------------

    def _generate(self, client: OdooClient, old: str, name: str, expires: datetime) -> str:
        there = expires + (client.clock_offset or timedelta())
        arguments = {
            "key": old,
            "scope": _SCOPE,
            "name": name,
            "expiration_date": there.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        }
        try:
            made = client.call(_KEYS, "generate", args=arguments, what="make a new API key")
        except _ANSWERED as exc:
            raise _refusal(exc, self["name"]) from exc  # type: ignore[index]
        if not isinstance(made, str) or not made:
            raise BackendError(f"Odoo made a key and did not tell it: remove {name!r} there by hand")
        return made

    def _try(self, client: OdooClient, new: str) -> None:
        """See that the new key opens the door, before it is relied on; one that does not is revoked again.

        Raises:
            CredentialsError: When it is refused.
            RetryableJobError: When that cannot be found out now.
        """
        try:
            self._knock(new, "try the new API key")
        except (CredentialsError, RetryableJobError) as exc:
            with suppress(*_ANSWERED, RetryableJobError):  # the next run finds it by its name
                client.call(_KEYS, "revoke", args={"key": new}, what="revoke the new API key")
            if isinstance(exc, RetryableJobError):
                raise
            raise CredentialsError(f"the new key does not work, the old one stays: {exc}") from exc

    def _drop_previous(self, client: OdooClient) -> None:
        """Revoke the key before the present one, and forget it when it opens nothing any more.

        Raises:
            BackendError: When it cannot be revoked over the API; it is kept, to be revoked later.
        """
        me: Any = self
        old = self._previous()
        if not old:
            return
        # Our own key works; so what is refused now is the old one: revoked before, or expired.
        client.call("res.users", "context_get", what="try our API key", safe=True)
        try:
            client.call(_KEYS, "revoke", args={"key": old}, what="revoke the old API key")
        except _ANSWERED as exc:
            if self._opens(old):
                remedy = _SWITCH if _is_switched_off(exc) else _REMOVE
                raise BackendError(f"the old key cannot be revoked: {exc}{remedy}") from exc
        me.keep_secrets({"previous_key": ""})
        self._commit()

    def _opens(self, key: str) -> bool:
        """Tell whether a key lets us in.

        Raises:
            RetryableJobError: When that cannot be found out now.
        """  # noqa: DOC502 - raised by the client
        try:
            self._knock(key, "try the old API key")
        except LoginRefusedError:
            return False
        return True

    def _knock(self, key: str, what: str) -> None:
        me: Any = self
        now = me.login()
        with closing(me._client(Login(now.database, now.login, key, True))) as trial:
            trial.on_call = self.env.external_call
            trial.call("res.users", "context_get", what=what, safe=True)


def _by_hand(name: str) -> str:
    return (
        f": make one by hand (in Odoo: Preferences, Account Security, New API Key), store it by "
        f"`isthmus backend set {name} key`, then delete the old one there"
    )


def _is_switched_off(error: Exception) -> bool:
    return "programmatic" in str(error).lower() and "not enabled" in str(error).lower()


def _is_unknown(error: Exception) -> bool:
    told = str(error).lower()
    return any(sign in told for sign in ("does not exist", "no attribute", "not found", "no method"))


def _refusal(error: Exception, name: str) -> BackendError:
    """Say what to do about a key that was not made."""
    if _is_switched_off(error):
        return BackendError(
            f"this Odoo lets only administrators make keys over its API{_SWITCH}, or rotate by hand"
            f"{_by_hand(name)}"
        )
    if _is_unknown(error):
        return BackendError(f"this build of Odoo makes no keys over its API ({error}){_by_hand(name)}")
    kind = CredentialsError if isinstance(error, CredentialsError) else BackendError
    return kind(f"Odoo made no new key: {error}")
