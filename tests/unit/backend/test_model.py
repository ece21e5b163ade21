"""Backends as records: versions, options, credentials."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from isthmus.backend import Backend, create_key_file
from isthmus.env import Env
from isthmus.errors import (
    BackendError,
    ConfigurationError,
    MissingRecordError,
    RecordValueError,
    SecretError,
)
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
def hub(migrated_database_url: str, tmp_path: Path) -> Iterator[Hub]:
    """A hub that knows the type."""
    create_key_file(tmp_path / "key")
    settings = Settings(database_url=migrated_database_url, key_file=tmp_path / "key")
    with Hub(settings, models={ShopBackend._name: ShopBackend}) as made:
        yield made


@pytest.fixture
def env(hub: Hub) -> Iterator[Env]:
    """A unit of work of it."""
    with hub.env() as made:
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
def test_a_stored_reference_is_told_and_a_secret_is_not(env: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever replaces a credential has to know that it is kept elsewhere."""
    monkeypatch.setenv("SHOP_TOKEN", "t")
    backend = shop(env)
    backend.set_credentials({"key": "open sesame", "token": "env:SHOP_TOKEN"})

    credentials = backend.credentials
    assert [credentials.reference(name) for name in ("key", "token", "other")] == [
        None, "env:SHOP_TOKEN", None,
    ]  # fmt: skip
    assert credentials["token"] == "t"


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


# --- two at the same time -------------------------------------------------------------


def at_the_same_time(hub: Hub, first: Callable[[Any], Any], second: Callable[[Any], Any]) -> None:
    """Do both in transactions of their own, which have both read the backend before either writes it."""
    has_read, may_write = Event(), Event()

    def later() -> None:
        with hub.env() as env:
            (backend,) = env[ShopBackend._name].search([])
            _ = backend["options"], backend.credentials
            has_read.set()
            may_write.wait(30)
            second(backend)

    with ThreadPoolExecutor(1) as pool, hub.env() as env:
        try:
            (backend,) = env[ShopBackend._name].search([])
            done = pool.submit(later)
            assert has_read.wait(30)
            first(backend)
            env.flush()
        finally:
            may_write.set()
        env.after_commit(partial(done.result, 30))


on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])
"""On SQLite the second begins when the first has ended."""


@on_postgresql
def test_secrets_that_are_kept_at_the_same_time_are_all_kept(hub: Hub) -> None:
    """A new key and a new path of the webhook: neither takes the other back."""
    with hub.env() as env:
        shop(env).set_credentials({"key": "old"})

    at_the_same_time(
        hub, lambda b: b.set_credentials({"key": "new"}), lambda b: b.keep_secrets({"webhook_secret": "s"})
    )

    with hub.env() as env:
        (backend,) = env[ShopBackend._name].search([])
        assert dict(backend.credentials) == {"key": "new", "webhook_secret": "s"}


@on_postgresql
def test_options_that_are_set_at_the_same_time_are_all_set(hub: Hub) -> None:
    """Also where the second sets what it has read: the first has changed it since."""
    with hub.env() as env:
        shop(env).set_options({"colour": "blue"})

    at_the_same_time(
        hub,
        lambda b: b.set_options({"colour": "green", "boards": ["a"]}),
        lambda b: b.set_options({"colour": "blue"}),
    )

    with hub.env() as env:
        (backend,) = env[ShopBackend._name].search([])
        assert (backend.option("colour"), backend.option("boards")) == ("blue", ["a"])


@on_postgresql
def test_of_two_that_keep_a_secret_where_there_is_none_the_second_finds_the_first(hub: Hub) -> None:
    """What one has been told by then stays true."""
    told = []
    with hub.env() as env:
        shop(env)

    at_the_same_time(
        hub,
        lambda b: told.append(b.keep_secrets({"key": "first"}, replace=False)["key"]),
        lambda b: told.append(b.keep_secrets({"key": "second"}, replace=False)["key"]),
    )

    with hub.env() as env:
        (backend,) = env[ShopBackend._name].search([])
        assert [*told, backend.credentials["key"]] == ["first"] * 3


def test_what_was_set_and_not_yet_written_counts(env: Env) -> None:
    """Options that were assigned as a whole, and then one of them."""
    backend = shop(env)
    backend.write({"options": {"boards": ["a"]}})
    backend.set_options({"colour": "blue"})

    assert backend["options"] == {"boards": ["a"], "colour": "blue"}


def test_a_backend_that_is_gone_takes_no_option(hub: Hub) -> None:
    """It is said so, as of any other record."""
    with hub.env() as env:
        backend = shop(env)
        env.flush()
        other = env[ShopBackend._name].browse(backend.id)
        backend.unlink()

        with pytest.raises(MissingRecordError, match=r"does not exist"):
            other.set_options({"colour": "blue"})
