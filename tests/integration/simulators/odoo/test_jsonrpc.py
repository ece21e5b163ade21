"""JSON-RPC as clients meet it."""

import gzip
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest


def test_an_api_key_is_as_good_as_the_password(odoo18: Any) -> None:
    """
    At the login and with every call.
    """
    key = odoo18.odoo.api_key()

    uid = odoo18.rpc(service="common", method="authenticate", args=["odoo", "admin", key, {}])["result"]
    call = ["odoo", uid, key, "res.users", "read", [[uid], ["login"]]]
    found = odoo18.rpc(service="object", method="execute_kw", args=call)["result"]

    assert found == [{"id": uid, "login": "admin"}]


def test_an_expired_key_opens_nothing(odoo18: Any) -> None:
    """
    Neither at the login nor with a call.
    """
    key = odoo18.odoo.api_key(days=-1)

    login = odoo18.rpc(service="common", method="authenticate", args=["odoo", "admin", key, {}])
    call = odoo18.rpc(
        service="object", method="execute_kw", args=["odoo", 2, key, "res.users", "search", [[]]]
    )

    assert login["result"] is False
    assert call["error"]["data"]["name"] == "odoo.exceptions.AccessDenied"


def test_the_databases_are_not_listed(odoo18: Any) -> None:
    """
    As on every server that is open to the world.
    """
    answer = odoo18.rpc(service="db", method="list", args=[])

    assert answer["error"]["data"]["name"] == "odoo.exceptions.AccessDenied"


def test_execute_takes_arguments_by_position_only(odoo18: Any) -> None:
    """
    The older of the two ways to call.
    """
    call = ["odoo", 2, "admin", "res.users", "read", [2], ["login"]]

    answer = odoo18.rpc(service="object", method="execute", args=call)

    assert answer["result"] == [{"id": 2, "login": "admin"}]


def test_a_session_lasts_until_it_is_ended(odoo18: Any) -> None:
    """
    The routes of the web client, by cookie.
    """
    params = {"db": "odoo", "login": "admin", "password": "admin"}
    begun = odoo18.send("POST", "/web/session/authenticate", {"params": params})
    cookie = {"Cookie": begun.headers["set-cookie"].partition(";")[0]}
    call = {"params": {"model": "res.users", "method": "search", "args": [[["id", "=", 2]]], "kwargs": {}}}

    within = odoo18.send("POST", "/web/dataset/call_kw", call, cookie).json()
    odoo18.send("POST", "/web/session/destroy", {"params": {}}, cookie)
    after = odoo18.send("POST", "/web/dataset/call_kw", call, cookie).json()

    assert within["result"] == [2]
    assert after["error"]["code"] == 100


def test_long_answers_are_compressed_for_who_accepts_it(odoo18: Any) -> None:
    """
    And only for them.
    """
    call = {"params": {"service": "object", "method": "execute_kw"}}
    call["params"]["args"] = ["odoo", 2, "admin", "project.task", "fields_get", []]  # type: ignore[assignment]

    plain = odoo18.send("POST", "/jsonrpc", call)
    packed = odoo18.send("POST", "/jsonrpc", call, {"Accept-Encoding": "gzip, deflate"})

    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body


@pytest.mark.parametrize(
    ("version", "jsonrpc", "json2", "page"),
    [("8.0", 200, 404, 404), ("18.0", 200, 404, 404), ("19.0", 200, 401, 200), ("22.0", 404, 401, 200)],
)
def test_routes_come_and_go_with_versions(
    serve: Callable[..., Any], version: str, jsonrpc: int, json2: int, page: int
) -> None:
    """
    JSON-2 and /web/version came with 19, JSON-RPC goes with 22.
    """
    client = serve(version)

    found = [
        client.send("POST", "/jsonrpc", {"params": {"service": "common", "method": "version", "args": []}}),
        client.send("POST", "/json/2/res.users/context_get", {}),
        client.send("GET", "/web/version"),
    ]

    assert [reply.status for reply in found] == [jsonrpc, json2, page]


@pytest.mark.parametrize(
    ("version", "info"),
    [
        ("8.0", [8, 0, 0, "final", 0, ""]),
        ("saas~18.2", ["saas~18", 2, 0, "final", 0, ""]),
        ("17.0+e", [17, 0, 0, "final", 0, "e"]),
    ],
)
def test_versions_are_told_as_odoo_does(serve: Callable[..., Any], version: str, info: list[Any]) -> None:
    """
    Also those between two releases, of the other edition, and very old ones.
    """
    told = serve(version).rpc(service="common", method="version", args=[])["result"]

    assert (told["server_version"], told["server_version_info"]) == (version, info)
    assert told["server_serie"] == version.removesuffix("+e")


def test_calls_are_noted_with_what_they_bring(odoo18: Any) -> None:
    """
    Rows of a load, records of a create, what a search found.
    """
    rows = [["x.one", "One"], ["x.two", "Two"], ["x.three", "Three"]]
    odoo18.kw("res.partner", "load", ["id", "name"], rows)
    odoo18.kw("res.partner", "create", {"name": "Four"})
    odoo18.kw("res.partner", "search", [["name", "in", ["One", "Two"]]])
    odoo18.kw("res.partner", "write", [99999999], {"name": "x"})

    calls = odoo18.odoo.calls
    noted = [(call.method, call.records, call.error) for call in calls]
    counted = calls.count(method="load"), calls.count(model="res.*"), calls.records(method="load")
    calls.reset()

    missing = "odoo.exceptions.MissingError"
    assert noted == [("load", 3, None), ("create", 1, None), ("search", 2, None), ("write", 1, missing)]
    assert counted == (1, 4, 3)
    assert len(calls) == 0


def test_each_request_takes_its_time(serve: Callable[..., Any]) -> None:
    """
    For benchmarks: a server that is some way off.
    """
    client = serve("18.0", latency_s=0.01)

    began = monotonic()
    for _ in range(3):
        client.kw("res.users", "search_count", [])

    assert monotonic() - began >= 0.03
