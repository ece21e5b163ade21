"""JSON-2 as clients meet it; the recorded answers are in test_conformance."""

from collections.abc import Callable
from typing import Any

import pytest

from isthmus.simulators.odoo import INTERNAL_USER


def test_a_record_is_made_read_and_changed(odoo19: Any) -> None:
    """
    Named arguments, bare results.
    """
    made = odoo19.json2("project.task", "create", vals_list=[{"name": "Draft"}]).json()
    odoo19.json2("project.task", "write", ids=made, vals={"name": "Final"})
    found = odoo19.json2("project.task", "read", ids=made, fields=["name"]).json()

    assert found == [{"id": made[0], "name": "Final"}]


def test_the_password_is_no_key(odoo19: Any) -> None:
    """
    Only a key may stand behind the word bearer.
    """
    assert odoo19.json2("res.users", "context_get", key="admin").status == 401


def test_an_expired_key_is_as_good_as_none(odoo19: Any) -> None:
    """
    It is refused like one that never was.
    """
    refused = odoo19.json2("res.users", "context_get", key=odoo19.odoo.api_key(days=-1))

    assert (refused.status, refused.json()["message"]) == (401, "Invalid apikey")


def test_one_database_needs_no_header_and_another_is_not_there(odoo19: Any) -> None:
    """
    A wrong name is answered by a page for people.
    """
    headers = {"Authorization": f"bearer {odoo19.odoo.api_key()}"}

    without = odoo19.send("POST", "/json/2/res.users/context_get", {}, headers)
    wrong = odoo19.send("POST", "/json/2/res.users/context_get", {}, headers | {"X-Odoo-Database": "nope"})

    assert without.status == 200
    assert (wrong.status, wrong.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_a_person_without_rights_gets_403(odoo19: Any) -> None:
    """
    With the name of the exception as JSON-RPC has it.
    """
    odoo19.odoo.world.add_user("robin", "secret", INTERNAL_USER)
    key = odoo19.odoo.api_key("robin")

    refused = odoo19.json2("project.project", "create", key=key, vals_list=[{"name": "x"}])

    assert (refused.status, refused.json()["name"]) == (403, "odoo.exceptions.AccessError")


@pytest.mark.parametrize("version", ["19.0", "20.0"])
def test_keys_are_rotated_with_an_overlap(serve: Callable[..., Any], version: str) -> None:
    """
    The new key is made with the old one; then the old one is revoked.
    """
    client = serve(version)
    old = client.odoo.api_key(days=5)

    new = generate(client, old)
    both = [client.json2("res.users", "context_get", key=key).status for key in (old, new)]
    revoke(client, new, old)
    after = [client.json2("res.users", "context_get", key=key).status for key in (old, new)]

    assert both == [200, 200]
    assert after == [401, 200]


def generate(client: Any, key: str) -> str:
    """Make a key with another one."""
    body = {"key": key, "scope": "rpc", "name": "sync", "expiration_date": "2027-01-01 00:00:00"}
    headers = {"Authorization": f"bearer {key}"}
    made: str = client.send("POST", "/json/2/res.users.apikeys/generate", body, headers).json()
    return made


def revoke(client: Any, by: str, key: str) -> None:
    """Revoke a key."""
    headers = {"Authorization": f"bearer {by}"}
    client.send("POST", "/json/2/res.users.apikeys/revoke", {"key": key}, headers)
