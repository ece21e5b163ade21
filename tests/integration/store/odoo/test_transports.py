"""Both protocols against the simulator of Odoo, version by version."""

import pytest

from isthmus.errors import (
    BackendError,
    CredentialsError,
    LoginRefusedError,
    MissingRecordError,
    UnknownFieldError,
    UnknownModelError,
)
from isthmus.simulators.odoo import OdooSimulator
from isthmus.store.odoo import Login, OdooClient


@pytest.fixture(params=["14.0", "16.0", "18.0", "19.0", "20.0"])
def odoo(request):
    """An Odoo of each version."""
    with OdooSimulator(version=request.param) as simulator:
        yield simulator


@pytest.fixture(params=["password", "key", "not told"])
def client(request, odoo):
    """A client with either kind of secret."""
    secret = odoo.password if request.param == "password" else odoo.api_key(days=30)
    is_key = {"password": False, "key": True, "not told": None}[request.param]
    with OdooClient(odoo.url, Login(odoo.database, odoo.login, secret, is_key)) as client:
        yield client


def test_a_record_is_made_changed_read_and_deleted(odoo, client):
    """
    The same calls give the same, whatever is spoken.
    """
    ids = client.call(
        "res.partner",
        "create",
        args={"vals_list": [{"name": "Azure"}, {"name": "Deco"}]},
        what="create 2 res.partner",
    )
    written = client.call(
        "res.partner", "write", ids=ids, args={"vals": {"comment": "x"}}, what="write 2 res.partner"
    )
    rows = client.call(
        "res.partner", "read", ids=ids, args={"fields": ["name"]}, what="read 2 res.partner", safe=True
    )
    deleted = client.call("res.partner", "unlink", ids=ids, what="delete 2 res.partner")

    assert (written, deleted) == (True, True)
    assert rows == [{"id": ids[0], "name": "Azure"}, {"id": ids[1], "name": "Deco"}]
    assert isinstance(client.uid, int)
    assert client.user_context["lang"] == "en_US"


def test_refusals_are_understood(client):
    """
    Both protocols and all versions say what is wrong in their own way.
    """
    with pytest.raises(UnknownModelError):
        client.call("no.such", "search", args={"domain": []}, what="search no.such", safe=True)
    with pytest.raises(UnknownFieldError):
        client.call(
            "res.partner", "search", args={"domain": [["x_no", "=", 1]]}, what="search res.partner", safe=True
        )
    with pytest.raises(MissingRecordError):
        client.call(
            "res.partner", "write", ids=[987654], args={"vals": {"name": "x"}}, what="write 1 res.partner"
        )
    with pytest.raises(CredentialsError):
        client.call("res.users.apikeys", "create", args={"vals_list": [{}]}, what="create a key")


@pytest.mark.parametrize("is_key", [True, False, None])
def test_a_wrong_secret_is_refused(odoo, is_key):
    """
    By name of login and database.
    """
    login = Login(odoo.database, odoo.login, "c0rrect-horse", is_key)

    with (
        OdooClient(odoo.url, login) as client,
        pytest.raises(LoginRefusedError, match=odoo.database) as caught,
    ):
        client.uid  # noqa: B018

    assert "c0rrect-horse" not in str(caught.value)


@pytest.mark.parametrize("is_key", [True, False])
def test_a_wrong_database_is_told(odoo, is_key):
    """
    A wrong name is not a wrong password.
    """
    secret = odoo.api_key(days=30) if is_key else odoo.password

    with (
        OdooClient(odoo.url, Login("nowhere", odoo.login, secret, is_key)) as client,
        pytest.raises(BackendError, match="'nowhere'") as caught,
    ):
        client.uid  # noqa: B018

    assert not isinstance(caught.value, CredentialsError)
