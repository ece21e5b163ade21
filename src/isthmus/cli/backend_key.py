"""``isthmus backend rotate-key``: a new key in place of the old one; and warnings of keys that end."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from isthmus.cli.command import command
from isthmus.cli.session import Session
from isthmus.errors import UsageError

_SOON: Final = timedelta(days=14)
"""How long before its end a key is worth a warning."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "rotate-key",
        examples=(
            "isthmus backend rotate-key company",
            "isthmus backend rotate-key company --days 30 --overlap 2h",
            "isthmus backend rotate-key company --overlap 0   # the old key is revoked at once",
        ),
    )(rotate_key)


def rotate_key(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="BACKEND", help="What it is called here.")],
    days: Annotated[int, typer.Option("--days", min=1, help="How long the new key is good for.")] = 90,
    overlap: Annotated[
        str, typer.Option("--overlap", metavar="TIME", help="How long the old one stays good: 0, 2h, 1d.")
    ] = "1d",
) -> None:
    """Make a new API key there, try it, store it, and revoke the old one after the overlap.

    For Odoo 19 and later. The old key is revoked by a job, so a worker has to run by then. Whatever
    breaks off on the way, run it again.

    Raises:
        UsageError: When the overlap is no time, or the backend's type has no keys that can be rotated.
    """
    from isthmus.settings import seconds
    from isthmus.sync.service import get_backend

    try:
        length = timedelta(seconds=seconds(overlap))
    except ValueError as exc:
        raise UsageError(f"--overlap: {exc}") from None
    with session.env() as env:
        backend = get_backend(env, name)
        if not hasattr(type(backend), "rotate_key"):
            raise UsageError(f"backend {name!r} is of type {backend['type']}, whose keys cannot be rotated")
        done = backend.rotate_key(days=days, overlap=length)
    session.out.document({
        "backend": name,
        "key_name": done.key_name,
        "key_expires": done.expires,
        "old_key_until": done.old_until,
        "leftovers": list(done.leftovers),
        "run": session.run_id,
    })
    session.out.say(f"backend {name!r} has a new key, {done.key_name!r}, good until {done.expires:%Y-%m-%d}")
    until = done.old_until
    session.out.say(
        f"the old key is revoked by a job after {until:%Y-%m-%d %H:%M} UTC"
        if until
        else "the old key is revoked"
    )
    for left in done.leftovers:
        session.out.say(
            f"! a run that broke off has made the key {left!r}, which nobody can use: remove it there by "
            f"hand (Preferences, Account Security)"
        )


def expiry(backend: Any) -> datetime | None:
    """Tell when a backend's key ends; None when it does not, or that is not known.

    Without an offset it is UTC, whoever has noted it.
    """
    told = (backend["options"] or {}).get("key_expires")
    try:
        ends = None if told is None else datetime.fromisoformat(told)
    except (TypeError, ValueError):
        return None
    return ends if ends is None or ends.tzinfo is not None else ends.replace(tzinfo=UTC)


def warning(backend: Mapping[str, Any], now: datetime) -> str | None:
    """Say that a backend's key has ended, or will soon, and what to do.

    Args:
        backend: **Shape** ``{"name": str, "key_expires": datetime | None}``.
        now: The time.
    """
    name, ends = backend["name"], backend["key_expires"]
    if ends is None or ends - now > _SOON:
        return None
    if ends <= now:
        return (
            f"the key of backend {name!r} has expired on {ends:%Y-%m-%d}: make a new one there and store "
            f"it: isthmus backend set {name} key"
        )
    left = {0: "today", 1: "tomorrow"}.get((ends - now).days, f"in {(ends - now).days} days")
    return (
        f"the key of backend {name!r} expires on {ends:%Y-%m-%d}, {left}: isthmus backend rotate-key {name}"
    )
