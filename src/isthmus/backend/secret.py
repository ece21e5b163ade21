"""Secrets at rest: a key ring that seals values, and references to secrets kept elsewhere."""

import json
import os
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from isthmus.errors import SecretError

_KEY_BITS: Final = 256
_NONCE_BYTES: Final = 12
_COMPACT: Final = json.JSONEncoder(separators=(",", ":"))


def create_key_file(path: Path) -> bool:
    """Write a new key file that only its owner can read.

    Args:
        path: Where; nothing is overwritten.

    Returns:
        False when the file was already there.
    """
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(urlsafe_b64encode(AESGCM.generate_key(_KEY_BITS)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return True


class KeyRing:
    """Seals JSON values so that they can be stored; the newest key seals, every key opens.

    Each value is encrypted and authenticated by AES-256-GCM with a random nonce. A key may seal some four
    thousand million values (2**32), which is a new key every ten years for a million effects a day.

    Source:
        NIST SP 800-38D, section 8.3: at most 2**32 random nonces under one key.

    Args:
        path: The key file: one key of 32 bytes per line, as URL-safe base64, newest first. Read at the
            first use.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ring: list[AESGCM] = []

    def _keys(self) -> list[AESGCM]:
        if not self._ring:
            try:
                self._ring = [_key(line) for line in self._path.read_text(encoding="ascii").split()]
            except FileNotFoundError as exc:
                raise SecretError(
                    f"key file {self._path} does not exist: run `isthmus init`, or put the file back "
                    f"(without it stored credentials cannot be read)"
                ) from exc
            except (OSError, ValueError) as exc:
                why = "no key in one of its lines" if isinstance(exc, ValueError) else type(exc).__name__
                raise SecretError(f"key file {self._path} cannot be used: {why}") from exc
            if not self._ring:
                raise SecretError(f"key file {self._path} cannot be used: there is no key in it")
        return self._ring

    def seal(self, value: Any, *, context: str) -> str:
        """Encrypt a JSON value.

        Args:
            value: What to keep.
            context: Where it is kept (``backend/3``); it opens only there, so that a sealed
                text copied to another row is refused.
        """
        text = _COMPACT.encode({"for": context, "value": value})
        nonce = os.urandom(_NONCE_BYTES)
        return urlsafe_b64encode(nonce + self._keys()[0].encrypt(nonce, text.encode(), None)).decode()

    def open(self, sealed: str, *, context: str) -> Any:
        """Decrypt what `seal` made.

        Raises:
            SecretError: When no key fits, or it was sealed for another context.
        """
        try:
            found = json.loads(self._decrypted(b64decode(sealed, altchars=b"-_", validate=True)))
        except (InvalidTag, ValueError) as exc:
            raise SecretError(
                f"what is stored for {context} was encrypted with another key than those in {self._path}"
            ) from exc
        if found["for"] != context:
            raise SecretError(f"what is stored for {context} was sealed for another place")
        return found["value"]

    def _decrypted(self, raw: bytes) -> bytes:
        """Decrypt by whichever key fits.

        Raises:
            InvalidTag: When none does.
        """
        for key in self._keys():
            with suppress(InvalidTag):
                return key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None)
        raise InvalidTag


def _key(line: str) -> AESGCM:
    """Read a key.

    Raises:
        ValueError: When it is none.
    """
    key = b64decode(line, altchars=b"-_", validate=True)
    if len(key) * 8 != _KEY_BITS:
        raise ValueError("a key of another length")
    return AESGCM(key)


class Credentials(Mapping[str, str]):
    """Credentials in the clear: readable by key, masked everywhere they could be shown.

    >>> Credentials({"token": "s3cret"})
    <credentials: token>
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        """Give a credential, following ``env:NAME`` and ``file:PATH`` references.

        Raises:
            SecretError: When it is not there or a reference leads nowhere; names it, never its value.
        """
        if name not in self._values:
            raise SecretError(f"credential {name!r} is not set: `isthmus backend set NAME {name}=...`")
        return resolve(self._values[name], name)

    @property
    def stored(self) -> dict[str, str]:
        """What is stored, references as such: to be kept again, never to be shown."""
        return dict(self._values)

    def reference(self, name: str) -> str | None:
        """Tell where a credential is kept, as ``env:NAME`` or ``file:PATH``; None when it is stored here."""
        value = self._values.get(name, "")
        return value if _place(value) else None

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<credentials: {', '.join(sorted(self._values))}>"


def resolve(value: str, name: str) -> str:
    """Follow a reference to a secret; a plain value is given back.

    Raises:
        SecretError: When the variable or file does not exist.
    """
    kind, place = _place(value) or ("", "")
    if kind == "env":
        if place not in os.environ:
            raise SecretError(
                f"credential {name!r} refers to the environment variable {place}, which is not set"
            )
        return os.environ[place]
    if kind == "file":
        try:
            return Path(place).read_text(encoding="utf-8").strip()
        except OSError as exc:
            raise SecretError(
                f"credential {name!r} refers to the file {place}, which cannot be read"
            ) from exc
    return value


def _place(value: str) -> tuple[str, str] | None:
    """Read a reference; None for a plain value.

    >>> _place("env:ODOO_KEY"), _place("file:key.txt"), _place("env:not a name"), _place("s3cret")
    (('env', 'ODOO_KEY'), ('file', 'key.txt'), None, None)
    """
    kind, _, place = value.partition(":")
    refers = (kind == "env" and place.isidentifier()) or (kind == "file" and place)
    return (kind, place) if refers else None
