"""odoorpc and odoo-client-lib, clients that know nothing of us, walk the simulator."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import odoolib
import odoorpc
import pytest


def place(client: Any) -> tuple[str, int]:
    """Host and port of a simulator."""
    parts = urlsplit(client.odoo.url)
    return str(parts.hostname), int(parts.port or 0)


@pytest.mark.parametrize("version", ["14.0", "16.0", "18.0", "19.0"])
def test_odoorpc_logs_in_and_works_with_records(serve: Callable[..., Any], version: str) -> None:
    """
    Create, search, read by attribute, write by attribute and by method, delete.
    """
    client = serve(version)
    host, port = place(client)
    odoo = odoorpc.ODOO(host, port=port)
    odoo.login("odoo", "admin", "admin")

    tasks = odoo.env["project.task"]
    project = odoo.env["project.project"].create({"name": "Website"})
    made = tasks.create({"name": "Draft", "project_id": project})
    task = tasks.browse(made)
    before = (task.name, task.project_id.name)
    task.name = "Final"
    tasks.write([made], {"priority": "1"})
    after = odoo.execute("project.task", "read", [made], ["name", "priority"])
    found = tasks.search([("project_id", "=", project)])
    tasks.unlink([made])

    assert odoo.version == version
    assert odoo.env.user.login == "admin"
    assert before == ("Draft", "Website")
    assert after == [{"id": made, "name": "Final", "priority": "1"}]
    assert found == [made]
    assert tasks.search_count([]) == 0


def test_odoorpc_hears_of_errors_as_from_odoo(odoo18: Any) -> None:
    """
    A wrong password, and what a model refuses.
    """
    host, port = place(odoo18)
    odoo = odoorpc.ODOO(host, port=port)

    with pytest.raises(odoorpc.error.RPCError, match="Wrong login ID or password"):
        odoo.login("odoo", "admin", "wrong")
    odoo.login("odoo", "admin", odoo18.odoo.api_key())
    with pytest.raises(odoorpc.error.RPCError, match="Invalid field 'no_such_field'"):
        odoo.execute("project.task", "create", {"name": "x", "no_such_field": 1})


@pytest.mark.parametrize(
    ("version", "protocol"),
    [("14.0", "jsonrpc"), ("18.0", "jsonrpc"), ("19.0", "jsonrpc"), ("19.0", "json2")],
)
def test_the_client_of_odoo_itself_works_with_records(
    serve: Callable[..., Any], version: str, protocol: str
) -> None:
    """
    By JSON-RPC and by JSON-2, where it looks up the parameters of methods first.
    """
    client = serve(version)
    host, port = place(client)
    secret = client.odoo.api_key() if protocol == "json2" else "admin"
    connection = odoolib.get_connection(
        hostname=host, port=port, protocol=protocol, database="odoo", login="admin", password=secret
    )
    connection.check_login()

    tasks = connection.get_model("project.task")
    [made] = tasks.create([{"name": "Draft"}])
    tasks.write([made], {"name": "Final"})
    found = tasks.search([("name", "=", "Final")])
    read = tasks.read(made, ["name"]) if protocol == "jsonrpc" else tasks.read([made], ["name"])
    tasks.unlink([made])

    assert found == [made]
    assert read == {"id": made, "name": "Final"}
    assert tasks.search_count([]) == 0
    assert connection.get_user_context()["lang"] == "en_US"


def test_the_client_of_odoo_itself_hears_of_a_wrong_key(odoo19: Any) -> None:
    """
    By the status 401.
    """
    host, port = place(odoo19)
    connection = odoolib.get_connection(
        hostname=host, port=port, protocol="json2", database="odoo", password="wrong"
    )

    assert connection.check_login() is False
