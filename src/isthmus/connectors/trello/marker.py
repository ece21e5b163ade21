"""What Trello shows of a record's making: our key on a card, and the instant in every ID."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote

LINK_BASE: Final = "https://isthmus.invalid"
"""Where a card's link back points when nothing else is set; the name can never resolve (RFC 2606)."""

_PLACE: Final = "/effect/"


def marker(key: str, base: str = LINK_BASE) -> str:
    """Write the URL that is attached to a card in the same request that makes it.

    Args:
        key: The key of the effect.
        base: The address people reach this hub by, if there is one.

    >>> marker("0192-ab")
    'https://isthmus.invalid/effect/0192-ab'
    """
    return f"{base.rstrip('/')}{_PLACE}{quote(key, safe='')}"


def marked_with(payload: Mapping[str, Any], base: str = LINK_BASE) -> str | None:
    """Read the key from a card's nested attachments.

    Args:
        payload: A card.
        base: The present base; cards made under the default one are known as well.

    Returns:
        The key of the oldest marker; None when the payload shows none.

    >>> marked_with({"attachments": [{"id": "5f", "url": "https://isthmus.invalid/effect/0192-ab"}]})
    '0192-ab'
    """
    prefixes = tuple(dict.fromkeys((marker("", base), marker(""))))
    attachments = [item for item in payload.get("attachments") or () if isinstance(item, dict)]
    for attachment in sorted(attachments, key=lambda item: str(item.get("id", ""))):
        url = str(attachment.get("url") or "")
        for prefix in prefixes:
            if url.startswith(prefix) and len(url) > len(prefix):
                return unquote(url.removeprefix(prefix))
    return None


def made_at(object_id: object) -> datetime | None:
    """Read the second in which a record was made from its ID.

    Args:
        object_id: 24 hexadecimal digits, the first 8 of which count seconds.

    Returns:
        An aware instant; None for anything else than such an ID.

    >>> made_at("5f000000aaaaaaaaaaaaaaaa")
    datetime.datetime(2020, 7, 4, 4, 5, 20, tzinfo=datetime.timezone.utc)
    """
    if not isinstance(object_id, str) or len(object_id) != 24:
        return None
    try:
        int(object_id, 16)
        return datetime.fromtimestamp(int(object_id[:8], 16), UTC)
    except ValueError:
        return None
