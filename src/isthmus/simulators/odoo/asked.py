"""A request, understood: what it is about and how to answer it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.simulators.loopback import Answer
from isthmus.simulators.odoo.errors import OdooError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request before anything was done about it, so that a fault can choose it by what it is about.

    Attributes:
        protocol: ``jsonrpc``, ``json2``, ``session`` or ``page``.
        answer: Does it and answers; never raises for what a client sent.
        refuse: Answers with an error in the words of the protocol, without doing it.
        route: The route's name, None when there is none.
        model: The model called, empty when none is.
        method: The method called, or the path.
        records: How many records the call brings.
    """

    protocol: str
    answer: Callable[[], "Outcome"]
    refuse: Callable[[OdooError], "Outcome"]
    route: str | None = None
    model: str = ""
    method: str = ""
    records: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An answer and what the log tells of it.

    Attributes:
        answer: What goes to the client.
        error: The name of the error in it.
        found: How many records it has.
    """

    answer: Answer
    error: str | None = None
    found: int = 0


def body_of(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Write JSON as Odoo does: ASCII, with blanks."""
    return Answer(
        status=status,
        content_type="application/json; charset=utf-8",
        body=json.dumps(value, default=str).encode(),
        headers=headers or {},
    )


def brought(method: str, args: Any, kwargs: Any) -> int:
    """Count the records that a call brings: rows to load, values to create, IDs otherwise.

    >>> brought("load", [["id", "name"], [["x", "X"], ["y", "Y"]]], {})
    2
    >>> brought("write", [[1, 2, 3], {"name": "x"}], {}), brought("create", [{"name": "x"}], {})
    (3, 1)
    """
    values = list(args) if isinstance(args, (list, tuple)) else []
    named = kwargs if isinstance(kwargs, dict) else {}
    if method == "load":
        rows = values[1] if len(values) > 1 else named.get("data")
        return len(rows) if isinstance(rows, list) else 0
    if method == "create":
        made = values[0] if values else named.get("vals_list")
        return len(made) if isinstance(made, list) else int(made is not None)
    if method.startswith(("search", "name_search", "web_search", "fields_get", "default_get")) or not values:
        return 0
    ids = values[0]
    if isinstance(ids, list):
        return len(ids) if all(type(item) is int for item in ids) else 0
    return int(type(ids) is int)


def found_in(method: str, result: Any) -> int:
    """Count the records that a search found."""
    return len(result) if "search" in method and isinstance(result, list) else 0
