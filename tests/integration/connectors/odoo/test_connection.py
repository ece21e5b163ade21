"""All work on an Odoo shares one connection, and each call is said before it is made."""

from datetime import timedelta

import pytest
from odoo_site import EVERYTHING, OdooSite

from isthmus.connectors.odoo.connection import Connection
from isthmus.errors import BackendError, PendingWriteError
from isthmus.simulators.odoo.simulator import OdooSimulator

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])

GREETINGS = {"version", "version_info", "about", "login", "authenticate", "context_get"}
"""What a new connection asks."""


def greetings(odoo: OdooSimulator) -> list[str]:
    """List the calls that bring no work on."""
    return [call.method for call in odoo.calls if call.method in GREETINGS]


@pytest.mark.parametrize("version", ["18.0", "19.0"])
def test_jobs_do_not_log_in_each_for_itself(site: OdooSite, version: str) -> None:
    """
    Five exports are five creates, and what they need to be checked.
    """
    odoo = site.connect("company", version, export_domain=EVERYTHING, import_domain=EVERYTHING)
    site.poll("company")
    at_first = greetings(odoo)
    odoo.calls.clear()
    for number in range(5):
        site.create(name=f"Partner {number}")

    assert site.jobs() == []
    assert odoo.calls.count(method="load") == 5
    assert at_first != []
    assert greetings(odoo) == []


def count(site: OdooSite, *, after_writing: bool = False) -> int:
    """Count the partners there, by what work on them has."""
    with site.hub.env() as env, site.backend(env, "company").work_on("odoo.partner") as work:
        if after_writing:
            env["res.partner"].create({"name": "Ours"})
        return int(
            work.odoo.call("res.partner", "search_count", args={"domain": []}, what="count", safe=True)
        )


def test_a_call_is_refused_while_the_transaction_has_written(site: OdooSite) -> None:
    """
    It would hold its locks for as long as the server likes.
    """
    odoo = site.connect("company")

    with pytest.raises(PendingWriteError, match="cannot count: this transaction has already written"):
        count(site, after_writing=True)

    assert len(odoo.calls) == 0
    assert site.ours() == []


def test_the_version_is_asked_for_by_a_call(site: OdooSite) -> None:
    """
    Whoever looks at it first makes a request, which is said like any other.
    """
    site.connect("company")
    with site.hub.env() as env:
        connection = Connection(env, "company")
        env["res.partner"].create({"name": "Ours"})
        with pytest.raises(PendingWriteError, match="cannot ask for the version"):
            _ = connection.version


def test_work_without_a_call_needs_no_server(site: OdooSite) -> None:
    """
    To look up a binding, say.
    """
    site.connect("company").stop()

    with site.hub.env() as env, site.backend(env, "company").work_on("odoo.partner") as work:
        assert work.component(usage="binder").to_internal("7") is None


def test_a_disabled_backend_is_called_by_nobody(site: OdooSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nor by who has called it before.
    """
    monkeypatch.setattr("isthmus.hub._LOOK_S", 0.0)
    odoo = site.connect("company")
    before = count(site)
    with site.hub.env() as env:
        site.backend(env, "company").write({"active": False})
    odoo.calls.clear()

    with pytest.raises(BackendError, match="'company' is disabled"):
        count(site)

    assert before > 0
    assert len(odoo.calls) == 0


def test_a_key_that_was_replaced_is_taken_up(site: OdooSite) -> None:
    """
    A worker that runs through a rotation is refused once, and goes on.
    """
    odoo = site.connect("company", "19.0", secret_is="key", import_domain=EVERYTHING)
    with site.hub.env() as env:
        site.backend(env, "company").set_credentials({"key": odoo.api_key(days=10)})
    site.poll("company")
    site.rotate("company", overlap=timedelta())
    odoo.as_user("admin").create("res.partner", {"name": "After the rotation"})

    site.poll("company")

    assert site.our("After the rotation")["name"] == "After the rotation"
