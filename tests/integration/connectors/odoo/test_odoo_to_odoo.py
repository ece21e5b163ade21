"""The worked example: the partners of two Odoos, through our database or straight from one to the other."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from odoo_site import EVERYTHING, IMPATIENT_S, LAG, OdooSite

ACME = {"res.partner": [["name", "like", "Acme"]]}
TAKES_ACME = {"res.partner": [("name", "like", "Acme")]}


def partner(site: OdooSite, odoo: str, **values: Any) -> int:
    """Make a partner in an Odoo."""
    return site.admin(odoo).create("res.partner", {"name": "Acme", "is_company": True, **values})


def write(site: OdooSite, odoo: str, name: str, **values: Any) -> None:
    """Change a partner in an Odoo."""
    site.admin(odoo).write("res.partner", site.their(odoo, name)["id"], values)


def country(site: OdooSite, odoo: str, code: str) -> int:
    """Find a country in an Odoo."""
    return site.admin(odoo).search("res.country", [["code", "=", code]])[0]


def round_(site: OdooSite, *odoos: str, full: bool = False) -> None:
    """Let everything go everywhere, until nothing moves."""
    for _ in range(3):
        for odoo in odoos:
            site.poll(odoo, full=full)
        assert site.jobs() == []


class TestThroughUs:
    """Two backends, our own database between them."""

    @pytest.fixture
    def two(self, site: OdooSite) -> OdooSite:
        """An Odoo 16 that has the partners, and an Odoo 19 that takes them."""
        site.connect("left", "16.0", import_domain=ACME)
        site.connect("right", "19.0", export_domain=TAKES_ACME)
        return site

    def test_what_one_brings_the_other_gets(self, two: OdooSite) -> None:
        """
        With its company first; each country by its code, whatever its ID is in either.
        """
        parent = partner(two, "left", name="Acme group", country_id=country(two, "left", "BE"))
        partner(
            two, "left", name="Acme office", parent_id=parent, is_company=False, email="office@acme.example"
        )

        round_(two, "left", "right")

        office = two.their("right", "Acme office")
        assert office["email"] == "office@acme.example"
        assert office["parent_id"][0] == two.their("right", "Acme group")["id"]
        assert two.their("right", "Acme group")["country_id"][0] == country(two, "right", "BE")

    def test_changes_go_both_ways_and_come_to_rest(self, two: OdooSite) -> None:
        """
        Each field that one side has changed is on all three, and nothing goes round.
        """
        partner(two, "left")
        round_(two, "left", "right")
        write(two, "left", "Acme", city="Gent")
        write(two, "right", "Acme", phone="112")
        round_(two, "left", "right")
        calls = [two.odoos[name].calls for name in ("left", "right")]
        for log in calls:
            log.clear()
        round_(two, "left", "right")

        seen = [two.their("left", "Acme"), two.our("Acme"), two.their("right", "Acme")]
        assert [(p["city"], p["phone"]) for p in seen] == [("Gent", "112")] * 3
        assert [log.count(method="write") + log.count(method="load") for log in calls] == [0, 0]

    def test_a_deletion_goes_on(self, two: OdooSite) -> None:
        """
        Archived here by the one's policy, and so there by being archived here.
        """
        made = partner(two, "left")
        round_(two, "left", "right")
        two.admin("left").unlink("res.partner", made)

        round_(two, "left", "right", full=True)

        assert not two.our("Acme")["active"]
        assert not two.their("right", "Acme")["active"]

    def test_a_partner_hidden_by_a_record_rule_is_not_deleted(self, two: OdooSite) -> None:
        """
        A user of one company does not see the partners of another one: the report tells it.
        """
        restrict(two)
        made = partner(two, "left")
        round_(two, "left", "right")
        hide(two, made)

        report = two.poll("left", full=True)

        assert two.our("Acme")["active"]
        assert "1 bound res.partner are hidden from our user there" in report.notes

    def test_who_belongs_to_a_hidden_partner_waits_alone(self, two: OdooSite) -> None:
        """
        It is parked with the reason, the others come; once its company is shown, so does it.
        """
        restrict(two)
        parent = partner(two, "left", name="Acme group")
        hide(two, parent)
        partner(two, "left", name="Acme office", parent_id=parent)
        partner(two, "left")

        report = two.poll("left")

        assert (report.done["created"], report.done["parked"]) == (1, 1)
        (item,) = two.inbox()
        assert f"our user may not see res.partner {parent}: a record rule hides" in item["summary"]

        two.admin("left").write("res.partner", parent, {"company_id": False})
        two.resolve(item["id"], "retry")
        assert two.jobs() == []

        assert two.our("Acme office")["parent_id"] == two.our("Acme group")["id"]
        assert two.inbox() == []


def restrict(site: OdooSite) -> None:
    """Let the hub be a user who does not work for all companies."""
    world = site.odoos["left"].world
    world.add_user("sync", "sync-secret", ("base.group_user", "base.group_partner_manager"))
    with site.hub.env() as env:
        site.backend(env, "left").set_credentials({"key": "sync-secret"})
    site.set("left", login="sync")


def hide(site: OdooSite, partner_id: int) -> None:
    """Move a partner to a company that our user does not work for."""
    admin = site.admin("left")
    elsewhere = admin.create("res.company", {"name": "Elsewhere"})
    admin.write("res.partner", partner_id, {"company_id": elsewhere})


class TestStraight:
    """One Odoo is our side, as a store; the other one is a backend."""

    @pytest.fixture
    def two(self, database_url: str, tmp_path: Path) -> Iterator[OdooSite]:
        """Our Odoo 18, and an Odoo 19 of a branch."""
        stores = {"company": {"backend": "company", "models": ("res.partner", "res.country"), "lag": LAG}}
        made = OdooSite(database_url, tmp_path, stores=stores, models=(), id_walk_s=0)
        made.connect("company", "18.0")
        made.connect("branch", "19.0", import_domain=ACME, export_domain=TAKES_ACME)
        yield made
        made.close()

    def test_partners_go_both_ways(self, two: OdooSite) -> None:
        """
        A new one on either side is one on both, and changes follow.
        """
        partner(two, "branch", name="Acme there", city="Gent", country_id=country(two, "branch", "CH"))
        round_(two, "branch")
        partner(two, "company", name="Acme here", comment="<p>Our <b>note</b></p>")
        round_(two, "branch")
        write(two, "company", "Acme there", phone="112")
        write(two, "branch", "Acme here", zip="1000")
        two.clock.advance(timedelta(seconds=1))
        round_(two, "branch")

        sides = [
            [
                (p["name"], p["city"], p["phone"], p["zip"], p["comment"], bool(p["country_id"]))
                for p in sorted(two.theirs(odoo, ["name", "like", "Acme"]), key=lambda p: str(p["name"]))
            ]
            for odoo in ("company", "branch")
        ]
        assert (
            sides[0]
            == sides[1]
            == [
                ("Acme here", False, False, "1000", "<p>Our <b>note</b></p>", False),
                ("Acme there", "Gent", "112", False, False, True),
            ]
        )
        assert two.their("company", "Acme there")["country_id"][0] == country(two, "company", "CH")
        assert two.inbox() == []

    def test_our_own_odoo_is_not_imported_into_itself(self, two: OdooSite) -> None:
        """
        Its backend is only where the store lies: nothing is selected on it.
        """
        partner(two, "company")

        report = two.poll("company")

        assert report.changed == 0
        assert two.bindings() == []

    def test_a_create_in_our_odoo_whose_answer_is_lost_is_made_once(self, two: OdooSite) -> None:
        """
        The import is tried again under the same key.
        """
        two.set("company", timeout_s=IMPATIENT_S)
        partner(two, "branch")
        two.odoos["company"].faults.next("timeout_after", method="load")
        with pytest.raises(Exception, match="cannot"):
            two.poll("branch")
        two.clock.advance(timedelta(seconds=60))

        round_(two, "branch")

        assert len(two.theirs("company", ["name", "=", "Acme"])) == 1
        assert len(two.bindings()) == 1


def test_everything_is_a_selection_too(site: OdooSite) -> None:
    """
    An empty domain takes all partners, also those of the users.
    """
    site.connect("left", import_domain=EVERYTHING)

    site.poll("left")

    assert {p["name"] for p in site.ours()} == {p["name"] or None for p in site.theirs("left")}
