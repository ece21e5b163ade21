"""LIKE and ILIKE as PostgreSQL matches them."""

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from typing import Any


def matcher(operator: str, pattern: str) -> Callable[[Any], bool]:
    r"""Make what tells whether a value matches; an empty value never does.

    >>> matcher("ilike", "ÄRGER")("viel ärger"), matcher("=like", "d_")("da")
    (True, True)
    """
    anywhere = not operator.removeprefix("not ").startswith("=")
    expression = _expression(f"%{pattern}%" if anywhere else pattern, "ilike" in operator)
    return lambda value: value is not None and expression.fullmatch(as_text(value)) is not None


def as_text(value: Any) -> str:
    """Cast a value to text as PostgreSQL does."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        text = value.isoformat(sep=" ")
        return text.rstrip("0") if value.microsecond else text
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


@lru_cache(maxsize=256)
def _expression(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    parts: list[str] = []
    signs = iter(pattern)
    for sign in signs:
        if sign == "\\":
            parts.append(re.escape(next(signs, "")))
        elif sign == "%":
            parts.append(".*")
        elif sign == "_":
            parts.append(".")
        else:
            parts.append(re.escape(sign))
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return re.compile("".join(parts), flags)
