"""What a request proves itself with, and how to keep it out of everything else."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, quote_plus

from isthmus.errors import CredentialsError

MASK: Final = "***"

# Masking a secret of one or two characters would cut holes into ordinary words
# and show by them what it is.
_SHORTEST: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Headers and parameters that prove who we are.

    Prefer headers: parameters are part of the URL, which proxies and servers log.

    >>> Auth(headers={"Authorization": "Bearer abcdef"}, secrets=("abcdef",))
    Auth()

    Attributes:
        headers: Sent with every request. **Shape**: ``{"Authorization": "Bearer ..."}``.
        params: Added to the query of every request. **Shape**: ``{"ws_key": "..."}``.
        secrets: The bare secrets inside *headers*, which a server might repeat in its answer.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        for name, value in self.headers.items():
            if not value.isascii() or not value.isprintable():
                msg = (
                    f"the credentials for header {name!r} hold a character that no header can carry; "
                    f"were they copied with a line break or a blank?"
                )
                raise CredentialsError(msg)

    def scrub(self, text: str) -> str:
        """Mask every secret in a text, also where it is written as part of a URL.

        >>> Auth(params={"ws_key": "p/ssw0rd"}).scrub("GET /?ws_key=p%2Fssw0rd refused")
        'GET /?ws_key=*** refused'
        """
        for form in self._forms():
            text = text.replace(form, MASK)
        return text

    def _forms(self) -> list[str]:
        """List the spellings of all secrets, longest first so that no rest of one remains."""
        secrets = {*self.secrets, *self.params.values(), *self.headers.values()}
        forms = {
            form
            for secret in secrets
            for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret))
        }
        return sorted((form for form in forms if len(form) >= _SHORTEST), key=len, reverse=True)


def fingerprint(kind: str, *secrets: str) -> str:
    """Name a credential for the limiter without showing it.

    Args:
        kind: What it is, readable: "trello token".
        secrets: What makes it the same credential wherever it is configured.

    Returns:
        A name that is equal for equal secrets and tells nothing about them.

    >>> fingerprint("trello token", "abcdef")
    'trello token bef57ec7f53a6d40'
    """
    return f"{kind} {_digest(secrets)}"


def _digest(secrets: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(secrets).encode("utf-8", "surrogatepass")).hexdigest()[:16]
