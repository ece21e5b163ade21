"""Backends as records: versions, options, credentials."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.backend import Backend, create_key_file
from isthmus.env import Env
from isthmus.errors import BackendError, ConfigurationError, RecordValueError, SecretError
from isthmus.hub import Hub
from isthmus.settings import Settings

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what does not depend on the database."""


class ShopBackend(Backend):
    """A type with versions."""

    _name = "unit.shop.backend"
    _versions = {"1": None, "1.7": "1", "1.7-acme": "1.7"}
    _options = {"colour": "red", "boards": []}
    _credentials = ("key", "token")
    __mapper_args__ = {"polymorphic_identity": "unit.shop.backend"}


@pytest.fixture
def env(migrated_database_url: str, tmp_path: Path) -> Iterator[Env]:
    """A unit of work of a hub that knows the type."""
    create_key_file(tmp_path / "key")
    settings = Settings(database_url=migrated_database_url, key_file=tmp_path / "key")
    with Hub(settings, models={ShopBackend._name: ShopBackend}) as hub, hub.env() as made:
        yield made


def shop(env: Env, **values: object) -> object:
    """Make a backend of the type."""
    return env[ShopBackend._name].create({"name": "shop", **values})


@on_sqlite
@pytest.mark.parametrize(
    ("version", "chain"), [(None, ()), ("1", ("1",)), ("1.7-acme", ("1.7-acme", "1.7", "1"))]
)
def test_a_version_comes_before_its_parents(env: Env, version: str | None, chain: tuple[str, ...]) -> None:
    """None is unversioned."""
    assert shop(env, version=version).version_chain == chain


@on_sqlite
def test_an_unknown_version_is_named(env: Env) -> None:
    """With the near ones."""
    with pytest.raises(
        BackendError, match=r"^backend 'shop' has version '1\.7-acm'; did you mean '1\.7-acme'"
    ):
        _ = shop(env, version="1.7-acm").version_chain


def test_an_option_has_a_default(env: Env) -> None:
    """Set ones win, the others stay."""
    backend = shop(env)
    backend.set_options({"colour": "blue"})
    backend.set_options({"boards": ["a"]})

    assert (backend.option("colour"), backend.option("boards")) == ("blue", ["a"])


@on_sqlite
@pytest.mark.parametrize("call", ["option", "set_options"])
def test_an_unknown_option_is_named(env: Env, call: str) -> None:
    """Nothing is stored."""
    backend = shop(env)

    with pytest.raises(
        ConfigurationError, match=r"unit\.shop\.backend has no option 'color'; did you mean 'colour'"
    ):
        backend.option("color") if call == "option" else backend.set_options({"color": "blue"})
    assert backend["options"] is None


@on_sqlite
def test_the_default_of_an_option_is_not_shared(env: Env) -> None:
    """Who changes the list that was given changes nobody's default."""
    backend = shop(env)
    backend.option("boards").append("mine")

    assert backend.option("boards") == []


def test_credentials_are_stored_encrypted_and_kept_apart(env: Env) -> None:
    """What is not named stays."""
    backend = shop(env)
    backend.set_credentials({"key": "open sesame"})
    backend.set_credentials({"token": "t"})

    assert dict(backend.credentials) == {"key": "open sesame", "token": "t"}
    assert "sesame" not in backend["sealed_credentials"]
    assert repr(backend.credentials) == "<credentials: key, token>"


@on_sqlite
def test_credentials_of_another_backend_do_not_open(env: Env) -> None:
    """A sealed text that is copied to another row is refused."""
    first, second = shop(env), shop(env, name="second")
    first.set_credentials({"key": "k"})
    env.flush()
    second.write({"sealed_credentials": first["sealed_credentials"]})

    with pytest.raises(SecretError, match="was sealed for another place"):
        _ = second.credentials


@on_sqlite
def test_an_unknown_credential_is_named(env: Env) -> None:
    """Never its value."""
    with pytest.raises(ConfigurationError, match="has no credential 'tokn'; did you mean 'token'") as refused:
        shop(env).set_credentials({"tokn": "very secret"})
    assert "very secret" not in str(refused.value)


@on_sqlite
def test_a_type_without_a_connection_test_says_so(env: Env) -> None:
    """It is the connector's to have one."""
    with pytest.raises(
        NotImplementedError, match=r"the connector of unit\.shop\.backend has no connection test"
    ):
        shop(env).connect()


def test_two_backends_of_one_name_are_refused(env: Env) -> None:
    """People call them by it."""
    shop(env)
    env.flush()

    with pytest.raises(RecordValueError, match=r"name"):
        shop(env)
    env.transaction.rollback()
