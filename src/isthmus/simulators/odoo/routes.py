"""What the simulator answers, and how sure we are of each: the table behind docs/reference/odoo-simulator.md.

``recorded`` was compared with answers of a real server of the versions named; ``documented`` follows
Odoo's documentation; ``assumed`` follows neither and may differ.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

Source = Literal["recorded 18.0", "recorded 19.0", "recorded 18.0, 19.0", "documented", "assumed"]


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    Attributes:
        method: The HTTP method.
        path: With ``{placeholders}``.
        what: What it does.
        source: How sure we are.
        since: The first version that has it.
        until: The last version that has it.
    """

    method: str
    path: str
    what: str
    source: Source
    since: int = 0
    until: int = 99

    @property
    def recorded(self) -> bool:
        """Whether it was compared with a real server."""
        return self.source.startswith("recorded")

    @property
    def name(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"

    def matches(self, method: str, path: str, major: int) -> dict[str, str] | None:
        """Tell the values of the placeholders when a request is for this route of that version.

        >>> Route("GET", "/doc/{model}.json", "", "assumed").matches("GET", "/doc/res.users.json", 18)
        {'model': 'res.users'}
        """
        if method != self.method or not self.since <= major <= self.until:
            return None
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        found = re.fullmatch(pattern, path)
        return found.groupdict() if found else None


ROUTES: Final = (
    Route("POST", "/jsonrpc", "services `common`, `object` and `db`", "recorded 18.0, 19.0", until=21),
    Route("POST", "/json/2/{model}/{method}", "one method, named arguments", "recorded 19.0", since=19),
    Route("GET", "/doc-bearer/{model}.json", "methods and their parameters", "recorded 19.0", since=19),
    Route("GET", "/web/version", "the version", "recorded 19.0", since=19),
    Route("POST", "/web/webclient/version_info", "the version", "recorded 18.0, 19.0"),
    Route("POST", "/web/session/authenticate", "a session; its answer is abridged", "recorded 18.0, 19.0"),
    Route("POST", "/web/session/destroy", "the end of a session", "assumed"),
    Route("POST", "/web/dataset/call_kw", "a method, in a session", "recorded 18.0"),
    Route("POST", "/web/dataset/call_kw/{model}/{method}", "the same, named in the path", "recorded 18.0"),
)
"""Everything below ``/_control/`` is ours and not in this list."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One way to be refused.

    Attributes:
        when: What was wrong.
        jsonrpc: How JSON-RPC tells it, inside of status 200 where nothing else is said.
        json2: How JSON-2 tells it.
        source: How sure we are.
    """

    when: str
    jsonrpc: str
    json2: str
    source: Source


FAILURES: Final = (
    Failure("wrong login or password at `authenticate`", "`result: false`", "-", "recorded 18.0, 19.0"),
    Failure("wrong password or key", "`AccessDenied`", "401 `Invalid apikey`", "recorded 18.0, 19.0"),
    Failure("no key, or not as bearer", "-", "401 `User not authenticated, ...`", "recorded 19.0"),
    Failure("no such user", "`MissingError` of res.users", "-", "recorded 18.0, 19.0"),
    Failure("no such database", "`psycopg2.OperationalError`", "404, HTML", "recorded 18.0, 19.0"),
    Failure("no session, or it expired", "code 100, `SessionExpiredException`", "-", "recorded 18.0"),
    Failure("no such model", "`UserError`", "404 `NotFound`", "recorded 18.0, 19.0"),
    Failure("no such method", "`AttributeError`", "404 `NotFound`", "recorded 18.0, 19.0"),
    Failure("private method", "`AccessError`", "403 `AccessError`", "recorded 18.0, 19.0"),
    Failure("arguments do not fit", "`TypeError`", "422 `UnprocessableEntity`", "recorded 18.0, 19.0"),
    Failure("IDs for a method of the model", "-", "422 `UnprocessableEntity`", "recorded 19.0"),
    Failure("no access", "`AccessError`", "403 `AccessError`", "recorded 18.0, 19.0"),
    Failure("record is gone", "`MissingError`", "404 `MissingError`", "recorded 18.0, 19.0"),
    Failure("not valid", "`ValidationError`", "422 `ValidationError`", "recorded 18.0, 19.0"),
    Failure("refused by a model", "`UserError`", "422 `UserError`", "recorded 18.0, 19.0"),
    Failure(
        "unknown field, bad value, bad domain", "`ValueError`", "500 `ValueError`", "recorded 18.0, 19.0"
    ),
    Failure(
        "concurrent updates",
        "`psycopg2.errors.SerializationFailure`",
        "500, the same name",
        "assumed",
    ),
    Failure("body is no JSON", "400, HTML", "400 `BadRequest`", "recorded 18.0, 19.0"),
    Failure("other content type", "400, HTML", "415, HTML", "recorded 18.0, 19.0"),
    Failure("no such route", "404, HTML", "404 `NotFound` below /json/2", "recorded 18.0, 19.0"),
    Failure("list of databases", "`AccessDenied`: it is switched off", "-", "documented"),
    Failure("too many requests", "429, HTML of a proxy", "429, HTML of a proxy", "assumed"),
    Failure("maintenance", "503, HTML of a proxy", "503, HTML of a proxy", "assumed"),
)

NOTES: Final = """
- Errors of JSON-RPC have the code 200 up to 18 and 0 from 19 on (recorded).
- Answers are compressed for clients that accept it, as proxies in front of Odoo do; Odoo itself does not.
- Webhooks of automation rules are sent after the commit, as 19 does (documented). 17 and 18 send them from
  within the transaction, so that a receiver who reads at once may still see the old values.
- `generate` and `revoke` of res.users.apikeys are documented for 19; the 19.0 that was recorded has neither.
- XML-RPC is not simulated.
"""
"""What the tables cannot say."""


def find(method: str, path: str, major: int) -> tuple[Route, dict[str, str]] | None:
    """Find the route of a request and what its placeholders stand for."""
    for route in ROUTES:
        values = route.matches(method, path, major)
        if values is not None:
            return route, values
    return None
