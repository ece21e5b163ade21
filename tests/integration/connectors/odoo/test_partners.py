"""Partners between an Odoo and our own database."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from odoo_site import EVERYTHING, IMPATIENT_S, LAG, OdooSite

from isthmus.errors import NetworkRetryableError
from isthmus.simulators.odoo import errors
from isthmus.simulators.odoo.simulator import OdooSimulator

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what does not depend on the database."""

MARKED = {"res.partner": [("name", "ilike", "ours")]}
THEIRS = {"res.partner": [["name", "like", "Acme"]]}


@pytest.fixture
def company(site: OdooSite) -> OdooSite:
    """An Odoo whose partners called Acme come to us; ours go there when "ours" is in their name."""
    site.connect("company", import_domain=THEIRS, export_domain=MARKED)
    return site


def acme(site: OdooSite, **values: Any) -> int:
    """Make a company there."""
    belgium = site.admin("company").search("res.country", [["code", "=", "BE"]])[0]
    given = {
        "name": "Acme", "is_company": True, "email": "info@acme.example", "phone": "+32 2 290 34 90",
        "street": "Rue Neuve 1", "city": "Brussels", "zip": "1000", "country_id": belgium,
        "comment": "<p>Pays <b>late</b></p>", **values,
    }  # fmt: skip
    return site.admin("company").create("res.partner", given)


def test_a_partner_comes_with_all_that_is_mapped(company: OdooSite) -> None:
    """
    The country by its code, notes as HTML.
    """
    acme(company)

    report = company.poll("company")

    ours = company.our("Acme")
    assert report.done["created"] == 1
    assert (ours["email"], ours["phone"], ours["city"]) == (
        "info@acme.example",
        "+32 2 290 34 90",
        "Brussels",
    )
    assert (ours["street"], ours["zip"], ours["is_company"]) == ("Rue Neuve 1", "1000", True)
    assert ours["country_id"] == company.country("BE")
    assert ours["comment"] == "<p>Pays <b>late</b></p>"


def test_what_is_selected_brings_the_company_it_belongs_to(company: OdooSite) -> None:
    """
    Though that one is not selected itself; both are one page.
    """
    parent = acme(company, name="Parent")
    acme(company, name="Acme office", is_company=False, parent_id=parent)

    report = company.poll("company")

    assert report.done["created"] == 2
    assert company.our("Acme office")["parent_id"] == company.our("Parent")["id"]


@on_sqlite
def test_archived_partners_come_as_archived(company: OdooSite) -> None:
    """
    They are part of the whole walk and of the changes.
    """
    acme(company, name="Acme old", active=False)
    company.poll("company")
    made = acme(company, name="Acme new")
    company.admin("company").write("res.partner", made, {"active": False})

    company.poll("company")

    assert [p["active"] for p in company.ours()] == [False, False]


def test_only_changes_are_read_from_then_on(company: OdooSite) -> None:
    """
    And with nothing new one search is made, no record is read.
    """
    acme(company)
    company.poll("company")
    company.poll("company")
    settle(company)
    calls = company.odoos["company"].calls
    calls.clear()
    quiet = company.poll("company")
    assert calls.count(model="res.partner") == 1

    acme(company, name="Acme two")
    company.admin("company").write("res.partner", their_id(company, "Acme"), {"phone": "112"})
    found = company.poll("company")

    assert (quiet.changed, found.done["created"], found.done["updated"]) == (0, 1, 1)
    assert company.our("Acme")["phone"] == "112"


def settle(site: OdooSite) -> None:
    """Let the lag window pass, so that what is in it is known for good."""
    for _ in range(2):
        site.clock.advance(timedelta(seconds=LAG + 5))
        site.poll("company")


def their_id(site: OdooSite, name: str) -> int:
    """Give the ID of a partner there."""
    return int(site.their("company", name)["id"])


def test_what_is_bound_is_followed_out_of_the_selection(company: OdooSite) -> None:
    """
    A renamed partner no longer matches the domain, and is still ours.
    """
    made = acme(company)
    company.poll("company")
    company.admin("company").write("res.partner", made, {"name": "Zenith"})

    assert company.poll("company").done["updated"] == 1
    assert [p["name"] for p in company.ours()] == ["Zenith"]


def test_others_are_left_alone(company: OdooSite) -> None:
    """
    Also when they change.
    """
    company.poll("company")
    company.admin("company").create("res.partner", {"name": "Somebody"})

    assert company.poll("company").changed == 0
    assert company.ours() == []


def test_a_new_partner_of_ours_goes_there_with_its_company_first(company: OdooSite) -> None:
    """
    By `load` with an external ID of ours; the company comes although no domain takes it.
    """
    parent = company.create(name="Parent", is_company=True, country_id=company.country("CH"), city="Bern")
    company.create(name="Ours", parent_id=parent, email="me@ours.example", comment="<p>Hi</p>")

    assert company.jobs() == []

    there = company.their("company", "Ours")
    assert (there["email"], there["comment"]) == ("me@ours.example", "<p>Hi</p>")
    assert there["parent_id"][0] == their_id(company, "Parent")
    assert company.their("company", "Parent")["city"] == "Bern"
    assert company.odoos["company"].calls.count(method="load", model="res.partner") == 2
    assert company.odoos["company"].calls.count(method="create", model="res.partner") == 0


def test_what_we_wrote_does_not_come_back(company: OdooSite) -> None:
    """
    Neither a create nor a write of ours is an event or a change.
    """
    ours = company.create(name="Ours", city="Gent")
    company.jobs()
    company.poll("company")
    company.write(ours, city="Antwerp", phone="1")
    company.jobs()

    report = company.poll("company")

    assert report.changed == 0
    assert company.hub.queue.counts()["pending"] == 0
    assert company.their("company", "Ours")["city"] == "Antwerp"


def test_only_the_changed_field_is_sent(company: OdooSite) -> None:
    """
    What a person changes there meanwhile stays, and comes.
    """
    ours = company.create(name="Ours", city="Gent")
    company.jobs()
    company.admin("company").write("res.partner", their_id(company, "Ours"), {"phone": "112"})
    company.write(ours, city="Antwerp")

    assert company.jobs() == []
    company.poll("company")

    assert company.their("company", "Ours")["phone"] == "112"
    assert (company.our("Ours")["phone"], company.our("Ours")["city"]) == ("112", "Antwerp")


@on_sqlite
def test_an_emptied_field_is_emptied(company: OdooSite) -> None:
    """
    Both ways, relations too.
    """
    made = acme(company, name="Acme ours", parent_id=acme(company, name="Parent"))
    company.poll("company")
    company.admin("company").write("res.partner", made, {"email": False, "country_id": False})
    company.poll("company")
    ours = company.our("Acme ours")

    company.write(ours["id"], parent_id=None, phone=None)
    assert company.jobs() == []

    there = company.their("company", "Acme ours")
    assert (ours["email"], ours["country_id"]) == (None, None)
    assert (there["parent_id"], there["phone"]) == (False, False)


def test_the_same_field_changed_on_both_sides_waits_for_a_person(company: OdooSite) -> None:
    """
    Another field goes on.
    """
    made = acme(company)
    company.poll("company")
    company.write(company.our("Acme")["id"], city="Ours", zip="1")
    company.admin("company").write("res.partner", made, {"city": "Theirs"})

    company.poll("company")
    company.jobs()

    assert [item["kind"] for item in company.inbox()] == ["conflict"]
    assert company.their("company", "Acme")["zip"] == "1"
    assert (company.our("Acme")["city"], company.their("company", "Acme")["city"]) == ("Ours", "Theirs")


@pytest.mark.parametrize(
    ("policy", "left"), [("archive", [False]), ("delete", []), ("forget", [True])], ids=str
)
def test_deleted_there_is_what_the_policy_says_here(company: OdooSite, policy: str, left: list[bool]) -> None:
    """
    The full walk finds it.
    """
    made = acme(company)
    company.poll("company")
    company.set("company", on_external_delete=policy)
    company.admin("company").unlink("res.partner", made)

    company.poll("company")
    before = len(company.ours(("active", "=", True)))
    company.poll("company", full=True)

    assert before == 1
    assert [p["active"] for p in company.ours()] == left


@pytest.mark.parametrize(("policy", "left"), [("archive", [False]), ("delete", [])], ids=str)
def test_deleted_here_is_what_the_policy_says_there(company: OdooSite, policy: str, left: list[bool]) -> None:
    """
    By a job, at once.
    """
    acme(company)
    company.poll("company")
    company.set("company", on_record_delete=policy)
    company.unlink(company.our("Acme")["id"])

    assert company.jobs() == []

    assert [p["active"] for p in company.theirs("company", ["name", "=", "Acme"])] == left


@on_sqlite
def test_an_unknown_country_is_parked(company: OdooSite) -> None:
    """
    With what to do; the others go on.
    """
    odd = company.admin("company").create("res.country", {"name": "Utopia", "code": "UT"})
    acme(company, name="Acme U", country_id=odd)
    acme(company)

    report = company.poll("company")

    assert (report.done["created"], report.done["parked"]) == (1, 1)
    assert "we have no country with the code 'UT'" in company.inbox()[0]["summary"]


@on_sqlite
def test_what_odoo_refuses_is_parked_with_its_own_words(company: OdooSite) -> None:
    """
    A contact without a name is no contact there.
    """
    company.set("company", export_domain={"res.partner": []})
    company.create(name=None, city="Gent")

    company.jobs()

    (item,) = company.inbox()
    assert item["kind"] == "dead_letter"
    assert "res.partner" in item["summary"]


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "truncated"])
def test_a_create_whose_answer_is_lost_is_made_once(company: OdooSite, kind: str) -> None:
    """
    It is sent again under the same external ID, and what a person has written in between stays.
    """
    company.set("company", timeout_s=IMPATIENT_S)
    odoo: OdooSimulator = company.odoos["company"]
    odoo.faults.next(kind, method="load")
    company.create(name="Ours", city="Gent")
    company.hub.queue.run_pending()
    company.clock.advance(timedelta(seconds=2))  # dates there are told to the second
    company.admin("company").write("res.partner", their_id(company, "Ours"), {"city": "Liège"})

    assert company.jobs() == []
    company.poll("company")

    assert len(company.theirs("company", ["name", "=", "Ours"])) == 1
    assert company.their("company", "Ours")["city"] == "Liège"
    assert company.our("Ours")["city"] == "Liège"


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after"])
def test_a_record_of_ours_whose_create_is_open_is_not_imported_as_new(company: OdooSite, kind: str) -> None:
    """
    A poll may meet it before the answer is settled; its external ID tells that it is ours.
    """
    company.set("company", import_domain=EVERYTHING, timeout_s=IMPATIENT_S)
    company.poll("company")
    before = len(company.ours())
    company.odoos["company"].faults.next(kind, method="load")
    company.create(name="Ours", city="Gent")
    company.hub.queue.run_pending()

    company.poll("company")
    assert company.jobs() == []

    assert len(company.ours()) == before + 1
    assert len(company.theirs("company", ["name", "=", "Ours"])) == 1


@on_sqlite
def test_a_proxy_that_cuts_long_answers_is_asked_for_less(company: OdooSite) -> None:
    """
    Page by page in halves, until each fits; nothing is left out and nothing comes twice.
    """
    for number in range(70):
        acme(company, name=f"Acme {number}")
    company.odoos["company"].faults.cut_over_bytes = 6_000

    report = company.poll("company")

    assert report.done["created"] == 70
    assert len({p["name"] for p in company.ours()}) == 70


@pytest.mark.parametrize("known", [False, True])
def test_a_partner_that_cannot_be_read_waits_alone(company: OdooSite, known: bool) -> None:
    """
    Whether everything is looked at or only what changed: one field of one partner cannot be computed.
    """
    if known:
        company.poll("company")
    odd = acme(company, name="Acme odd")
    acme(company, name="Acme office", parent_id=odd)
    acme(company)
    mend = spoil(company, odd)

    first, second = company.poll("company"), company.poll("company", full=True)

    assert (first.done["created"], first.done["parked"], second.done["created"]) == (1, 2, 0)
    summaries = [item["summary"] for item in company.inbox()]
    assert len(summaries) == 2
    assert all("division by zero" in summary for summary in summaries)

    mend()
    assert company.poll("company", full=True).done["created"] == 2
    assert company.our("Acme office")["parent_id"] == company.our("Acme odd")["id"]
    assert company.inbox() == []


def spoil(site: OdooSite, partner_id: int) -> Callable[[], None]:
    """Let the e-mail of a partner there be one that cannot be computed; gives what ends that."""
    world = site.odoos["company"].world
    usual = world.execute

    def execute(uid: int, model: str, method: str, *arguments: Any) -> Any:
        told = usual(uid, model, method, *arguments)
        rows = told if model == "res.partner" and method in {"read", "search_read"} else []
        if any(row["id"] == partner_id and "email" in row for row in rows):
            raise errors.user_error("division by zero")
        return told

    world.execute = execute  # type: ignore[method-assign]
    return lambda: setattr(world, "execute", usual)


@on_sqlite
def test_a_partner_that_came_and_went_between_two_polls_leaves_nothing(company: OdooSite) -> None:
    """
    No record of ours, nothing in the inbox; the others come.
    """
    company.poll("company")
    made = acme(company)
    other = acme(company, name="Acme two")
    company.admin("company").unlink("res.partner", made)
    company.admin("company").write("res.partner", other, {"phone": "112"})

    report = company.poll("company")

    assert report.done["created"] == 1
    assert company.inbox() == []


@on_sqlite
def test_an_outage_loses_nothing(company: OdooSite) -> None:
    """
    The poll fails and the cursor stays; the next one finds what was missed.
    """
    company.poll("company")
    acme(company)
    company.odoos["company"].faults.maintenance = True
    with pytest.raises(NetworkRetryableError):
        company.poll("company")
    company.odoos["company"].faults.maintenance = False

    assert company.poll("company").done["created"] == 1
