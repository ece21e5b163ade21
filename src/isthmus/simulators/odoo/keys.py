"""Passwords and API keys: kept hashed, beside the columns that can be read.

`generate` and `revoke` are written by Odoo's documentation; no server was recorded that has them.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from isthmus.simulators.odoo import errors, orm
from isthmus.simulators.odoo.environment import Environment
from isthmus.simulators.odoo.fields import Row, to_datetime

KEYS = "res.users.apikeys"
LONGEST = timedelta(days=93)
PROGRAMMATIC = 10
PARAMETER = "base.enable_programmatic_api_keys"


def digest(secret: str) -> str:
    """Hash a secret.

    >>> digest("admin")[:8]
    '8c6976e5'
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def make_key(
    env: Environment,
    uid: int,
    name: str,
    scope: str | None = "rpc",
    expires: datetime | None = None,
    *,
    programmatic: bool = False,
) -> str:
    """Make a key of a user; the text is told this once. *expires* is naive, in UTC."""
    key = secrets.token_hex(20)
    values = {"name": name, "user_id": uid, "scope": scope or False}
    made = orm.create(env.sudo(), env.registry[KEYS], [values])[0]
    row = env.rows(KEYS)[made] | {"key": digest(key), "expires": expires, "programmatic": programmatic}
    if "expiration_date" in env.registry[KEYS].fields:
        row["expiration_date"] = expires
    env.database.put(env.transaction, KEYS, made, row)
    return key


def owner(env: Environment, key: str, scope: str = "rpc") -> int | None:
    """Find whose key it is; none if it has ended or is for something else."""
    row = _row(env, key)
    if row is None or row.get("scope") not in {None, scope}:
        return None
    user = env.rows("res.users").get(row["user_id"], {})
    return int(row["user_id"]) if user.get("active") else None


def check_secret(env: Environment, uid: int, secret: str) -> bool:
    """Tell whether it is the user's password, or a key of theirs."""
    user = env.rows("res.users").get(uid, {})
    if not secret or not user.get("active"):
        return False
    return user.get("secret") == digest(secret) or owner(env, secret) == uid


def generate(env: Environment, key: str, scope: Any, name: str, expiration_date: Any) -> str:
    """Make a key by proving one has another: `res.users.apikeys/generate`.

    Raises:
        access_denied: If the proof is wrong.
        access_error: If the person may not.
        user_error: If Odoo refuses it in a person's words.
    """
    parameters = env.rows("ir.config_parameter").values()
    if not any(row["key"] == PARAMETER and row["value"] == "True" for row in parameters):
        raise errors.access_error("Programmatic API keys are not enabled")
    if owner(env, key) != env.uid:
        raise errors.access_denied()
    if not expiration_date:
        raise errors.user_error("The API key must have an expiration date")
    expires = to_datetime(expiration_date)
    if expires > env.transaction.start + LONGEST:
        raise errors.user_error(f"You cannot exceed {LONGEST.days} days.")
    mine = [row for row in env.rows(KEYS).values() if row["user_id"] == env.uid and row.get("programmatic")]
    if len(mine) >= PROGRAMMATIC:
        raise errors.user_error(f"Limit of {PROGRAMMATIC} API keys is reached for programmatic creation")
    return make_key(env, env.uid, name, scope, expires, programmatic=True)


def revoke(env: Environment, key: str) -> bool:
    """End a key of one's own: `res.users.apikeys/revoke`.

    Raises:
        access_denied: If the proof is wrong.
    """
    row = _row(env, key)
    if row is None or row["user_id"] != env.uid:
        raise errors.access_denied()
    return orm.unlink(env.sudo(), env.registry[KEYS], [row["id"]])


def _row(env: Environment, key: str) -> Row | None:
    wanted, now = digest(key), env.transaction.start
    for row in env.rows(KEYS).values():
        if row.get("key") == wanted and (row.get("expires") is None or row["expires"] > now):
            return row
    return None
