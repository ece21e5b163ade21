"""What goes wrong, as a client sees it."""

import http.client
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from isthmus.simulators.odoo import FaultPlan
from isthmus.testing import FrozenClock

NAME = {"name": "Draft"}


def names(client: Any) -> list[str]:
    """The tasks that there are."""
    admin = client.odoo.as_user("admin")
    return [row["name"] for row in admin.call("project.task", "search_read", [], fields=["name"])]


@pytest.mark.parametrize(
    ("kind", "applied"),
    [
        ("timeout_before", False),
        ("timeout_after", True),
        ("reset_before", False),
        ("reset_after", True),
        ("truncated", True),
        ("late", False),
    ],
)
def test_no_whole_answer_comes_and_the_kind_says_whether_it_took_effect(
    odoo18: Any, kind: str, applied: bool
) -> None:
    """
    The client cannot tell; the log can.
    """
    odoo18.odoo.faults.next(kind, method="create", model="project.task", hold_s=0.05)

    with pytest.raises((OSError, http.client.HTTPException)):
        odoo18.kw("project.task", "create", NAME)

    assert names(odoo18) == (["Draft"] if applied else [])
    assert [(c.fault, c.applied) for c in odoo18.odoo.calls.matching("create")] == [(kind, applied)]


@pytest.mark.parametrize(
    ("kind", "options", "status"),
    [
        ("maintenance", {}, 503),
        ("rate_limit", {}, 429),
        ("server_error", {"status": 502}, 502),
        ("wrong_type", {}, 200),
    ],
)
def test_a_page_comes_instead_of_an_answer(
    odoo18: Any, kind: str, options: dict[str, Any], status: int
) -> None:
    """
    By a proxy before Odoo; nothing was done.
    """
    odoo18.odoo.faults.next(kind, method="create", **options)
    body = {"service": "object", "method": "execute_kw"}
    call = {"params": body | {"args": ["odoo", 2, "admin", "project.task", "create", [NAME]]}}

    reply = odoo18.send("POST", "/jsonrpc", call)

    assert (reply.status, reply.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert names(odoo18) == []


def test_a_bad_gateway_may_have_done_it_all_the_same(odoo18: Any) -> None:
    """
    The proxy gave up, Odoo did not.
    """
    odoo18.odoo.faults.next("server_error", method="create", status=504, applied=True)
    call = {"params": {"service": "object", "method": "execute_kw"}}
    call["params"]["args"] = ["odoo", 2, "admin", "project.task", "create", [NAME]]  # type: ignore[assignment]

    reply = odoo18.send("POST", "/jsonrpc", call)

    assert reply.status == 504
    assert names(odoo18) == ["Draft"]


def test_maintenance_lasts_until_it_is_over(odoo19: Any) -> None:
    """
    Every route is closed, the version too.
    """
    odoo19.odoo.faults.maintenance = True
    closed = [odoo19.send("GET", "/web/version").status, odoo19.json2("res.users", "context_get").status]

    odoo19.odoo.faults.clear()

    assert closed == [503, 503]
    assert odoo19.send("GET", "/web/version").status == 200


def test_a_late_write_takes_effect_when_it_is_released(odoo18: Any) -> None:
    """
    After the client has given up.
    """
    odoo18.odoo.faults.next("late", method="create", hold_s=0.05)
    with pytest.raises((OSError, http.client.HTTPException)):
        odoo18.kw("project.task", "create", NAME)
    before = names(odoo18)

    odoo18.odoo.faults.release()

    assert (before, names(odoo18)) == ([], ["Draft"])


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("serialization", "psycopg2.errors.SerializationFailure"),
        ("access", "odoo.exceptions.AccessError"),
    ],
)
def test_odoo_itself_refuses_in_the_words_of_each_protocol(
    serve: Callable[..., Any], kind: str, name: str
) -> None:
    """
    In an answer with status 200, or with a status of its own.
    """
    client = serve("19.0")
    client.odoo.faults.next(kind, method="create", times=2)

    rpc = client.kw("project.task", "create", NAME)
    json2 = client.json2("project.task", "create", vals_list=[NAME])

    assert rpc["error"]["data"]["name"] == json2.json()["name"] == name
    assert json2.status == (403 if kind == "access" else 500)
    assert names(client) == []


def test_a_proxy_cuts_what_is_too_long(odoo18: Any) -> None:
    """
    Short answers pass.
    """
    odoo18.odoo.faults.cut_over_bytes = 2000

    short = odoo18.kw("project.task", "fields_get", ["name"], attributes=["type"])
    with pytest.raises(http.client.IncompleteRead) as cut:
        odoo18.kw("project.task", "fields_get")

    assert short["result"] == {"name": {"type": "char"}}
    assert len(cut.value.partial) == 2000


def test_a_wrong_clock_shows_in_the_header_and_in_the_records(serve: Callable[..., Any]) -> None:
    """
    A server that is an hour ahead.
    """
    client = serve("18.0", clock=FrozenClock(datetime(2027, 1, 2, 12, tzinfo=UTC)))
    client.odoo.faults.clock_offset = timedelta(hours=1)

    made = client.kw("project.task", "create", NAME)["result"]
    reply = client.send("POST", "/web/webclient/version_info", {})
    found = client.kw("project.task", "read", [made], ["write_date"])["result"]

    assert parsedate_to_datetime(reply.headers["date"]) == datetime(2027, 1, 2, 13, tzinfo=UTC)
    assert found[0]["write_date"] == "2027-01-02 13:00:00"


def test_a_server_may_claim_to_be_another(odoo18: Any) -> None:
    """
    Such as one that nobody serves any more.
    """
    odoo18.odoo.faults.version = "8.0"

    assert odoo18.rpc(service="common", method="version", args=[])["result"]["server_serie"] == "8.0"


def test_a_plan_hits_its_share_and_nothing_is_lost_in_the_log(odoo18: Any) -> None:
    """
    Every call is noted once, with what hit it.
    """
    odoo18.odoo.faults.plan(FaultPlan(seed=3, rate=0.5, kinds=("serialization", "maintenance"), burst=1))

    for _ in range(40):
        odoo18.send(
            "POST",
            "/jsonrpc",
            {
                "params": {
                    "service": "object",
                    "method": "execute_kw",
                    "args": ["odoo", 2, "admin", "project.task", "create", [NAME]],
                }
            },
        )

    hit = odoo18.odoo.faults.fired.total()
    assert 10 < hit < 30
    assert odoo18.odoo.calls.count("create") == 40
    assert len(names(odoo18)) == 40 - hit
