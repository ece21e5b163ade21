"""Reading an answer: JSON that was promised, the wait a server asks for, a path that is safe."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote

import httpx2

from isthmus.errors import InvalidDataError, IsthmusError
from isthmus.http.failure import Call, cut, shorten, unsettled

Payload = dict[str, Any]
"""A record as the other system tells it."""

_LONGEST_WAIT: Final = timedelta(days=1)
"""A server that asks for more is taken at this; a person will have looked by then."""


def path(*segments: str) -> str:
    """Build the path of a URL from parts that may hold anything.

    Args:
        segments: Parts in order, not yet quoted: ``("cards", external_id)``.

    Returns:
        The path, with a leading slash.

    Raises:
        InvalidDataError: When a part is empty, "." or "..": it would name another resource.

    >>> path("cards", "a/b?c")
    '/cards/a%2Fb%3Fc'
    """
    for segment in segments:
        if segment in {"", ".", ".."}:
            msg = f"{segment!r} cannot be an ID: in a URL it would name something else"
            raise InvalidDataError(msg)
    try:
        return "".join(f"/{quote(segment, safe='')}" for segment in segments)
    except UnicodeEncodeError as exc:
        msg = f"{segments!r} holds half a character (a lone surrogate) and cannot be put into a URL"
        raise InvalidDataError(msg) from exc


def encode(body: Any, call: Call) -> bytes:
    """Write a body as JSON.

    Args:
        body: Anything JSON can say.
        call: The request, for the message.

    Returns:
        UTF-8.

    Raises:
        InvalidDataError: When a value is none of JSON's, or text holds a lone surrogate.
    """
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as exc:
        msg = f"cannot {call.what}: the values cannot be written as JSON ({exc})"
        raise InvalidDataError(msg) from exc


def decode(response: httpx2.Response, call: Call) -> Any:
    """Read the JSON that was promised.

    A page of a proxy or half an answer says nothing about the record: a read is repeated
    later (`NetworkRetryableError`, for half an answer `AnswerCutError`), a write has an unknown
    outcome (`UnknownOutcomeError`).

    Args:
        response: A success whose body has been read.
        call: The request it answers.

    Returns:
        The parsed value; None for an empty body of 204 or 205.
    """
    if response.status_code in {204, 205} and not response.content:
        return None
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        error = unsettled(f"cannot {call.what}: {call.server} promised JSON and sent {shorten(kind)}", call)
        raise error
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError) as exc:
        prefix = f"cannot {call.what}: {call.server} promised JSON and sent"
        error = (
            cut(f"{prefix} the beginning of an answer", call)
            if _is_beginning(response.content, exc)
            else unsettled(f"{prefix} something unreadable", call)
        )
        raise error from exc


def _is_beginning(content: bytes, error: Exception) -> bool:
    """Tell half an answer, as a proxy cuts it, from something that is no JSON at all."""
    text = content.strip()
    if text[:1] not in {b"{", b"["} or not isinstance(error, ValueError):
        return False
    at_end = isinstance(error, json.JSONDecodeError) and not error.doc[error.pos :].strip()
    return at_end or text[-1:] != {b"{": b"}", b"[": b"]"}[text[:1]]


def as_object(value: Any, call: Call) -> Payload:
    """Hold the server to one JSON object.

    Anything else raises `InvalidDataError` for a read, `UnknownOutcomeError` for a write, since
    such an answer does not tell what it did.

    Args:
        value: What it sent.
        call: The request it answers.

    Returns:
        *value*, now known to be an object.
    """
    if isinstance(value, dict):
        return value
    error = _wrong_shape("an object", value, call)
    raise error


def as_objects(value: Any, call: Call) -> list[Payload]:
    """Hold the server to a JSON list of objects, as in `as_object`.

    Args:
        value: What it sent.
        call: The request it answers.

    Returns:
        *value*, now known to be such a list.
    """
    if not isinstance(value, list):
        error = _wrong_shape("a list", value, call)
        raise error
    for item in value:
        if not isinstance(item, dict):
            error = _wrong_shape("a list of objects", item, call)
            raise error
    return value


def _wrong_shape(promised: str, value: Any, call: Call) -> IsthmusError:
    message = f"cannot {call.what}: {call.server} promised {promised} and sent {_json_name(value)}"
    return InvalidDataError(message) if call.safe else unsettled(message, call)


def _json_name(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def retry_after(text: str | None, *, now: datetime) -> timedelta | None:
    """Read a ``Retry-After`` header.

    Args:
        text: Its value, seconds or an HTTP date; None when there is none.
        now: The present instant.

    Returns:
        How long to wait, between nothing and one day; None when it is absent or unreadable.

    Source:
        RFC 9110, section 10.2.3.

    >>> retry_after("120", now=datetime(2026, 1, 1, tzinfo=UTC))
    datetime.timedelta(seconds=120)
    """
    if not text:
        return None
    try:
        wait = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        try:
            instant = parsedate_to_datetime(text)
        except ValueError:
            return None
        wait = instant.replace(tzinfo=instant.tzinfo or UTC) - now
    return min(max(wait, timedelta()), _LONGEST_WAIT)
