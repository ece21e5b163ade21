"""Secrets are kept sealed, shown masked, and open only where they were sealed."""

from pathlib import Path

import pytest

from isthmus.backend import Credentials, KeyRing, create_key_file
from isthmus.errors import SecretError


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A new key file."""
    path = tmp_path / "isthmus.key"
    create_key_file(path)
    return path


def test_a_key_file_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    """
    An existing one is never overwritten: what it sealed would be lost.
    """
    path = tmp_path / "isthmus.key"
    made = create_key_file(path), create_key_file(path)

    assert made == (True, False)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_was_sealed_opens_at_its_place_only(key_file: Path) -> None:
    """
    A sealed text copied to another row is refused.
    """
    ring = KeyRing(key_file)
    sealed = ring.seal({"token": "s3cret"}, context="backend/1")

    assert "s3cret" not in sealed
    assert ring.open(sealed, context="backend/1") == {"token": "s3cret"}
    with pytest.raises(SecretError, match=r"what is stored for backend/2 was sealed for another place"):
        ring.open(sealed, context="backend/2")


def test_a_new_key_in_front_seals_and_the_old_one_still_opens(key_file: Path) -> None:
    """
    Keys are changed without losing what is stored.
    """
    sealed = KeyRing(key_file).seal("x", context="a")
    newer = key_file.with_name("newer.key")
    create_key_file(newer)
    key_file.write_text(newer.read_text() + key_file.read_text())

    ring = KeyRing(key_file)

    assert ring.open(sealed, context="a") == "x"
    assert ring.open(ring.seal("y", context="a"), context="a") == "y"


def test_another_key_is_told(key_file: Path, tmp_path: Path) -> None:
    """
    The message names the file, not the secret.
    """
    sealed = KeyRing(key_file).seal("x", context="backend/1")
    other = tmp_path / "other.key"
    create_key_file(other)

    with pytest.raises(SecretError) as caught:
        KeyRing(other).open(sealed, context="backend/1")

    assert str(caught.value) == (
        f"what is stored for backend/1 was encrypted with another key than those in {other}"
    )


def test_what_was_tampered_with_does_not_open(key_file: Path) -> None:
    """
    No part of it may change, be cut or be no base64 at all.
    """
    ring = KeyRing(key_file)
    sealed = ring.seal({"token": "s3cret"}, context="a")
    changed = [
        sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        for place in range(len(sealed) - 4)
    ]

    for text in (*changed, sealed[:-8], sealed[:4], "", "no base64!", "\u00e9"):
        with pytest.raises(SecretError, match="encrypted with another key"):
            ring.open(text, context="a")


def test_the_same_value_is_never_sealed_to_the_same_text(key_file: Path) -> None:
    """
    Nobody sees which of two records have the same values.
    """
    ring = KeyRing(key_file)

    assert len({ring.seal("x", context="a") for _ in range(100)}) == 100


@pytest.mark.parametrize("content", [None, "", "no key\n", "c2hvcnQ=\n"])
def test_a_key_file_that_cannot_be_used_is_told(tmp_path: Path, content: str | None) -> None:
    """
    Missing, empty or damaged; at the first use, with its path.
    """
    path = tmp_path / "isthmus.key"
    if content is not None:
        path.write_text(content)

    with pytest.raises(SecretError, match=str(path)):
        KeyRing(path).seal("x", context="a")


def test_credentials_follow_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    To the environment and to files; plain values are themselves.
    """
    (tmp_path / "token").write_text("of a file\n")
    monkeypatch.setenv("SOME_TOKEN", "of the environment")

    credentials = Credentials({"a": "env:SOME_TOKEN", "b": f"file:{tmp_path}/token", "c": "plain"})

    assert dict(credentials) == {"a": "of the environment", "b": "of a file", "c": "plain"}
    assert repr(credentials) == "<credentials: a, b, c>"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "credential 'token' is not set: `isthmus backend set NAME token=...`"),
        (
            {"token": "env:NOT_THERE"},
            "credential 'token' refers to the environment variable NOT_THERE, which is not set",
        ),
        (
            {"token": "file:/not/there"},
            "credential 'token' refers to the file /not/there, which cannot be read",
        ),
    ],
)
def test_a_credential_that_is_not_there_is_named(values: dict[str, str], message: str) -> None:
    """
    By its name, never by its value.
    """
    with pytest.raises(SecretError) as caught:
        Credentials(values)["token"]

    assert str(caught.value) == message
