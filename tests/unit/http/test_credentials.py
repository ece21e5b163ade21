"""Secrets stay secret."""

import pytest

from isthmus.errors import CredentialsError
from isthmus.http import Auth, fingerprint


def test_a_secret_is_masked_in_every_spelling():
    """
    As it is, inside a header and quoted in a URL.
    """
    auth = Auth(headers={"Authorization": "Bearer s/e c+r"}, params={"key": "other"}, secrets=("s/e c+r",))

    text = auth.scrub("a s/e c+r b s%2Fe%20c%2Br c s%2Fe+c%2Br d Bearer s/e c+r e key=other")

    assert text == "a *** b *** c *** d *** e key=***"


def test_no_repr_shows_a_secret():
    """
    Auth objects end up in tracebacks.
    """
    assert repr(Auth(headers={"A": "secret"}, params={"b": "secret"}, secrets=("secret",))) == "Auth()"


@pytest.mark.parametrize("value", ["abc\n", "tök", "a\x00b"])
def test_credentials_that_no_header_can_carry_are_refused_without_showing_them(value):
    """
    A key copied with its line break is told at once, by the header's name.
    """
    with pytest.raises(CredentialsError, match="'Authorization'") as caught:
        Auth(headers={"Authorization": value})

    assert value not in str(caught.value)


def test_a_fingerprint_is_stable_and_shows_nothing():
    """
    Two workers count the same token under one name that is not the token.
    """
    names = {
        fingerprint("token", "secret"),
        fingerprint("token", "secret"),
        fingerprint("token", "sec", "ret"),
    }

    assert len(names) == 2
    assert not any("secret" in name for name in names)
