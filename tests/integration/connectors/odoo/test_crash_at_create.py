"""kill -9 around every call of an export: each partner is there once, and bound."""

import random

import pytest
from odoo_site import OdooSite

from isthmus.testing.crash import ANSWER, REQUEST, SENT


def make(site: OdooSite, number: int) -> None:
    """Make a company and its office."""
    parent = site.create(name=f"Ours {number}", is_company=True, country_id=site.country("BE"))
    site.create(name=f"Ours {number} office", parent_id=parent)


def around_calls(site: OdooSite) -> list[int]:
    """Number the points of an export at which a call is about to be made, is made, or is answered."""
    site.connect("company", export_domain={"res.partner": [("name", "like", "Ours")]})
    make(site, 0)
    points = site.in_child("export")
    return [number for number, kind in enumerate(points, start=1) if kind in {REQUEST, SENT, ANSWER}]


def kill_at(site: OdooSite, fatal: list[int]) -> None:
    """Kill an export of two new partners at each point, run on, and look at what there is then."""
    died = 0
    for number in fatal:
        make(site, number)
        died += site.in_child("export", crash_at=number) == []
        site.in_child("export")

    expected = sorted(f"Ours {n}{end}" for n in (0, *fatal) for end in ("", " office"))
    assert died >= len(fatal) * 3 // 4
    assert sorted(p["name"] for p in site.theirs("company", ["name", "like", "Ours"])) == expected
    assert len([b for b in site.bindings() if b["external_id"]]) == len(expected)
    assert site.inbox() == []


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_an_export_that_is_killed_around_a_call_is_completed_without_a_duplicate(site: OdooSite) -> None:
    """
    A seeded choice of points; `make chaos` takes all of them.
    """
    fatal = around_calls(site)

    kill_at(site, sorted(random.Random("odoo").sample(fatal, 8)))


@pytest.mark.chaos
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_an_export_that_is_killed_around_any_call_is_completed_without_a_duplicate(site: OdooSite) -> None:
    """
    Before each request, when it is sent, and when its answer is there.
    """
    fatal = around_calls(site)

    kill_at(site, fatal)
